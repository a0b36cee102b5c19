# Tests: tests/testing/test_keptports.py
"""A reactor whose listening ports can outlive the server behind them, and whose connections can be cut and paused."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import attrs
from twisted.internet.error import CannotListenError

from pymq.remoting.protocol import RemotingProtocol
from pymq.remoting.server import RemotingServerFactory

__all__ = ["KeptPorts"]


@attrs.define(eq=False)
class _Listening:
    port: Any
    factory: RemotingServerFactory


def _bound(interface: str, port: int, backlog: int) -> socket.socket:
    """A new listening socket. Raises CannotListenError."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((interface, port))
        bound.listen(backlog)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise CannotListenError(interface, port, error) from error
    return bound


class KeptPorts:
    """`reactor` for servers of RemotingServerFactory; everything but listening is the reactor's own."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._listening: dict[tuple[str, int], _Listening] = {}
        self._held: dict[tuple[str, int], socket.socket] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: RemotingServerFactory, backlog: int = 50, interface: str = "") -> Any:
        """Listen, on a port that `hold` kept if it did. Raises CannotListenError."""
        # Always a socket of our own: the reactor shuts those of its making down at the end, for all who hold them.
        with self._held.pop((interface, port), None) or _bound(interface, port, backlog) as socket_:
            listening = self._reactor.adoptStreamPort(socket_.fileno(), socket_.family, factory)
        self._listening[interface, listening.getHost().port] = _Listening(listening, factory)
        return listening

    def hold(self) -> None:
        """Keep every port that is listened on open, though its server stops: who connects waits for the next one."""
        self.release()
        for key, listening in self._listening.items():
            if listening.port.connected:
                self._held[key] = socket.socket(fileno=os.dup(listening.port.fileno()))

    def release(self) -> None:
        """Give the held ports back that nobody listens on; who waits there is refused."""
        held, self._held = self._held, {}
        for listener in held.values():
            listener.close()

    def channels(self) -> Iterator[RemotingProtocol]:
        """The connections to all servers here."""
        for listening in list(self._listening.values()):
            yield from list(listening.factory.channels)

    def traffic(self) -> int:
        """A number that is another one whenever bytes came or went."""
        return sum(channel.activity for channel in self.channels())

    def abort_all(self, reason: str) -> int:
        """Cut every connection at once; how many there were."""
        channels = list(self.channels())
        for channel in channels:
            channel.abort(reason)
        return len(channels)

    def pause(self) -> None:
        """Read nothing and accept nobody: to its peers the process seems to hang."""
        for listening in self._listening.values():
            if listening.port.connected:
                listening.port.stopReading()
        for channel in self.channels():
            transport: Any = channel.transport
            transport.pauseProducing()

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        for listening in self._listening.values():
            if listening.port.connected:
                listening.port.startReading()
        for channel in self.channels():
            transport: Any = channel.transport
            transport.resumeProducing()
