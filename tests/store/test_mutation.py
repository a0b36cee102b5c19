"""Every byte of a small store flipped in turn: the store opens, or refuses and names the file; it serves no wrong body as right.

The plain run flips a sample of the bytes; with PYMQ_ALL_MUTATIONS set, as in CI, all of them.
"""

from __future__ import annotations

import os

from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import DecodeError, StoreDamaged
from pymq.message.record import decode_record
from pymq.message.results import GetStatus
from pymq.store.documents import FileDocuments
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles
from tests.broker.fixtures import broker_config
from tests.store.stores import StoreCase

COUNT = 12
MASKS = (0x01, 0x80, 0xFF)
#: Every so many bytes in the sample; a prime, so that all parts of a layout have their turn.
STEP = 1 if os.environ.get("PYMQ_ALL_MUTATIONS") else 29


class MutationTests(StoreCase):
    """A store of two topics, and documents beside it."""

    def setUp(self) -> None:
        super().setUp()
        self.bodies_of: dict[tuple[str, int], bytes] = {}
        store = self.store_on(self.files)
        for number in range(COUNT):
            topic, body = "TU"[number % 2], b"%d" % number * (number + 1)
            (result,) = store.put([draft(topic, body, keys=f"k{number}")])
            self.bodies_of[topic, result.queue_offset] = body
        documents = FileDocuments(self.files)
        topics = TopicConfigManager(broker_config(), documents, clock=self.clock)
        topics.create_on_send_back("T", 1, 6, 0)
        topics.save()
        offsets = ConsumerOffsetManager(documents)
        offsets.commit("G", "T", 0, 5)
        offsets.save()
        store.flush()
        self.killed = self.files.kill()
        store.close()

    def paths(self, files: MemoryFiles, folder: str = "") -> list[str]:
        """All files of a disk."""
        found = []
        for name in files.list(folder):
            path = f"{folder}/{name}" if folder else name
            found += self.paths(files, path) if files.is_folder(path) else [path]
        return found

    def check(self, files: MemoryFiles, path: str) -> None:
        """Open everything; whatever can be read is right, whatever is refused says where."""
        store = FileMessageStore(files, self.config, clock=self.clock, memory_bytes=1 << 30)
        documents = FileDocuments(files)
        try:
            store.load()
            TopicConfigManager(broker_config(), documents, clock=self.clock).load()
            SubscriptionGroupManager(broker_config(), documents, clock=self.clock).load()
            ConsumerOffsetManager(documents).load()
        except StoreDamaged as error:
            self.assertIn(path.rpartition("/")[2].removesuffix(".bak"), str(error))
            return
        for topic in "TU":
            self.check_queue(store, topic)
        for number in range(COUNT):
            for record in store.find_by_key("TU"[number % 2], f"k{number}", 10, 0, 2**62).records:
                self.check_record(record)
        store.close()

    def check_queue(self, store: FileMessageStore, topic: str) -> None:
        """A consumer goes through a queue to its end, over whatever it cannot read."""
        offset, turns = 0, 0
        while (result := store.get(topic, 0, offset, 32, None)).next_offset > offset or result.records:
            turns += 1
            self.assertLess(turns, 3 * COUNT, "the consumer does not get on")
            if result.status is GetStatus.FOUND:
                is_gapless = len(result.records) == result.next_offset - offset
                for place, record in enumerate(result.records, offset):
                    self.check_record(record, self.bodies_of.get((topic, place)) if is_gapless else None)
            if result.next_offset <= offset:
                break
            offset = result.next_offset

    def check_record(self, record: memoryview, expected: bytes | None = None) -> None:
        """What a client takes for a message, by CRC and lengths, has the body that was stored, at the place where it was.

        No CRC covers the other fields, in Java's format.
        """
        try:
            message = decode_record(record)
        except DecodeError:
            return
        self.assertIn(message.raw_body, self.bodies_of.values())
        if expected is not None:
            self.assertEqual(message.raw_body, expected)

    def flip_all(self, whole: MemoryFiles) -> None:
        """Flip, look, flip back, on a copy each time."""
        count = 0
        for path in self.paths(whole):
            for at in range(0, whole.size(path), STEP):
                files = whole.kill()
                mask = MASKS[(at // STEP) % len(MASKS)]
                files.open(path).view()[at] ^= mask
                with self.subTest(path=path, at=at, mask=mask):
                    self.check(files, path)
                count += 1
        self.assertGreater(count, 200)

    def test_after_a_clean_stop(self) -> None:
        """Little is looked at, for all was sound."""
        self.flip_all(self.files)

    def test_after_a_kill(self) -> None:
        """Recovery looks at everything."""
        self.flip_all(self.killed)
