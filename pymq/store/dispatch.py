# Tests: tests/store/test_dispatch.py
"""From the log to what is derived from it: queue units and index entries of new records (store.md 5.4; Java:
ReputMessageService).

Drafts that were just appended and records that recovery found go the same way. Doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pymq.message.flags import TRANSACTION_MASK, TRANSACTION_ROLLBACK, TRANSACTION_UNQUEUED_BIT
from pymq.message.properties import DELAY, property_of
from pymq.message.record import RecordCheck, RecordDraft
from pymq.message.topics import SCHEDULE_TOPIC
from pymq.store.consumequeue import ConsumeQueue
from pymq.store.extendedqueue import ExtendedConsumeQueue
from pymq.store.keyindex import KeyIndex
from pymq.store.queuetable import QueueTable

__all__ = ["BitMapOf", "Dispatcher", "delivery_time", "unit_code"]

#: The filter bit map of a record, or None where nobody filters its topic.
BitMapOf = Callable[["RecordDraft | RecordCheck"], "bytes | None"]


def delivery_time(store_ms: int, level: int, delays_ms: Sequence[int]) -> int:
    """When a message of a delay level from 1 on, stored at `store_ms`, is due (store.md 3.2); above the last level counts as
    the last.
    """
    return store_ms + delays_ms[min(level, len(delays_ms)) - 1]


def unit_code(record: RecordDraft | RecordCheck, delays_ms: Sequence[int]) -> int:
    """The tags code of a record's unit: its tag's hash, or in the schedule topic the time at which a delayed message is due."""
    if record.topic != SCHEDULE_TOPIC:
        return record.tags_code
    properties = record.properties
    level = property_of(properties if isinstance(properties, str) else properties.decode("utf-8", "replace"), DELAY)
    if level is None or not level.isdigit() or int(level) < 1:
        return record.tags_code
    return delivery_time(record.store_timestamp, int(level), delays_ms)


class Dispatcher:
    """Feeds queues and index. `end` is the log offset up to which all is dispatched; `unqueued` counts records without a
    possible queue.
    """

    def __init__(self, queues: QueueTable, index: KeyIndex | None, delays_ms: Sequence[int]) -> None:
        self._queues = queues
        self._index = index
        self._delays_ms = delays_ms
        #: What is kept beside the units of extended queues; nothing unless somebody set it.
        self.bit_map_of: BitMapOf | None = None
        self.end = 0
        self.last_store_ms = 0
        self.unqueued = 0

    def dispatch(self, records: Sequence[RecordDraft] | Sequence[RecordCheck]) -> None:
        """Write units and entries of records, which must come in log order. Raises OSError."""
        if not records:
            return
        find, obtain, extended = self._queues.find, self._queues.obtain, self._queues.are_extended
        rows = []
        for record in records:
            sys_flag, topic, log_offset = record.sys_flag, record.topic, record.log_offset
            if not sys_flag & TRANSACTION_UNQUEUED_BIT:
                queue = find((topic, record.queue_id)) or obtain(topic, record.queue_id)
                if queue is None:
                    self.unqueued += 1
                    continue
                tags_code = record.tags_code if topic != SCHEDULE_TOPIC else unit_code(record, self._delays_ms)
                if extended:
                    self._add_extended(queue, record, tags_code)
                else:
                    queue.add(record.queue_offset, log_offset, record.size, tags_code)
            keys = record.index_keys
            if keys and sys_flag & TRANSACTION_MASK != TRANSACTION_ROLLBACK:
                rows.append((topic, keys, log_offset, record.store_timestamp))
        if rows and self._index is not None:
            self._index.put_all(rows)
        self.end = record.log_offset + record.size
        self.last_store_ms = record.store_timestamp

    def index_missing(self, records: Sequence[RecordCheck]) -> None:
        """Give the index entries of records that were dispatched when it had no room. Raises OSError."""
        assert self._index is not None, "without an index nothing is missing in it"
        self._index.put_missing(
            [
                (record.topic, record.index_keys, record.log_offset, record.store_timestamp)
                for record in records
                if record.index_keys and record.sys_flag & TRANSACTION_MASK != TRANSACTION_ROLLBACK
            ]
        )

    def _add_extended(self, queue: ConsumeQueue, record: RecordDraft | RecordCheck, tags_code: int) -> None:
        assert isinstance(queue, ExtendedConsumeQueue), "the table makes queues of one kind"
        bit_map = None if self.bit_map_of is None else self.bit_map_of(record)
        queue.add_extended(record.queue_offset, record.log_offset, record.size, tags_code, record.store_timestamp, bit_map)
