"""From records to units and entries."""

from __future__ import annotations

from typing import Any

from pymq.message.record import RecordDraft, check_record, encode_record
from pymq.store.dispatch import Dispatcher, delivery_time, unit_code
from pymq.store.keyindex import KeyIndex
from pymq.store.queuetable import QueueTable
from pymq.testing.builders import draft
from tests.store.stores import SMALL, START_MS, StoreCase

DELAYS = (1000, 5000, 10000)


class DeliveryTimeTests(StoreCase):
    """The tags code in the schedule topic (store.md 3.2)."""

    def test_levels(self) -> None:
        """From 1 on; beyond the last they count as the last."""
        self.assertEqual([delivery_time(100, level, DELAYS) for level in (1, 3, 4, 99)], [1100, 10100, 10100, 10100])

    def test_golden(self) -> None:
        """A unit that Java made (appendix B)."""
        made = draft("SCHEDULE_TOPIC_XXXX", b"x", more={"DELAY": "1"}, tags="TagA")
        made.store_timestamp = 1795246120529
        self.assertEqual(unit_code(made, DELAYS), 0x000001A1FD01E239)

    def test_without_a_level(self) -> None:
        """Or with none that counts, the tag's hash stays; in other topics always."""
        for more in ({}, {"DELAY": "0"}, {"DELAY": "x"}):
            self.assertEqual(unit_code(draft("SCHEDULE_TOPIC_XXXX", b"x", more=more, tags="TagA"), DELAYS), 2598919)
        self.assertEqual(unit_code(draft("T", b"x", more={"DELAY": "1"}, tags="TagA"), DELAYS), 2598919)

    def test_a_recovered_record_gets_the_same(self) -> None:
        """Its properties are text, a draft's are bytes."""
        made = draft("SCHEDULE_TOPIC_XXXX", b"x", more={"DELAY": "2"})
        made.store_timestamp = START_MS
        self.assertEqual(unit_code(check_record(encode_record(made)), DELAYS), unit_code(made, DELAYS))


class DispatcherTests(StoreCase):
    """On an empty store."""

    def setUp(self) -> None:
        super().setUp()
        self.queues = QueueTable(self.files, SMALL)
        self.index = KeyIndex(self.files, SMALL, clock=self.clock)
        self.dispatcher = Dispatcher(self.queues, self.index, DELAYS)

    def placed(self, log_offset: int, queue_offset: int = 0, **fields: Any) -> RecordDraft:
        """A draft that the log has stored."""
        made = draft("T", b"x", keys=f"k{log_offset}", **fields)
        made.log_offset, made.queue_offset, made.size, made.store_timestamp = log_offset, queue_offset, 100, START_MS
        return made

    def found(self, key: str) -> list[int]:
        """What the index has."""
        return self.index.find("T", key, 10, 0, 2**62)[0]

    def test_units_and_entries(self) -> None:
        """Both are written, and the end moves."""
        self.dispatcher.dispatch([self.placed(0), self.placed(100, 1)])
        queue = self.queues.get("T", 0)
        assert queue is not None
        self.assertEqual((queue.end_offset, queue.unit_at(1)), (2, (100, 100, 0)))
        self.assertEqual((self.found("k100"), self.dispatcher.end, self.dispatcher.last_store_ms), ([100], 200, START_MS))

    def test_transaction_types(self) -> None:
        """PREPARED has no unit but an entry, ROLLBACK neither, COMMIT both (store.md 2.9, 4.2)."""
        self.dispatcher.dispatch([self.placed(0, sys_flag=4), self.placed(100, sys_flag=12), self.placed(200, sys_flag=8)])
        queue = self.queues.get("T", 0)
        assert queue is not None
        self.assertEqual((queue.end_offset, queue.unit_at(0)), (1, (200, 100, 0)))
        self.assertEqual([self.found(key) for key in ("k0", "k100", "k200")], [[0], [], [200]])

    def test_twice(self) -> None:
        """Changes nothing in the queue (testPutMessagePositionInfo_buildCQRepeatedly)."""
        drafts = [self.placed(0), self.placed(100, 1)]
        self.dispatcher.dispatch(drafts)
        self.dispatcher.dispatch(drafts)
        queue = self.queues.get("T", 0)
        assert queue is not None
        self.assertEqual((queue.end_offset, queue.anomalies), (2, 0))

    def test_a_topic_that_is_no_folder(self) -> None:
        """A damaged or hostile record's topic never becomes a path; the record is counted and passed over."""
        made = self.placed(0)
        made.topic = "../../etc"
        self.dispatcher.dispatch([made, self.placed(100)])
        self.assertEqual((self.dispatcher.unqueued, self.dispatcher.end), (1, 200))
        self.assertEqual([queue.topic for queue in self.queues], ["T"])

    def test_nothing(self) -> None:
        """Is nothing."""
        self.dispatcher.dispatch([])
        self.assertEqual(self.dispatcher.end, 0)
