"""Recovery as a table of damages (store.md 9.5), each on a disk that was stopped cleanly, killed, or lost its power."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from pymq.errors import StoreDamaged
from pymq.message.record import MAGIC_V2, decode_record
from pymq.store.checkpoint import Checkpoint
from pymq.store.commitlog import CommitLog
from pymq.store.recovery import walk
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles
from tests.store.stores import SMALL, StoreCase, numbered

COUNT = 100


@attrs.frozen
class Place:
    """Where a record lies: file, position, size and number."""

    path: str
    at: int
    size: int
    number: int


class RecoveryCase(StoreCase):
    """A store of 100 messages in four log files and ten queue files."""

    def setUp(self) -> None:
        super().setUp()
        self.store = self.store_on(self.files)
        results = self.fill(self.store, COUNT, seconds=0.01)
        self.places = [
            Place(f"commitlog/{offset - offset % 4096:020d}", offset % 4096, result.size, number)
            for number, result in enumerate(results)
            for offset in [result.log_offset]
        ]
        self.log_end = results[-1].log_offset + results[-1].size

    def stopped(self) -> MemoryFiles:
        """The disk after a clean stop."""
        self.store.close()
        return self.files

    def killed(self) -> MemoryFiles:
        """The disk after kill -9: everything written is there, nothing was said to be durable."""
        return self.files.kill()

    def reopened(self, files: MemoryFiles, **changes: Any) -> FileMessageStore:
        """The store after recovery."""
        return self.store_on(files, **changes)

    def expect(self, files: MemoryFiles, count: int, **changes: Any) -> FileMessageStore:
        """The first `count` messages are there by queue and by key, and the store goes on and comes back again."""
        store = self.reopened(files, **changes)
        self.assertEqual(self.bodies(store), numbered(count))
        self.assertEqual(self.fill(store, 3, first=count)[0].queue_offset, count)
        self.assertEqual(self.bodies(store), numbered(count + 3))
        for number in (0, count // 2, count - 1, count):
            if number >= 0:
                found = store.find_by_key("T", f"k{number}", 10, 0, 2**62).records
                self.assertEqual([decode_record(record).raw_body for record in found], [b"%d" % number])
        store.flush()
        killed = files.kill()
        again = self.reopened(killed, **changes)
        self.assertEqual(self.bodies(again), numbered(count + 3))
        again.close()
        self.assertEqual(self.bodies(self.reopened(killed, **changes)), numbered(count + 3))
        return store

    def overwrite(self, files: MemoryFiles, place: Place, at: int, data: bytes) -> None:
        """Damage a record."""
        files.open(place.path).view()[place.at + at : place.at + at + len(data)] = data


class UndamagedTests(RecoveryCase):
    """Nothing is wrong."""

    def test_clean_stop(self) -> None:
        """All is there, and hardly anything was looked at (case 37)."""
        store = self.expect(self.stopped(), COUNT)
        self.assertFalse(store.report.is_abnormal)
        self.assertEqual((store.report.log_end, store.report.checked, store.report.dispatched), (self.log_end, 1, 0))

    def test_kill(self) -> None:
        """All is there; without a checkpoint all is walked."""
        store = self.expect(self.killed(), COUNT)
        self.assertTrue(store.report.is_abnormal)
        self.assertEqual((store.report.log_end, store.report.checked), (self.log_end, COUNT))

    def test_power_cut(self) -> None:
        """What was flushed is there, nothing of what was not."""
        self.store.flush()
        self.fill(self.store, 20, first=COUNT)
        self.expect(self.files.crash(), COUNT)

    def test_empty_store(self) -> None:
        """Stopped or killed."""
        for way in ("close", "kill"):
            files = MemoryFiles(clock=self.clock)
            store = self.store_on(files)
            if way == "close":
                store.close()
            self.expect(files if way == "close" else files.kill(), 0)

    def test_bounded_by_the_checkpoint(self) -> None:
        """After a crash only what came after the checkpoint, less its margin, is walked."""
        self.clock.advance(100)
        for _ in range(95):
            self.clock.advance(1)
            self.store.flush()
            self.store.run_maintenance(int(self.clock.seconds() * 1000))
        self.clock.advance(100)
        self.fill(self.store, 5, first=COUNT)
        store = self.expect(self.killed(), COUNT + 5)
        self.assertEqual(store.report.checked, 5 + COUNT)

    def test_bounded_within_a_file(self) -> None:
        """Java would begin at the file's beginning; a queue unit shows a later place."""
        checkpoint = Checkpoint(self.files)
        time_ms = self.store.store_time("T", 0, COUNT - 20)
        checkpoint.physic_ms = checkpoint.logics_ms = checkpoint.index_ms = time_ms + 3000
        checkpoint.flush()
        store = self.expect(self.killed(), COUNT)
        self.assertEqual(store.report.checked, 20)

    def test_checkpoints_that_say_too_much_or_nothing(self) -> None:
        """A zeroed one means a full walk; one from the future trusts the newest unit, and the walk goes on from there (case
        47).
        """
        for time_ms, checked in ((0, COUNT), (2**62, 1)):
            files = self.killed()
            checkpoint = Checkpoint(files)
            checkpoint.physic_ms = checkpoint.logics_ms = checkpoint.index_ms = time_ms
            checkpoint.flush()
            self.assertEqual(self.expect(files, COUNT).report.checked, checked)


class LogDamageTests(RecoveryCase):
    """Records that are not what they were."""

    def check_table(self, damage: Callable[[MemoryFiles, Place], None], place: Place) -> None:
        """The log is cut at the damaged record, be the stop clean or not."""
        for files in (self.killed(), self.stopped()):
            damage(files, place)
            self.expect(files, place.number)

    def test_last_record_damaged(self) -> None:
        """Both ends fall back by one record (cases 38, 39)."""
        self.check_table(lambda files, place: self.overwrite(files, place, 88, b"\xff"), self.places[-1])

    def test_sizes(self) -> None:
        """Negative and huge ones cut; Java dies of the latter (case 44)."""
        for size in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"):
            with self.subTest(size=size):
                self.setUp()
                self.check_table(lambda files, place, size=size: self.overwrite(files, place, 0, size), self.places[-1])

    def test_wrong_place(self) -> None:
        """A record that says it stands elsewhere is not taken, where Java does not look (case 45)."""
        self.check_table(lambda files, place: self.overwrite(files, place, 28, bytes(8)), self.places[-1])

    def test_damage_further_back_after_a_crash(self) -> None:
        """The first bad record ends the log, later files go."""
        files = self.killed()
        place = self.places[50]
        self.overwrite(files, place, 88, b"\xff")
        store = self.expect(files, 50)
        self.assertGreater(store.report.cut_files, 0)
        self.assertIn("CRC", store.report.stopped_by)

    def test_unchecked_bodies(self) -> None:
        """With checkCRCOnRecover=false a flipped body goes through, as in Java."""
        files = self.killed()
        self.overwrite(files, self.places[50], 88, b"\xff")
        store = self.reopened(files, check_crc_on_recover=False)
        self.assertEqual(store.max_offset("T", 0), COUNT)

    def test_foreign_magic(self) -> None:
        """An unknown magic ends the log; 5.x's V2 records are read (case 43 is 4.9.8's)."""
        files = self.killed()
        self.overwrite(files, self.places[60], 4, b"\xda\xa3\x20\xaf")
        self.expect(files, 60)
        self.assertNotEqual(MAGIC_V2, 0xDAA320AF)

    def test_blank_zeroed(self) -> None:
        """Later files are lost after a crash (case 42); after a clean stop nobody looks there, and they are kept."""
        last = [place for place in self.places if place.path == self.places[0].path][-1]
        blank_at = last.at + last.size
        files = self.killed()
        files.open(last.path).view()[blank_at : blank_at + 8] = bytes(8)
        self.expect(files, last.number + 1)
        files = self.stopped()
        files.open(last.path).view()[blank_at : blank_at + 8] = bytes(8)
        self.assertEqual(self.bodies(self.reopened(files)), numbered(COUNT))

    def test_torn_at_every_byte(self) -> None:
        """Of the last record only the first bytes are there (case 50). Where the properties' end is missing nobody can tell, for
        no CRC covers them, as in Java; the message itself is whole.
        """
        place = self.places[-1]
        for kept in range(place.size - 1):
            files = self.files.kill()
            self.overwrite(files, place, kept, bytes(place.size - kept))
            store = self.reopened(files)
            bodies = self.bodies(store)
            self.assertIn(bodies, (numbered(COUNT - 1), numbered(COUNT)))
            if kept < 88 + 2 + 2 + 2:
                self.assertEqual(len(bodies), COUNT - 1, kept)

    def test_ghost_records(self) -> None:
        """What lies behind the cut is zeroed, so that new records never lead into old ones (case 46)."""
        files = self.killed()
        self.overwrite(files, self.places[-3], 4, bytes(4))
        self.expect(files, COUNT - 3)

    def test_no_log(self) -> None:
        """Without a log the queues point at nothing and go (case 47)."""
        for files in (self.killed(), self.stopped()):
            for name in files.list("commitlog"):
                files.delete(f"commitlog/{name}")
            store = self.reopened(files)
            self.assertEqual((store.max_offset("T", 0), files.list("consumequeue/T")), (0, []))
            self.assertEqual(self.fill(store, 1)[0].log_offset, 0)

    def test_stray_file(self) -> None:
        """Stops the start, and gives the lock back (case 20)."""
        files = self.stopped()
        files.create("commitlog/README", 10)
        self.assertRaises(StoreDamaged, self.reopened, files)
        files.delete("commitlog/README")
        self.expect(files, COUNT)

    def test_missing_file(self) -> None:
        """In the middle of the log: it starts, and reads around it (case 21)."""
        for files in (self.killed(), self.stopped()):
            files.delete(self.places[40].path)
            store = self.reopened(files)
            self.assertEqual(store.max_offset("T", 0), COUNT)
            self.assertEqual(decode_record(store.get("T", 0, COUNT - 1, 1, None).records[0]).raw_body, b"%d" % (COUNT - 1))


class FileEndTests(RecoveryCase):
    """Crashes around the making of a file (case 48)."""

    def next_base(self) -> int:
        """Where the next log file will begin."""
        return self.log_end - self.log_end % 4096 + 4096

    def test_spare_files(self) -> None:
        """Java leaves one or two files of zeros behind the end; they go."""
        for count in (1, 2):
            for files in (self.killed(), self.stopped()):
                for number in range(count):
                    files.create(f"commitlog/{self.next_base() + 4096 * number:020d}", 4096)
                self.expect(files, COUNT)
            self.setUp()

    def test_roll_without_a_new_record(self) -> None:
        """The blank is written, the next file is made, its first record is not there."""
        place = next(place for place in self.places if place.at == 0 and place.number)
        files = self.killed()
        for later in [later for later in self.places if later.number >= place.number]:
            self.overwrite(files, later, 0, bytes(later.size))
        self.expect(files, place.number)

    def test_blank_without_a_new_file(self) -> None:
        """The end is before the blank, and its place is written again."""
        place = next(place for place in self.places if place.at == 0 and place.number)
        files = self.killed()
        for name in files.list("commitlog"):
            if f"commitlog/{name}" >= place.path:
                files.delete(f"commitlog/{name}")
        self.expect(files, place.number)

    def test_empty_last_file(self) -> None:
        """A crash while a file was made leaves it without a byte."""
        files = self.killed()
        files.create(f"commitlog/{self.next_base():020d}", 0)
        self.expect(files, COUNT)


class QueueDamageTests(RecoveryCase):
    """Queues that do not agree with the log (cases 47, 49)."""

    def test_all_queues_removed(self) -> None:
        """They are made anew, also after a clean stop."""
        for files in (self.killed(), self.stopped()):
            for name in files.list("consumequeue/T/0"):
                files.delete(f"consumequeue/T/0/{name}")
            files.delete("consumequeue/T/0")
            files.delete("consumequeue/T")
            store = self.expect(files, COUNT)
            self.assertGreaterEqual(store.report.dispatched, COUNT)

    def test_deleted_and_made_anew(self) -> None:
        """A topic's old messages, still in the log, do not come back below those that it got after it was deleted."""
        for count in (1, 3):
            self.assertEqual(self.store.drop_queues(lambda topic: True), ["T"])
            self.assertEqual(self.fill(self.store, count, first=COUNT)[0].queue_offset, 0)
            store = self.reopened(self.killed())
            self.assertEqual(self.bodies(store), numbered(COUNT + count)[COUNT:])
            self.assertEqual(self.fill(store, 1)[0].queue_offset, count)
            self.assertEqual(store.report.anomalies, 0)

    def test_made_anew_and_its_queue_is_lost(self) -> None:
        """The power cut takes the new queue's file, or leaves it empty: the log tells that 0 began a new one, in either kind."""
        for changes in ({}, {"enable_consume_queue_ext": True}):
            for keeps_name in (False, True):
                files = MemoryFiles(clock=self.clock)
                store = self.store_on(files, **changes)
                self.fill(store, 14)
                store.drop_queues(lambda topic: True)
                self.assertEqual(self.fill(store, 3, first=14)[0].queue_offset, 0)
                if keeps_name:
                    files.sync_folder("consumequeue/T/0")
                store.flush()
                again = self.reopened(files.crash(), **changes)
                self.assertEqual((self.bodies(again), again.min_offset("T", 0)), (numbered(3, first=14), 0))
                self.assertEqual((again.report.anomalies, self.fill(again, 1)[0].queue_offset), (0, 3))

    def test_a_deleted_topic_comes_back_as_it_was(self) -> None:
        """As with Apache's brokers, while nothing says that there is a new one; the power cut left an empty file of that."""
        self.store.drop_queues(lambda topic: True)
        self.store.flush()
        self.fill(self.store, 1, first=COUNT)
        self.files.sync_folder("consumequeue/T/0")
        self.expect(self.files.crash(), COUNT)

    def test_units_given_back_are_durable(self) -> None:
        """The checkpoint vouches for them already, and so the next crash must not take them."""
        for is_abnormal in (False, True):
            self.setUp()
            self.fill(self.store, 3, topic="U")
            self.clock.advance(10)
            self.fill(self.store, 1, topic="V")
            self.store.close()
            if is_abnormal:
                self.files.create("abort", 0)
                self.files.sync_folder("")
                damaged = self.files.open("consumequeue/T/0/00000000000000001600")
                damaged.view()[20:40] = bytes(20)
                damaged.sync()
            else:
                for topic in "TUV":
                    for name in self.files.list(f"consumequeue/{topic}/0"):
                        self.files.delete(f"consumequeue/{topic}/0/{name}")
                    self.files.sync_folder(f"consumequeue/{topic}/0")
            self.assertGreater(self.reopened(self.files).report.dispatched, 15)
            again = self.reopened(self.files.crash())
            self.assertEqual(self.bodies(again), numbered(COUNT))
            self.assertLess(again.report.checked, 10)

    def test_a_deleted_topic_that_came_back_stays(self) -> None:
        """Also when the next power cut spares a queue that came back behind it."""
        files = MemoryFiles(clock=self.clock)
        store = self.store_on(files)
        for topic in "TU":
            self.fill(store, 3, topic=topic)
        self.clock.advance(10)
        self.fill(store, 1, topic="V")
        store.close()
        self.reopened(files).drop_queues(lambda topic: True)
        files = files.kill()
        self.assertEqual(self.bodies(self.reopened(files)), numbered(3))
        files.open("consumequeue/U/0/00000000000000000000").sync()
        for folder in ("consumequeue/U/0", "consumequeue/U", "consumequeue"):
            files.sync_folder(folder)
        self.assertEqual(self.bodies(self.reopened(files.crash())), numbered(3))

    def test_too_short(self) -> None:
        """Units at the end are missing: filled."""
        for files in (self.killed(), self.stopped()):
            files.delete("consumequeue/T/0/00000000000000001800")
            files.open("consumequeue/T/0/00000000000000001600").view()[100:] = bytes(100)
            self.expect(files, COUNT)

    def test_too_long(self) -> None:
        """The log lost what the queue still has: cut."""
        self.store.flush()
        self.fill(self.store, 20, first=COUNT)
        for queue in self.store._queues:
            queue.sync()
        self.expect(self.files.crash(), COUNT)

    def test_hole(self) -> None:
        """A page of units that never reached the disk is filled from the log."""
        files = self.killed()
        files.open("consumequeue/T/0/00000000000000001600").view()[40:80] = bytes(40)
        self.expect(files, COUNT)

    def test_old_hole(self) -> None:
        """Older than the checkpoint: the walk goes back as far as the queue needs, so that every message keeps its number."""
        checkpoint = Checkpoint(self.files)
        checkpoint.physic_ms = checkpoint.logics_ms = checkpoint.index_ms = 2**62
        checkpoint.flush()
        files = self.killed()
        files.open("consumequeue/T/0/00000000000000001600").view()[40:80] = bytes(40)
        store = self.expect(files, COUNT)
        self.assertEqual((store.report.checked, store.report.anomalies), (COUNT - 81, 0))

    def test_ghost_unit(self) -> None:
        """A stale unit behind a hole does not keep real records from being indexed (case 46)."""
        files = self.killed()
        self.overwrite(files, self.places[-1], 4, bytes(4))
        store = self.expect(files, COUNT - 1)
        self.assertEqual(store.report.anomalies, 0)

    def test_last_unit_points_astray(self) -> None:
        """After a clean stop a unit that vouches for nothing leads to Java's thorough walk."""
        files = self.stopped()
        files.open("consumequeue/T/0/00000000000000001800").view()[180:200] = (
            (2**40).to_bytes(8, "big") + (100).to_bytes(4, "big") + bytes(8)
        )
        store = self.expect(files, COUNT)
        self.assertGreater(store.report.checked, 50)

    def test_index_removed(self) -> None:
        """After a crash without checkpoint it is made anew."""
        files = self.killed()
        for name in files.list("index"):
            files.delete(f"index/{name}")
        self.expect(files, COUNT)

    def test_queues_begin_late(self) -> None:
        """When the oldest log files are gone, a rebuilt queue keeps its numbers (case 23)."""
        files = self.stopped()
        first_kept = next(place.number for place in self.places if place.path > self.places[0].path)
        files.delete(self.places[0].path)
        for name in files.list("consumequeue/T/0"):
            files.delete(f"consumequeue/T/0/{name}")
        store = self.reopened(files)
        self.assertEqual((store.min_offset("T", 0), store.max_offset("T", 0)), (first_kept, COUNT))
        self.assertEqual(self.bodies(store), numbered(COUNT - first_kept, first_kept))

    def test_unqueued_records_at_the_end(self) -> None:
        """Half messages have no units; the end of the log is found behind them all the same."""
        self.store.put([draft("T", b"half", sys_flag=4) for _ in range(5)])
        end = self.store.describe()["log_max_offset"]
        store = self.reopened(self.stopped())
        self.assertEqual((store.describe()["log_max_offset"], store.max_offset("T", 0)), (end, COUNT))

    def test_delayed_messages(self) -> None:
        """A rebuilt unit of the schedule topic holds the same delivery time."""
        self.store.put([draft("SCHEDULE_TOPIC_XXXX", b"x", queue_id=2, more={"DELAY": "3"})])
        before = self.store._queues.get("SCHEDULE_TOPIC_XXXX", 2).unit_at(0)  # type: ignore[union-attr]
        files = self.killed()
        files.delete("consumequeue/SCHEDULE_TOPIC_XXXX/2/00000000000000000000")
        store = self.reopened(files)
        self.assertEqual(store._queues.get("SCHEDULE_TOPIC_XXXX", 2).unit_at(0), before)  # type: ignore[union-attr]


class RandomCrashTests(RecoveryCase):
    """Power cuts at which each sector survives or not."""

    def test_what_was_flushed_is_never_lost(self) -> None:
        """And what is there is whole, in order and without gaps, in every queue."""
        for seed in range(60):
            random = Random(seed)
            files = MemoryFiles(clock=self.clock)
            store = self.store_on(files)
            safe: dict[int, int] = {}
            for _ in range(random.randrange(1, 30)):
                sizes = [random.randrange(300) for _ in range(random.randrange(1, 9))]
                store.put([draft("T", bytes(size), queue_id=random.randrange(3), keys="k") for size in sizes])
                self.clock.advance(random.choice([0, 0.5, 10]))
                if random.random() < 0.3:
                    store.flush()
                    safe = {queue_id: store.max_offset("T", queue_id) for queue_id in range(3)}
                if random.random() < 0.5:
                    store.run_maintenance(int(self.clock.seconds() * 1000))
            after = self.store_on(files.crash(random=random))
            for queue_id in range(3):
                self.bodies(after, "T", queue_id)
                self.assertGreaterEqual(after.max_offset("T", queue_id), safe.get(queue_id, 0), seed)
            self.assertEqual(after.report.anomalies, 0, seed)


class SentenceTests(RecoveryCase):
    """What is told of a recovery, and when."""

    def sentence(self, files: MemoryFiles) -> str | None:
        """What a start says, or None when there is nothing worth a line."""
        report = self.reopened(files).report
        return report.sentence() if report.is_notable else None

    def test_nothing_to_tell(self) -> None:
        """Of a new store, and of one that was closed."""
        self.assertIsNone(self.sentence(MemoryFiles(clock=self.clock)))
        self.assertIsNone(self.sentence(self.stopped()))

    def test_a_kill(self) -> None:
        """What was checked and given to queues."""
        sentence = (
            f"recovery of the store: the last exit was abnormal; {COUNT} records checked from log offset 0 to {self.log_end}; "
            f"{COUNT} records given to queues and index, as far as they lacked them"
        )
        self.assertEqual(self.sentence(self.killed()), sentence)

    def test_a_cut(self) -> None:
        """Why, and what went."""
        files = self.killed()
        self.overwrite(files, self.places[1], 88, b"?")
        sentence = self.sentence(files) or ""
        self.assertIn("; 1 record checked from log offset 0 to", sentence)
        self.assertIn("; the log was cut there: the body does not match its CRC; 2 log files behind the end removed", sentence)

    def test_lost_queues(self) -> None:
        """Also after a clean exit."""
        files = self.stopped()
        for name in files.list("consumequeue/T/0"):
            files.delete(f"consumequeue/T/0/{name}")
        self.assertIn("the last exit was clean; ", self.sentence(files) or "")


class WalkTests(RecoveryCase):
    """The walk by itself."""

    def test_from_any_record(self) -> None:
        """It counts those from there on."""
        log = CommitLog(self.killed(), "commitlog", SMALL)
        log.load()
        for number in (0, 10, COUNT - 1):
            place = self.places[number]
            begin = int(place.path[-20:]) + place.at
            walked = walk(log, begin, None, check_crc=True)
            self.assertEqual((walked.count, walked.end), (COUNT - number, self.log_end))
