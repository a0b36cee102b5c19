# Tests: tests/broker/test_protection.py
"""Keeps groups that read far behind from reading the disk to pieces (Java: BrokerController.protectBroker)."""

from __future__ import annotations

from twisted.logger import Logger

from pymq.broker.config import BrokerConfig
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.stats import BrokerStatsManager

# Not an attribute of the class, which would name it by that.
_log = Logger("RocketmqProtection")


class BrokerProtection:
    """With `disableConsumeIfConsumerReadSlowly` a group that is more than `consumerFallbehindThreshold` bytes behind in any queue
    may not consume any more, until somebody allows it again (`mqadmin updateSubGroup -s true`). `check` is called every three
    minutes.
    """

    def __init__(self, *, config: BrokerConfig, groups: SubscriptionGroupManager, stats: BrokerStatsManager) -> None:
        self._config = config
        self._groups = groups
        self._stats = stats

    def check(self) -> None:
        """Disable the groups that are too far behind, by what their last pulls told."""
        if not self._config.disable_consume_if_consumer_read_slowly:
            return
        behind = self._stats.fall_size.items
        for key, item in list(behind.items()):
            if item.value <= self._config.consumer_fallbehind_threshold:
                continue
            group = key.rpartition("@")[2]
            # Once: a group that is allowed again is judged by its next pulls.
            behind_bytes, item.value = item.value, 0
            if self._groups.disable_consume(group):
                _log.info(
                    "[PROTECT_BROKER] the consumer[{group}] consume slowly, {behind_bytes} bytes, disable it ({key})",
                    group=group,
                    behind_bytes=behind_bytes,
                    key=key,
                )
