"""The broker in a process of its own, asked by blocking calls."""

from __future__ import annotations

import atexit
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.testing import CommandError, EmbeddedRocketMQ, NotYet, RocketMQ

ROOT = Path(__file__).resolve().parents[2]
END_S = 120


class RocketMQTests(SynchronousTestCase):
    """One process for all; each test finds it as at the beginning."""

    rocketmq = RocketMQ(defaultTopicQueueNums=2, autoCreateTopicEnable=True)

    def setUp(self) -> None:
        # Trial has no setUpClass: the first test starts it, and the end of the process stops it.
        if not self.rocketmq.is_running:
            self.rocketmq.start()
            atexit.register(self.rocketmq.stop)
        self.rocketmq.reset()

    def test_messages(self) -> None:
        """Sent, listed, consumed, waited for."""
        self.assertEqual(self.rocketmq.create_topic("orders"), "orders")
        sent = self.rocketmq.send("orders", "grüße", tags="A", keys=("k",), properties={"a": "b"})
        (message,) = self.rocketmq.arrived("orders", 1)
        self.assertEqual((message.text, message.tags, message.keys, message.msg_id), ("grüße", "A", ("k",), sent.msg_id))
        self.assertEqual(self.rocketmq.receive("orders"), [message])
        self.assertEqual(self.rocketmq.lag("pymq_testing"), 0)
        error = self.assertRaises(NotYet, self.rocketmq.receive, "orders", timeout_s=0.15)
        self.assertEqual(str(error), "0 of 1 messages are in orders, after 0.15 s")
        self.rocketmq.delete_topic("orders")
        self.assertEqual(self.rocketmq.arrived("orders"), [])

    def test_settings(self) -> None:
        """They came through."""
        self.rocketmq.send("made-by-itself", "one")
        self.rocketmq.send("made-by-itself", "two", queue_id=1)
        self.assertRaises(CommandError, self.rocketmq.send, "made-by-itself", "three", queue_id=2)

    def test_time(self) -> None:
        """Two hours in no time."""
        self.rocketmq.send("orders", "later", delay_level=18)
        (delayed,) = self.rocketmq.waiting().delayed
        self.assertIsNotNone(delayed.due_ms)
        before_ms = self.rocketmq.status().now_ms
        self.rocketmq.advance(7200)
        self.assertEqual(self.rocketmq.arrived("orders", 1)[0].text, "later")
        self.assertGreaterEqual(self.rocketmq.status().now_ms - before_ms, 7_200_000)
        self.assertRaises(CommandError, self.rocketmq.advance, -1)

    def test_faults(self) -> None:
        """Named, listed, taken back."""
        fault = self.rocketmq.fault("refuse", "send", topic="orders", times=3)
        self.assertEqual(self.rocketmq.faults(), [fault])
        self.assertEqual(self.rocketmq.clear_faults(fault.fault), 1)
        self.assertEqual(self.rocketmq.clear_faults(), 0)
        self.assertIn("allowed are", str(self.assertRaises(CommandError, self.rocketmq.fault, "explode")))
        self.assertEqual(self.rocketmq.disconnect(), 1)  # the broker's own, to the name server
        self.rocketmq.pause()
        self.assertEqual(self.rocketmq.status().state, "paused")
        self.rocketmq.resume()
        self.rocketmq.kill()
        self.assertIn("restart", str(self.assertRaises(CommandError, self.rocketmq.arrived, "orders")))
        self.rocketmq.restart()
        self.assertEqual(self.rocketmq.status().state, "running")

    def test_threads(self) -> None:
        """One waits for a message that another sends."""
        found: list[Any] = []
        waiting = threading.Thread(target=lambda: found.extend(self.rocketmq.arrived("orders", 1, timeout_s=END_S)))
        waiting.start()
        self.rocketmq.send("orders", "one")
        waiting.join(END_S)
        self.assertEqual([message.text for message in found], ["one"])

    def test_new_topics(self) -> None:
        """Never the same one."""
        self.assertNotEqual(self.rocketmq.new_topic("t"), self.rocketmq.new_topic("t"))

    def test_both_faces_are_alike(self) -> None:
        """What blocks here gives a Deferred there, under the same name and with the same arguments."""
        ours, theirs = (
            {name: value for name, value in vars(face).items() if not name.startswith("_") and name not in ("is_running",)}
            for face in (RocketMQ, EmbeddedRocketMQ)
        )
        self.assertEqual(set(ours), set(theirs))
        for name, method in ours.items():
            if callable(method):
                wanted, given = (list(inspect.signature(function).parameters.values()) for function in (method, theirs[name]))
                self.assertEqual(wanted, given, name)


class ProcessTests(SynchronousTestCase):
    """How the process begins and ends."""

    def test_a_start_that_fails(self) -> None:
        """Says why."""
        error = self.assertRaises(CommandError, RocketMQ(brokerNam="x").start)
        self.assertIn("did you mean brokerName?", str(error))

    def test_before_and_after(self) -> None:
        """Nothing can be asked; stopping twice is harmless, and so is a second life."""
        rocketmq = RocketMQ()
        self.assertIn("start()", str(self.assertRaises(CommandError, rocketmq.status)))
        for _ in range(2):
            with rocketmq:
                self.assertIs(rocketmq.start(), rocketmq)
                self.assertIn(rocketmq.name_server, repr(rocketmq))
            rocketmq.stop()
            self.assertFalse(rocketmq.is_running)
            self.assertRaises(CommandError, getattr, rocketmq, "broker")

    def test_a_process_that_dies(self) -> None:
        """Is noticed, and can be started anew."""
        with RocketMQ() as rocketmq:
            os.kill(rocketmq.status().pid, signal.SIGKILL)
            self.assertRaises(CommandError, rocketmq.status)
            rocketmq.start()
            self.assertEqual(rocketmq.status().state, "running")

    def program(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """`python -m pymq.testing`, as another language starts it."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = subprocess.Popen(
            [sys.executable, "-m", "pymq.testing", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            **options,
        )
        self.addCleanup(started.kill)
        return started

    def test_it_ends_with_its_parent(self) -> None:
        """That is, with its standard input; commands before that are done."""
        program = self.program()
        said, errors = program.communicate('{"do":"createTopic","topic":"t"}\n{"do":"status"}', timeout=END_S)
        first, created, status = map(json.loads, said.splitlines())
        self.assertEqual(first["nameServer"], status["result"]["nameServer"])
        self.assertEqual((created["ok"], program.returncode, errors), (True, 0, ""))

    def test_flags(self) -> None:
        """Ports and settings; help teaches; what cannot be is told in the one line."""
        said, _ = self.program("--help").communicate(timeout=END_S)
        self.assertIn('{"do":"createTopic","topic":"orders"}', said)
        self.assertIn("advance(seconds=null", said)
        program = self.program("storeType=default")
        said, _ = program.communicate(timeout=END_S)
        self.assertIn("keeps nothing on disk", json.loads(said)["error"])
        self.assertEqual(program.returncode, 1)
