# Tests: tests/broker/test_housekeeping.py
"""Forgets clients whose connection closed, at once, and those that fell silent, by schedule (Java: ClientHousekeepingService)."""

from __future__ import annotations

from twisted.logger import Logger
from zope.interface import implementer

from pymq.broker.clients import ProducerManager
from pymq.broker.consumers import ConsumerManager
from pymq.broker.queuelocks import RebalanceLockManager
from pymq.interfaces import IChannel, IChannelListener


@implementer(IChannelListener)
class ClientHousekeepingService:
    """Listens to the server's channels; `check` is called every ten seconds (remoting.md 6.2)."""

    log = Logger()

    def __init__(self, *, producers: ProducerManager, consumers: ConsumerManager, locks: RebalanceLockManager) -> None:
        self._producers = producers
        self._consumers = consumers
        self._locks = locks

    def channel_opened(self, channel: IChannel) -> None:
        """A client is known from its first heartbeat on, not from its connection."""

    def channel_closed(self, channel: IChannel, reason: str) -> None:
        """Remove the channel from every group."""
        self._producers.channel_closed(channel)
        self._consumers.channel_closed(channel)

    def check(self, now_ms: int) -> None:
        """Remove and close the channels that sent no heartbeat for too long; sweep the locks that ran out."""
        for channel in {*self._producers.expire(now_ms), *self._consumers.expire(now_ms)}:
            self.log.warn("closing {peer}: no heartbeat came from it", peer=channel.peer)
            channel.close()
        self._locks.expire(now_ms)
