"""Queues with an extension: by themselves, in a store, and through every damage of tests/store/test_recovery.py."""

from __future__ import annotations

from random import Random
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.record import RecordCheck, RecordDraft, decode_record
from pymq.message.results import ExtUnit, GetResult, GetStatus
from pymq.message.tags import java_hash
from pymq.store.consumequeueext import ADDRESS_MAX
from pymq.store.extendedqueue import ExtendedConsumeQueue
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles
from tests.contracts.store import CareContract, GetContract, PutContract, QueryContract
from tests.contracts.test_store import CONFIG as CONTRACT_CONFIG
from tests.store import test_recovery
from tests.store.stores import SMALL, START_MS, StoreCase

EXTENDED = {"enable_consume_queue_ext": True, "mapped_file_size_consume_queue_ext": 1024}
BIT_MAP_BYTES = 14


def bit_map_of(record: RecordDraft | RecordCheck) -> bytes:
    """A map that tells which record it belongs to."""
    return record.queue_offset.to_bytes(BIT_MAP_BYTES, "little")


class ExtendedCase(StoreCase):
    """A store whose queues are extended, and keep maps."""

    config = attrs.evolve(SMALL, **EXTENDED)

    def store_on(self, files: Any, **changes: Any) -> FileMessageStore:
        """A loaded store that keeps bit maps from now on."""
        store = super().store_on(files, **changes)
        store.keep_bit_maps(bit_map_of)
        return store

    def queue(self, store: FileMessageStore, topic: str = "T") -> ExtendedConsumeQueue:
        """Its first queue."""
        queue = store._queues.get(topic, 0)
        assert isinstance(queue, ExtendedConsumeQueue)
        return queue

    def ext_units(self, store: FileMessageStore, topic: str = "T") -> list[ExtUnit | None]:
        """What is kept of each message of a queue that can be read."""
        queue = self.queue(store, topic)
        units = [queue.unit_at(offset) for offset in range(queue.min_offset, queue.end_offset)]
        return [None if unit is None else queue.ext.get(unit[2]) for unit in units]

    def expect_sound(self, store: FileMessageStore) -> None:
        """Every message has its unit; the map is its own or, made by a recovery, none."""
        queue = self.queue(store)
        for offset, unit in enumerate(self.ext_units(store), queue.min_offset):
            assert unit is not None, offset
            self.assertIn(unit.bit_map, (b"", offset.to_bytes(BIT_MAP_BYTES, "little")))
            self.assertEqual(unit.store_ms, store.store_time("T", 0, offset))


class StoreTests(ExtendedCase):
    """In a store, with all of a queue in one file."""

    config = attrs.evolve(ExtendedCase.config, mapped_file_size_consume_queue=20 * 300)

    def setUp(self) -> None:
        super().setUp()
        self.store = self.store_on(self.files)
        self.store.put([draft("T", b"%d" % number, tags="AB"[number % 2]) for number in range(40)])

    def get(self, offset: int = 0, count: int = 32, **filters: Any) -> GetResult:
        """Read the queue."""
        return self.store.get("T", 0, offset, count, **{"tag_filter": None, **filters})

    def numbers(self, result: GetResult) -> list[int]:
        """The bodies."""
        return [int(decode_record(record).raw_body) for record in result.records]

    def test_units(self) -> None:
        """Hold addresses; who asks the store for units is told the codes."""
        self.assertTrue(all((self.queue(self.store).unit_at(number) or (0, 0, 0))[2] <= ADDRESS_MAX for number in range(40)))
        self.assertEqual([code for *_, code in self.store.units("T", 0, 0, 3)], [java_hash(tag) for tag in "ABA"])
        kept = ExtUnit(java_hash("B"), START_MS, b"\3" + bytes(13), 34)
        self.assertEqual(self.ext_units(self.store)[3], kept)
        address = (self.queue(self.store).unit_at(3) or (0, 0, 0))[2]
        self.assertEqual(self.store.extension("T", 0, 3), (address, kept))
        self.assertIsNone(self.store.extension("T", 0, 40))

    def test_filters(self) -> None:
        """By tag, by bit map, and by both."""
        self.assertEqual(self.numbers(self.get()), list(range(32)))
        tags = frozenset({java_hash("B")})
        self.assertEqual(self.numbers(self.get(tag_filter=tags)), list(range(1, 40, 2)))
        asked = []

        def bit_filter(store_ms: int, bit_map: bytes) -> bool:
            asked.append(store_ms)
            return bit_map[0] % 5 == 0

        self.assertEqual(self.numbers(self.get(bit_filter=bit_filter)), list(range(0, 40, 5)))
        self.assertEqual(self.numbers(self.get(bit_filter=bit_filter, tag_filter=tags)), [5, 15, 25, 35])
        self.assertEqual(asked, [START_MS] * 60)
        result = self.get(bit_filter=lambda store_ms, bit_map: False)
        self.assertEqual((result.status, result.next_offset), (GetStatus.NO_MATCHED_MESSAGE, 40))

    def test_without_a_bit_map(self) -> None:
        """A message passes: nobody knows."""
        self.store.keep_bit_maps(lambda record: None)
        self.fill(self.store, 1, first=40)
        self.assertEqual(self.ext_units(self.store)[40], ExtUnit(0, START_MS, b"", 20))
        self.assertEqual(self.numbers(self.get(40, bit_filter=lambda store_ms, bit_map: False)), [40])

    def test_a_unit_that_is_lost(self) -> None:
        """Lets its message pass, as in Java, and its code is reckoned anew."""
        self.store.put([draft("SCHEDULE_TOPIC_XXXX", b"x", more={"DELAY": "3"})])
        due = self.store.units("SCHEDULE_TOPIC_XXXX", 0, 0, 1)
        self.assertEqual(due[0][2], START_MS + 10_000)
        for topic in ("T", "SCHEDULE_TOPIC_XXXX"):
            for name in self.files.list(f"consumequeue_ext/{topic}/0"):
                view = self.files.open(f"consumequeue_ext/{topic}/0/{name}").view()
                view[:] = bytes(len(view))
        self.assertEqual(self.numbers(self.get(tag_filter=frozenset({7}), bit_filter=lambda *_: False)), list(range(32)))
        self.assertEqual(self.store.units("SCHEDULE_TOPIC_XXXX", 0, 0, 1), due)
        self.assertEqual([code for *_, code in self.store.units("T", 0, 0, 2)], [java_hash("A"), java_hash("B")])
        address, unit = self.store.extension("T", 0, 1) or (0, 0)
        self.assertEqual((address <= ADDRESS_MAX, unit), (True, None))

    def test_switched_off_and_on(self) -> None:
        """Without the setting the addresses let all pass; new messages have codes; with it again both are understood."""
        self.store.close()
        tags = frozenset({java_hash("B")})
        self.store = StoreCase.store_on(self, self.files, enable_consume_queue_ext=False)
        self.store.put([draft("T", b"%d" % number, tags="AB"[number % 2]) for number in range(40, 44)])
        self.assertEqual(self.numbers(self.get(32, tag_filter=tags)), [*range(32, 40), 41, 43])
        self.store.close()
        self.store = self.store_on(self.files)
        self.store.put([draft("T", b"%d" % number, tags="AB"[number % 2]) for number in range(44, 50)])
        self.assertEqual(self.numbers(self.get(20, tag_filter=tags)), list(range(21, 50, 2)))
        self.assertEqual([unit is None for unit in self.ext_units(self.store)], [False] * 40 + [True] * 4 + [False] * 6)

    def test_dispatched_twice(self) -> None:
        """Nothing is added."""
        queue = self.queue(self.store)
        end = queue.ext.end
        unit = queue.unit_at(39)
        assert unit is not None
        self.assertFalse(queue.add_extended(39, unit[0], unit[1], 0, START_MS, b""))
        self.assertFalse(queue.add_extended(5, unit[0] + 500, 100, 0, START_MS, b""))
        self.assertEqual((queue.ext.end, queue.end_offset), (end, 40))

    def test_dropped_with_the_queue(self) -> None:
        """Files and folders of a topic that is not used any more."""
        self.assertEqual(self.store.drop_queues(lambda topic: True), ["T"])
        self.assertEqual((self.files.list("consumequeue"), self.files.list("consumequeue_ext")), ([], []))

    def test_expires_with_the_queue(self) -> None:
        """Files that end before the first readable message."""
        files = len(self.files.list("consumequeue_ext/T/0"))
        self.fill(self.store, 200, first=40)
        self.queue(self.store).correct_min_offset(5 * 4096)
        self.assertLess(self.queue(self.store).min_offset, 240)
        self.assertGreater(self.queue(self.store).ext.segments.segments[0].base, 1024 * files)
        self.assertNotIn(None, self.ext_units(self.store))

    def test_kept_over_a_stop(self) -> None:
        """The maps too; and it goes on behind the last unit."""
        end = self.queue(self.store).ext.end
        self.store.close()
        self.store = self.store_on(self.files)
        self.assertEqual((self.queue(self.store).ext.end, len(self.ext_units(self.store))), (end, 40))
        self.assertTrue(all(unit and len(unit.bit_map) == BIT_MAP_BYTES for unit in self.ext_units(self.store)))

    def test_a_kill(self) -> None:
        """What the checkpoint does not vouch for is made anew, without maps; what it does keeps them."""
        self.store.flush()
        self.clock.advance(10)
        self.fill(self.store, 5, first=40)
        self.store.flush()
        for _ in range(100):
            self.clock.advance(1)
            self.store.run_maintenance(int(self.clock.seconds() * 1000))
        self.store.flush()
        self.clock.advance(10)
        self.fill(self.store, 5, first=45)
        after = self.store_on(self.files.kill())
        maps = [bool(unit and unit.bit_map) for unit in self.ext_units(after)]
        self.assertEqual(maps, [True] * 39 + [False] * 11)
        self.expect_sound(after)


class RandomCrashTests(ExtendedCase):
    """Power cuts at which each sector survives or not."""

    def test_no_unit_lies(self) -> None:
        """Whatever was torn: what is kept of a message is its own, and the store goes on."""
        for seed in range(40):
            random = Random(seed)
            files = MemoryFiles(clock=self.clock)
            store = self.store_on(files)
            for _ in range(random.randrange(1, 20)):
                store.put([draft("T", bytes(random.randrange(300))) for _ in range(random.randrange(1, 9))])
                self.clock.advance(random.choice([0, 0.5, 10]))
                if random.random() < 0.4:
                    store.flush()
                if random.random() < 0.7:
                    self.clock.advance(2)
                    store.run_maintenance(int(self.clock.seconds() * 1000))
            after = self.store_on(files.crash(random=random))
            if after.max_offset("T", 0):
                self.expect_sound(after)
            count = after.max_offset("T", 0)
            after.put([draft("T", b"x")])
            self.expect_sound(after)
            self.assertEqual((after.max_offset("T", 0), after.report.anomalies), (count + 1, 0), seed)


class OnExtendedQueues(SynchronousTestCase):
    """The contract of stores."""

    def setUp(self) -> None:
        self.case = ExtendedCase()
        self.case.setUp()
        self.clock = self.case.clock

    def make_store(self) -> FileMessageStore:
        """An empty one."""
        config = attrs.evolve(CONTRACT_CONFIG, **EXTENDED)
        store = FileMessageStore(self.case.files, config, clock=self.clock)
        store.load()
        store.keep_bit_maps(bit_map_of)
        self.addCleanup(store.close)
        return store


class ExtendedPutTests(OnExtendedQueues, PutContract):
    """Storing."""


class ExtendedGetTests(OnExtendedQueues, GetContract):
    """Reading."""


class ExtendedQueryTests(OnExtendedQueues, QueryContract):
    """Asking."""


class ExtendedCareTests(OnExtendedQueues, CareContract):
    """Care."""


class UndamagedTests(ExtendedCase, test_recovery.UndamagedTests):
    """Nothing is wrong."""


class QueueDamageTests(ExtendedCase, test_recovery.QueueDamageTests):
    """Queues that do not agree with the log."""


class FileEndTests(ExtendedCase, test_recovery.FileEndTests):
    """Crashes around the making of a file."""
