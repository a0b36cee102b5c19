# Tests: tests/testing/test_machine.py
"""One machine in the world of a MemoryReactor: what runs on it takes it as its reactor, and is gone when its power is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pymq.testing.connections import MemoryTransport
from pymq.testing.memoryreactor import MemoryPort, MemoryReactor

__all__ = ["MemoryMachine", "SimulatedThread"]


class MemoryMachine:
    """A reactor that shares clock and network with others. After `cut_power` nothing that was asked of it happens any more."""

    def __init__(self, world: MemoryReactor) -> None:
        self._world = world
        self._calls: list[Any] = []
        self._ports: list[MemoryPort] = []
        self._connectors: list[Any] = []
        self.is_on = True

    def seconds(self) -> float:
        """The time, seconds since the epoch."""
        return self._world.seconds()

    def callLater(self, delay: float, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Call a function later; never, when the power is cut before."""
        if not self.is_on:
            return Clock().callLater(delay, function, *arguments, **keywords)
        if len(self._calls) > 2 * len(self._world.calls) + 64:
            self._calls = [call for call in self._calls if call.active()]
        call = self._world.callLater(delay, function, *arguments, **keywords)
        self._calls.append(call)
        return call

    def getDelayedCalls(self) -> list[Any]:
        """The calls that are still to come."""
        return [call for call in self._calls if call.active()]

    def listenTCP(self, port: int, factory: Factory, backlog: int = 50, interface: str = "") -> MemoryPort:
        """Listen on one address. Raises CannotListenError."""
        self._ports.append(self._world.listenTCP(port, factory, backlog, interface))
        return self._ports[-1]

    def connectTCP(self, host: str, port: int, factory: Any, *arguments: Any, **keywords: Any) -> Any:
        """Connect in the next turn."""
        self._connectors.append(self._world.connectTCP(host, port, factory, *arguments, **keywords))
        return self._connectors[-1]

    def cut_power(self, *, is_sent: bool = True) -> None:
        """End everything at once, without a word to what runs here. Peers see their connections end.

        What was written to a connection reaches the peer before if `is_sent`.
        """
        self.is_on = False
        for call in self._calls:
            if call.active():
                call.cancel()
        for connector in self._connectors:
            connector.stopConnecting()
        addresses = [port.getHost() for port in self._ports]
        ended = [side for side in self._sides() if side.getHost() in addresses or self._is_ours(side)]
        for side in ended:
            self._end(side, is_sent)
        for port in self._ports:
            port.stopListening()

    def _sides(self) -> list[MemoryTransport]:
        return [side for link in self._world.network.links for side in link if side.is_connected]

    def _is_ours(self, side: MemoryTransport) -> bool:
        return any(connector.transport is side for connector in self._connectors)

    def _end(self, side: MemoryTransport, is_sent: bool) -> None:
        peer = side.other
        assert peer is not None
        if is_sent and side.unsent and peer.is_connected:
            side.deliver()
        side.is_connected = False
        side.unsent.clear()
        if peer.is_connected:
            peer.is_connected = False
            peer.protocol.connectionLost(Failure(ConnectionLost("the other machine lost its power")))


class SimulatedThread:
    """In place of the flusher's thread, on a machine: each call begins after `before()` seconds and is answered after `after()`
    more, one call at a time.

    `is_working` says that a call is under way: what the disk's watcher does then, happens while the thread waits for the disk.
    """

    def __init__(self, machine: MemoryMachine, before: Callable[[], float], after: Callable[[], float]) -> None:
        self._machine = machine
        self._before = before
        self._after = after
        self._free_at = 0.0
        self.is_working = False

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self) -> None:
        """Nothing to end: who stops it waits for the last call first."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Call later; a Deferred of the result, or of the failure."""
        answer: Deferred[Any] = Deferred()
        begin = max(self._machine.seconds(), self._free_at) + self._before()
        end = self._free_at = begin + self._after()

        def work() -> None:
            self.is_working = True
            try:
                result = function(*arguments)
            except Exception:
                result = Failure()
            finally:
                self.is_working = False
            self._machine.callLater(max(0.0, end - self._machine.seconds()), answer.callback, result)

        self._machine.callLater(begin - self._machine.seconds(), work)
        return answer
