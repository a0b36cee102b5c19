"""Our side of the comparison, on producers and consumers that answer at once."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from pymq import aio, blocking, client
from pymq.bench import clientside
from pymq.bench.clientside import Measurement

SENDS = Measurement("send", "T", 3, 10, 20)
READS = Measurement("consume", "T", 0, 10, 5)


class Client:
    """A producer and a consumer of any manner; what was sent is what is received, as far as it goes."""

    lock = threading.Lock()
    sent: list[Any] = []  # the test empties it

    def __init__(self, group: str, listener: Any = None, **settings: Any) -> None:
        self.listener = listener
        assert settings["namesrv_addr"] == "n:1"

    def note(self, message: Any) -> None:
        """A message came."""
        with self.lock:
            self.sent.append(message)

    def subscribe(self, topic: str) -> None:
        """Nothing else is there."""
        assert topic == "T"

    def listen(self, listener: Any) -> None:
        """The listener of the Deferreds' one."""
        self.listener = listener

    def give(self) -> None:
        """All messages, two at a time."""
        for _ in range(5):
            self.listener([object()] * 2, None)


class OnDeferreds(Client):
    """As `pymq.client`."""

    def start(self) -> Deferred[None]:
        """Begin."""
        if self.listener is not None:
            self.give()
        return succeed(None)

    def send(self, message: Any) -> Deferred[None]:
        """Noted."""
        self.note(message)
        return succeed(None)

    def shutdown(self) -> Deferred[None]:
        """End."""
        return succeed(None)


class OnAsyncio(Client):
    """As `pymq.aio`."""

    async def __aenter__(self) -> OnAsyncio:
        if self.listener is not None:
            self.give()
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, message: Any) -> None:
        """Noted."""
        await asyncio.sleep(0)
        self.note(message)


class InThreads(Client):
    """As `pymq.blocking`."""

    def __enter__(self) -> InThreads:
        if self.listener is not None:
            threading.Thread(target=self.give).start()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send(self, message: Any) -> None:
        """Noted."""
        self.note(message)


class SideTests(SynchronousTestCase):
    """Each manner."""

    def setUp(self) -> None:
        """No network."""
        Client.sent.clear()
        for module, kind in ((client, OnDeferreds), (aio, OnAsyncio), (blocking, InThreads)):
            self.patch(module, "Producer", kind)
            self.patch(module, "PushConsumer", kind)

    def check_sent(self, seconds: float) -> None:
        """A fifth before, and then what is counted; in threads each sends as much as the others."""
        self.assertTrue(seconds > 0)
        self.assertTrue(24 <= len(Client.sent) <= 24 + 2 * SENDS.in_flight, len(Client.sent))
        self.assertEqual({(message.topic, len(message.body)) for message in Client.sent}, {("T", 10)})

    def test_on_deferreds(self) -> None:
        """Sends that wait for each other, and a listener."""
        side = clientside.OnDeferreds()
        self.check_sent(self.successResultOf(Deferred.fromCoroutine(side.send("n:1", "g", SENDS))))
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(side.consume("n:1", "g", READS))) > 0)

    def test_on_asyncio(self) -> None:
        """The same in a loop."""
        side = clientside.OnAsyncio()
        self.check_sent(asyncio.run(side.send("n:1", "g", SENDS)))
        self.assertTrue(asyncio.run(side.consume("n:1", "g", READS)) > 0)

    def test_in_threads(self) -> None:
        """The same; so many sends in flight as nobody has threads are not measured."""
        side = clientside.InThreads()
        seconds = side.send("n:1", "g", SENDS)
        assert seconds is not None
        self.check_sent(seconds)
        self.assertTrue(side.consume("n:1", "g", READS) > 0)
        self.assertIsNone(side.send("n:1", "g", Measurement("send", "T", 256, 10, 20)))

    def test_the_program(self) -> None:
        """Says who it is, and a line for each measurement; each has a group of its own."""
        groups: list[str] = []
        make = InThreads.__init__
        self.patch(InThreads, "__init__", lambda self, group, **more: groups.append(group) or make(self, group, **more))
        written = io.StringIO()
        self.patch(sys, "stdout", written)
        many = Measurement("send", "T", 256, 10, 20)
        clientside.main(["blocking", "n:1", "g", SENDS.words, READS.words, many.words])
        lines = written.getvalue().splitlines()
        self.assertEqual(lines[0], "client pymq.blocking")
        self.assertEqual([line.split()[:2] for line in lines[1:]], [["measured", one.words] for one in (SENDS, READS, many)])
        self.assertTrue(float(lines[1].split()[2]) > 0)
        self.assertEqual(lines[3].split()[2], "-")
        self.assertEqual(groups, ["g0", "g1"])


class MeasurementTests(SynchronousTestCase):
    """What is measured, as words."""

    @given(st.sampled_from(["send", "consume"]), *[st.integers(0, 10**9)] * 3)
    def test_there_and_back(self, kind: str, in_flight: int, size: int, count: int) -> None:
        """Nothing is lost."""
        what = Measurement(kind, "Topic_1%", in_flight, size, count)
        self.assertEqual(Measurement.parsed(what.words), what)
