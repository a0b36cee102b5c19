"""What all blocking clients do alike."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

from pymq import aio, blocking
from pymq.blocking.loopthread import LOOP_THREAD
from pymq.client.results import SendStatus, ServiceState
from pymq.errors import ClientError, NoNameServer
from pymq.message.message import Message
from tests.blocking.cases import HANG_S, BlockingCase
from tests.client.cases import TOPIC, queue

ROOT = Path(__file__).resolve().parents[2]


class FaceTests(BlockingCase):
    """Life and questions."""

    def test_with_starts_and_shuts_down(self) -> None:
        """A second shutdown is harmless, and so is one before the start."""
        producer = self.blocking_producer()
        producer.shutdown()
        with producer as entered:
            self.assertIs(entered, producer)
            self.assertEqual((producer.state, producer.group), (ServiceState.RUNNING, "pg"))
            self.assertIn("10.0.0.7@", producer.client_id)
        producer.shutdown()
        self.assertIs(producer.state, ServiceState.SHUTDOWN_ALREADY)
        self.assertIn("SHUTDOWN_ALREADY", repr(producer))

    def test_before_the_start(self) -> None:
        """The error says what to do."""
        self.assertRaises(ClientError, self.blocking_producer().send, Message(TOPIC, b"x"))

    def test_a_failed_start_leaves_no_thread(self) -> None:
        """The error is that of the client on Deferreds."""
        producer = blocking.Producer("pg", **{**self.settings(), "namesrv_addr": ";"})
        self.assertRaises(NoNameServer, producer.start)
        self.assertFalse(LOOP_THREAD.is_running)

    def test_questions(self) -> None:
        """As every client can ask."""
        self.put(b"one")
        with self.blocking_producer() as producer:
            self.assertEqual((producer.min_offset(queue()), producer.max_offset(queue())), (0, 1))
            self.assertEqual((producer.earliest_store_time(queue()), producer.search_offset(queue(), 0)), (-1, 1))
            producer.create_topic("TBW102", "another")
            result = producer.send(Message(TOPIC, b"two", keys="k"))
            self.assertEqual(producer.view_message(result.offset_msg_id).body, b"two")
            for found in (producer.query_message(TOPIC, "k"), producer.query_message_by_unique_id(TOPIC, result.msg_id)):
                self.assertEqual([message.body for message in found.messages], [b"two"])

    def test_many_threads_share_a_producer(self) -> None:
        """Their sends wait for nobody else's."""
        with self.blocking_producer() as producer:
            threads = [threading.Thread(target=producer.send, args=(Message(TOPIC, b"%d" % n),)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(HANG_S)
        self.assertEqual({message.body for message in self.cluster.broker.stored(TOPIC)}, {b"%d" % n for n in range(8)})

    def test_no_method_is_missing(self) -> None:
        """Whatever the asyncio clients can do, these can."""
        kinds = [
            kind for kind in vars(aio).values() if inspect.isclass(kind) and issubclass(kind, aio.Face) and kind is not aio.Face
        ]
        self.assertEqual(len(kinds), 7)
        for kind in kinds:
            name = kind.__name__
            for method, _ in inspect.getmembers(kind, inspect.isfunction):
                if not method.startswith("_"):
                    self.assertTrue(hasattr(getattr(blocking, name), method), f"{name} has no {method}")


class ForkTests(BlockingCase):
    """A child process has no thread of its parent's."""

    def in_child(self, work: object) -> str:
        """What `work()` returns in a child process."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, str(work()).encode())  # type: ignore[operator]
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            said = answer.read()
        os.waitpid(child, 0)
        return said

    def test_a_producer_starts_anew(self) -> None:
        """The parent's goes on."""
        with self.blocking_producer() as producer:
            ours = producer.client_id

            def send() -> object:
                status = producer.send(Message(TOPIC, b"x")).status
                other = producer.client_id != ours
                producer.shutdown()
                return status.name, other, LOOP_THREAD.is_running

            self.assertEqual(self.in_child(send), str(("SEND_OK", True, False)))
            self.assertIs(producer.send(Message(TOPIC, b"x")).status, SendStatus.SEND_OK)

    def test_a_consumer_does_not(self) -> None:
        """Two processes would be two members of the group, unasked."""
        with self.blocking_consumer() as consumer:

            def use() -> object:
                consumer.shutdown()
                return self.assertRaises(ClientError, consumer.suspend)

            self.assertIn("before the fork", self.in_child(use))

    def test_what_was_not_started_can_be(self) -> None:
        """Made at import, used in the workers."""
        producer = self.blocking_producer()

        def send() -> object:
            with producer:
                return producer.send(Message(TOPIC, b"x")).status.name

        self.assertEqual(self.in_child(send), "SEND_OK")


class ExitTests(BlockingCase):
    """The end of the process."""

    def test_clients_are_shut_down(self) -> None:
        """When nobody did; the process ends at once and says nothing."""
        program = (
            "from pymq import blocking\n"
            "from tests.client.fakecluster import FakeCluster, NAME_SERVER\n"
            "cluster = FakeCluster()\n"
            "producer = blocking.Producer('pg', namesrv_addr=NAME_SERVER, reactor=cluster.clock,\n"
            "    make_remoting=cluster.make_remoting)\n"
            "producer.start()\n"
            "import atexit, threading\n"
            "atexit._run_exitfuncs()\n"
            "print(producer.state.name, threading.active_count())\n"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60)
        self.assertEqual((done.stdout.decode(), done.stderr.decode()), ("SHUTDOWN_ALREADY 1\n", ""))
