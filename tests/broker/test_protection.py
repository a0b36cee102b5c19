"""Tests of pymq.broker.protection."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.protection import BrokerProtection
from pymq.broker.stats import BrokerStatsManager
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.topics import SubscriptionGroupConfig
from tests.broker.fixtures import broker_config, started_clock

GIB = 1024**3


class BrokerProtectionTests(SynchronousTestCase):
    """Two groups: `slow` is 17 GiB behind in one queue, `quick` is not."""

    def build(self, **settings: Any) -> None:
        """A broker with these settings."""
        clock = started_clock()
        config = broker_config(**settings)
        self.documents = MemoryDocuments()
        self.groups = SubscriptionGroupManager(config, self.documents, clock=clock)
        self.stats = BrokerStatsManager(clock=clock, cluster_name="C")
        self.protection = BrokerProtection(config=config, groups=self.groups, stats=self.stats)
        for name in ("slow", "quick"):
            self.groups.update(SubscriptionGroupConfig(group_name=name, retry_max_times=7))
            self.stats.fall_behind(name, "T", 0, 100, 5)
        self.stats.fall_behind("slow", "T", 1, 17 * GIB, 5)

    def enabled(self) -> list[str]:
        """The groups of the two that may consume."""
        return [name for name in ("slow", "quick") if self.groups.table[name].consume_enable]

    def test_nothing_is_done_by_default(self) -> None:
        """As in Java it is a thing to ask for."""
        self.build()
        self.protection.check()
        self.assertEqual(self.enabled(), ["slow", "quick"])

    def test_a_group_too_far_behind_may_not_consume(self) -> None:
        """The rest of its settings stays; the change has a version and is saved."""
        self.build(disable_consume_if_consumer_read_slowly=True)
        version = self.groups.data_version
        self.protection.check()
        self.assertEqual((self.enabled(), self.groups.table["slow"].retry_max_times), (["quick"], 7))
        self.assertEqual(self.groups.data_version.counter, version.counter + 1)
        self.groups.save()
        reopened = SubscriptionGroupManager(broker_config(), self.documents, clock=started_clock())
        reopened.load()
        self.assertFalse(reopened.table["slow"].consume_enable)
        self.protection.check()
        self.assertEqual(self.groups.data_version.counter, version.counter + 1)

    def test_the_threshold_is_a_setting(self) -> None:
        """More than so many bytes, not as many."""
        self.build(disable_consume_if_consumer_read_slowly=True, consumer_fallbehind_threshold=17 * GIB)
        self.protection.check()
        self.assertEqual(self.enabled(), ["slow", "quick"])
        self.build(disable_consume_if_consumer_read_slowly=True, consumer_fallbehind_threshold=99)
        self.protection.check()
        self.assertEqual(self.enabled(), [])

    def test_a_group_that_is_allowed_again_is_judged_anew(self) -> None:
        """By its next pulls, not by what it was disabled for."""
        self.build(disable_consume_if_consumer_read_slowly=True)
        self.protection.check()
        self.groups.update(SubscriptionGroupConfig(group_name="slow"))
        self.protection.check()
        self.assertEqual(self.enabled(), ["slow", "quick"])
        self.stats.fall_behind("slow", "T", 1, 18 * GIB, 5)
        self.protection.check()
        self.assertEqual(self.enabled(), ["quick"])

    def test_a_group_that_is_no_more(self) -> None:
        """Leaves nothing to be done."""
        self.build(disable_consume_if_consumer_read_slowly=True)
        self.groups.delete("slow")
        self.protection.check()
        self.assertEqual(list(name for name in self.groups.table if name == "slow"), [])
