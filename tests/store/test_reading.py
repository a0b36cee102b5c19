"""Pulls and times."""

from __future__ import annotations

from typing import Any

import attrs

from pymq.message.record import decode_record
from pymq.message.results import GetStatus
from pymq.message.tags import java_hash
from pymq.store.reading import is_match, outside
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from tests.store.stores import SMALL, START_MS, StoreCase, numbered

#: No record that `fill` makes is longer.
RECORD_BYTES = 110
ALL = frozenset({java_hash("TagA"), java_hash("TagB"), 0})


class OutsideTests(StoreCase):
    """Offsets at which nothing is (store.md 8.2)."""

    def test_table(self) -> None:
        """Status and next offset for offset, min and max."""
        table = {
            (0, 0, 0): ("NO_MESSAGE_IN_QUEUE", 0),
            (9, 0, 0): ("NO_MESSAGE_IN_QUEUE", 0),
            (4, 5, 9): ("OFFSET_TOO_SMALL", 5),
            (9, 5, 9): ("OFFSET_OVERFLOW_ONE", 9),
            (10, 5, 9): ("OFFSET_OVERFLOW_BADLY", 9),
        }
        for (offset, least, most), wanted in table.items():
            result = outside(offset, least, most)
            self.assertEqual(
                (result.status.name, result.next_offset, result.min_offset, result.max_offset), (*wanted, least, most)
            )


class MatchTests(StoreCase):
    """Filters are 32 bits wide."""

    def test_low_bits(self) -> None:
        """A delivery time is compared by them."""
        code = 0x1A1FD01E239
        self.assertTrue(is_match(code, frozenset({-50208199})))
        self.assertFalse(is_match(code, frozenset({50208199})))
        self.assertTrue(is_match(-7, frozenset({-7})))


class BatchLimitTests(StoreCase):
    """How much one pull gives, against Java's rule (DefaultMessageStore.isTheBatchFull) written down once more."""

    LIMITS = {
        "max_transfer_count_on_message_in_memory": 12,
        "max_transfer_bytes_on_message_in_memory": 2000,
        "max_transfer_count_on_message_in_disk": 5,
        "max_transfer_bytes_on_message_in_disk": 700,
    }
    MEMORY_BYTES = 20_000

    def setUp(self) -> None:
        """Sixty messages of different sizes, the older ones "on disk"."""
        super().setUp()
        config = attrs.evolve(SMALL, mapped_file_size_consume_queue=20000, **self.LIMITS)
        self.store = FileMessageStore(self.files, config, clock=self.clock, memory_bytes=self.MEMORY_BYTES)
        self.store.load()
        for number in range(60):
            self.store.put([draft("T", bytes(number * 37 % 400))])
        self.units = self.store.units("T", 0, 0, 60)
        self.end = self.store.describe()["log_max_offset"]

    def expected(self, offset: int, count_max: int) -> int:
        """How many messages Java gives."""
        limits, taken, size_bytes = self.LIMITS, 0, 0
        for log_offset, size, _ in self.units[offset:]:
            where = "disk" if self.end - log_offset > self.MEMORY_BYTES * 40 // 100 else "memory"
            if taken and (
                count_max <= taken
                or size_bytes + size > limits[f"max_transfer_bytes_on_message_in_{where}"]
                or taken > limits[f"max_transfer_count_on_message_in_{where}"] - 1
            ):
                break
            taken += 1
            size_bytes += size
        return taken

    def test_every_offset_and_count(self) -> None:
        """With a filter and without."""
        both = set()
        for offset in range(60):
            for count_max in (-1, 0, 1, 4, 5, 6, 12, 13, 32, 1000):
                expected = self.expected(offset, count_max)
                both.add(expected)
                for tag_filter in (None, ALL):
                    result = self.store.get("T", 0, offset, count_max, tag_filter)
                    self.assertEqual((result.count, result.next_offset), (expected, offset + expected), (offset, count_max))
        self.assertGreater(len(both), 6)


class GetTests(StoreCase):
    """With and without a filter the same messages come."""

    def store(self, count: int, **changes: Any) -> FileMessageStore:
        """With that many messages of some 110 bytes in queue files of 1000."""
        store = self.store_on(self.files, mapped_file_size_consume_queue=20000, **changes)
        self.fill(store, count)
        return store

    def both(self, store: FileMessageStore, offset: int, count_max: int) -> Any:
        """The result without a filter, which must be that of a filter that lets all pass."""
        result = store.get("T", 0, offset, count_max, None)
        filtered = store.get("T", 0, offset, count_max, ALL)
        self.assertEqual([bytes(record) for record in result.records], [bytes(record) for record in filtered.records])
        # The one looks at the message behind those that it gives, as Java does, the other does not.
        self.assertLessEqual(abs(result.behind_bytes - filtered.behind_bytes), 2 * RECORD_BYTES)
        same = {"records": [], "behind_bytes": 0}
        self.assertEqual(attrs.evolve(result, **same), attrs.evolve(filtered, **same))
        return result

    def test_counts(self) -> None:
        """At most what was asked for, at most 32, at least 1 (testPullSize)."""
        store = self.store(100)
        self.assertEqual([self.both(store, 0, count).count for count in (0, 1, 10, 20, 32, 64)], [1, 1, 10, 20, 32, 32])

    def test_every_offset(self) -> None:
        """Over the borders of log files."""
        store = self.store(100)
        for offset in range(100):
            result = self.both(store, offset, 32)
            self.assertEqual(result.next_offset, min(offset + 32, 100))
            self.assertEqual(
                [decode_record(record).queue_offset for record in result.records], list(range(offset, result.next_offset))
            )

    def test_bytes(self) -> None:
        """The limit holds from the second record on; the first comes whatever its size."""
        store = self.store(10, max_transfer_bytes_on_message_in_memory=250)
        self.assertEqual(self.both(store, 0, 32).count, 2)
        store.close()
        store = self.store_on(self.files, mapped_file_size_consume_queue=20000, max_transfer_bytes_on_message_in_memory=10)
        self.assertEqual(self.both(store, 0, 32).count, 1)

    def test_far_behind(self) -> None:
        """More than 40 percent of memory behind the end, 8 records are given, and a slave is suggested."""
        store = FileMessageStore(
            self.files, attrs.evolve(SMALL, mapped_file_size_consume_queue=20000), clock=self.clock, memory_bytes=10000
        )
        store.load()
        self.fill(store, 100)
        self.assertEqual((self.both(store, 0, 32).count, self.both(store, 0, 32).is_behind), (8, True))
        self.assertEqual((self.both(store, 80, 32).count, self.both(store, 80, 32).is_behind), (20, False))

    def test_where_disk_ends_and_memory_begins(self) -> None:
        """Each message is judged by where it lies itself: the way from the disk to memory is no pull of its own kind."""
        store = FileMessageStore(
            self.files, attrs.evolve(SMALL, mapped_file_size_consume_queue=20000), clock=self.clock, memory_bytes=10000
        )
        store.load()
        self.fill(store, 100)
        counts = [self.both(store, offset, 32).count for offset in range(100)]
        first_in_memory = next(offset for offset in range(100) if counts[offset] > 8)
        self.assertEqual(set(counts[:first_in_memory]), {8})
        # A pull that begins less than eight messages before the border goes on under the limits of memory.
        self.assertTrue(self.both(store, first_in_memory, 1).is_behind)
        self.assertEqual(max(counts), 32)

    def test_behind_bytes(self) -> None:
        """From the last message looked at to the log's end."""
        store = self.store(10)
        last, both = store.get("T", 0, 9, 1, None), store.get("T", 0, 8, 2, None)
        self.assertEqual((last.behind_bytes, both.behind_bytes), (last.size_bytes, last.size_bytes))
        self.assertEqual(store.get("T", 0, 8, 1, None).behind_bytes, both.size_bytes)
        self.assertEqual(store.get("T", 0, 9, 1, frozenset({1})).behind_bytes, last.size_bytes)

    def test_within_one_queue_file(self) -> None:
        """A get does not go on in the next queue file."""
        store = self.store_on(self.files)
        self.fill(store, 25)
        self.assertEqual([self.both(store, offset, 32).next_offset for offset in (0, 5, 10, 24)], [10, 10, 20, 25])

    def test_scan_limit(self) -> None:
        """800 units are looked at when nothing passes the filter, more when more messages are asked for."""
        store = self.store(900)
        other = frozenset({java_hash("TagX")})
        result = store.get("T", 0, 0, 32, other)
        self.assertEqual((result.status, result.next_offset), (GetStatus.NO_MATCHED_MESSAGE, 800))
        self.assertEqual(store.get("T", 0, 0, 850, other).next_offset, 850)

    def test_missing_log_file(self) -> None:
        """Its messages are passed over, those behind it come (store.md 8.2, 9.2)."""
        store = self.store(100)
        ends = [segment.end for segment in store._log.segments]
        first = next(q for q in range(100) if (store._queues.get("T", 0).unit_at(q) or (0,))[0] >= ends[0])  # type: ignore[union-attr]
        after = next(q for q in range(100) if (store._queues.get("T", 0).unit_at(q) or (0,))[0] >= ends[1])  # type: ignore[union-attr]
        store.close()
        self.files.delete("commitlog/00000000000000004096")
        store = self.store_on(self.files, mapped_file_size_consume_queue=20000)
        result = store.get("T", 0, first, 32, None)
        self.assertEqual((result.status, decode_record(result.records[0]).queue_offset), (GetStatus.FOUND, after))
        self.assertIsNone(store.read_at(4096))
        only = store.get("T", 0, first, 1, None)
        self.assertEqual((only.count, only.next_offset), (1, after + 1))

    def test_all_gone(self) -> None:
        """When nothing behind it is left either, it says so and goes on behind what it scanned."""
        store = self.store(50)
        store.close()
        self.files.delete("commitlog/00000000000000000000")
        store = self.store_on(self.files, mapped_file_size_consume_queue=20000)
        store._queues.get("T", 0).min_offset = 0  # type: ignore[union-attr]  # as before the care has seen it
        result = store.get("T", 0, 0, 5, None)
        self.assertEqual(result.status, GetStatus.FOUND)
        self.assertGreater(decode_record(result.records[0]).queue_offset, 0)

    def test_missing_queue_file(self) -> None:
        """Leads to the next file's first offset."""
        store = self.store_on(self.files)
        self.fill(store, 25)
        store.close()
        self.files.delete("consumequeue/T/0/00000000000000000200")
        store = self.store_on(self.files)
        result = store.get("T", 0, 13, 32, None)
        self.assertEqual((result.status, result.next_offset), (GetStatus.OFFSET_FOUND_NULL, 20))

    def test_views_stay(self) -> None:
        """Records in hand do not change when more is put."""
        store = self.store(3)
        records = store.get("T", 0, 0, 32, None).records
        self.fill(store, 100, first=3)
        self.assertEqual([decode_record(record).raw_body for record in records], numbered(3))

    def test_after_deletion(self) -> None:
        """Nor when their file is deleted."""
        store = self.store(100)
        records = store.get("T", 0, 0, 32, None).records
        store._log.segments.delete_first()
        self.assertEqual([decode_record(record).raw_body for record in records], numbered(32))


class TimeTests(StoreCase):
    """Offsets by time (store.md 3.5)."""

    def test_within_a_file(self) -> None:
        """Nearest, ties to the earlier, ends at the ends."""
        store = self.store_on(self.files, mapped_file_size_consume_queue=20000)
        self.fill(store, 10, seconds=10)
        times = {-20_000: 0, 0: 0, 5_000: 0, 5_001: 1, 20_000: 2, 90_000: 9, 95_000: 9, 500_000: 9}
        self.assertEqual({ms: store.offset_at("T", 0, START_MS + ms) for ms in times}, times)

    def test_gone_messages(self) -> None:
        """Those that left the log are never found."""
        store = self.store_on(self.files, mapped_file_size_consume_queue=20000)
        self.fill(store, 100, seconds=1)
        store._log.segments.delete_first()
        for queue in store._queues:
            queue.correct_min_offset(store._log.min_offset)
        self.assertEqual(store.offset_at("T", 0, START_MS), store.min_offset("T", 0))
        self.assertEqual(store.store_time("T", 0, 0), -1)

    def test_files_by_their_own_time(self) -> None:
        """The first queue file last written at the time or later is searched, the last one when all are older."""
        store = self.store_on(self.files)
        self.fill(store, 30, seconds=1)
        for number, path in enumerate(self.files.list("consumequeue/T/0")):
            self.files.set_modified_ms(f"consumequeue/T/0/{path}", START_MS + 10_000 * number + 9_000)
        offsets = [store.offset_at("T", 0, START_MS + ms) for ms in (3_000, 9_000, 9_001, 25_000, 99_000)]
        self.assertEqual(offsets, [3, 9, 10, 25, 29])

    def test_unknown_queue(self) -> None:
        """Zero, and no time."""
        store = self.store_on(self.files)
        self.assertEqual((store.offset_at("X", 0, START_MS), store.store_time("X", 0, 0)), (0, -1))
        self.assertEqual(store.store_time("X", 0, -1), -1)

    def test_tags(self) -> None:
        """A filter leaves out the others, and the next offset is behind what was looked at."""
        store = self.store_on(self.files)
        store.put([draft("T", b"%d" % number, tags="AB"[number % 2]) for number in range(9)])
        result = store.get("T", 0, 0, 2, frozenset({java_hash("A")}))
        self.assertEqual(([decode_record(record).raw_body for record in result.records], result.next_offset), ([b"0", b"2"], 3))
