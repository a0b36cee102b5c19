# Tests: tests/remoting/test_client.py
"""The asking side: one shared connection for each address, made on demand (Java: NettyRemotingClient)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer

from pymq.errors import ConnectFailed, ConnectionClosed, RequestTimeout
from pymq.interfaces import IChannel, IChannelListener, IClock
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.idle import IDLE_S, IdleSweep
from pymq.remoting.link import Link
from pymq.remoting.pending import PENDING_REQUESTS_MAX
from pymq.remoting.protocol import ChannelSettings, RemotingProtocol
from pymq.wire.command import RemotingCommand, SerializeType

#: Makes a connection to (host, port) with a protocol of the factory; a Deferred of that protocol, which can be cancelled.
Connect = Callable[[str, int, Factory], "Deferred[Any]"]

CONNECT_TIMEOUT_S = 3.0

#: What gives TLS to an endpoint that connects to a host.
Secure = Callable[[str, IStreamClientEndpoint], IStreamClientEndpoint]


def connect_by(reactor: Any, secure: Secure | None = None) -> Connect:
    """Connect over TCP: addresses of numbers directly, names with the reactor's resolver, IPv4 and IPv6."""

    def connect(host: str, port: int, factory: Factory) -> Deferred[Any]:
        endpoint: IStreamClientEndpoint
        if isIPAddress(host):
            endpoint = TCP4ClientEndpoint(reactor, host, port)
        elif isIPv6Address(host):
            endpoint = TCP6ClientEndpoint(reactor, host, port)
        else:
            endpoint = HostnameEndpoint(reactor, host, port)
        if secure is not None:
            endpoint = secure(host, endpoint)
        connected: Deferred[Any] = endpoint.connect(factory)
        return connected

    return connect


def parse_address(address: str) -> tuple[str, int]:
    """(host, port) of `host:port` or `[v6]:port`. Raises ValueError."""
    host, separator, port = address.strip().rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is not of the form host:port")
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host, int(port)


@implementer(IChannelListener)
class RemotingClient:
    """Requests by address. All connections share the settings given here; everything fails with subclasses of PyMQError.

    `dispatcher` serves what servers ask of us over these connections. `sweep_idle` is to be called every
    `pymq.remoting.idle.SWEEP_INTERVAL_S`. `before_request` makes what is sent of every request, such as a signed one. `chance`
    gives a number from 0 to 1 for the jitter.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        clock: IClock,
        connect: Connect,
        dispatcher: Dispatcher | None = None,
        listeners: Iterable[IChannelListener] = (),
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        idle_s: float = IDLE_S,
        pending_requests_max: int = PENDING_REQUESTS_MAX,
        serialize_type: SerializeType = SerializeType.JSON,
        before_request: Callable[[RemotingCommand], RemotingCommand] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._connect = connect
        self._listeners = list(listeners)
        self._connect_timeout_s = connect_timeout_s
        self._chance = chance
        self._links: dict[str, Link] = {}
        self._channels: set[RemotingProtocol] = set()
        self._idle = IdleSweep(clock=clock, idle_s=idle_s)
        self._is_closed = False
        #: Called with the address of each connection that is made, before anything waiting is sent over it.
        self.when_connected: Callable[[str], None] = _nothing
        self._factory = _ChannelFactory(
            ChannelSettings(
                dispatcher=Dispatcher(ProcessorTable()) if dispatcher is None else dispatcher,
                clock=clock,
                listener=self,
                pending_requests_max=pending_requests_max,
                is_server=False,
                serialize_type=serialize_type,
                before_request=before_request,
            )
        )

    def request(self, address: str, command: RemotingCommand, timeout_s: float) -> Deferred[RemotingCommand]:
        """Ask the server at `address`; the answer must come within `timeout_s`, connecting included.

        Fails with ConnectFailed, RequestTimeout, ConnectionClosed or TooManyRequests.
        """
        link = self._links.get(address)
        if link is not None and link.channel is not None:
            return link.channel.request(command, timeout_s)
        deadline = self._clock.seconds() + timeout_s

        def connected(channel: RemotingProtocol) -> Deferred[RemotingCommand]:
            return channel.request(command, max(deadline - self._clock.seconds(), 0.0))

        return self._connected(address, command.code, timeout_s).addCallback(connected)

    def oneway(self, address: str, command: RemotingCommand) -> Deferred[None]:
        """Send a request that wants no answer; fires when it is written. Fails with ConnectFailed or RequestTimeout."""
        return self._connected(address, command.code, self._connect_timeout_s).addCallback(
            lambda channel: channel.send_oneway(command)
        )

    def channel_to(self, address: str) -> IChannel | None:
        """The open channel to an address, or None."""
        link = self._links.get(address)
        return None if link is None else link.channel

    def close(self, address: str | None = None) -> Deferred[None]:
        """Close the connection to one address, or all for good. Fires when they are gone."""
        if address is not None:
            link = self._links.pop(address, None)
            return succeed(None) if link is None else link.close()
        self._is_closed = True
        links, self._links = list(self._links.values()), {}
        return DeferredList([link.close() for link in links]).addCallback(lambda _: None)

    def sweep_idle(self) -> None:
        """Close the connections that moved no byte for `idle_s`, and forget addresses that nobody asks for any more."""
        self._idle.sweep(self._channels)
        now = self._clock.seconds()
        for address in [address for address, link in self._links.items() if link.is_forgettable(now)]:
            del self._links[address]

    def channel_opened(self, channel: IChannel) -> None:
        """A connection is made (IChannelListener)."""
        assert isinstance(channel, RemotingProtocol)
        self._channels.add(channel)
        for listener in self._listeners:
            listener.channel_opened(channel)

    def channel_closed(self, channel: IChannel, reason: str) -> None:
        """A connection is gone (IChannelListener)."""
        assert isinstance(channel, RemotingProtocol)
        self._channels.discard(channel)
        self._log.debug("{channel} {reason}", channel=channel, reason=reason)
        for listener in self._listeners:
            listener.channel_closed(channel, reason)

    def _connected(self, address: str, code: int, timeout_s: float) -> Deferred[RemotingProtocol]:
        if self._is_closed:
            return fail(ConnectionClosed("the remoting client is closed"))
        link = self._links.get(address)
        if link is None:
            try:
                host, port = parse_address(address)
            except ValueError as problem:
                return fail(ConnectFailed(address, str(problem)))
            link = Link(address, self._clock, self._chance, lambda: self._dial(host, port), self._opened)
            self._links[address] = link
        if link.channel is not None:
            return succeed(link.channel)

        def too_late(result: Any, _: float) -> Any:
            raise RequestTimeout(address, code, timeout_s)

        return link.connected().addTimeout(timeout_s, self._clock, onTimeoutCancel=too_late)

    def _opened(self, address: str) -> None:
        self.when_connected(address)

    def _dial(self, host: str, port: int) -> Deferred[RemotingProtocol]:
        return self._connect(host, port, self._factory).addTimeout(self._connect_timeout_s, self._clock)


class _ChannelFactory(Factory):
    """Makes the protocols of a client's connections."""

    noisy = False

    def __init__(self, settings: ChannelSettings) -> None:
        self._settings = settings

    def buildProtocol(self, addr: IAddress | None) -> RemotingProtocol:
        protocol = RemotingProtocol(self._settings)
        protocol.factory = self
        return protocol


def _nothing(address: str) -> None:
    """What is done about a new connection when nobody wants to know."""
