# Tests: tests/remoting/test_client.py
"""The asking side: one shared connection for each address, made on demand (Java: NettyRemotingClient)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, DeferredList, TimeoutError, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.errors import ConnectFailed, ConnectionClosed, RequestTimeout
from pymq.interfaces import IChannel, IChannelListener, IClock
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.idle import IDLE_S, IdleSweep
from pymq.remoting.pending import PENDING_REQUESTS_MAX
from pymq.remoting.protocol import ChannelSettings, RemotingProtocol
from pymq.wire.command import RemotingCommand, SerializeType

#: Makes a connection to (host, port) with a protocol of the factory; a Deferred of that protocol, which can be cancelled.
Connect = Callable[[str, int, Factory], "Deferred[Any]"]

CONNECT_TIMEOUT_S = 3.0
#: After a failure the next try waits, twice as long each time, up to the maximum; half of the time is chance.
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
#: A connection that ends sooner than this counts as a failed try: the server takes connections and closes them.
SHORT_LIFE_S = 1.0
#: How long a server may take to read the rest and to agree to a close; some never do so over TLS.
CLOSE_WAIT_S = 0.5


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
        self._links: dict[str, _Link] = {}
        self._channels: set[RemotingProtocol] = set()
        self._idle = IdleSweep(clock=clock, idle_s=idle_s)
        self._is_closed = False
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
        """Close the connections that moved no byte for `idle_s`."""
        self._idle.sweep(self._channels)

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
            link = self._links[address] = _Link(address, self._clock, self._chance, lambda: self._dial(host, port))
        if link.channel is not None:
            return succeed(link.channel)

        def too_late(result: Any, _: float) -> Any:
            raise RequestTimeout(address, code, timeout_s)

        return link.connected().addTimeout(timeout_s, self._clock, onTimeoutCancel=too_late)

    def _dial(self, host: str, port: int) -> Deferred[RemotingProtocol]:
        return self._connect(host, port, self._factory).addTimeout(self._connect_timeout_s, self._clock)


class _Link:
    """The one connection to an address, and what to do while there is none."""

    def __init__(
        self, address: str, clock: IClock, chance: Callable[[], float], dial: Callable[[], Deferred[RemotingProtocol]]
    ) -> None:
        self._address = address
        self._clock = clock
        self._chance = chance
        self._dial = dial
        self._dialing: Deferred[RemotingProtocol] | None = None
        self._waiting: list[Deferred[RemotingProtocol]] = []
        self._failure_count = 0
        self._next_try_at = 0.0
        self._last_problem = ""
        self._opened_at = 0.0
        self.channel: RemotingProtocol | None = None

    def connected(self) -> Deferred[RemotingProtocol]:
        """The channel, when it is there. Fails with ConnectFailed; at once while a lately failed try is being waited out."""
        if self._dialing is None and self._clock.seconds() < self._next_try_at:
            return fail(ConnectFailed(self._address, self._last_problem))
        waiter: Deferred[RemotingProtocol] = Deferred(self._give_up)
        self._waiting.append(waiter)
        if self._dialing is None:
            self._dialing = dialing = self._dial()
            dialing.addCallbacks(self._opened, self._failed)
        return waiter

    def _give_up(self, waiter: Deferred[RemotingProtocol]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def _opened(self, channel: RemotingProtocol) -> None:
        self._dialing = None
        self.channel = channel
        self._opened_at = self._clock.seconds()
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(channel)
        channel.on_close(self._closed)

    def _failed(self, failure: Failure) -> None:
        self._dialing = None
        self._back_off("no connection in time" if failure.check(TimeoutError) else failure.getErrorMessage())
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(ConnectFailed(self._address, self._last_problem))

    def _closed(self, channel: IChannel, reason: str) -> None:
        if self.channel is channel:
            self.channel = None
            if self._clock.seconds() - self._opened_at < SHORT_LIFE_S:
                self._back_off(reason)
            else:
                self._failure_count = 0

    def _back_off(self, problem: str) -> None:
        full = min(BACKOFF_FIRST_S * 2**self._failure_count, BACKOFF_MAX_S)
        self._failure_count = min(self._failure_count + 1, 16)
        self._next_try_at = self._clock.seconds() + full * (0.5 + 0.5 * self._chance())
        self._last_problem = problem

    def close(self) -> Deferred[None]:
        """Close the connection, or stop making it. Fires when it is gone."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(ConnectionClosed(f"the connection to {self._address} is closed by us"))
        if self._dialing is not None:
            self._dialing.cancel()
        channel, self.channel = self.channel, None
        gone: Deferred[None] = Deferred()
        if channel is None:
            return succeed(None)
        giving_up = self._clock.callLater(CLOSE_WAIT_S, channel.abort, "closed by us, and the server did not follow")

        def closed(*_: object) -> None:
            if giving_up.active():
                giving_up.cancel()
            gone.callback(None)

        channel.on_close(closed)
        channel.close()
        return gone


class _ChannelFactory(Factory):
    """Makes the protocols of a client's connections."""

    noisy = False

    def __init__(self, settings: ChannelSettings) -> None:
        self._settings = settings

    def buildProtocol(self, addr: IAddress | None) -> RemotingProtocol:
        protocol = RemotingProtocol(self._settings)
        protocol.factory = self
        return protocol
