"""Everything written arrives, in order, whatever the kernel takes at a time."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from pymq.remoting.writer import JOIN_BYTES_MAX, PARTS_PER_CALL_MAX, DirectWriter, TransportWriter, writer_for


class SocketTransport:
    """What a DirectWriter uses of Twisted's TCP transport, over one end of a socket pair. `turn` plays the reactor."""

    def __init__(self, handle: socket.socket) -> None:
        self._handle = handle
        self.producer: Any = None
        self.wants_write = False
        self.is_lost = False

    def getHandle(self) -> socket.socket:
        """The socket."""
        return self._handle

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """As FileDescriptor does it for a pull producer."""
        assert self.producer is None
        assert not streaming
        self.producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """As FileDescriptor."""
        self.producer = None

    def startWriting(self) -> None:
        """Ask for a turn."""
        self.wants_write = True

    def loseConnection(self) -> None:
        """Close."""
        assert self.producer is None, "Twisted would wait for the producer"
        self.is_lost = True

    def turn(self) -> None:
        """What doWrite does with an empty buffer."""
        if self.wants_write:
            self.wants_write = False
            self.producer.resumeProducing()


class Owner:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def writer_full(self) -> None:
        """Remember."""
        self.told.append("full")

    def writer_drained(self) -> None:
        """Remember."""
        self.told.append("drained")

    def writer_overflowed(self, unsent_bytes: int) -> None:
        """Remember."""
        self.told.append(f"overflowed at {unsent_bytes}")


class DirectWriterTests(SynchronousTestCase):
    """Over a socket pair with a small buffer, whose other end reads when the test says so."""

    def setUp(self) -> None:
        """Two sockets."""
        ours, self.theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(self.theirs.close)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.theirs.setblocking(False)
        self.transport, self.owner = SocketTransport(ours), Owner()
        self.writer = DirectWriter(self.transport, self.owner, 8 * 1024 * 1024)
        self.received = b""

    def read(self) -> bytes:
        """Take what has arrived."""
        while True:
            try:
                data = self.theirs.recv(1 << 20)
            except BlockingIOError:
                return self.received
            if not data:
                return self.received
            self.received += data

    def drain(self) -> bytes:
        """Read and let the writer write until it has nothing left."""
        while self.writer.unsent_bytes:
            self.read()
            self.transport.turn()
        return self.read()

    def test_small_answer_leaves_at_once(self) -> None:
        """No turn of the reactor is needed."""
        self.writer.write((b"abc", memoryview(b"def")))
        self.assertEqual(self.read(), b"abcdef")
        self.assertFalse(self.transport.wants_write)

    def test_what_the_kernel_does_not_take_follows(self) -> None:
        """One large part, then small ones behind it: all arrive in order."""
        large = bytes(range(256)) * 4000
        self.writer.write((large,))
        self.assertTrue(self.writer.unsent_bytes)
        self.writer.write((b"x", memoryview(b"yz")))
        self.assertEqual(self.drain(), large + b"xyz")
        self.assertIsNone(self.transport.producer)
        self.writer.write((b"!",))
        self.assertEqual(self.read()[-1:], b"!")

    def test_vector_cut_anywhere(self) -> None:
        """Parts of uneven sizes whose sum is beyond what is joined."""
        parts = [bytes([n % 251]) * (n * 37 % 4001) for n in range(200)]
        self.assertGreater(sum(map(len, parts)), JOIN_BYTES_MAX)
        self.writer.write(parts)
        self.assertEqual(self.drain(), b"".join(parts))

    def test_more_parts_than_one_call_takes(self) -> None:
        """IOV_MAX is no limit for callers, neither at first nor when sending goes on."""
        parts = [b"%040d" % n for n in range(3 * PARTS_PER_CALL_MAX + 5)]
        self.writer.write(parts)
        self.assertEqual(self.drain(), b"".join(parts))

    def test_soon_joins_the_next_turn(self) -> None:
        """Nothing leaves before the turn, then all at once."""
        self.writer.write_soon(b"a")
        self.writer.write_soon(b"b")
        self.assertEqual(self.read(), b"")
        self.writer.write((b"c",))
        self.transport.turn()
        self.assertEqual(self.read(), b"abc")

    def test_owner_is_told_of_a_peer_that_does_not_keep_up(self) -> None:
        """Full once, drained once."""
        for _ in range(3):
            self.writer.write((bytes(1024 * 1024),))
        self.assertEqual(self.owner.told, ["full"])
        self.drain()
        self.assertEqual(self.owner.told, ["full", "drained"])

    def test_bound(self) -> None:
        """Beyond the bound everything is dropped and the owner told."""
        self.writer.write((bytes(9 * 1024 * 1024),))
        self.assertEqual((self.owner.told[0], self.owner.told[2:]), ("full", ["drained"]))
        self.assertTrue(self.owner.told[1].startswith("overflowed at"))
        self.assertEqual(self.writer.unsent_bytes, 0)

    def test_close_waits_for_what_is_unsent(self) -> None:
        """The connection ends behind the last byte."""
        self.writer.write((bytes(300_000),))
        self.writer.close()
        self.assertFalse(self.transport.is_lost)
        self.assertEqual(len(self.drain()), 300_000)
        self.assertTrue(self.transport.is_lost)

    def test_close_with_nothing_unsent(self) -> None:
        """At once."""
        self.writer.close()
        self.assertTrue(self.transport.is_lost)

    def test_peer_that_is_gone(self) -> None:
        """Writing to it raises nothing and closes nothing: the reactor will see the end when it has read what came before."""
        self.theirs.close()
        self.writer.write((b"a",))
        self.writer.write((b"b" * 100_000, b"c"))
        self.writer.write_soon(b"d")
        self.assertEqual(self.writer.unsent_bytes, 0)
        self.assertFalse(self.transport.is_lost)

    def test_peer_that_goes_while_something_waits(self) -> None:
        """What waits is dropped."""
        self.writer.write((bytes(300_000),))
        self.theirs.close()
        self.transport.turn()
        self.assertEqual(self.writer.unsent_bytes, 0)
        self.assertIsNone(self.transport.producer)

    def test_lost_connection(self) -> None:
        """The transport says that it is over."""
        self.writer.write((bytes(300_000),))
        self.writer.stopProducing()
        self.assertEqual(self.writer.unsent_bytes, 0)


class TransportWriterTests(SynchronousTestCase):
    """Over Twisted's own StringTransport."""

    def setUp(self) -> None:
        """A writer with a bound of 10 bytes."""
        self.transport, self.owner = StringTransport(), Owner()
        self.writer = TransportWriter(self.transport, self.owner, 10)

    def test_plain_bytes(self) -> None:
        """Parts of any kind become bytes."""
        self.writer.write((b"ab", memoryview(b"cd")))
        self.writer.write_soon(b"e")
        self.assertEqual(self.transport.value(), b"abcde")

    def test_a_transport_that_collects(self) -> None:
        """Is given what may wait; it counts all the same."""
        soon: list[bytes] = []
        transport: Any = StringTransport()
        transport.write_soon = soon.append
        writer = TransportWriter(transport, self.owner, 10)
        transport.producer.pauseProducing()
        writer.write_soon(b"abc")
        self.assertEqual((soon, transport.value(), writer.unsent_bytes), ([b"abc"], b"", 3))

    def test_pauses_are_passed_on_and_bounded(self) -> None:
        """What is written during a pause is counted."""
        self.transport.producer.pauseProducing()
        self.writer.write((b"12345",))
        self.assertEqual(self.writer.unsent_bytes, 5)
        self.writer.write((b"67890!",))
        self.transport.producer.resumeProducing()
        self.assertEqual(self.owner.told, ["full", "overflowed at 11", "drained"])
        self.assertEqual(self.writer.unsent_bytes, 0)

    def test_close_frees_the_transport(self) -> None:
        """A registered producer would keep it open."""
        self.writer.close()
        self.assertIsNone(self.transport.producer)
        self.assertTrue(self.transport.disconnecting)

    def test_choice(self) -> None:
        """A transport that is not plain TCP gets this writer."""
        self.assertIsInstance(writer_for(StringTransport(), self.owner), TransportWriter)
