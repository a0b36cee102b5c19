"""The row of index files: names, rolling over, queries, expiry, and what a crash leaves."""

from __future__ import annotations

import errno
from functools import partial
from random import Random

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pymq.store.keyindex import IndexRow, KeyIndex
from pymq.testing.memoryfiles import MemoryFiles

START_MS = 1_700_000_000_000
FOREVER_MS = 2**62


@attrs.frozen
class Config:
    """A small index."""

    max_hash_slot_num: int = 11
    max_index_num: int = 9
    max_msgs_num_batch: int = 64


def row(number: int, *keys: str, topic: str = "T") -> IndexRow:
    """A record of 100 bytes at 100 * number, stored `number` seconds after the start."""
    return topic, keys, number * 100, START_MS + number * 1000


class KeyIndexCase(SynchronousTestCase):
    """An index on a disk in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.disk = MemoryFiles(clock=self.clock)
        self.index = self.fresh()

    def fresh(self, **changes: int) -> KeyIndex:
        """An index that has loaded nothing."""
        return KeyIndex(self.disk, attrs.evolve(Config(), **changes), clock=self.clock)

    def reload(self, after_abnormal_exit: bool = False, index_ms: int = 0) -> KeyIndex:
        """What the next process has."""
        index = self.fresh()
        index.load(after_abnormal_exit, index_ms)
        return index

    def found(self, index: KeyIndex, key: str, topic: str = "T", count_max: int = 64) -> list[int]:
        """The numbers of the records with a key."""
        offsets, _, _ = index.find(topic, key, count_max, 0, FOREVER_MS)
        return [offset // 100 for offset in offsets]


class PutAndFindTests(KeyIndexCase):
    """One process's life."""

    def test_empty_index(self) -> None:
        """Nothing is found, nothing is made on disk."""
        self.index.load(False, 0)
        self.assertEqual(self.index.find("T", "a", 10, 0, FOREVER_MS), ([], 0, 0))
        self.assertEqual((self.index.last_log_offset, self.disk.list("index")), (0, []))

    def test_records_without_keys_make_no_file(self) -> None:
        """The 420 MB come with the first key."""
        self.index.put_all([row(0), row(1)])
        self.assertEqual(self.disk.list("index"), [])

    def test_every_key_finds_its_record(self) -> None:
        """Several keys each, several records each, other topics apart."""
        self.index.put_all([row(0, "u0", "a"), row(1, "u1", "a", "b"), row(2, "u2", topic="S")])
        wanted = {"u0": [0], "u1": [1], "a": [0, 1], "b": [1], "u2": [], "none": []}
        self.assertEqual({key: self.found(self.index, key) for key in wanted}, wanted)
        self.assertEqual(self.found(self.index, "u2", topic="S"), [2])

    def test_tells_how_far_it_goes(self) -> None:
        """Time and offset of the newest record indexed."""
        self.index.put_all([row(0, "a"), row(7, "b")])
        self.assertEqual(self.index.find("T", "none", 1, 0, FOREVER_MS)[1:], (START_MS + 7000, 700))

    def test_newest_are_found_first(self) -> None:
        """A limit leaves the oldest out; what is found is ascending."""
        self.index.put_all([row(number, "a") for number in range(6)])
        self.assertEqual(self.found(self.index, "a", count_max=2), [4, 5])

    def test_limit_of_the_setting(self) -> None:
        """maxMsgsNumBatch caps what is asked for."""
        index = KeyIndex(self.disk, Config(max_msgs_num_batch=3), clock=self.clock)
        index.put_all([row(number, "a") for number in range(6)])
        self.assertEqual(self.found(index, "a"), [3, 4, 5])

    def test_time_range(self) -> None:
        """Both ends belong to it."""
        self.index.put_all([row(number, "a") for number in range(20)])
        offsets, _, _ = self.index.find("T", "a", 64, START_MS + 3000, START_MS + 11_000)
        self.assertEqual([offset // 100 for offset in offsets], list(range(3, 12)))

    def test_put_again_finds_once(self) -> None:
        """The newest record may be dispatched again by recovery."""
        self.index.put_all([row(0, "a")])
        self.index.put_all([row(0, "a"), row(1, "a")])
        self.assertEqual(self.found(self.index, "a"), [0, 1])

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "é", "0" * 32]), max_size=4), max_size=40), st.integers(1, 10))
    def test_many(self, keys: list[list[str]], per_call: int) -> None:
        """Any records, given in any portions, are found by each of their keys."""
        self.setUp()
        rows = [row(number, *names) for number, names in enumerate(keys)]
        for start in range(0, len(rows), per_call):
            self.index.put_all(rows[start : start + per_call])
        for key in ("a", "b", "c", "é", "0" * 32):
            wanted = [number for number, names in enumerate(keys) if key in names]
            self.assertEqual(self.found(self.index, key), wanted[-64:])
            self.assertEqual(self.found(self.reload(), key), wanted[-64:])


class RollTests(KeyIndexCase):
    """Eight keys fill a file."""

    def test_name_is_the_local_time(self) -> None:
        """17 digits, down to the millisecond."""
        self.clock.advance(0.123)
        self.index.put_all([row(0, "a")])
        (name,) = self.disk.list("index")
        self.assertRegex(name, r"\A2023111[45]\d{6}123\Z")

    def test_names_ascend_though_the_clock_stands(self) -> None:
        """Two files made within a millisecond get two names, in order."""
        self.index.put_all([row(number, "a") for number in range(30)])
        names = self.disk.list("index")
        self.assertEqual([int(name) - int(names[0]) for name in names], [0, 1, 2, 3])

    def test_names_ascend_though_the_clock_goes_back(self) -> None:
        """Else the next load would take the wrong file for the last."""
        self.index.put_all([row(number, "a") for number in range(8)])
        self.clock.rightNow -= 86_400
        self.index.put_all([row(8, "a")])
        self.assertEqual(self.found(self.reload(), "a"), list(range(9)))
        self.assertEqual(self.reload().last_log_offset, 800)

    def test_second_file_takes_over_the_end(self) -> None:
        """Its header begins where the first ended until a key comes; then begin is that key's, and its time stays relative."""
        self.index.put_all([row(number, "a") for number in range(8)])
        self.index.put_all([row(20, "a")])
        second = self.disk.read_bytes("index/" + self.disk.list("index")[1])
        self.assertEqual(int.from_bytes(second[0:8], "big"), START_MS + 20_000)
        entry_at = 40 + 11 * 4 + 20
        self.assertEqual(int.from_bytes(second[entry_at + 12 : entry_at + 16], "big"), 13)

    def test_file_that_is_just_full(self) -> None:
        """The next file is made by the key that needs it, not before."""
        self.index.put_all([row(number, "a") for number in range(8)])
        self.index.put_all([row(8)])
        self.assertEqual(len(self.disk.list("index")), 1)

    def test_record_across_two_files(self) -> None:
        """Its first keys end one file, the others begin the next."""
        self.index.put_all([row(number, "a") for number in range(7)] + [row(7, "b", "c", "d")])
        self.assertEqual([self.found(self.index, key) for key in "bcd"], [[7], [7], [7]])
        self.assertEqual(len(self.disk.list("index")), 2)

    def test_disk_that_takes_no_more(self) -> None:
        """Ends the indexing, with one line in the log; what is there is found, and the next process goes on."""
        for operation in ("create", "write_at"):
            self.disk = MemoryFiles(clock=self.clock)
            self.index = self.fresh()
            self.index.put_all([row(number, "a") for number in range(7)])
            self.disk.fail(operation, error=errno.ENOSPC)
            with capturedLogs() as logs:
                for number in range(7, 12):
                    self.index.put_all([row(number, "a")])
            self.assertEqual([event["log_level"].name for event in logs], ["error"])
            self.assertIn("No space left", formatEvent(logs[0]))
            self.assertEqual((self.index.is_complete, self.index.can_go_on), (False, True))
            self.index.flush()
            kept = self.found(self.index, "a")
            self.assertEqual(kept, list(range(len(kept))))
            self.assertTrue(7 <= len(kept) < 9)
            again = self.reload(True, START_MS + 5000)
            again.put_all([row(number, "a") for number in range(12)])
            self.assertEqual((self.found(again, "a"), again.is_complete), (list(range(12)), True))

    def test_going_on_when_there_is_room(self) -> None:
        """From the first record that is missing; keys of it that were put already do no harm, nor do files that had no room."""
        self.index.put_all([row(number, "a") for number in range(6)])
        self.disk.fail("create", error=errno.ENOSPC)
        self.index.put_all([row(6, "a"), row(7, "a", "b"), row(8, "a")])
        self.assertEqual((self.index.is_complete, self.index.missing_from, len(self.disk.list("index"))), (False, 600, 1))
        rows = [row(6, "a"), row(7, "a", "b"), row(8, "a"), row(9, "a")]
        self.disk.fail("write_at", error=errno.ENOSPC, skip=0)
        self.assertRaises(OSError, self.index.put_missing, rows)
        self.index.put_missing(rows[:3])
        self.index.done_until(900, 1000)
        self.assertEqual((self.index.is_complete, self.index.missing_from), (False, 900))
        self.index.put_missing(rows[3:])
        self.index.done_until(1000, 1000)
        self.index.put_all([row(10, "a")])
        self.assertEqual((self.found(self.index, "a"), self.found(self.index, "b")), (list(range(11)), [7]))
        self.assertEqual((self.index.is_complete, len(self.disk.list("index"))), (True, 2))

    def test_delete_before(self) -> None:
        """Files whose last record is gone go, oldest first, never the last one."""
        self.index.put_all([row(number, "a") for number in range(20)])
        self.assertEqual([self.index.delete_before(700), self.index.delete_before(701)], [0, 1])
        self.assertEqual(self.index.delete_before(10**9), 1)
        self.assertEqual((self.found(self.index, "a"), len(self.disk.list("index"))), ([16, 17, 18, 19], 1))


class LoadTests(KeyIndexCase):
    """What the next process makes of the folder."""

    def test_after_a_normal_exit_all_is_kept(self) -> None:
        """And new records go on from there."""
        self.index.put_all([row(number, "a") for number in range(10)])
        index = self.reload()
        index.put_all([row(9, "a"), row(10, "a")])
        self.assertEqual(self.found(index, "a"), list(range(11)))

    def test_foreign_files_are_left_aside(self) -> None:
        """A name that is no number, a size that is not ours, a folder."""
        self.index.put_all([row(0, "a")])
        self.disk.create("index/README", 10)
        self.disk.create("index/20200101000000000", 10)
        self.disk.create("index/1/2", 10)
        index = self.reload(True, FOREVER_MS)
        self.assertEqual((self.found(index, "a"), index.skipped), ([0], ("1", "20200101000000000", "README")))

    def test_java_store_after_a_crash(self) -> None:
        """With the end of the last full file as checkpoint, the current file goes whole, as in Java."""
        self.index.put_all([row(number, "a") for number in range(12)])
        index = self.reload(True, START_MS + 7000)
        self.assertEqual((self.found(index, "a"), len(self.disk.list("index"))), (list(range(8)), 1))

    def test_zero_checkpoint_after_a_crash(self) -> None:
        """Nothing is known to be durable: everything goes and is made anew from the log."""
        self.index.put_all([row(number, "a") for number in range(12)])
        self.assertEqual((self.reload(True, 0).last_log_offset, self.disk.list("index")), (0, []))

    def test_flushed_keys_survive_a_crash(self) -> None:
        """What was stored before the flushed moment stays; the rest comes again from the log."""
        rows = [row(number, "a", f"k{number}") for number in range(6)]
        self.index.put_all(rows[:4])
        self.index.flush()
        index_ms = rows[3][3]
        self.index.put_all(rows[4:])
        self.disk = self.disk.crash()
        index = self.reload(True, index_ms)
        self.assertTrue(set(self.found(index, "a")) >= {0, 1, 2}, self.found(index, "a"))
        index.put_all(rows[1:])
        self.assertEqual(self.found(index, "a"), list(range(6)))

    def test_any_crash_loses_nothing_that_the_log_gives_again(self) -> None:
        """Whatever sectors survive: after the log is dispatched again from the flushed moment, all and only all is found."""
        keys = [f"{number % 7}" for number in range(60)]
        rows = [row(number, key) for number, key in enumerate(keys)]
        for seed in range(25):
            self.setUp()
            random = Random(seed)
            flushed = random.randrange(1, 50)
            self.index.put_all(rows[:flushed])
            self.index.flush()
            index_ms = rows[flushed - 1][3]
            self.index.put_all(rows[flushed : random.randrange(flushed, 60)])
            self.disk = self.disk.crash(random=random)
            index = self.reload(True, index_ms)
            index.put_all(rows[flushed - 1 :])
            for key in map(str, range(7)):
                self.assertEqual(self.found(index, key), [number for number in range(60) if keys[number] == key], seed)

    def test_crash_after_crash_loses_nothing(self) -> None:
        """The newest record that the checkpoint vouches for comes again and would fill its file, which then looks durable."""
        rows = [row(number, "a") for number in range(41)]
        rows[38:] = [row(number + 5, "a") for number in range(38, 41)]
        for seed in range(40):
            self.setUp()
            index = self.fresh(max_index_num=40)
            index.put_all(rows)
            index.flush()
            for crash in (MemoryFiles.kill, partial(MemoryFiles.crash, random=Random(seed))):
                self.disk = crash(self.disk)
                index = self.fresh(max_index_num=40)
                index.load(True, rows[37][3] + 2000, is_ours=True)
                index.put_all(rows[36:])
            self.assertEqual(self.found(index, "a"), [*range(38), 43, 44, 45], seed)

    def test_killed_process_with_everything_flushed(self) -> None:
        """Nothing later than the checkpoint: the file stays as it is."""
        self.index.put_all([row(number, "a") for number in range(5)])
        self.index.flush()
        self.disk = self.disk.kill()
        self.assertEqual(self.found(self.reload(True, START_MS + 4000), "a"), list(range(5)))

    def test_truncate_to_the_recovered_log(self) -> None:
        """Records that the log lost must not be found, and new ones in their place must be."""
        self.index.put_all([row(number, "a") for number in range(20)])
        index = self.reload()
        index.truncate(1100)
        self.assertEqual((self.found(index, "a"), index.last_log_offset), (list(range(11)), 1000))
        index.put_all([row(11, "b"), row(12, "a")])
        self.assertEqual((self.found(index, "a"), self.found(index, "b")), ([*range(11), 12], [11]))

    def test_truncate_to_nothing(self) -> None:
        """An empty log leaves an empty index."""
        self.index.put_all([row(number, "a") for number in range(20)])
        self.index.truncate(0)
        self.assertEqual((self.index.last_log_offset, self.disk.list("index")), (0, []))

    def test_truncate_beyond_the_end_touches_nothing(self) -> None:
        """The usual case at every start."""
        self.index.put_all([row(number, "a") for number in range(20)])
        self.index.flush()
        self.index.truncate(10**9)
        self.disk.log.clear()
        self.index.flush()
        self.assertEqual(self.disk.log, [])

    def test_close_gives_files_back(self) -> None:
        """A closed index is empty."""
        self.index.put_all([row(0, "a")])
        self.index.close()
        self.assertEqual(self.index.last_log_offset, 0)

    def test_keys_long_before_the_flush_survive(self) -> None:
        """What came last before the flush may have had no keys; the older keys are not dispatched again, so they must stay."""
        self.index.put_all([row(number, "a") for number in range(5)])
        self.index.flush()
        self.index.put_all([row(1000, "a")])
        self.disk = self.disk.kill()
        self.assertEqual(self.found(self.reload(True, START_MS + 900_000), "a"), list(range(5)))
