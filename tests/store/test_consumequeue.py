"""One queue."""

from __future__ import annotations

import struct
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pymq.errors import StoreDamaged
from pymq.store.consumequeue import FILLER_SIZE, UNIT, UNIT_LAYOUT, ConsumeQueue
from tests.store.stores import StoreCase

FOLDER = "consumequeue/T/0"
FILE = f"{FOLDER}/00000000000000000000"


class QueueCase(StoreCase):
    """Files of ten units; records of 100 bytes follow each other in the log."""

    def queue(self) -> ConsumeQueue:
        """An empty one, or what is on the disk."""
        return ConsumeQueue(self.files, FOLDER, "T", 0, 200)

    def filled(self, count: int, first: int = 0) -> ConsumeQueue:
        """With that many units; unit q belongs to the record at 100 q."""
        queue = self.queue()
        for number in range(first, first + count):
            queue.add(number, number * 100, 100, number)
        return queue

    def loaded(self, thorough: bool = False) -> ConsumeQueue:
        """What a new process finds."""
        queue = self.queue()
        queue.load(thorough)
        return queue


class UnitTests(QueueCase):
    """Twenty bytes."""

    def test_golden(self) -> None:
        """Units that Java made (store.md appendix B)."""
        queue = self.queue()
        queue.add(0, 0, 117, 2598919)
        queue.add(1, 117, 139, 2598920)
        units = "000000000000000000000075000000000027a80700000000000000750000008b000000000027a808"
        self.assertEqual(self.files.read_bytes(FILE)[:40].hex(), units)

    @given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1))
    def test_engines_agree(self, log_offset: int, size: int, tags_code: int) -> None:
        """Compiled and interpreted."""
        data = UNIT.pack(log_offset, size, tags_code)
        parsed = UNIT_LAYOUT.parse(data)
        self.assertEqual((parsed.log_offset, parsed.size, parsed.tags_code), (log_offset, size, tags_code))


class AddTests(QueueCase):
    """Writing (store.md 3.3)."""

    def test_made_anew(self) -> None:
        """Number 0 behind others ends what was before; the rest follows it, and none of the old ones comes back."""
        queue = self.filled(25)
        self.assertEqual([queue.add(number, 5000 + number * 100, 100, 0) for number in range(12)], [True] * 12)
        self.assertFalse(queue.add(24, 2400, 100, 0))
        self.assertEqual((queue.min_offset, queue.end_offset, queue.anomalies), (0, 12, 0))
        self.assertEqual([self.loaded().unit_at(number) for number in (0, 11)], [(5000, 100, 0), (6100, 100, 0)])
        self.assertEqual(len(self.files.list(FOLDER)), 2)

    def test_files_without_units(self) -> None:
        """Say nothing about where the queue begins."""
        self.files.create(FILE, 200)
        queue = self.loaded()
        self.assertTrue(queue.add(14, 1400, 100, 7))
        self.assertEqual((queue.min_offset, queue.end_offset, queue.unit_at(14)), (14, 15, (1400, 100, 7)))
        self.assertEqual(self.files.list(FOLDER), ["00000000000000000200"])

    def test_numbers_that_cannot_be(self) -> None:
        """Get no unit."""
        self.assertFalse(self.queue().add(-1, 0, 100, 0))

    def test_a_deletion_that_fails(self) -> None:
        """Leaves the newest units, and the queue goes on behind them; what a power cut brings back ends there too."""
        queue = self.filled(25)
        queue.sync()
        self.files.fail("delete", skip=1)
        self.assertRaises(OSError, queue.clear)
        self.assertEqual((queue.min_offset, queue.end_offset), (10, 25))
        self.assertTrue(queue.add(25, 2500, 100, 0))
        watched: list[int] = []

        def watch(operation: str, path: str, is_done: bool) -> None:
            survivor = self.files.crash(random=Random(len(watched)), survival=0.5)
            watched.append(int(survivor.list(FOLDER)[-1]) if survivor.list(FOLDER) else 400)

        self.files.watcher = watch
        queue.clear()
        self.files.watcher = None
        self.assertEqual(set(watched), {400})

    def test_over_several_files(self) -> None:
        """A full file is followed by the next."""
        queue = self.filled(25)
        names = self.files.list(FOLDER)
        self.assertEqual([int(name) for name in names], [0, 200, 400])
        self.assertEqual(
            [queue.unit_at(q) for q in (0, 9, 10, 24)], [(0, 100, 0), (900, 100, 9), (1000, 100, 10), (2400, 100, 24)]
        )
        self.assertEqual((queue.end_offset, queue.max_log_offset, queue.unit_at(25)), (25, 2500, None))

    def test_again(self) -> None:
        """A record that has a unit gets no second one."""
        queue = self.filled(12)
        self.assertFalse(queue.add(3, 300, 100, 3))
        self.assertFalse(queue.add(11, 1100, 100, 11))
        self.assertEqual(queue.end_offset, 12)

    def test_begins_late(self) -> None:
        """The first file is filled up to the first unit, and the first readable offset is that unit's."""
        queue = self.filled(1, first=13)
        self.assertEqual(self.files.list(FOLDER), ["00000000000000000200"])
        data = self.files.read_bytes(f"{FOLDER}/00000000000000000200")
        self.assertEqual(data[:60], struct.pack(">qiq", 0, FILLER_SIZE, 0) * 3)
        self.assertEqual(
            (queue.min_offset, queue.end_offset, queue.unit_at(12), queue.unit_at(13)), (13, 14, None, (1300, 100, 13))
        )

    def test_gap_and_overlap(self) -> None:
        """A unit too early is taken for built, one too late goes to the end all the same, as Java does."""
        queue = self.filled(5)
        self.assertFalse(queue.add(3, 500, 100, 0))
        self.assertTrue(queue.add(9, 600, 100, 0))
        self.assertEqual((queue.end_offset, queue.unit_at(5), queue.anomalies), (6, (600, 100, 0), 1))

    def test_after_a_release(self) -> None:
        """A queue that rested goes on where it was."""
        queue = self.filled(5)
        queue.sync()
        for _ in range(2):
            queue.release_idle()
        queue.add(5, 500, 100, 5)
        self.assertEqual((queue.end_offset, queue.unit_at(5)), (6, (500, 100, 5)))


class LoadTests(QueueCase):
    """Finding the end (store.md 5.5)."""

    def test_every_length(self) -> None:
        """In both ways, file borders included."""
        for count in range(32):
            for path in self.files.list(FOLDER):
                self.files.delete(f"{FOLDER}/{path}")
            self.filled(count)
            for thorough in (False, True):
                queue = self.loaded(thorough)
                self.assertEqual((queue.end_offset, queue.next_offset, queue.max_log_offset), (count, count, count * 100))

    def test_goes_on_after_a_load(self) -> None:
        """At every place of a file."""
        for count in (0, 1, 9, 10, 11, 20):
            for path in self.files.list(FOLDER):
                self.files.delete(f"{FOLDER}/{path}")
            self.filled(count)
            queue = self.loaded()
            queue.add(count, count * 100, 100, 7)
            self.assertEqual((queue.end_offset, queue.unit_at(count)), (count + 1, (count * 100, 100, 7)))

    def test_hole_after_a_crash(self) -> None:
        """A page that did not reach the disk ends the queue, though later ones did."""
        self.filled(25)
        self.files.open(FILE).view()[60:80] = bytes(20)
        queue = self.loaded(thorough=True)
        self.assertEqual((queue.end_offset, queue.max_log_offset), (3, 300))
        self.assertEqual(self.files.list(FOLDER), ["00000000000000000000"])

    def test_what_follows_the_end_is_zeroed(self) -> None:
        """Else a stale unit behind a hole would come to life when the hole is filled (store.md 5.9)."""
        self.filled(8)
        self.files.open(FILE).view()[60:80] = bytes(20)
        self.loaded(thorough=True)
        self.assertEqual(self.files.read_bytes(FILE)[60:], bytes(140))

    def test_filler_is_no_record(self) -> None:
        """A crash between fillers and unit does not make the queue believe that gigabytes are indexed."""
        self.filled(1, first=13)
        self.files.open(f"{FOLDER}/00000000000000000200").view()[60:80] = bytes(20)
        queue = self.loaded(thorough=True)
        self.assertEqual((queue.end_offset, queue.max_log_offset), (13, 0))

    def test_wrong_size(self) -> None:
        """Stops the start."""
        self.files.create(FILE, 180)
        self.assertRaises(StoreDamaged, self.loaded)

    def test_after_a_crash_everything_at_the_end_is_synced(self) -> None:
        """Nobody knows what a dead process left in the page cache."""
        self.filled(45)
        queue = self.loaded(thorough=True)
        queue.mark_dirty()
        self.assertEqual([segment.is_dirty for segment in queue.segments], [False, True, True, True, True])


class CutTests(QueueCase):
    """Truncation, minimum, expiry."""

    def test_truncate_at_every_record(self) -> None:
        """Units at or beyond the end go, with their files."""
        for end in range(0, 26):
            queue = self.filled(25)
            queue.truncate(end * 100)
            self.assertEqual((queue.end_offset, queue.max_log_offset), (end, end * 100))
            self.assertEqual(self.loaded().end_offset, end)
            queue.clear()

    def test_min_offset(self) -> None:
        """Is the first unit whose record is left; the end when none is (testCorrectMinOffset)."""
        queue = self.filled(25)
        mins = []
        for log_min in (0, 1, 100, 1050, 2400, 2500, 9999):
            queue.correct_min_offset(log_min)
            mins.append(queue.min_offset)
        self.assertEqual(mins, [0, 1, 1, 11, 24, 25, 25])

    def test_min_offset_steps_over_fillers(self) -> None:
        """Also while the log begins at 0 (store.md 3.4, the trap)."""
        self.filled(2, first=13)
        queue = self.loaded()
        queue.correct_min_offset(0)
        self.assertEqual(queue.min_offset, 13)

    def test_delete_expired(self) -> None:
        """Whole files from the oldest on, never the last."""
        queue = self.filled(25)
        self.assertEqual((queue.delete_expired(950), queue.min_offset), (1, 10))
        self.assertEqual((queue.delete_expired(1850), queue.min_offset), (0, 19))
        self.assertEqual((queue.delete_expired(99999), queue.min_offset, queue.end_offset), (1, 25, 25))
        self.assertEqual(self.files.list(FOLDER), ["00000000000000000400"])

    def test_next_file(self) -> None:
        """Where a reader goes that finds a file missing."""
        self.assertEqual([self.filled(0).next_file_offset(q) for q in (0, 9, 10)], [10, 10, 20])

    def test_missing_file(self) -> None:
        """Its units are not there."""
        self.filled(25)
        self.files.delete(f"{FOLDER}/00000000000000000200")
        queue = self.loaded()
        self.assertIsNone(queue.units_from(12))
        self.assertEqual((queue.unit_at(5), queue.unit_at(22)), ((500, 100, 5), (2200, 100, 22)))
        queue.release()
