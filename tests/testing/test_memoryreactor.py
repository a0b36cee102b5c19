"""The reactor in memory: ports, connections and turns."""

from __future__ import annotations

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from pymq.testing.memoryreactor import MemoryReactor


class Echo(Protocol):
    """Sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        """Send it back."""
        assert self.transport is not None
        self.transport.write(data)


class Keeper(Protocol):
    """Keeps what it gets."""

    received = b""

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.received += data


class MemoryReactorTests(SynchronousTestCase):
    """With an echo server."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.port = self.reactor.listenTCP(7, Factory.forProtocol(Echo), interface="10.0.0.1")

    def connect(self, port: int) -> object:
        """As everything of ours connects."""
        return TCP4ClientEndpoint(self.reactor, "10.0.0.1", port).connect(Factory.forProtocol(Keeper))

    def test_bytes_go_there_and_back(self) -> None:
        """In `settle`, not before."""
        connected = self.connect(7)
        self.assertNoResult(connected)
        self.reactor.settle()
        keeper = self.successResultOf(connected)
        keeper.transport.write(b"ping")
        self.assertEqual(keeper.received, b"")
        self.reactor.settle()
        self.assertEqual(keeper.received, b"ping")

    def test_nobody_listens(self) -> None:
        """The attempt fails as with a real reactor, also when the port has been given back."""
        self.port.stopListening()
        self.port.stopListening()
        for port in (7, 8):
            refused = self.connect(port)
            self.reactor.settle()
            self.failureResultOf(refused, ConnectionRefusedError)

    def test_an_attempt_can_be_given_up(self) -> None:
        """And leaves nothing on the clock."""
        attempt = self.connect(7)
        attempt.cancel()
        self.failureResultOf(attempt)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ports(self) -> None:
        """A taken one is refused; zero is any free one."""
        self.assertRaises(CannotListenError, self.reactor.listenTCP, 7, Factory(), interface="10.0.0.1")
        first, second = (self.reactor.listenTCP(0, Factory(), interface="10.0.0.1").getHost().port for _ in range(2))
        self.assertNotEqual(first, second)

    def test_what_never_settles_is_an_error(self) -> None:
        """Instead of a test that hangs."""

        def again() -> None:
            self.reactor.callLater(0, again)

        again()
        self.assertRaises(AssertionError, self.reactor.settle)

    def test_time_passes_in_steps(self) -> None:
        """Each with all that comes of it."""
        times: list[float] = []
        start = self.reactor.seconds()
        self.reactor.callLater(1, lambda: self.reactor.callLater(0, lambda: times.append(self.reactor.seconds() - start)))
        self.reactor.tick(0.5, 3)
        self.assertEqual(times, [1.0])
