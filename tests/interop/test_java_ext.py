"""Queues with extensions, of our store and Apache's real one: the same bytes, opened by each other."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.properties import decode_properties
from pymq.message.record import RecordCheck, RecordDraft
from pymq.message.results import ExtUnit
from pymq.store.extendedqueue import ExtendedConsumeQueue
from pymq.store.files import DiskFiles
from pymq.store.store import FileMessageStore
from pymq.testing.builders import NOW_MS, draft

from .java_store.runner import Fact, JavaStore, put_line
from .test_java_store import CONFIG

#: So small that the messages fill several files.
EXTENDED = attrs.evolve(CONFIG, enable_consume_queue_ext=True, mapped_file_size_consume_queue_ext=1024)
COUNT = 90
Place = tuple[str, int, int]


def messages(count: int = COUNT) -> list[RecordDraft]:
    """With bit maps of two sizes or none, tags or none."""
    random = Random(7)
    made = []
    for number in range(count):
        bits = random.choice([None, random.randbytes(14), random.randbytes(1)])
        more = {} if bits is None else {"BITS": bits.hex()}
        tags = random.choice([None, "TagA", "TagB"])
        made.append(draft("T", b"%d" % number, queue_id=number % 2, tags=tags, more=more))
    return made


def bit_map_of(record: RecordDraft | RecordCheck) -> bytes | None:
    """The property BITS, as the Java program does."""
    text = record.properties
    bits = decode_properties(text if isinstance(text, str) else text.decode()).get("BITS")
    return None if bits is None else bytes.fromhex(bits)


def java_units(facts: list[Fact]) -> dict[Place, ExtUnit]:
    """The extension's units as Java told them."""
    return {
        (fact["topic"], fact["queueId"], fact["queueOffset"]): ExtUnit(
            fact["tagsCode"], fact["storeTimestamp"], bytes.fromhex(fact["bitMap"]), fact["size"]
        )
        for fact in facts
        if fact["kind"] == "ext"
    }


class JavaExtensionTests(SynchronousTestCase):
    """With Apache's store 4.9.8."""

    version = "4.9.8"

    def setUp(self) -> None:
        self.root = self.folder()

    def folder(self) -> str:
        """A folder that goes with the test."""
        path = tempfile.mkdtemp(prefix="pymq-ext-")
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def java(self, root: str) -> JavaStore:
        """Java on a folder."""
        return JavaStore(self.version, root, EXTENDED)

    def ours(self, root: str) -> tuple[FileMessageStore, Clock]:
        """Our store on a folder."""
        clock = Clock()
        clock.advance(NOW_MS / 1000)
        store = FileMessageStore(DiskFiles(root), EXTENDED, clock=clock)
        store.load()
        store.keep_bit_maps(bit_map_of)
        self.addCleanup(store.close)
        return store, clock

    def units(self, store: FileMessageStore) -> dict[Place, ExtUnit]:
        """The extension's units that ours can read."""
        found = {}
        for queue in store._queues:
            assert isinstance(queue, ExtendedConsumeQueue)
            for offset in range(queue.min_offset, queue.end_offset):
                unit = queue.unit_at(offset)
                ext = None if unit is None else queue.ext.get(unit[2])
                if ext is not None:
                    found[queue.topic, queue.queue_id, offset] = ext
        return found

    def expected(self, times_ms: list[int]) -> dict[Place, ExtUnit]:
        """The units of `messages`, stored at those times."""
        units = {}
        for number, (made, time_ms) in enumerate(zip(messages(len(times_ms)), times_ms)):
            bits = bit_map_of(made) or b""
            units["T", number % 2, number // 2] = ExtUnit(made.tags_code, time_ms, bits, 20 + len(bits))
        return units

    def written_by_java(self, root: str, leave: str = "normal") -> list[int]:
        """Let Java write; the store times."""
        return [fact["storeTimestamp"] for fact in self.java(root).write(map(put_line, messages()), leave=leave)]

    def contents(self, root: str, folder: str) -> dict[str, bytes]:
        """The files below a folder."""
        base = Path(root, folder)
        return {path.relative_to(base).as_posix(): path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file()}

    def test_same_bytes(self) -> None:
        """The same messages at the same times make the same queues and extensions."""
        times_ms = self.written_by_java(self.root)
        root = self.folder()
        store, clock = self.ours(root)
        for made, time_ms in zip(messages(), times_ms):
            clock.rightNow = (time_ms + 0.5) / 1000
            store.put([made])
        self.assertEqual(self.units(store), self.expected(times_ms))
        store.close()
        for folder in ("consumequeue_ext", "consumequeue"):
            java = self.contents(self.root, folder)
            self.assertEqual(self.contents(root, folder), java)
        self.assertGreater(len(java), 4)

    def test_we_open_what_java_left(self) -> None:
        """After a shutdown all is read and goes on; after a kill all is made anew."""
        for leave in ("normal", "killed"):
            root = self.folder()
            times_ms = self.written_by_java(root, leave)
            store, _ = self.ours(root)
            expected: Any = self.expected(times_ms)
            if leave == "killed":
                expected = {place: ExtUnit(unit.tags_code, unit.store_ms, b"", 20) for place, unit in expected.items()}
            self.assertEqual(self.units(store), expected)
            store.put([draft("T", b"more", more={"BITS": "ff"})])
            self.assertEqual(self.units(store)["T", 0, COUNT // 2], ExtUnit(0, NOW_MS, b"\xff", 21))
            store.close()
            self.assertEqual(java_units(self.java(root).read())["T", 0, COUNT // 2], ExtUnit(0, NOW_MS, b"\xff", 21))

    def test_java_opens_what_we_left(self) -> None:
        """After a close, and after a kill, of which a copy of the open store is the image."""
        store, _ = self.ours(self.root)
        store.put(messages())
        killed = self.folder()
        shutil.copytree(self.root, killed, dirs_exist_ok=True)
        store.close()
        for root in (self.root, killed):
            self.assertEqual(java_units(self.java(root).read()), self.expected([NOW_MS] * COUNT))
