"""Small stores on a disk in memory, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.record import decode_record
from pymq.message.results import GetStatus
from pymq.store.config import MessageStoreConfig
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles

#: Log files of some thirty messages, queue files of ten units.
SMALL = MessageStoreConfig(
    mapped_file_size_commit_log=4096, mapped_file_size_consume_queue=200, max_hash_slot_num=50, max_index_num=40
)
START_MS = 1_700_000_000_000


class StoreCase(SynchronousTestCase):
    """`self.files` is a disk whose times are those of `self.clock`."""

    config = SMALL

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START_MS // 1000)
        self.files = MemoryFiles(clock=self.clock)

    def store_on(self, files: Any, **changes: Any) -> FileMessageStore:
        """A loaded store."""
        store = FileMessageStore(files, attrs.evolve(self.config, **changes), clock=self.clock, memory_bytes=1 << 30)
        store.load()
        return store

    def fill(self, store: FileMessageStore, count: int, *, topic: str = "T", first: int = 0, seconds: float = 0) -> list[Any]:
        """Messages b"<number>", each with the key k<number>; their results."""
        results = []
        for number in range(first, first + count):
            results += store.put([draft(topic, b"%d" % number, keys=f"k{number}")])
            self.clock.advance(seconds)
        return results

    def bodies(self, store: FileMessageStore, topic: str = "T", queue_id: int = 0) -> list[bytes]:
        """All of a queue, from its first readable offset to its end; each record says its own place."""
        bodies: list[bytes] = []
        offset = store.min_offset(topic, queue_id)
        while (result := store.get(topic, queue_id, offset, 32, None)).status is GetStatus.FOUND:
            for record in result.records:
                message = decode_record(record)
                self.assertEqual((message.topic, message.queue_id, message.queue_offset), (topic, queue_id, offset))
                offset += 1
                bodies.append(message.raw_body)
            self.assertEqual(result.next_offset, offset)
        self.assertEqual(offset, store.max_offset(topic, queue_id))
        return bodies


def numbered(count: int, first: int = 0) -> list[bytes]:
    """The bodies that `fill` made."""
    return [b"%d" % number for number in range(first, first + count)]
