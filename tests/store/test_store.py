"""The store on files: opening, closing, failing; what every store does is in tests/contracts."""

from __future__ import annotations

import errno
import math
import tempfile
import threading
from typing import Any

from pymq.errors import StoreClosed, StoreLocked, StoreReadOnly
from pymq.message.ids import encode_host
from pymq.message.record import RecordDraft, decode_record, draft_from
from pymq.message.results import PutStatus
from pymq.store.checkpoint import Checkpoint
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles
from tests.store.stores import SMALL, START_MS, StoreCase, numbered


class LifeTests(StoreCase):
    """From load to close."""

    def test_files_while_it_runs(self) -> None:
        """`lock` and `abort`; queues and log come with the first message."""
        self.store_on(self.files)
        self.assertEqual(self.files.list(""), ["abort", "lock"])

    def test_files_after_a_clean_stop(self) -> None:
        """`abort` is gone, durably; the checkpoint tells the last message's time."""
        store = self.store_on(self.files)
        self.fill(store, 3, seconds=1)
        store.close()
        after = self.files.crash()
        self.assertEqual(after.list(""), ["checkpoint", "commitlog", "consumequeue", "index", "lock"])
        checkpoint = Checkpoint(after)
        checkpoint.load()
        self.assertEqual((checkpoint.physic_ms, checkpoint.logics_ms), (START_MS + 2000,) * 2)
        self.assertEqual(self.bodies(self.store_on(after)), numbered(3))

    def test_second_start(self) -> None:
        """Is refused before anything is touched (case 41), and possible after a close."""
        store = self.store_on(self.files)
        self.fill(store, 1)
        self.assertRaises(StoreLocked, self.store_on, self.files)
        self.assertEqual(self.bodies(store), numbered(1))
        store.close()
        self.store_on(self.files).close()

    def test_closed(self) -> None:
        """Everything is refused, closing again does nothing."""
        store = self.store_on(self.files)
        store.close()
        store.close()
        for call in (
            lambda: store.put([draft("T", b"x")]),
            lambda: store.get("T", 0, 0, 1, None),
            lambda: store.read_at(0),
            lambda: store.find_by_key("T", "k", 1, 0, 1),
            lambda: store.run_maintenance(0),
            lambda: store.drop_queues(lambda topic: True),
        ):
            self.assertRaises(StoreClosed, call)
        self.assertEqual((store.describe()["writable"], store.describe()["problem"]), (False, "the store is not open"))

    def test_log_elsewhere(self) -> None:
        """The commit log may have a folder of its own (storePathCommitLog)."""
        log_files = MemoryFiles(clock=self.clock)
        store = FileMessageStore(self.files, SMALL, clock=self.clock, log_files=log_files)
        store.load()
        self.fill(store, 60)
        store.close()
        self.assertEqual([int(name) for name in log_files.list("")], [0, 4096])
        self.assertFalse(self.files.exists("commitlog"))
        again = FileMessageStore(self.files, SMALL, clock=self.clock, log_files=log_files)
        again.load()
        self.assertEqual(self.bodies(again), numbered(60))

    def test_without_index(self) -> None:
        """Nothing is found by key, and no file is made."""
        store = self.store_on(self.files, message_index_enable=False)
        self.fill(store, 3)
        self.assertEqual(store.find_by_key("T", "k1", 10, 0, 2**62).records, [])
        store.close()
        self.assertFalse(self.files.exists("index"))

    def test_golden_store(self) -> None:
        """The first two records and units of the store that Java made (appendix B), put by us."""
        self.clock.advance((1795246120507 - START_MS) / 1000)
        store = self.store_on(self.files)
        common: dict[str, Any] = {"born_timestamp": 1700000000000}
        store.put(
            [
                draft_from(
                    "T", 0, b"hello", "KEYS\x01k1 k2\x02TAGS\x01TagA", born_host=encode_host("10.1.2.3", 5555),
                    store_host=encode_host("127.0.0.1", 10911), **common,
                )
            ]
        )  # fmt: skip
        self.clock.advance(0.016)
        store.put(
            [
                draft_from(
                    "T", 0, b"hello6", "KEYS\x01k3\x02TAGS\x01TagB", born_host=encode_host("2001:db8::1", 5555),
                    store_host=encode_host("::1", 10911), **common,
                )
            ]
        )  # fmt: skip
        golden = (
            "00000075daa320a73610a686000000000000000000000000000000000000000000000000000000000000018bcfe56800"
            "0a010203000015b3000001a1fd01de3b7f00000100002a9f0000000000000000000000000000000568656c6c6f0154"
            "00144b455953016b31206b3202544147530154616741"
            "0000008bdaa320a719554ca7000000000000000000000000000000010000000000000075000000300000018bcfe56800"
            "20010db8000000000000000000000001000015b3000001a1fd01de4b0000000000000000000000000000000100002a9f"
            "0000000000000000000000000000000668656c6c6f36015400114b455953016b3302544147530154616742"
        )
        self.assertEqual(self.files.read_bytes("commitlog/00000000000000000000")[:256].hex(), golden)
        units = "000000000000000000000075000000000027a80700000000000000750000008b000000000027a808"
        self.assertEqual(self.files.read_bytes("consumequeue/T/0/00000000000000000000")[:40].hex(), units)
        store.close()


class FailureTests(StoreCase):
    """After an error of the disk nothing is acknowledged."""

    def check_read_only(self, store: FileMessageStore) -> None:
        """Refused with a reason; reading goes on."""
        (result,) = store.put([draft("T", b"x")])
        self.assertEqual(result.status, PutStatus.SERVICE_NOT_AVAILABLE)
        self.assertIn("failed", result.reason)
        self.assertRaises(StoreReadOnly, store.flush)
        self.assertEqual(self.bodies(store), numbered(3))
        self.assertFalse(store.describe()["writable"])

    def test_write(self) -> None:
        """All of the turn is refused, and all that comes after, though the disk be well again."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        self.files.fail("write_at", "commitlog*")
        results = store.put([draft("T", b"a"), draft("T", b"b")])
        self.assertEqual([result.status for result in results], [PutStatus.SERVICE_NOT_AVAILABLE] * 2)
        self.files.heal()
        self.check_read_only(store)
        store.close()
        self.assertTrue(self.files.exists("abort"))
        self.assertEqual(self.bodies(self.store_on(self.files)), numbered(3))

    def test_sync(self) -> None:
        """What was written may be lost for ever, so nobody is told otherwise later."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        self.files.fail("sync", "commitlog*")
        self.assertRaises(StoreReadOnly, store.flush)
        self.files.heal()
        self.check_read_only(store)

    def test_new_file(self) -> None:
        """A file that cannot be made."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        self.files.fail("create", "commitlog*")
        self.fill(store, 60, first=3)
        self.assertIn("writing", store.describe()["problem"])
        store.close()
        store = self.store_on(self.files)
        self.assertEqual(self.bodies(store)[:3], numbered(3))

    def test_queue_file(self) -> None:
        """The message is in the log but cannot be read: it is not acknowledged, and comes with the next start."""
        store = self.store_on(self.files)
        self.files.fail("create", "consumequeue*")
        (result,) = store.put([draft("T", b"0")])
        self.assertEqual(result.status, PutStatus.SERVICE_NOT_AVAILABLE)
        self.assertGreater(store.describe()["dispatch_behind_bytes"], 0)
        store.close()
        self.assertTrue(self.files.exists("abort"))
        self.assertEqual(self.bodies(self.store_on(self.files)), numbered(1))

    def test_a_fault_of_ours(self) -> None:
        """Before anything is written it harms nobody; once the log has what the queues lack, nothing follows."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        bad = draft("T", b"x")
        bad.properties = None  # type: ignore[assignment]
        self.assertRaises(TypeError, store.put, [draft("T", b"y"), bad])
        self.assertTrue(store.is_writable)
        bad = draft("T", b"x")
        bad.index_keys = (5,)  # type: ignore[assignment]
        self.assertRaises(Exception, store.put, [bad])  # noqa: B017
        self.assertFalse(store.is_writable)
        self.assertEqual(self.bodies(self.store_on(self.files.kill())), [*numbered(3), b"x"])

    def test_full_disk(self) -> None:
        """A write that does not fit."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        self.files.space_bytes = self.files.space()[0]
        results = self.fill(store, 60, first=3)
        self.assertEqual(results[-1].status, PutStatus.SERVICE_NOT_AVAILABLE)
        self.assertEqual(self.bodies(store)[:3], numbered(3))

    def test_index_on_a_full_disk(self) -> None:
        """Messages are taken and read as before; the next start finds all of them by their keys, also after a later crash."""
        for stop in ("close", "kill"):
            self.files = MemoryFiles(clock=self.clock)
            store = self.store_on(self.files)
            self.fill(store, 3, seconds=1)
            store.run_maintenance(START_MS + 600_000)
            self.files.fail("create", "index*", error=errno.ENOSPC, times=math.inf)
            self.fill(store, 50, first=3, seconds=1)
            store.run_maintenance(START_MS + 1_200_000)
            self.assertTrue(store.is_writable)
            self.assertEqual(self.bodies(store), numbered(53))
            self.assertEqual(len(store.find_by_key("T", "k52", 10, 0, START_MS * 2).records), 0)
            if stop == "close":
                store.close()
                self.assertTrue(self.files.exists("abort"))
            after = self.files.kill() if stop == "kill" else self.files
            after.heal()
            again = self.store_on(after)
            self.assertEqual(self.bodies(again), numbered(53))
            for number in range(53):
                found = again.find_by_key("T", f"k{number}", 10, 0, START_MS * 2).records
                self.assertEqual([decode_record(record).raw_body for record in found], [b"%d" % number])
            again.close()
            self.assertFalse(after.exists("abort"))
        self.flushLoggedErrors()

    def test_close(self) -> None:
        """`abort` stays when the last flush fails."""
        store = self.store_on(self.files)
        self.fill(store, 3)
        self.files.fail("sync")
        store.close()
        self.assertTrue(self.files.exists("abort"))
        self.assertEqual(self.bodies(self.store_on(self.files)), numbered(3))


class FactTests(StoreCase):
    """What operators see."""

    def test_describe(self) -> None:
        """Plain values."""
        store = self.store_on(self.files)
        self.assertEqual(store.describe()["earliest_store_time_ms"], -1)
        results = self.fill(store, 60, seconds=1)
        store.flush()
        facts = store.describe()
        end = results[-1].log_offset + results[-1].size
        self.assertEqual((facts["log_min_offset"], facts["log_max_offset"], facts["flushed_offset"]), (0, end, end))
        self.assertEqual((facts["dispatch_behind_bytes"], facts["earliest_store_time_ms"]), (0, START_MS))
        self.assertEqual((facts["topics"], facts["writable"], facts["problem"]), (["T"], True, ""))

    def test_recovery_is_reported(self) -> None:
        """For the log."""
        store = self.store_on(self.files)
        self.fill(store, 5)
        report = self.store_on(self.files.kill()).report
        self.assertEqual((report.is_abnormal, report.checked, report.queues, report.dispatched), (True, 5, 1, 5))


class RealDiskTests(StoreCase):
    """The same store on real files."""

    def test_put_while_another_thread_flushes(self) -> None:
        """What a flush says is durable was put before, and every message is there at the end."""
        folder = tempfile.TemporaryDirectory(prefix="pymq-store-")
        self.addCleanup(folder.cleanup)
        config = MessageStoreConfig(mapped_file_size_commit_log=65536, mapped_file_size_consume_queue=2000)
        store = FileMessageStore(DiskFiles(folder.name), config, clock=self.clock)
        store.load()
        stop, flushed = threading.Event(), []

        def flush() -> None:
            while not stop.is_set():
                flushed.append((store.flush(), store.describe()["log_max_offset"]))

        thread = threading.Thread(target=flush)
        thread.start()
        for number in range(300):
            store.put([draft("T", b"%d" % (10 * number + item)) for item in range(10)])
        stop.set()
        thread.join()
        self.assertTrue(all(done <= end for done, end in flushed))
        self.assertEqual(flushed, sorted(flushed))
        self.assertEqual(self.bodies(store), numbered(3000))
        store.close()
        again = FileMessageStore(DiskFiles(folder.name), config, clock=self.clock)
        again.load()
        self.assertEqual(self.bodies(again), numbered(3000))
        again.close()

    def test_arrivals(self) -> None:
        """A listener gets the drafts with their places, after they are readable."""
        store = self.store_on(self.files)
        seen: list[tuple[int, bytes]] = []

        class Listener:
            def messages_arrived(self, arrivals: list[RecordDraft]) -> None:
                for made in arrivals:
                    record = store.get("T", 0, made.queue_offset, 1, None).records[0]
                    seen.append((made.log_offset, decode_record(record).raw_body))

        store.watch(Listener())  # type: ignore[arg-type]
        results = self.fill(store, 2)
        self.assertEqual(seen, [(results[0].log_offset, b"0"), (results[1].log_offset, b"1")])
