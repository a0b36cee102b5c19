"""Tests of pymq.broker.processors.runtimeinfo."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.runtimeinfo import RuntimeInfo, Waiting, byte_count_text, store_table
from tests.broker.fixtures import NOW_MS, draft
from tests.broker.processors.parts import Parts

#: The keys of 4.9.8 (remoting.md 3.12), and 5.x's spelling of one.
KEYS = [
    "brokerVersionDesc", "brokerVersion", "msgPutTotalYesterdayMorning", "msgPutTotalTodayMorning", "msgPutTotalTodayNow",
    "msgGetTotalYesterdayMorning", "msgGetTotalTodayMorning", "msgGetTotalTodayNow", "sendThreadPoolQueueSize",
    "sendThreadPoolQueueCapacity", "pullThreadPoolQueueSize", "pullThreadPoolQueueCapacity", "queryThreadPoolQueueSize",
    "queryThreadPoolQueueCapacity", "EndTransactionQueueSize", "EndTransactionThreadPoolQueueCapacity", "dispatchBehindBytes",
    "pageCacheLockTimeMills", "sendThreadPoolQueueHeadWaitTimeMills", "pullThreadPoolQueueHeadWaitTimeMills",
    "queryThreadPoolQueueHeadWaitTimeMills", "earliestMessageTimeStamp", "startAcceptSendRequestTimeStamp",
    "commitLogDirCapacity", "remainHowManyDataToFlush", "bootTimestamp", "runtime", "putMessageEntireTimeMax",
    "putMessageTimesTotal", "putMessageFailedTimes", "putMessageSizeTotal", "putMessageDistributeTime",
    "putMessageAverageSize", "dispatchMaxBuffer", "getMessageEntireTimeMax", "putTps", "getFoundTps", "getMissTps",
    "getTotalTps", "getTransferedTps", "getTransferredTps", "putLatency99", "putLatency999", "commitLogDiskRatio",
    "consumeQueueDiskRatio", "commitLogMinOffset", "commitLogMaxOffset",
]  # fmt: skip

FACTS = {
    "log_min_offset": 10, "log_max_offset": 5010, "flushed_offset": 10, "dispatch_behind_bytes": 3, "disk_used_ratio": 0.25,
    "earliest_store_time_ms": 7,
}  # fmt: skip


class RuntimeInfoTests(SynchronousTestCase):
    """What clusterList, brokerStatus, exporters and the dashboard read."""

    def setUp(self) -> None:
        """A broker with one message."""
        self.parts = Parts()
        self.parts.store.put([draft()])
        self.parts.stats.put("T", 1, 100)

    def table(self, **arguments: Any) -> dict[str, str]:
        """The table."""
        parts = self.parts
        return RuntimeInfo(
            config=parts.config,
            store=parts.store,
            stats=parts.stats,
            delay_offsets=parts.delay_offsets,
            commit_log_paths=["/data/log"],
            fast_failure=parts.fast_failure,
            flusher=parts.flusher,
            **arguments,
        ).table()

    def test_every_key_is_there_as_text(self) -> None:
        """Under the names of both lines."""
        table = self.table()
        self.assertEqual([key for key in KEYS if key not in table], [])
        self.assertEqual([key for key, value in table.items() if not isinstance(value, str)], [])

    def test_a_store_that_takes_nothing(self) -> None:
        """Says so, and why."""
        self.assertEqual([self.table()[key] for key in ("storeWritable", "storeProblem")], ["true", ""])
        table = store_table({**FACTS, "writable": False, "problem": "writing messages failed"})
        self.assertEqual([table[key] for key in ("storeWritable", "storeProblem")], ["false", "writing messages failed"])

    def test_figures(self) -> None:
        """Some that tools parse."""
        table = self.table()
        self.assertEqual((table["brokerVersionDesc"], table["brokerVersion"]), ("V4_9_8", "409"))
        self.assertEqual((table["msgPutTotalTodayNow"], table["earliestMessageTimeStamp"]), ("1", str(NOW_MS)))
        self.assertEqual(len(table["getTotalTps"].split(" ")), 3)
        self.assertEqual(int(table["commitLogMaxOffset"]), self.parts.store.describe()["log_max_offset"])

    def test_what_waits(self) -> None:
        """Sends that wait for the disk stand for the send queue, what waits for its peer for the pull queue."""
        self.parts.fast_failure.sends_waiting = 3
        self.parts.flusher.head_wait_s = 0.25
        table = self.table(backlog=lambda: Waiting(5, 1.5))
        self.assertEqual((table["sendThreadPoolQueueSize"], table["sendThreadPoolQueueHeadWaitTimeMills"]), ("3", "250"))
        self.assertEqual((table["pullThreadPoolQueueSize"], table["pullThreadPoolQueueHeadWaitTimeMills"]), ("5", "1500"))

    def test_capacities_are_the_settings(self) -> None:
        """Tools divide by them."""
        self.parts = Parts(send_thread_pool_queue_capacity=7, end_transaction_pool_queue_capacity=8)
        table = self.table()
        self.assertEqual(table["sendThreadPoolQueueCapacity"], "7")
        self.assertEqual(table["EndTransactionThreadPoolQueueCapacity"], "8")

    def test_longest_put(self) -> None:
        """Of the last seconds, in place of the time that an append holds Java's lock."""
        self.parts.stats.store.put_took(1234.5)
        self.assertEqual(self.table()["pageCacheLockTimeMills"], "1234")

    def test_path_of_the_log(self) -> None:
        """Names one more key."""
        self.assertIn("commitLogDiskRatio_/data/log", self.table())

    def test_facts_of_the_store(self) -> None:
        """Become text; a disk's size is said when the store knows it."""
        table = store_table(FACTS)
        self.assertEqual((table["remainHowManyDataToFlush"], table["commitLogDiskRatio"]), ("4.9 KiB", "0.25"))
        self.assertEqual(table["commitLogDirCapacity"], "Total : 0 B, Free : 0 B.")
        sized = store_table({**FACTS, "disk_used_bytes": 2**30, "disk_usable_bytes": 3 * 2**29})
        self.assertEqual(sized["commitLogDirCapacity"], "Total : 2.5 GiB, Free : 1.5 GiB.")

    def test_byte_counts(self) -> None:
        """In steps of 1024."""
        texts = [byte_count_text(count) for count in (0, 1023, 1024, 10 * 2**20, 2**70)]
        self.assertEqual(texts, ["0 B", "1023 B", "1.0 KiB", "10.0 MiB", "1024.0 EiB"])
