# Tests: tests/remoting/test_server.py
"""The listening side: a channel for every connection, the table of them, the end of idle ones (Java: NettyRemotingServer)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from zope.interface import implementer

from pymq.interfaces import IChannelListener, IClock
from pymq.remoting.dispatcher import Dispatcher
from pymq.remoting.idle import IDLE_S, IdleSweep
from pymq.remoting.protocol import ChannelSettings, Lane, RemotingProtocol
from pymq.wire.frame import FRAME_BYTES_MAX

#: Connections that one server holds; below the usual limit of open files of a service (65536), with room for the store's.
CONNECTIONS_MAX = 50_000
#: How long `close_all` waits for peers to take what was written to them, and for one that takes nothing of it at all.
CLOSE_WAIT_S = 3.0
CLOSE_STALL_S = 0.5


@implementer(IChannelListener)
class RemotingServerFactory(ServerFactory):
    """Makes RemotingProtocols and tells `listeners` of them.

    `lanes` and `before_general` are explained in `pymq.remoting.protocol`. `sweep_idle` is to be called every
    `pymq.remoting.idle.SWEEP_INTERVAL_S`.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        clock: IClock,
        lanes: Mapping[bytes, Lane] | None = None,
        before_general: Callable[[], None] | None = None,
        listeners: Iterable[IChannelListener] = (),
        connections_max: int = CONNECTIONS_MAX,
        frame_bytes_max: int = FRAME_BYTES_MAX,
        idle_s: float = IDLE_S,
    ) -> None:
        self._clock = clock
        self._listeners = list(listeners)
        self._connections_max = connections_max
        self._settings = ChannelSettings(
            dispatcher=dispatcher,
            clock=clock,
            listener=self,
            lanes={} if lanes is None else lanes,
            before_general=before_general,
            frame_bytes_max=frame_bytes_max,
        )
        self._idle = IdleSweep(clock=clock, idle_s=idle_s)
        self._refused_count = 0
        self._is_closing = False
        self._give_up_call: IDelayedCall | None = None
        self._all_gone: list[Deferred[None]] = []
        #: The channels that are connected.
        self.channels: set[RemotingProtocol] = set()

    def add_listener(self, listener: IChannelListener) -> None:
        """Tell `listener` of every channel from now on."""
        self._listeners.append(listener)

    def buildProtocol(self, addr: IAddress | None) -> RemotingProtocol | None:
        """A protocol for a new connection; None, which makes Twisted close it, beyond `connections_max`."""
        if self._is_closing:
            return None
        if len(self.channels) >= self._connections_max:
            self._refused_count += 1
            if self._refused_count == 1:
                self._log.warn("{addr} refused: {count} connections are the limit", addr=addr, count=self._connections_max)
            return None
        protocol = RemotingProtocol(self._settings)
        protocol.factory = self
        return protocol

    def channel_opened(self, channel: RemotingProtocol) -> None:
        """A connection is made."""
        self.channels.add(channel)
        self._log.debug("{channel} opened", channel=channel)
        for listener in self._listeners:
            self._tell(listener.channel_opened, channel)

    def channel_closed(self, channel: RemotingProtocol, reason: str) -> None:
        """A connection is gone."""
        self.channels.discard(channel)
        self._log.debug("{channel} {reason}", channel=channel, reason=reason)
        for listener in self._listeners:
            self._tell(listener.channel_closed, channel, reason)
        if not self.channels:
            if self._give_up_call is not None and self._give_up_call.active():
                self._give_up_call.cancel()
            waiting, self._all_gone = self._all_gone, []
            for gone in waiting:
                gone.callback(None)

    def _tell(self, method: Callable[..., object], *arguments: object) -> None:
        try:
            method(*arguments)
        except Exception:
            self._log.failure("{method} failed when told of a channel", method=method)

    def sweep_idle(self) -> None:
        """Close the connections that moved no byte for `idle_s`."""
        self._idle.sweep(self.channels)
        if self._refused_count > 1:
            self._log.warn("{count} connections refused since the last look", count=self._refused_count)
        self._refused_count = 0

    def close_all(self) -> Deferred[None]:
        """Take no more connections and close all, after what was written to them; fires when they are gone.

        A peer that reads nothing is cut off after CLOSE_STALL_S, the slowest after CLOSE_WAIT_S.
        """
        self._is_closing = True
        if not self.channels:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        self._all_gone.append(gone)
        for channel in list(self.channels):
            channel.close("closed: the server stops")
        if self.channels and self._give_up_call is None:
            self._look_again(self._clock.seconds() + CLOSE_WAIT_S)
        return gone

    def _look_again(self, deadline: float) -> None:
        unsent = {channel: channel.unsent_bytes for channel in self.channels}
        self._give_up_call = self._clock.callLater(CLOSE_STALL_S, self._cut_off, unsent, deadline)

    def _cut_off(self, unsent: Mapping[RemotingProtocol, int], deadline: float) -> None:
        """End the connections whose peers took nothing since the last look, or all when the time is over."""
        is_over = self._clock.seconds() >= deadline
        for channel in list(self.channels):
            if is_over or channel.unsent_bytes == unsent.get(channel):
                channel.abort("closed: the server stops")
        if self.channels:
            self._look_again(deadline)
