# Tests: tests/client/test_transport.py
"""How a client reaches servers: what it asks of the remoting layer, and how that can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from pymq.client.config import ClientConfig
from pymq.client.requesthook import request_hook
from pymq.client.tls import secure_by
from pymq.errors import BrokerRefused, ConnectFailed, ConnectionClosed, NotSupported, RequestTimeout, TooManyRequests
from pymq.interfaces import IClock, IProcessorTable
from pymq.remoting.client import Connect, RemotingClient, connect_by
from pymq.remoting.dispatcher import Dispatcher
from pymq.wire.codes import ResponseCode
from pymq.wire.command import RemotingCommand

#: What a request can fail with that never got an answer.
TRANSPORT_ERRORS = (ConnectFailed, ConnectionClosed, RequestTimeout, TooManyRequests)


class IRemoting(Protocol):
    """What the client asks of `pymq.remoting.client.RemotingClient`."""

    def request(self, address: str, command: RemotingCommand, timeout_s: float) -> Deferred[RemotingCommand]:
        """Send a request over the connection to `address`, opened when needed; the answer."""

    def oneway(self, address: str, command: RemotingCommand) -> Deferred[None]:
        """Send a request that gets no answer; fires when it is written."""

    #: Called with the address of each connection that is made, before anything waiting is sent over it.
    when_connected: Callable[[str], None]

    def close(self, address: str | None = None) -> Deferred[None]:
        """Close the connection to one address, or all for good."""

    def sweep_idle(self) -> None:
        """Close connections that moved no byte for long; called every SWEEP_INTERVAL_S."""


def connect_remoting(reactor: Any, processors: IProcessorTable, config: ClientConfig) -> IRemoting:
    """A RemotingClient over `reactor`, whose servers' requests go to `processors`. Raises ConfigError."""
    connect = connect_by(reactor, secure_by(config))
    return remoting_over(reactor, connect, processors, config)


def remoting_over(clock: IClock, connect: Connect, processors: IProcessorTable, config: ClientConfig) -> IRemoting:
    """A RemotingClient whose connections `connect` makes. Raises ConfigError."""
    return RemotingClient(clock=clock, connect=connect, dispatcher=Dispatcher(processors), before_request=request_hook(config))


#: Makes the remoting of a client from its reactor, the table of processors for what brokers ask of it, and its settings.
RemotingMaker = Callable[[Any, IProcessorTable, ClientConfig], IRemoting]


def check(response: RemotingCommand, address: str) -> RemotingCommand:
    """The response, when it says success. Raises BrokerRefused."""
    if response.code != ResponseCode.SUCCESS:
        raise BrokerRefused(response.code, response.remark, address)
    return response


def check_known(response: RemotingCommand, address: str, needs: str) -> RemotingCommand:
    """The response, when the server knows the request. Raises NotSupported, with what the request `needs`."""
    if response.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
        raise NotSupported(response.code, response.remark, address, needs)
    return response
