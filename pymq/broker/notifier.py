# Tests: tests/broker/test_notifier.py
"""Tells consumers that the members of their group changed, so that they share the queues anew (code 40, remoting.md 3.4)."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.logger import Logger

from pymq.broker.config import BrokerConfig
from pymq.interfaces import IChannel
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import NotifyConsumerIdsChangedRequestHeader


class ConsumerIdsNotifier:
    """Sends NOTIFY_CONSUMER_IDS_CHANGED one-way (Java: DefaultConsumerIdsChangeListener with Broker2Client)."""

    log = Logger()

    def __init__(self, *, config: BrokerConfig) -> None:
        self._config = config

    def __call__(self, group: str, channels: Iterable[IChannel]) -> None:
        """Send it over each of the channels, unless the broker's setting forbids it."""
        if not self._config.notify_consumer_ids_changed_enable:
            return
        header = NotifyConsumerIdsChangedRequestHeader(consumer_group=group)
        for channel in channels:
            channel.send(RemotingCommand.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, header, oneway=True))
