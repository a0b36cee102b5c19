# Tests: tests/testing/test_connections.py
"""Connections in memory: a network on which servers listen and clients connect, where bytes move only when a test says so.

`MemoryNetwork.connect` is what a RemotingClient takes as `connect`. An attempt waits until `accept` or `fail`, unless the network
accepts by itself; written bytes wait until `flush`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

#: As Twisted's transports: beyond so many unsent bytes a push producer is paused.
BUFFER_FULL_BYTES = 65536
_FLUSH_ROUNDS_MAX = 100_000


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One side of a connection in memory. `unsent` are the bytes that the other side did not get yet."""

    def __init__(self, protocol: Protocol, host: tuple[str, int], peer: tuple[str, int]) -> None:
        self.protocol = protocol
        self.other: MemoryTransport | None = None
        self.unsent = bytearray()
        self.is_connected = True
        self.is_disconnecting = False
        self.is_reading = True
        self._host = IPv4Address("TCP", *host)
        self._peer = IPv4Address("TCP", *peer)
        self._producer: Any = None
        self._is_streaming = False
        self._is_producer_paused = False

    def write(self, data: bytes) -> None:
        """Keep bytes for `deliver`."""
        if self.is_connected and not self.is_disconnecting:
            self.unsent += data
            if self._is_streaming and len(self.unsent) > BUFFER_FULL_BYTES and not self._is_producer_paused:
                self._is_producer_paused = True
                self._producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        """Keep bytes for `deliver`."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close when everything is delivered, and no paused producer is registered, as Twisted has it."""
        self.is_disconnecting = True

    def abortConnection(self) -> None:
        """Close now."""
        self.unsent.clear()
        self.lose(ConnectionLost("aborted"))

    def getPeer(self) -> IPv4Address:
        """The other side's address."""
        return self._peer

    def getHost(self) -> IPv4Address:
        """This side's address."""
        return self._host

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Who is told to pause and resume."""
        self._producer, self._is_streaming = producer, streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Tell nobody any more."""
        self._producer, self._is_streaming, self._is_producer_paused = None, False, False

    def pauseProducing(self) -> None:
        """Take no more bytes from the other side."""
        self.is_reading = False

    def resumeProducing(self) -> None:
        """Take bytes again."""
        self.is_reading = True

    def stopProducing(self) -> None:
        """As loseConnection."""
        self.loseConnection()

    def deliver(self, bytes_max: int | None = None) -> bool:
        """Give the other side what was written, up to `bytes_max`; whether anything happened."""
        other = self.other
        assert other is not None
        if not self.is_connected:
            return False
        if self.unsent and other.is_reading:
            data = bytes(self.unsent[:bytes_max])
            del self.unsent[: len(data)]
            other.protocol.dataReceived(data)
            if not self.unsent and self._is_producer_paused:
                self._is_producer_paused = False
                self._producer.resumeProducing()
            return True
        if self.is_disconnecting and not self.unsent and not self._is_producer_paused:
            self.lose(ConnectionDone())
            return True
        return False

    def lose(self, reason: Exception) -> None:
        """End the connection on both sides."""
        for side in (self, self.other):
            if side is not None and side.is_connected:
                side.is_connected = False
                side.protocol.connectionLost(Failure(reason if side is self else _seen_by_peer(reason)))


def _seen_by_peer(reason: Exception) -> Exception:
    return ConnectionDone() if isinstance(reason, ConnectionDone) else ConnectionLost("reset by the peer")


class Attempt:
    """A connection that somebody wants to make to `address`, (host, port)."""

    def __init__(self, address: tuple[str, int], factory: Factory) -> None:
        self.address = address
        self.factory = factory
        self.is_cancelled = False
        self.connected: Deferred[Any] = Deferred(self._cancel)

    def _cancel(self, _: Deferred[Any]) -> None:
        self.is_cancelled = True


class MemoryNetwork:
    """Listeners and connections by address. `attempts` are the connections asked for that nobody decided yet."""

    def __init__(self, *, accepts: bool = False) -> None:
        self.accepts = accepts
        self.attempts: list[Attempt] = []
        self.links: list[tuple[MemoryTransport, MemoryTransport]] = []
        self._listeners: dict[tuple[str, int], Factory] = {}
        self._next_port = 40001

    def listen(self, host: str, port: int, factory: Factory) -> None:
        """Serve an address from now on."""
        self._listeners[host, port] = factory

    def stop_listening(self, host: str, port: int) -> None:
        """Refuse new connections to an address; those made stay."""
        del self._listeners[host, port]

    def connect(self, host: str, port: int, factory: Factory) -> Deferred[Any]:
        """Ask for a connection: a Deferred of the client's protocol."""
        attempt = Attempt((host, port), factory)
        if self.accepts:
            if attempt.address not in self._listeners:
                return fail(ConnectionRefusedError())
            self._join(attempt)
        else:
            self.attempts.append(attempt)
        return attempt.connected

    def accept(self) -> Any:
        """Let the oldest attempt succeed; the server's protocol."""
        return self._join(self._next_attempt())

    def fail(self, reason: Exception | None = None) -> None:
        """Let the oldest attempt fail."""
        self._next_attempt().connected.errback(ConnectionRefusedError() if reason is None else reason)

    def _next_attempt(self) -> Attempt:
        self.attempts = [attempt for attempt in self.attempts if not attempt.is_cancelled]
        return self.attempts.pop(0)

    def _join(self, attempt: Attempt) -> Any:
        client_address = ("10.0.0.1", self._next_port)
        self._next_port += 1
        server: Any = self._listeners[attempt.address].buildProtocol(IPv4Address("TCP", *client_address))
        client: Any = attempt.factory.buildProtocol(IPv4Address("TCP", *attempt.address))
        if server is None:
            server = Protocol()
            refused = True
        else:
            refused = False
        ours = MemoryTransport(client, client_address, attempt.address)
        theirs = MemoryTransport(server, attempt.address, client_address)
        ours.other, theirs.other = theirs, ours
        self.links.append((ours, theirs))
        server.makeConnection(theirs)
        client.makeConnection(ours)
        if refused:
            theirs.loseConnection()
        attempt.connected.callback(client)
        return server

    def flush(self) -> None:
        """Move bytes, and ends of connections, until nothing moves any more."""
        for _ in range(_FLUSH_ROUNDS_MAX):
            moved = [side.deliver() for link in self.links for side in link]
            self.links = [link for link in self.links if link[0].is_connected or link[1].is_connected]
            if not any(moved):
                return
        raise AssertionError("the connections do not come to rest")
