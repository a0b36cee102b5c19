"""A store with extended queues that Java made: ours makes the same files, and reads Java's."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.properties import decode_properties
from pymq.message.record import RecordCheck, RecordDraft
from pymq.store.extendedqueue import ExtendedConsumeQueue
from pymq.store.store import FileMessageStore
from pymq.testing.memoryfiles import MemoryFiles
from tests.golden.java_ext_498 import FILES, STORED
from tests.golden.puts import EXTENDED_CONFIG, extended_puts


def bit_map_of(record: RecordDraft | RecordCheck) -> bytes | None:
    """The property BITS, as the Java program does."""
    text = record.properties
    bits = decode_properties(text if isinstance(text, str) else text.decode()).get("BITS")
    return None if bits is None else bytes.fromhex(bits)


class JavaExtensionTests(SynchronousTestCase):
    """4.9.8's files."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.disk = MemoryFiles(clock=self.clock)

    def opened(self) -> FileMessageStore:
        """Our store on the disk."""
        store = FileMessageStore(self.disk, EXTENDED_CONFIG, clock=self.clock)
        store.load()
        store.keep_bit_maps(bit_map_of)
        self.addCleanup(store.close)
        return store

    def test_ours_makes_the_same_files(self) -> None:
        """To the byte."""
        store = self.opened()
        for (time_ms, *_), put in zip(STORED, extended_puts()):
            self.clock.rightNow = (time_ms + 0.5) / 1000
            store.put([put.draft])
        paths = [path for path in FILES if not path.startswith("index")]
        self.assertEqual(len([path for path in paths if path.startswith("consumequeue_ext/")]), 3)
        for path in paths:
            size, content = FILES[path]
            self.assertEqual(self.disk.read_bytes(path).hex(" ", 4), content.ljust(size, b"\0").hex(" ", 4), path)

    def test_ours_reads_what_java_made(self) -> None:
        """Codes, times and maps of both queues."""
        for path, (size, content) in FILES.items():
            if not path.startswith("index"):
                self.disk.replace(path, content.ljust(size, b"\0"))
        queues = self.opened()._queues
        stored = [(put.draft, time_ms) for put, (time_ms, *_) in zip(extended_puts(), STORED) if put.draft.sys_flag == 0]
        ends = {0: 0, 1: 0}
        for made, time_ms in stored:
            queue = queues.get("T", made.queue_id)
            assert isinstance(queue, ExtendedConsumeQueue)
            unit = queue.unit_at(ends[made.queue_id])
            ends[made.queue_id] += 1
            assert unit is not None
            ext = queue.ext.get(unit[2])
            assert ext is not None
            self.assertEqual((ext.tags_code, ext.store_ms, ext.bit_map), (made.tags_code, time_ms, bit_map_of(made) or b""))
        self.assertEqual(ends, {0: 6, 1: 1})
