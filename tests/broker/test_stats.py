"""Tests of pymq.broker.stats."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import stats as module
from pymq.broker.stats import BrokerStatsManager
from pymq.errors import RequestError
from pymq.wire.bodies.stats import BrokerStatsItem
from tests.broker.fixtures import NOW_S, started_clock


class BrokerStatsManagerTests(SynchronousTestCase):
    """The counters by topic and group."""

    def setUp(self) -> None:
        """Nothing was counted."""
        self.stats = BrokerStatsManager(clock=started_clock(), cluster_name="DefaultCluster")

    def minute(self, name: str, key: str) -> BrokerStatsItem:
        """A counter's last minute, after a sample."""
        self.stats.sample(NOW_S + 10)
        return self.stats.view(name, key).stats_minute

    def test_put_counts_for_topic_and_broker(self) -> None:
        """Messages, bytes and requests; the broker's counter stands under the cluster's name and has no mean."""
        self.stats.put("T", 30, 3000, 10)
        self.assertEqual(self.minute("TOPIC_PUT_NUMS", "T"), BrokerStatsItem(30, 3.0, 3.0))
        self.assertEqual(self.minute("TOPIC_PUT_SIZE", "T"), BrokerStatsItem(3000, 300.0, 300.0))
        self.assertEqual(self.minute("BROKER_PUT_NUMS", "DefaultCluster"), BrokerStatsItem(30, 3.0, 0.0))
        self.assertEqual((self.stats.store.put_times, self.stats.store.put_bytes), (30, 3000))

    def test_put_without_requests_counts_one_for_each_message(self) -> None:
        """As they come in a turn."""
        self.stats.put("T", 30, 3000)
        self.assertEqual(self.minute("TOPIC_PUT_SIZE", "T").avgpt, 100.0)

    def test_get_counts_for_group_and_broker(self) -> None:
        """Under `topic@group`; the mean is for one pull."""
        self.stats.get("g", "T", 32, 6400)
        self.stats.get("g", "T", 8, 1600)
        self.assertEqual(self.minute("GROUP_GET_NUMS", "T@g"), BrokerStatsItem(40, 4.0, 20.0))
        self.assertEqual(self.minute("GROUP_GET_SIZE", "T@g"), BrokerStatsItem(8000, 800.0, 4000.0))
        self.assertEqual(self.minute("BROKER_GET_NUMS", "DefaultCluster").sum, 40)
        self.assertEqual((self.stats.store.found_times, self.stats.store.transferred), (2, 40))

    def test_pull_that_found_nothing_counts_for_the_store_only(self) -> None:
        """It is a miss."""
        self.stats.get("g", "T", 0, 0)
        self.assertRaises(RequestError, self.stats.view, "GROUP_GET_NUMS", "T@g")
        self.assertEqual(self.stats.store.miss_times, 1)

    def test_latency_and_send_backs_are_counted(self) -> None:
        """The one by queue, too."""
        self.stats.get_latency("g", "T", 3, 4)
        self.stats.get_latency("g", "T", 3, 8)
        self.stats.send_back("g", "T")
        self.assertEqual(self.minute("GROUP_GET_LATENCY", "3@T@g").avgpt, 6.0)
        self.assertEqual(self.minute("SNDBCK_PUT_NUMS", "T@g").sum, 1)

    def test_view_has_all_three_windows(self) -> None:
        """Minute, hour and day."""
        self.stats.put("T", 36, 36)
        self.stats.sample(NOW_S + 3600)
        data = self.stats.view("TOPIC_PUT_NUMS", "T")
        self.assertEqual([item.sum for item in (data.stats_minute, data.stats_hour, data.stats_day)], [36, 36, 36])

    def test_unknown_counter_is_refused_by_name(self) -> None:
        """Neither the name nor the key need exist."""
        for name, key in (("NO_SUCH", "T"), ("TOPIC_PUT_NUMS", "NoSuchTopic")):
            error = self.assertRaises(RequestError, self.stats.view, name, key)
            self.assertEqual((error.code, error.remark), (1, f"The stats <{name}> <{key}> not exist"))

    def test_consume_tps_is_that_of_the_last_minute(self) -> None:
        """For GET_CONSUME_STATS."""
        self.assertEqual(self.stats.consume_tps("g", "T"), 0.0)
        self.stats.get("g", "T", 50, 1)
        self.stats.sample(NOW_S + 10)
        self.assertEqual(self.stats.consume_tps("g", "T"), 5.0)

    def test_deleted_topic_leaves_no_counters(self) -> None:
        """And takes those of no other topic with it."""
        self.count_everything("T", "g")
        self.count_everything("T2", "g")
        self.stats.topic_deleted("T")
        self.assertEqual(self.known("T", "g"), [])
        self.assertEqual(len(self.known("T2", "g")), 6)

    def test_deleted_group_leaves_no_counters(self) -> None:
        """The topic's own stay."""
        self.count_everything("T", "g")
        self.count_everything("T", "gg")
        self.stats.group_deleted("g")
        self.assertEqual(self.known("T", "g"), ["TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE"])
        self.assertEqual(len(self.known("T", "gg")), 6)

    def count_everything(self, topic: str, group: str) -> None:
        """Count once under every name."""
        self.stats.put(topic, 1, 1)
        self.stats.get(group, topic, 1, 1)
        self.stats.get_latency(group, topic, 0, 1)
        self.stats.send_back(group, topic)
        self.stats.fall_behind(group, topic, 0, 1, 1)

    def known(self, topic: str, group: str) -> list[str]:
        """The names under which something is counted."""
        keys = {
            module.TOPIC_PUT_NUMS: topic,
            module.TOPIC_PUT_SIZE: topic,
            module.GROUP_GET_NUMS: f"{topic}@{group}",
            module.GROUP_GET_SIZE: f"{topic}@{group}",
            module.GROUP_GET_LATENCY: f"0@{topic}@{group}",
            module.SNDBCK_PUT_NUMS: f"{topic}@{group}",
        }
        found = []
        for name, key in keys.items():
            try:
                self.stats.view(name, key)
            except RequestError:
                continue
            found.append(name)
        return found

    def test_how_far_a_group_reads_behind(self) -> None:
        """The last figure for each queue."""
        self.stats.fall_behind("g", "T", 0, 100, 5)
        self.stats.fall_behind("g", "T", 0, 50, 3)
        self.assertEqual(self.stats.behind("GROUP_GET_FALL_SIZE", "0@T@g"), 50)
        self.assertEqual(self.stats.behind("GROUP_GET_FALL_TIME", "0@T@g"), 3)
        self.assertEqual(self.stats.behind("GROUP_GET_FALL_TIME", "1@T@g"), 0)
        self.patch(module, "STATS_ITEMS_MAX", 1)
        self.stats.fall_behind("g", "T", 1, 100, 5)
        self.assertEqual(self.stats.behind("GROUP_GET_FALL_SIZE", "1@T@g"), 0)

    def test_runtime_table_is_the_stores(self) -> None:
        """For code 28."""
        self.assertEqual(self.stats.runtime_table(), self.stats.store.runtime_table())
