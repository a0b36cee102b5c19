"""Whole store folders that Java made: ours makes the same files, and reads Java's."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.record import RecordDraft, check_record, decode_record
from pymq.store.store import FileMessageStore
from pymq.testing.memoryfiles import MemoryFiles
from tests.golden import java_store_498, java_store_550
from tests.golden.puts import CONFIG, puts

LOG_FILE_BYTES = CONFIG.mapped_file_size_commit_log
FOREVER_MS = 2**62


class JavaStore:
    """The kept files of one version; mixed into a test case."""

    module: Any = None
    #: 5.5 leaves delayed messages and the properties of batches to others, and indexes tags too.
    is_4_9 = True

    def setUp(self: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.disk = MemoryFiles(clock=self.clock)

    def java_file(self: Any, path: str) -> bytes:
        """A file's whole content."""
        size, content = self.module.FILES[path]
        data: bytes = content.ljust(size, b"\0")
        return data

    def java_record(self: Any, log_offset: int) -> bytes:
        """The record that Java stored at a place."""
        data = self.java_file(f"commitlog/{log_offset // LOG_FILE_BYTES * LOG_FILE_BYTES:020d}")
        start = log_offset % LOG_FILE_BYTES
        return bytes(data[start : start + check_record(data, start).size])

    def stored_drafts(self: Any) -> list[tuple[int, list[RecordDraft]]]:
        """The puts as our store takes them, with Java's store timestamps."""
        found = []
        for put, (time_ms, log_offset, _, _) in zip(puts(), self.module.STORED):
            stored_properties = check_record(self.java_record(log_offset)).properties
            found.append((time_ms, put.drafts(stored_properties if self.is_4_9 else None)))
        return found

    def opened(self: Any) -> FileMessageStore:
        """Our store on the disk."""
        store = FileMessageStore(self.disk, CONFIG, clock=self.clock)
        store.load()
        self.addCleanup(store.close)
        return store

    def test_ours_makes_the_same_files(self: Any) -> None:
        """To the byte; the index of a version that indexes tags holds more and is left out."""
        store = self.opened()
        for time_ms, drafts in self.stored_drafts():
            self.clock.rightNow = (time_ms + 0.5) / 1000
            for result in store.put(drafts):
                self.assertTrue(result.status.is_stored, result)
        names = self.disk.list("index")
        for path in self.module.FILES:
            folder, _, rest = path.partition("/")
            if folder != "index":
                self.assertEqual(self.disk.read_bytes(path).hex(" ", 4), self.java_file(path).hex(" ", 4), path)
            elif self.is_4_9:
                self.assertEqual(
                    self.disk.read_bytes(f"index/{names[int(rest)]}").hex(" ", 4), self.java_file(path).hex(" ", 4), path
                )

    def test_ours_reads_what_java_made(self: Any) -> None:
        """Every message in its queue and by its keys, after a clean stop and after a crash without checkpoint."""
        for path in self.module.FILES:
            folder, _, rest = path.partition("/")
            self.disk.replace(f"index/2026010100000000{rest}" if folder == "index" else path, self.java_file(path))
        for has_abort in (False, True):
            if has_abort:
                self.disk.create("abort", 0)
            store = self.opened()
            self.expect_all(store)
            store.close()

    def expect_all(self: Any, store: FileMessageStore) -> None:
        """What puts() put is there."""
        queued = {
            ("T", 0): [b"hello", b"hello6", b"a", b"", *([] if self.is_4_9 else [b"later"]), b"committed", b"x" * 300],
            ("T", 1): [b""],
            ("%RETRY%g", 0): [b"y" * 200],
        }
        if self.is_4_9:
            queued["SCHEDULE_TOPIC_XXXX", 17] = [b"later"]
        for place, bodies in queued.items():
            read, at = [], 0
            while at < store.max_offset(*place):
                result = store.get(*place, at, 32, None)
                read += [decode_record(record).raw_body for record in result.records]
                at = result.next_offset
            self.assertEqual(read, bodies, place)
        keys = {
            ("T", "k1"): [b"hello", *([] if self.is_4_9 else [b"later"]), b"x" * 300],
            ("T", "k2"): [b"hello", b"committed"],
            ("T", "k3"): [b"hello6", b"x" * 300],
            ("T", "k4"): [b"a"],
            ("%RETRY%g", "Größe"): [b"y" * 200],
            ("%RETRY%g", "0A010203109218B4AAC2000000000001"): [b"y" * 200],
            ("T", "none"): [],
        }
        for (topic, key), bodies in keys.items():
            records = store.find_by_key(topic, key, 32, 0, FOREVER_MS).records
            self.assertEqual([decode_record(record).raw_body for record in records], bodies, key)


class JavaStore498Tests(JavaStore, SynchronousTestCase):
    """4.9.8, whose layout ours is."""

    module = java_store_498


class JavaStore550Tests(JavaStore, SynchronousTestCase):
    """5.5.0."""

    module = java_store_550
    is_4_9 = False
