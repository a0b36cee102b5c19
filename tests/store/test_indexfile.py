"""One index file: what a put writes, to the byte, and how chains are followed, however broken."""

from __future__ import annotations

import errno
import math
from random import Random

from construct import Array
from twisted.trial.unittest import SynchronousTestCase

from pymq.store.indexfile import INDEX_ENTRY, INDEX_HEADER, INDEX_SLOT, IndexFile, file_size
from pymq.store.keyhash import index_hash, topic_seed
from pymq.testing.memoryfiles import MemoryFiles

SLOTS, ENTRIES = 5, 8
START_MS = 1_700_000_000_000


class IndexFileTests(SynchronousTestCase):
    """A file with 5 slots and room for 7 keys."""

    def setUp(self) -> None:
        self.disk = MemoryFiles()
        self.handle = self.disk.create("index/1", file_size(SLOTS, ENTRIES))
        self.file = self.reopen()

    def reopen(self) -> IndexFile:
        """The same file as the next process sees it."""
        return IndexFile(self.handle, SLOTS, ENTRIES)

    def header(self) -> dict[str, int]:
        """The header as construct reads it."""
        return {name: value for name, value in INDEX_HEADER.parse(self.handle.view()).items() if not name.startswith("_")}

    def entries(self) -> list[tuple[int, int, int, int]]:
        """All entries as construct reads them."""
        rows = Array(ENTRIES, INDEX_ENTRY).parse(self.handle.view()[40 + 4 * SLOTS :])
        return [(row.key_hash, row.log_offset, row.seconds, row.previous) for row in rows]

    def test_sizes(self) -> None:
        """The file with Java's defaults has Java's size."""
        self.assertEqual(file_size(5_000_000, 20_000_000), 420_000_040)

    def test_a_fresh_file_counts_from_one(self) -> None:
        """Entry 0 is never used."""
        self.assertEqual(self.file.index_count, 1)

    def test_first_put_sets_begin_and_end(self) -> None:
        """The header tells the span of time and log of what is inside."""
        self.file.put([("T", ("a",), 100, START_MS)], 0, 0)
        self.assertEqual(
            self.header(),
            {"begin_ms": START_MS, "end_ms": START_MS, "begin_offset": 100, "end_offset": 100, "used_slots": 1, "index_count": 2},
        )

    def test_entry_holds_whole_seconds_since_begin(self) -> None:
        """1,999 ms after the first is 1 second."""
        self.file.put([("T", ("a",), 0, START_MS), ("T", ("b",), 100, START_MS + 1999)], 0, 0)
        self.assertEqual(self.entries()[2], (index_hash(topic_seed("T"), "b"), 100, 1, 0))

    def test_time_before_begin_counts_as_zero(self) -> None:
        """A clock that went back gives no negative difference."""
        self.file.put([("T", ("a",), 0, START_MS), ("T", ("b",), 100, START_MS - 5000)], 0, 0)
        self.assertEqual(self.entries()[2][2], 0)

    def test_same_slot_makes_a_chain(self) -> None:
        """The second entry of a key names the first, and takes no slot more."""
        self.file.put([("T", ("a",), 0, START_MS), ("T", ("a",), 100, START_MS)], 0, 0)
        self.assertEqual((self.entries()[2][3], self.header()["used_slots"]), (1, 1))
        slots = Array(SLOTS, INDEX_SLOT).parse(self.handle.view()[40:])
        self.assertEqual([slot.newest for slot in slots if slot.newest], [2])

    def test_full_file_says_where_to_go_on(self) -> None:
        """The eighth key does not fit; it is the second one of its record."""
        rows = [("T", ("a", "b"), number * 100, START_MS) for number in range(5)]
        self.assertEqual(self.file.put(rows, 0, 0), (3, 1))
        self.assertTrue(self.file.is_full)

    def test_going_on_at_a_key(self) -> None:
        """The rest of a record's keys goes into the next file."""
        other = IndexFile(self.disk.create("index/2", file_size(SLOTS, ENTRIES)), SLOTS, ENTRIES)
        rows = [("T", ("a", "b", "c"), 500, START_MS)]
        self.assertEqual(other.put(rows, 0, 1), (1, 0))
        self.assertEqual(other.index_count, 3)

    def test_known_keys_are_skipped(self) -> None:
        """Of the newest record some may be missing; Java puts all of them again."""
        rows = [("T", ("a",), 0, START_MS), ("T", ("b", "c"), 100, START_MS)]
        self.file.put(rows, 0, 0)
        whole = bytes(self.file.file.view())
        self.file.put(rows, 0, 0)
        self.assertEqual(bytes(self.file.file.view()), whole)
        self.file.cut(3)
        self.assertEqual(self.file.put(rows, 0, 0), (2, 0))
        self.assertEqual((self.file.index_count, list(self.file.chain(index_hash(topic_seed("T"), "c")))), (4, [(100, START_MS)]))

    def test_record_without_keys_leaves_no_trace(self) -> None:
        """Not even in the header's end."""
        self.file.put([("T", ("a",), 0, START_MS), ("T", (), 100, START_MS + 5)], 0, 0)
        self.assertEqual((self.file.end_offset, self.file.end_ms), (0, START_MS))

    def test_preset_file_measures_its_first_key_from_the_old_end(self) -> None:
        """Java's quirk: only the first entry's time is relative to the file before."""
        self.file.preset(900, START_MS)
        self.file.put([("T", ("a",), 1000, START_MS + 7000), ("T", ("b",), 1100, START_MS + 9000)], 0, 0)
        self.assertEqual([row[2] for row in self.entries()[1:3]], [7, 2])
        self.assertEqual(self.header()["begin_ms"], START_MS + 7000)

    def test_preset_file_skips_what_the_old_one_knew(self) -> None:
        """The end that it took over counts at once."""
        self.file.preset(900, START_MS)
        self.file.put([("T", ("a",), 800, START_MS)], 0, 0)
        self.assertEqual(self.file.index_count, 1)

    def test_chain_is_newest_first(self) -> None:
        """With the times that the entries tell."""
        self.file.put([("T", ("a",), number, START_MS + number * 1000) for number in range(3)], 0, 0)
        chain = list(self.file.chain(index_hash(topic_seed("T"), "a")))
        self.assertEqual(chain, [(2, START_MS + 2000), (1, START_MS + 1000), (0, START_MS)])

    def test_chain_ends_on_any_damage(self) -> None:
        """Loops, far links and negative times end the walk; none makes it endless."""
        random = Random(7)
        self.file.put([("T", ("a", "b"), number, START_MS) for number in range(3)], 0, 0)
        for _ in range(300):
            at = random.randrange(40, self.handle.size_bytes)
            self.handle.view()[at] = random.choice((0, 1, 3, 255))
            for key in ("a", "b"):
                self.assertLess(len(list(self.file.chain(index_hash(topic_seed("T"), key)))), ENTRIES)

    def test_count_before_an_offset(self) -> None:
        """Entries of records at or beyond the log's end are to go."""
        self.file.put([("T", ("a", "b"), number * 100, START_MS) for number in range(3)], 0, 0)
        self.assertEqual([self.file.count_before(end, None) for end in (0, 1, 100, 200, 201)], [1, 3, 3, 5, 7])

    def test_count_before_a_time_allows_for_whole_seconds(self) -> None:
        """An entry of second 1 may have been stored up to 999 ms later."""
        self.file.put([("T", ("a",), 0, START_MS), ("T", ("b",), 1, START_MS + 1000)], 0, 0)
        times = (START_MS, START_MS + 999, START_MS + 1000, START_MS + 1999, START_MS + 2000)
        self.assertEqual([self.file.count_before(None, time_ms) for time_ms in times], [1, 1, 2, 2, 3])

    def test_cut_makes_slots_and_header_fit(self) -> None:
        """After a cut the file is the one that never had the entries, but for the bytes beyond its count."""
        rows = [("T", (f"k{number}",), number * 100, START_MS + number * 1000) for number in range(6)]
        self.file.put(rows, 0, 0)
        self.file.cut(4)
        fresh = IndexFile(self.disk.create("index/2", file_size(SLOTS, ENTRIES)), SLOTS, ENTRIES)
        fresh.put(rows[:3], 0, 0)
        self.assertEqual(self.handle.view()[40 : 40 + 4 * SLOTS + 80], fresh.file.view()[40 : 40 + 4 * SLOTS + 80])
        self.assertEqual((self.file.used_slots, self.file.end_offset), (fresh.used_slots, fresh.end_offset))
        self.assertGreaterEqual(self.file.end_ms, fresh.end_ms)

    def test_cut_mends_lost_slots(self) -> None:
        """Slots are made from the entries, whatever a crash left in them."""
        self.file.put([("T", ("a",), 0, START_MS)], 0, 0)
        self.handle.view()[40 : 40 + 4 * SLOTS] = b"\xff" * (4 * SLOTS)
        self.file.cut(self.file.index_count)
        self.assertEqual(len(list(self.reopen().chain(index_hash(topic_seed("T"), "a")))), 1)

    def test_sync_only_when_written(self) -> None:
        """A file that nobody wrote to costs no sync."""
        self.file.put([("T", ("a",), 0, START_MS)], 0, 0)
        self.file.sync()
        self.file.sync()
        self.assertEqual(self.disk.log.count(("sync", "index/1")), 1)

    def test_failed_sync_is_tried_again(self) -> None:
        """It is not forgotten that the file is not durable."""
        self.file.put([("T", ("a",), 0, START_MS)], 0, 0)
        self.disk.fail("sync")
        self.assertRaises(OSError, self.file.sync)
        self.assertFalse(self.file.synced)

    def test_full_disk_is_an_error_before_anything_is_stored(self) -> None:
        """A store through the mapping would be a signal. What was put before counts and is found."""
        # A file of many pages, so that each key needs blocks of its own.
        slots, entries = 50_000, 50_000
        disk = MemoryFiles()
        file = IndexFile(disk.create("index/1", file_size(slots, entries)), slots, entries)
        rows = [("T", (f"{number * 104_729}",), number, START_MS) for number in range(40)]
        disk.fail("write_at", error=errno.ENOSPC, skip=12, times=math.inf)
        error = self.assertRaises(OSError, file.put, rows, 0, 0)
        self.assertEqual(error.errno, errno.ENOSPC)
        count = file.index_count
        self.assertTrue(1 < count < 40)
        for number in range(40):
            offsets = [offset for offset, _ in file.chain(index_hash(topic_seed("T"), f"{number * 104_729}"))]
            self.assertEqual(offsets, [number] if number < count - 1 else [])
        again = IndexFile(disk.open("index/1"), slots, entries)
        self.assertEqual((again.index_count, again.end_offset), (count, count - 2))
        disk.heal()
        file.put(rows, 0, 0)
        self.assertEqual(file.end_offset, 39)

    def test_pages_are_written_once(self) -> None:
        """The first time that they are touched; a file that is opened again begins anew, for nobody knows its holes."""
        rows = [("T", ("a",), number, START_MS) for number in range(3)]
        self.disk.log.clear()
        self.file.put(rows[:1], 0, 0)
        self.file.put(rows[1:2], 0, 0)
        writes = [path for operation, path in self.disk.log if operation == "write_at"]
        self.assertEqual(len(writes), 1)
        again = IndexFile(self.disk.open(writes[0]), SLOTS, ENTRIES)
        again.put(rows[2:], 0, 0)
        self.assertEqual([offset for offset, _ in again.chain(index_hash(topic_seed("T"), "a"))], [2, 1, 0])
