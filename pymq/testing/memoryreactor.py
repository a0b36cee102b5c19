# Tests: tests/testing/test_memoryreactor.py
"""A reactor in memory: a clock, and TCP over a MemoryNetwork. Whatever takes a reactor as an argument runs on it."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pymq.testing.connections import MemoryNetwork

#: The time at which the clock starts, in seconds since the epoch; a store takes zero for "no message here".
START_S = 1_700_000_000
FIRST_FREE_PORT = 20_001
#: More turns than this without an end are an error: something calls itself again and again.
TURNS_MAX = 10_000


class MemoryPort:
    """A listening port."""

    def __init__(self, reactor: MemoryReactor, host: str, port: int) -> None:
        self._reactor = reactor
        self._host = (host, port)

    def getHost(self) -> IPv4Address:
        """Where it listens."""
        return IPv4Address("TCP", *self._host)

    def stopListening(self) -> None:
        """Take no more connections. Again is harmless."""
        if self._reactor.listening.pop(self._host, None) is not None:
            self._reactor.network.stop_listening(*self._host)


class MemoryConnector:
    """An attempt to connect, made in the next turn."""

    def __init__(self, reactor: MemoryReactor, host: str, port: int, factory: Any) -> None:
        self._factory = factory
        self._destination = IPv4Address("TCP", host, port)
        self._call = reactor.callLater(0, self._connect, reactor.network, host, port)
        self._attempt: Deferred[Any] | None = None
        #: This side of the connection, once it is made.
        self.transport: Any = None

    def _connect(self, network: MemoryNetwork, host: str, port: int) -> None:
        self._attempt = network.connect(host, port, self._factory)
        self._attempt.addCallbacks(self._connected, self._failed)

    def _connected(self, protocol: Any) -> None:
        self.transport = protocol.transport

    def _failed(self, failure: Failure) -> None:
        self._factory.clientConnectionFailed(self, failure)

    def getDestination(self) -> IPv4Address:
        """What it connects to."""
        return self._destination

    def stopConnecting(self) -> None:
        """Give up."""
        if self._call.active():
            self._call.cancel()
        elif self._attempt is not None:
            self._attempt.cancel()


class MemoryReactor(Clock):
    """Time, listening and connecting. Nothing happens but in `settle`, `advance` and `pump`."""

    def __init__(self) -> None:
        super().__init__()
        self.network = MemoryNetwork(accepts=True)
        self.listening: dict[tuple[str, int], MemoryPort] = {}
        self._free_port = FIRST_FREE_PORT
        self.advance(START_S)

    def listenTCP(self, port: int, factory: Factory, backlog: int = 50, interface: str = "") -> MemoryPort:
        """Listen on one address; on all is not possible here. Raises CannotListenError for a taken one."""
        if not port:
            port, self._free_port = self._free_port, self._free_port + 1
        if (interface, port) in self.listening:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        self.network.listen(interface, port, factory)
        self.listening[interface, port] = MemoryPort(self, interface, port)
        return self.listening[interface, port]

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, *_: Any, **__: Any) -> MemoryConnector:
        """Connect in the next turn."""
        connector = MemoryConnector(self, host, port, factory)
        factory.startedConnecting(connector)
        return connector

    def settle(self) -> None:
        """Move bytes and make the calls that are due, until nothing is left to do at this time. Raises AssertionError."""
        for _ in range(TURNS_MAX):
            self.network.flush()
            if not self._turn():
                return
        raise AssertionError(f"not settled after {TURNS_MAX} turns")

    def advance(self, amount: float) -> None:
        """Move the clock and make one turn: as in a real reactor, calls that these calls ask for come in a later one."""
        self.rightNow += amount
        self._turn()

    def _turn(self) -> bool:
        """Make the calls that are due now; whether there were any."""
        due = sorted((call for call in self.calls if call.getTime() <= self.seconds()), key=lambda call: call.getTime())
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        return bool(due)

    def tick(self, seconds: float, times: int = 1) -> None:
        """Let so much time pass, so many times, with all that comes of it."""
        self.settle()
        for _ in range(times):
            self.advance(seconds)
            self.settle()
