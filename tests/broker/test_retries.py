"""Tests of pymq.broker.retries."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.retries import make_dead_letter_topic, retries_max, retry_level
from pymq.broker.topics import TopicConfigManager
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.topics import SubscriptionGroupConfig, TopicConfig
from tests.broker.fixtures import broker_config, started_clock


class RetriesTests(SynchronousTestCase):
    """How often, how long, and where it ends."""

    def test_limit_of_the_group(self) -> None:
        """16 unless it is configured otherwise; a client that says nothing leaves it so."""
        self.assertEqual(retries_max(SubscriptionGroupConfig(group_name="G"), 401, None), 16)
        self.assertEqual(retries_max(SubscriptionGroupConfig(group_name="G", retry_max_times=2), 401, None), 2)

    def test_limit_of_the_client(self) -> None:
        """Counts from its version 121 on, 0 included."""
        group = SubscriptionGroupConfig(group_name="G")
        self.assertEqual([retries_max(group, version, 0) for version in (120, 121, 401)], [16, 0, 0])

    def test_levels_grow(self) -> None:
        """From 3 on, unless the consumer chose one."""
        self.assertEqual([retry_level(0, times) for times in (0, 1, 15)], [3, 4, 18])
        self.assertEqual(retry_level(7, 5), 7)

    def test_dead_letter_topic(self) -> None:
        """One queue, readable and writable; what an administrator changed stays."""
        topics = TopicConfigManager(broker_config(), MemoryDocuments(), clock=started_clock())
        self.assertEqual(make_dead_letter_topic(topics, "G"), "%DLQ%G")
        topic = topics.get("%DLQ%G")
        self.assertEqual((topic.read_queue_nums, topic.write_queue_nums, topic.perm), (1, 1, 6))
        topics.update(TopicConfig(topic_name="%DLQ%G", perm=2))
        make_dead_letter_topic(topics, "G")
        self.assertEqual(topics.get("%DLQ%G").perm, 2)
