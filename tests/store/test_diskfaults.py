"""The store on a disk that fails, fills up or loses what it said was written. Most of these were found by tests/simulation."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
from random import Random
from typing import Any
from unittest import SkipTest

from pymq.errors import StoreReadOnly, SyncFailed
from pymq.message.record import RecordDraft, decode_record
from pymq.message.results import PutResult, PutStatus
from pymq.store import maintenance
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.store import FAILED_PATH, FileMessageStore
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles
from tests.store.stores import StoreCase, numbered

QUEUE = "consumequeue/T/0/00000000000000000000"


class FaultCase(StoreCase):
    """Stores whose care comes every second."""

    def care(self, store: FileMessageStore, seconds: int = 1) -> None:
        """Let time pass, with its rounds."""
        for _ in range(seconds):
            self.clock.advance(1)
            store.run_maintenance(int(self.clock.seconds() * 1000))

    def found(self, store: FileMessageStore, number: int) -> list[bytes]:
        """The bodies of the messages with a key of `fill`."""
        records = store.find_by_key("T", f"k{number}", 10, 0, 2**62).records
        return [decode_record(record).raw_body for record in records]

    def statuses(self, results: list[PutResult]) -> list[bool]:
        """Which were stored."""
        return [result.status is PutStatus.PUT_OK for result in results]


class FullDiskTests(FaultCase):
    """No room: refused, and taken again when there is some."""

    def test_no_room_in_the_log(self) -> None:
        """What did not fit leaves no trace; reading goes on, and so does everything when there is room."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        self.files.space_bytes = self.files.space()[0]
        (result,) = store.put([draft("T", b"x" * 3900)])
        self.assertEqual(result.status, PutStatus.SERVICE_NOT_AVAILABLE)
        self.assertIn("the broker's disk is full", result.reason)
        (result,) = store.put([draft("T", b"small")])
        self.assertIn("the broker's disk is full [CL: 1.00", result.reason)
        self.assertEqual((self.bodies(store), store.is_writable), (numbered(3), False))
        self.files.space_bytes = 1 << 30
        self.care(store)
        self.assertTrue(store.is_writable)
        self.fill(store, 3, first=3)
        self.assertEqual(self.bodies(store), numbered(6))
        self.assertEqual(self.bodies(self.store_on(self.files.kill())), numbered(6))

    def test_a_turn_over_two_files(self) -> None:
        """What filled the first file is stored; what was to go into the second is refused, and its numbers are given again."""
        store = self.store_on(self.files)
        self.fill(store, 1)
        self.files.fail("create", "commitlog/*", error=28)
        results = store.put([draft("T", b"%d" % number, keys=f"k{number}") for number in range(1, 60)])
        count = sum(self.statuses(results))
        self.assertTrue(20 < count < 59)
        self.assertEqual(self.statuses(results), [True] * count + [False] * (59 - count))
        self.assertEqual(self.bodies(store), numbered(count + 1))
        self.care(store)
        (result,) = self.fill(store, 1, first=count + 1)
        self.assertEqual(result.queue_offset, count + 1)
        self.assertEqual(self.bodies(self.store_on(self.files.kill())), numbered(count + 2))

    def test_refused_messages_stay_refused(self) -> None:
        """Whole records of a turn that was torn by the full disk do not come to life behind later ones."""
        store = self.store_on(self.files)
        self.fill(store, 2)
        node = self.files.open("commitlog/00000000000000000000")
        self.files.fail("write_at", "commitlog/*", error=28)
        end = store.describe()["log_max_offset"]
        ghost = self.store_on(self.files.kill())
        ghost.put([draft("T", b"g%d" % number) for number in range(5)])
        written = bytes(ghost._log.read(end, ghost.describe()["log_max_offset"] - end) or b"")[:-10]
        # As a kernel does: a part of the write is there when it fails.
        node.view()[end : end + len(written)] = written
        self.assertEqual(self.statuses(store.put([draft("T", b"g%d" % number) for number in range(5)])), [False] * 5)
        self.care(store)
        self.fill(store, 1, first=2)
        self.assertEqual(self.bodies(self.store_on(self.files.kill())), numbered(3))

    def test_no_room_in_a_queue(self) -> None:
        """The message is stored; it can be read when there is room, and until then nothing follows it."""
        store = self.store_on(self.files)
        heard: list[RecordDraft] = []

        class Listener:
            def messages_arrived(self, arrivals: list[RecordDraft]) -> None:
                heard.extend(arrivals)

        store.watch(Listener())  # type: ignore[arg-type]
        self.fill(store, 9)
        for operation in ("write_at", "create"):
            self.files.fail(operation, "consumequeue/*", error=28)
        results = store.put([draft("T", b"%d" % number) for number in range(9, 13)])
        self.assertEqual(self.statuses(results), [True] * 4)
        self.assertLess(store.max_offset("T", 0), 13)
        self.assertFalse(self.statuses(store.put([draft("T", b"no")]))[0])
        self.assertGreater(store.describe()["dispatch_behind_bytes"], 0)
        self.care(store, 22)
        self.assertEqual(self.bodies(store), numbered(13))
        self.assertEqual([made.body for made in heard], numbered(13))
        self.fill(store, 10, first=13)
        self.assertEqual(self.bodies(store), numbered(23))
        self.assertEqual(self.bodies(self.store_on(self.files.kill())), numbered(23))

    def test_no_room_in_the_index(self) -> None:
        """Messages are taken all the same, and found by key when there is room again, some in each round."""
        store = self.store_on(self.files)
        self.fill(store, 30)
        self.files.fail("create", "index/*", error=28, times=2)
        self.fill(store, 20, first=30)
        self.assertEqual((self.found(store, 29), self.found(store, 39), store.is_writable), ([b"29"], [], True))
        self.patch(maintenance, "INDEXED_AT_ONCE_BYTES", 500)
        self.care(store, 1)
        self.fill(store, 5, first=50)
        self.care(store, 9)
        self.assertEqual(self.found(store, 39), [])
        self.care(store, 3)
        self.assertEqual((self.found(store, 39), self.found(store, 54)), ([b"39"], []))
        self.care(store, 30)
        self.fill(store, 5, first=55)
        self.assertEqual([self.found(store, number) for number in range(60)], [[body] for body in numbered(60)])
        self.assertEqual(len(self.files.list("index")), 2)
        store.close()
        self.assertFalse(self.files.exists("abort"))

    def test_an_index_that_stays_behind(self) -> None:
        """After any other error the next start has to index; the same when the log is damaged where the index has to go on."""
        for error, damages in ((5, False), (28, True)):
            files = MemoryFiles(clock=self.clock)
            store = self.store_on(files)
            self.fill(store, 30)
            files.fail("create", "index/*", error=error)
            results = self.fill(store, 20, first=30)
            if damages:
                files.open("commitlog/00000000000000004096").view()[results[12].log_offset - 4096 + 4] ^= 1
            self.care(store, 30)
            self.assertEqual(self.found(store, 49), [])
            store.close()
            self.assertTrue(files.exists("abort"))

    def test_queues_that_wait_for_room_are_not_removed(self) -> None:
        """Their messages would bring them back."""
        store = self.store_on(self.files)
        self.fill(store, 10)
        self.files.fail("create", "consumequeue/*", error=28)
        self.fill(store, 1, first=10)
        self.assertRaises(StoreReadOnly, store.drop_queues, lambda topic: True)
        self.care(store, 20)
        self.assertEqual(store.drop_queues(lambda topic: True), ["T"])
        self.assertEqual((self.bodies(store), self.fill(store, 1)[0].queue_offset), ([], 0))

    def test_a_deletion_that_is_not_durable(self) -> None:
        """Nobody knows what is left, so nothing follows it."""
        store = self.store_on(self.files)
        self.fill(store, 10)
        self.files.fail("sync_folder", "consumequeue/*")
        self.assertRaises(SyncFailed, store.drop_queues, lambda topic: True)
        self.assertFalse(store.is_writable)
        self.assertIn("removing queues failed", store.describe()["problem"])

    def test_a_roll_that_fails_leaves_the_old_file_alone(self) -> None:
        """After the next file of a queue could not be written its first unit must not go into the full one."""
        store = self.store_on(self.files)
        self.fill(store, 10)
        self.files.fail("write_at", "consumequeue/*200", error=28)
        self.fill(store, 1, first=10)
        self.care(store, 2)
        self.assertEqual(self.bodies(store), numbered(11))

    def test_real_full_disk(self) -> None:
        """The same on a real file system of 256 KiB, where the machine allows to make one."""
        folder = tempfile.mkdtemp(prefix="pymq-full-")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True)
        if mounted.returncode:
            os.rmdir(folder)
            raise SkipTest("this machine lets us mount no file system")
        self.addCleanup(os.rmdir, folder)
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        config = MessageStoreConfig(
            mapped_file_size_commit_log=64 * 1024,
            mapped_file_size_consume_queue=20_000,
            max_hash_slot_num=50,
            max_index_num=2000,
            clean_resource_interval=1,
            clean_file_forcibly_enable=False,
        )
        store = FileMessageStore(DiskFiles(folder), config, clock=self.clock)
        store.load()
        self.addCleanup(store.close)
        count = 0
        while self.statuses(store.put([draft("T", b"%d" % count + b"." * 1000, keys=f"k{count}")]))[0]:
            count += 1
        self.assertTrue(50 < count < 256)
        self.care(store)
        reason = store.describe()["problem"]
        self.assertIn("the broker's disk is full", reason)
        self.assertEqual(len(self.bodies(store)), count)
        store._care._config = MessageStoreConfig()  # the oldest files may go now
        self.care(store, 120)
        self.assertGreater(store.min_offset("T", 0), 0)
        self.assertTrue(store.is_writable, store.describe()["problem"])
        self.assertTrue(self.statuses(store.put([draft("T", b"there is room again")]))[0])


class SyncFailureTests(FaultCase):
    """After a sync that failed nobody knows what is on the disk, though all of it can be read."""

    def test_it_is_an_error_of_its_own(self) -> None:
        """Not to be taken for a full disk, which goes by."""
        file = self.files.create("a", 10)
        self.files.fail("sync", error=28)
        self.files.fail("sync_folder", error=28)
        self.assertRaises(SyncFailed, file.sync)
        self.assertRaises(SyncFailed, self.files.sync_folder, "")

    def test_what_follows_a_failed_sync_is_not_lost(self) -> None:
        """The broker is restarted, and everything looks well; then the power fails."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        store.flush()
        self.fill(store, 3, first=3)
        self.files.fail("sync", "commitlog/*")
        self.assertRaises(StoreReadOnly, store.flush)
        store.close()
        again = self.store_on(self.files)
        self.assertFalse(self.files.exists(FAILED_PATH))
        self.fill(again, 3, first=6)
        again.flush()
        self.assertEqual(self.bodies(self.store_on(self.files.crash())), numbered(9))

    def test_queues_after_a_failed_sync(self) -> None:
        """Units that a failed sync lost are written again, not taken for durable."""
        store = self.store_on(self.files, flush_consume_queue_thorough_interval=1000)
        self.fill(store, 5)
        store.flush()
        self.files.fail("sync", "consumequeue/*")
        self.care(store, 2)
        self.assertIn("caring", store.describe()["problem"])
        self.care(store, 10)
        store.close()
        again = self.store_on(self.files, flush_consume_queue_thorough_interval=1000)
        again.flush()
        self.care(again, 40)
        crashed = self.files.crash()
        self.assertEqual(self.bodies(self.store_on(crashed)), numbered(5))

    def test_no_checkpoint_after_a_failure(self) -> None:
        """It would vouch for what is lost."""
        store = self.store_on(self.files, flush_consume_queue_thorough_interval=1000)
        self.fill(store, 5)
        self.files.fail("sync", "commitlog/*")
        self.assertRaises(StoreReadOnly, store.flush)
        self.files.log.clear()
        self.care(store, 10)
        self.assertEqual(self.files.log, [])


class ComebackTests(FaultCase):
    """What was cut or deleted must not come back by the next power cut."""

    def test_deleted_queues(self) -> None:
        """The log lost everything and the queues with it; new messages take their names."""
        store = self.store_on(self.files)
        self.fill(store, 5)
        for queue in store._queues:
            queue.sync()
        crashed = self.files.crash()
        crashed.delete("commitlog/00000000000000000000")
        again = self.store_on(crashed)
        self.fill(again, 8, first=100)
        again.flush()
        self.assertEqual(self.bodies(self.store_on(crashed.crash())), numbered(8, 100))

    def test_cut_units(self) -> None:
        """The queue was ahead of the log, was cut, and grew with other messages that are larger."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        store.flush()
        self.fill(store, 5, first=3)
        for queue in store._queues:
            queue.sync()
        crashed = self.files.crash()
        again = self.store_on(crashed)
        self.assertEqual(self.bodies(again), numbered(3))
        again.put([draft("T", b"%d" % number, more={"long": "x" * 100}) for number in range(3, 6)])
        again.flush()
        self.assertEqual(self.bodies(self.store_on(crashed.crash())), numbered(6))

    def test_what_was_recovered_is_durable(self) -> None:
        """It may be consumed at once, so it must not go by a second power cut."""
        store = self.store_on(self.files)
        self.fill(store, 5)
        killed = self.files.kill()
        self.store_on(killed)
        self.assertEqual(self.bodies(self.store_on(killed.crash())), numbered(5))


class TornTests(FaultCase):
    """Writes of which a part reached the disk."""

    def crashed_at(self, journal_bytes: int) -> MemoryFiles:
        """The disk, on which so many bytes of the unsynced writes are."""
        return self.files.crash(journal_bytes=journal_bytes)

    def test_the_last_write_at_every_byte(self) -> None:
        """Be it the record's or its unit's: all before it is there, and nothing half."""
        store = self.store_on(self.files)
        store.put([draft("SCHEDULE_TOPIC_XXXX", b"d", queue_id=2, more={"DELAY": "3"})])
        self.fill(store, 2)
        store.flush()
        before = self.files.unsynced_bytes
        (result,) = store.put([draft("SCHEDULE_TOPIC_XXXX", b"d" * 50, queue_id=3, more={"DELAY": "3", "z": "1"})])
        unit = store.units("SCHEDULE_TOPIC_XXXX", 3, 0, 1)
        for count in range(before, self.files.unsynced_bytes + 1):
            again = self.store_on(self.crashed_at(count))
            self.assertEqual(self.bodies(again), numbered(2))
            is_there = again.max_offset("SCHEDULE_TOPIC_XXXX", 3) == 1
            self.assertEqual(is_there, again.describe()["log_max_offset"] > result.log_offset)
            if is_there:
                self.assertEqual(again.units("SCHEDULE_TOPIC_XXXX", 3, 0, 1), unit)
                record = again.read_at(result.log_offset)
                assert record is not None
                self.assertEqual(decode_record(record).properties["z"], "1")
            again.close()

    def test_lost_sectors_behind_the_body(self) -> None:
        """No CRC covers topic and properties; a record that lost a sector of them is not taken."""
        store = self.store_on(self.files)
        store.put([draft("T", b"0", more={"long": "y" * 1500}), draft("T", b"1")])
        killed = self.files.kill()
        killed.open("commitlog/00000000000000000000").view()[512:1024] = bytes(512)
        again = self.store_on(killed)
        self.assertEqual((self.bodies(again), again.report.stopped_by), ([], "a part of its properties was never written"))

    def test_damage_before_the_walk(self) -> None:
        """A queue lost old units, and a record there is damaged: the log keeps what follows."""
        store = self.store_on(self.files, flush_consume_queue_thorough_interval=1000)
        results: list[Any] = self.fill(store, 10, seconds=1)
        self.fill(store, 1, topic="U", first=99)
        self.fill(store, 10, first=10, seconds=1)
        store.flush()
        self.care(store, 40)
        self.fill(store, 5, first=20, seconds=1)
        killed = self.files.kill()
        place = results[5].log_offset
        killed.open("commitlog/00000000000000000000").view()[place + 4 : place + 8] = bytes(4)
        killed.open(QUEUE).view()[60:80] = bytes(20)
        end = store.describe()["log_max_offset"]
        again = self.store_on(killed)
        self.assertEqual(again.describe()["log_max_offset"], end)
        self.assertIn(f"at {place} of the log", again.report.damage)


class IndexTests(FaultCase):
    """Keys."""

    def test_first_entry_of_a_later_file(self) -> None:
        """Its time counts from the end of the file before; that must not make it look too new to be durable."""
        store = self.store_on(self.files, flush_consume_queue_thorough_interval=1000)
        self.fill(store, 39)
        self.clock.advance(100)
        self.fill(store, 1, first=39)
        store.flush()
        self.care(store, 40)
        self.fill(store, 1, first=40)
        store.flush()
        self.care(store, 40)
        self.assertEqual(len(self.files.list("index")), 2)
        again = self.store_on(self.files.crash())
        self.assertEqual([self.found(again, number) for number in (0, 38, 39, 40)], [[b"0"], [b"38"], [b"39"], [b"40"]])

    def test_lost_sectors(self) -> None:
        """The header counts entries that a power cut took: they and their chains come back from the log."""
        store = self.store_on(self.files)
        self.fill(store, 30)
        for first in (240, 480, 720):
            killed = self.files.kill()
            (name,) = killed.list("index")
            killed.open(f"index/{name}").view()[first : first + 200] = bytes(200)
            again = self.store_on(killed)
            self.assertEqual([self.found(again, number) for number in range(30)], [[b"%d" % number] for number in range(30)])
            again.close()

    def test_what_a_recovery_put_again(self) -> None:
        """It is not durable yet, though the checkpoint vouches for its time, also in a file that another one follows. Nor is an
        entry of which the end of a sector left a part.
        """
        store = self.store_on(self.files, flush_consume_queue_thorough_interval=1000)
        self.fill(store, 10)
        self.clock.advance(5)
        self.fill(store, 29, first=10)
        self.clock.advance(0.001)
        store.put([draft("T", b"without keys")])
        store.flush()
        self.care(store, 3)
        recovered = self.files.crash()
        self.fill(self.store_on(recovered), 1, first=39)
        self.assertEqual(len(recovered.list("index")), 2)
        for seed in range(40):
            again = self.store_on(recovered.crash(random=Random(seed)))
            self.assertEqual([self.found(again, number) for number in range(39)], [[b"%d" % number] for number in range(39)])


class EveryOperationTests(FaultCase):
    """Whatever fails for good, the store says why, and the next start has all that was acknowledged."""

    def test_each_operation(self) -> None:
        """On each kind of file."""
        for operation in ("write_at", "sync", "create", "open", "view", "sync_folder", "delete"):
            for pattern in ("commitlog*", "consumequeue*", "index*", "checkpoint"):
                with self.subTest(operation=operation, pattern=pattern):
                    self.setUp()
                    store = self.store_on(self.files, flush_consume_queue_thorough_interval=1000)
                    self.fill(store, 5)
                    store.flush()
                    self.files.fail(operation, pattern, times=math.inf)
                    acked = 5
                    for number in range(5, 80):
                        (result,) = store.put([draft("T", b"%d" % number, keys=f"k{number}")])
                        if result.status is not PutStatus.PUT_OK:
                            break
                        try:
                            store.flush()
                        except StoreReadOnly:
                            break
                        acked += 1
                        self.care(store)
                    if not store.is_writable:
                        self.assertIn(pattern.rstrip("*"), store.describe()["problem"])
                    self.files.heal()
                    bodies = self.bodies(self.store_on(self.files.crash()))
                    self.assertEqual(bodies[:acked], numbered(acked))
