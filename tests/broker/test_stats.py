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
        self.assertEqual((self.behind("0@T@g"), self.behind("0@T2@g")), (None, (1, 1)))
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

    def behind(self, key: str = "0@T@g") -> tuple[int, int] | None:
        """Bytes and milliseconds of a queue; None when nothing is noted."""
        size, time = self.stats.fall_size.get(key), self.stats.fall_time.get(key)
        return None if size is None or time is None else (size.value, time.value)

    def test_how_far_a_group_reads_behind(self) -> None:
        """The last figure for each queue; 0 once all of it is read."""
        self.assertIsNone(self.behind())
        self.stats.caught_up("g", "T", 0)
        self.assertIsNone(self.behind())
        self.stats.fall_behind("g", "T", 0, 100, 5)
        self.stats.fall_behind("g", "T", 0, 50, 3)
        self.assertEqual((self.behind(), self.behind("1@T@g")), ((50, 3), None))
        self.stats.caught_up("g", "T", 0)
        self.assertEqual(self.behind(), (0, 0))

    def test_every_pull_says_how_far_behind_it_is(self) -> None:
        """The first one and those whose counters are at hand."""
        for behind in ((900, 90), (800, 80), (700, 70)):
            self.stats.found("g", "T", 0, 1, 100, 1, *behind)
            self.assertEqual(self.behind(), behind)

    def test_what_java_does_not_show_is_not_shown(self) -> None:
        """These names exist; a counter stands behind none of them in 4.9.8, as its commercial hooks are not public."""
        self.stats.found("g", "T", 0, 1, 100, 1, 10, 10)
        for name in ("GROUP_GET_FALL_SIZE", "GROUP_GET_FALL_TIME", "COMMERCIAL_SEND_TIMES", "GROUP_GET_FROM_DISK_NUMS"):
            error = self.assertRaises(RequestError, self.stats.view, name, "0@T@g")
            self.assertEqual((error.code, error.remark), (1, f"The stats <{name}> <0@T@g> not exist"))

    def test_queues_of_delayed_messages_are_counted_one_by_one(self) -> None:
        """As Java does with enableDetailStat; other queues are not."""
        self.stats.queue_put("SCHEDULE_TOPIC_XXXX", 2, 3, 300)
        self.stats.queue_put("T", 2, 3, 300)
        self.stats.queue_get("SCHEDULE_CONSUMER", "SCHEDULE_TOPIC_XXXX", 2, 3, 280)
        self.assertEqual(self.minute("QUEUE_PUT_NUMS", "SCHEDULE_TOPIC_XXXX@2").sum, 3)
        self.assertEqual(self.minute("QUEUE_PUT_SIZE", "SCHEDULE_TOPIC_XXXX@2").sum, 300)
        self.assertEqual(self.minute("QUEUE_GET_NUMS", "SCHEDULE_TOPIC_XXXX@2@SCHEDULE_CONSUMER").sum, 3)
        self.assertEqual(self.minute("QUEUE_GET_SIZE", "SCHEDULE_TOPIC_XXXX@2@SCHEDULE_CONSUMER").sum, 280)
        self.assertRaises(RequestError, self.stats.view, "QUEUE_PUT_NUMS", "T@2")
        self.stats.topic_deleted("SCHEDULE_TOPIC_XXXX")
        self.assertRaises(RequestError, self.stats.view, "QUEUE_PUT_NUMS", "SCHEDULE_TOPIC_XXXX@2")
        self.assertRaises(RequestError, self.stats.view, "QUEUE_GET_NUMS", "SCHEDULE_TOPIC_XXXX@2@SCHEDULE_CONSUMER")

    def test_without_details(self) -> None:
        """enableDetailStat=false: nothing by queue, and the latency by topic and group."""
        self.stats = BrokerStatsManager(clock=started_clock(), cluster_name="C", enable_detail_stat=False)
        self.stats.queue_put("SCHEDULE_TOPIC_XXXX", 2, 3, 300)
        self.stats.queue_get("SCHEDULE_CONSUMER", "SCHEDULE_TOPIC_XXXX", 2, 3, 280)
        self.assertRaises(RequestError, self.stats.view, "QUEUE_PUT_NUMS", "SCHEDULE_TOPIC_XXXX@2")
        for _ in range(2):
            self.stats.found("g", "T", 1, 1, 100, 6)
        self.assertEqual(self.minute("GROUP_GET_LATENCY", "T@g").sum, 12)
        self.stats.group_deleted("g")
        self.assertRaises(RequestError, self.stats.view, "GROUP_GET_LATENCY", "T@g")

    def test_runtime_table_is_the_stores(self) -> None:
        """For code 28."""
        self.assertEqual(self.stats.runtime_table(), self.stats.store.runtime_table())
