# Tests: tests/client/test_transport.py
"""How a client reaches servers: what it asks of the remoting layer, and how that can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred

from pymq.errors import ConnectFailed, ConnectionClosed, RequestTimeout, TooManyRequests
from pymq.interfaces import IProcessorTable
from pymq.remoting.client import RemotingClient, connect_by
from pymq.remoting.dispatcher import Dispatcher
from pymq.wire.command import RemotingCommand

#: What a request can fail with that never got an answer.
TRANSPORT_ERRORS = (ConnectFailed, ConnectionClosed, RequestTimeout, TooManyRequests)


class IRemoting(Protocol):
    """What the client asks of `pymq.remoting.client.RemotingClient`."""

    def request(self, address: str, command: RemotingCommand, timeout_s: float) -> Deferred[RemotingCommand]:
        """Send a request over the connection to `address`, opened when needed; the answer."""

    def oneway(self, address: str, command: RemotingCommand) -> Deferred[None]:
        """Send a request that gets no answer; fires when it is written."""

    def close(self) -> Deferred[None]:
        """Close every connection."""

    def sweep_idle(self) -> None:
        """Close connections that moved no byte for long; called every SWEEP_INTERVAL_S."""


def connect_remoting(reactor: Any, processors: IProcessorTable) -> IRemoting:
    """A RemotingClient over `reactor`, whose servers' requests go to `processors`."""
    return RemotingClient(clock=reactor, connect=connect_by(reactor), dispatcher=Dispatcher(processors))


class NamespacedRemoting:
    """Puts a namespace of 5.x into the header of every request (Java: NamespaceRpcHook)."""

    def __init__(self, remoting: IRemoting, namespace: str) -> None:
        self._remoting = remoting
        self._fields = {"nsd": "true", "ns": namespace}
        self.close = remoting.close
        self.sweep_idle = remoting.sweep_idle

    def _named(self, command: RemotingCommand) -> RemotingCommand:
        return attrs.evolve(command, ext_fields={**(command.ext_fields or {}), **self._fields})

    def request(self, address: str, command: RemotingCommand, timeout_s: float) -> Deferred[RemotingCommand]:
        """Send a request that names the namespace; the answer."""
        return self._remoting.request(address, self._named(command), timeout_s)

    def oneway(self, address: str, command: RemotingCommand) -> Deferred[None]:
        """Send a request that names the namespace and gets no answer."""
        return self._remoting.oneway(address, self._named(command))


def in_namespace(remoting: IRemoting, namespace: str) -> IRemoting:
    """The remoting, whose requests name `namespace` unless that is empty."""
    return NamespacedRemoting(remoting, namespace) if namespace else remoting


#: Makes the remoting of a client from its reactor and the table of processors for what brokers ask of it.
RemotingMaker = Callable[[Any, IProcessorTable], IRemoting]
