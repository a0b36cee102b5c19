"""Connections in memory do what Twisted's do, when the test says so."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import AccumulatingProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pymq.testing.connections import BUFFER_FULL_BYTES, MemoryNetwork


class PausingProducer:
    """Remembers what a consumer tells it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        """Remember."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """Remember."""
        self.told.append("resume")

    def stopProducing(self) -> None:
        """Remember."""
        self.told.append("stop")


class MemoryNetworkTests(SynchronousTestCase):
    """One server that listens, one client that connects."""

    def setUp(self) -> None:
        """Listen."""
        self.network = MemoryNetwork()
        self.factory = Factory.forProtocol(AccumulatingProtocol)
        self.factory.protocolConnectionMade = None
        self.network.listen("10.0.0.9", 10911, self.factory)

    def connect(self) -> tuple[AccumulatingProtocol, AccumulatingProtocol]:
        """(client, server)."""
        client_factory = Factory.forProtocol(AccumulatingProtocol)
        client_factory.protocolConnectionMade = None
        connected = self.network.connect("10.0.0.9", 10911, client_factory)
        self.assertNoResult(connected)
        server = self.network.accept()
        return self.successResultOf(connected), server

    def test_bytes_move_on_flush(self) -> None:
        """Not before, then both ways, and the addresses agree."""
        client, server = self.connect()
        client.transport.write(b"ask")
        server.transport.writeSequence([b"an", b"swer"])
        self.assertEqual(server.data, b"")
        self.network.flush()
        self.assertEqual((server.data, client.data), (b"ask", b"answer"))
        self.assertEqual(client.transport.getHost(), server.transport.getPeer())
        self.assertEqual(client.transport.getPeer().port, 10911)

    def test_failed_attempt(self) -> None:
        """The test decides how it fails; a cancelled attempt is not offered."""
        cancelled = self.network.connect("10.0.0.9", 10911, self.factory)
        cancelled.addErrback(lambda _: None)
        cancelled.cancel()
        connected = self.network.connect("10.0.0.9", 10911, self.factory)
        self.network.fail()
        self.failureResultOf(connected, ConnectionRefusedError)
        self.assertEqual(self.network.attempts, [])

    def test_network_that_accepts(self) -> None:
        """Where somebody listens; elsewhere it refuses."""
        self.network.accepts = True
        self.successResultOf(self.network.connect("10.0.0.9", 10911, self.factory))
        self.network.stop_listening("10.0.0.9", 10911)
        self.failureResultOf(self.network.connect("10.0.0.9", 10911, self.factory), ConnectionRefusedError)

    def test_close_follows_the_last_byte(self) -> None:
        """Both sides see a clean end."""
        client, server = self.connect()
        client.transport.write(b"last")
        client.transport.loseConnection()
        self.network.flush()
        self.assertEqual(server.data, b"last")
        self.assertIsInstance(client.closedReason.value, ConnectionDone)
        self.assertIsInstance(server.closedReason.value, ConnectionDone)

    def test_abort_drops_what_is_unsent(self) -> None:
        """And the peer sees a loss."""
        client, server = self.connect()
        client.transport.write(b"never")
        client.transport.abortConnection()
        self.network.flush()
        self.assertEqual(server.data, b"")
        self.assertIsInstance(server.closedReason.value, ConnectionLost)

    def test_reader_that_pauses_fills_the_writer(self) -> None:
        """The writer's producer is paused, and resumed when the reader goes on."""
        client, server = self.connect()
        producer = PausingProducer()
        client.transport.registerProducer(producer, True)
        server.transport.pauseProducing()
        client.transport.write(bytes(BUFFER_FULL_BYTES + 1))
        self.network.flush()
        self.assertEqual(producer.told, ["pause"])
        server.transport.resumeProducing()
        self.network.flush()
        self.assertEqual(producer.told, ["pause", "resume"])
        self.assertEqual(len(server.data), BUFFER_FULL_BYTES + 1)

    def test_paused_producer_keeps_a_closing_connection_open(self) -> None:
        """As in Twisted, where this is a trap."""
        client, server = self.connect()
        client.transport.registerProducer(PausingProducer(), True)
        client.transport.write(bytes(BUFFER_FULL_BYTES + 1))
        client.transport._is_producer_paused = True
        server.transport.pauseProducing()
        client.transport.loseConnection()
        self.network.flush()
        self.assertTrue(client.transport.is_connected)
        client.transport.unregisterProducer()
        server.transport.resumeProducing()
        self.network.flush()
        self.assertFalse(client.transport.is_connected)

    def test_server_that_makes_no_protocol(self) -> None:
        """The connection is made and closed, as by a real listener."""

        class Refusing(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        lost: list[Failure] = []

        class Client(Protocol):
            def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
                lost.append(reason)

        self.network.listen("10.0.0.8", 9876, Refusing())
        self.network.accepts = True
        self.successResultOf(self.network.connect("10.0.0.8", 9876, Factory.forProtocol(Client)))
        self.network.flush()
        self.assertEqual(len(lost), 1)
