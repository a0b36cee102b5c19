# Tests: tests/store/test_memory.py
"""The store in memory: the contract of IMessageStore in lists and dicts, for tests and for brokers that keep nothing.

Records have the same bytes and offsets as on disk, in one log without files; so there are no blanks, and nothing ever expires.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from zope.interface import implementer

from pymq.errors import StoreClosed
from pymq.interfaces import IArrivalListener, IClock, IMessageStore
from pymq.message.flags import TRANSACTION_MASK, TRANSACTION_ROLLBACK, is_queued
from pymq.message.record import BLANK_BYTES, PROPERTIES_BYTES_MAX, TOPIC_BYTES_MAX, RecordDraft, encode_record, record_size
from pymq.message.results import BitFilter, FoundByKey, GetResult, GetStatus, PutResult, PutStatus
from pymq.message.topics import keeps_queues
from pymq.store.config import MessageStoreConfig
from pymq.store.dispatch import BitMapOf, unit_code
from pymq.store.reading import is_match, outside

__all__ = ["MemoryMessageStore"]


@attrs.define
class _Stored:
    """A record with what is asked about it."""

    log_offset: int
    store_ms: int
    tags_code: int
    record: memoryview


@implementer(IMessageStore)
class MemoryMessageStore:
    """All messages since the store was made; what is put counts as durable once `flush` was called."""

    def __init__(self, config: MessageStoreConfig, *, clock: IClock) -> None:
        self._config = config
        self._clock = clock
        self._records: list[_Stored] = []
        self._queues: dict[tuple[str, int], list[_Stored]] = {}
        self._keys: dict[tuple[str, str], list[_Stored]] = {}
        self._newest_indexed: _Stored | None = None
        self._listeners: list[IArrivalListener] = []
        self._end = 0
        self._flushed = 0
        self._is_open = False
        #: A test sets it to a reason, to have every message refused.
        self.problem = ""

    def load(self) -> None:
        """Open; what was put before a `close` is still there."""
        self._is_open = True

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreClosed("the store is not open")

    def put(self, drafts: Sequence[RecordDraft]) -> list[PutResult]:
        """Append drafts in order; a result for each. Raises StoreClosed."""
        self._check_open()
        if self.problem:
            return [PutResult(PutStatus.SERVICE_NOT_AVAILABLE, reason=self.problem) for _ in drafts]
        now_ms = int(self._clock.seconds() * 1000)
        results: list[PutResult] = []
        stored: list[RecordDraft] = []
        position = 0
        while position < len(drafts):
            group = drafts[position : position + max(1, drafts[position].group_count)]
            position += len(group)
            refusals = [refusal for draft in group if (refusal := self._refusal(draft)) is not None]
            if not refusals and len(group) > 1 and sum(map(record_size, group)) > self._record_bytes_max:
                refusals = [PutResult(PutStatus.MESSAGE_ILLEGAL, reason="the batch does not fit into a file")]
            if refusals:
                results += [attrs.evolve(refusals[0]) for _ in group]
            else:
                results += [self._append(draft, now_ms) for draft in group]
                stored += group
        if stored:
            for listener in self._listeners:
                listener.messages_arrived(stored)
        return results

    @property
    def _record_bytes_max(self) -> int:
        return self._config.mapped_file_size_commit_log - BLANK_BYTES

    def _refusal(self, draft: RecordDraft) -> PutResult | None:
        """Why a draft cannot be stored, by the rules of store.md 2.10; None when it can."""
        if not draft.topic or "/" in draft.topic or len(draft.topic.encode("utf-8")) > TOPIC_BYTES_MAX or draft.queue_id < 0:
            return PutResult(PutStatus.MESSAGE_ILLEGAL, reason=f"topic {draft.topic!r} or queue {draft.queue_id} cannot be")
        if len(draft.properties) > PROPERTIES_BYTES_MAX:
            too_many = len(draft.properties.decode("utf-8", "replace")) > PROPERTIES_BYTES_MAX
            status = PutStatus.MESSAGE_ILLEGAL if too_many else PutStatus.PROPERTIES_SIZE_EXCEEDED
            return PutResult(status, reason=f"the properties take {len(draft.properties)} bytes")
        if len(draft.body) > self._config.max_message_size or record_size(draft) > self._record_bytes_max:
            return PutResult(PutStatus.MESSAGE_ILLEGAL, reason=f"the body takes {len(draft.body)} bytes")
        return None

    def _append(self, draft: RecordDraft, now_ms: int) -> PutResult:
        units = self._queues.setdefault((draft.topic, draft.queue_id), []) if is_queued(draft.sys_flag) else []
        draft.log_offset, draft.queue_offset, draft.store_timestamp = self._end, len(units), now_ms
        record = memoryview(encode_record(draft))
        tags_code = unit_code(draft, self._config.delay_levels_ms)
        stored = _Stored(self._end, now_ms, tags_code, record)
        self._records.append(stored)
        units.append(stored)
        if self._config.message_index_enable and draft.sys_flag & TRANSACTION_MASK != TRANSACTION_ROLLBACK:
            for key in draft.index_keys:
                self._keys.setdefault((draft.topic, key), []).append(stored)
                self._newest_indexed = stored
        self._end += len(record)
        return PutResult(PutStatus.PUT_OK, draft.log_offset, draft.queue_offset, now_ms, len(record))

    def get(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        count_max: int,
        tag_filter: frozenset[int] | None,
        bit_filter: BitFilter | None = None,
    ) -> GetResult:
        """Messages of a queue from an offset on; bit maps are not kept. Raises StoreClosed."""
        self._check_open()
        units = self._queues.get((topic, queue_id), [])
        if not 0 <= queue_offset < len(units):
            return outside(queue_offset, 0, len(units))
        result = GetResult(GetStatus.NO_MATCHED_MESSAGE, [], queue_offset, 0, len(units))
        count_limit = min(count_max, self._config.max_transfer_count_on_message_in_memory)
        bytes_limit = self._config.max_transfer_bytes_on_message_in_memory
        for unit in units[queue_offset : queue_offset + max(800, count_max)]:
            if result.count and (result.count >= count_limit or result.size_bytes + len(unit.record) > bytes_limit):
                break
            result.next_offset += 1
            if tag_filter is None or is_match(unit.tags_code, tag_filter):
                result.status = GetStatus.FOUND
                result.records.append(unit.record)
                result.count += 1
                result.size_bytes += len(unit.record)
            result.behind_bytes = self._end - unit.log_offset
        return result

    def units(self, topic: str, queue_id: int, queue_offset: int, count_max: int) -> list[tuple[int, int, int]]:
        """Units of a queue from an offset on; see IMessageStore. Raises StoreClosed."""
        self._check_open()
        units = self._queues.get((topic, queue_id), [])
        if not 0 <= queue_offset < len(units):
            return []
        found = units[queue_offset : queue_offset + count_max]
        return [(unit.log_offset, len(unit.record), unit.tags_code) for unit in found]

    def extension(self, topic: str, queue_id: int, queue_offset: int) -> None:
        """No queue is extended. Raises StoreClosed."""
        self._check_open()

    def read_at(self, log_offset: int) -> memoryview | None:
        """The whole record at a log offset, or None when no record begins there."""
        self._check_open()
        index = bisect_left(self._records, log_offset, key=lambda stored: stored.log_offset)
        if index == len(self._records) or self._records[index].log_offset != log_offset:
            return None
        return self._records[index].record

    def find_by_key(self, topic: str, key: str, count_max: int, begin_ms: int, end_ms: int) -> FoundByKey:
        """The newest records of a topic with that key in the time range, ascending by log offset."""
        self._check_open()
        found = [stored for stored in self._keys.get((topic, key), []) if begin_ms <= stored.store_ms <= end_ms]
        wanted = min(count_max, self._config.max_msgs_num_batch)
        newest = self._newest_indexed
        return FoundByKey(
            [stored.record for stored in found[-wanted:]] if wanted > 0 else [],
            newest.store_ms if newest is not None else 0,
            newest.log_offset if newest is not None else 0,
        )

    def min_offset(self, topic: str, queue_id: int) -> int:
        """Always 0: nothing expires."""
        return 0

    def max_offset(self, topic: str, queue_id: int) -> int:
        """The queue offset that the next message gets."""
        return len(self._queues.get((topic, queue_id), ()))

    def offset_at(self, topic: str, queue_id: int, time_ms: int) -> int:
        """The queue offset of the message stored nearest to a time; of two as near the earlier."""
        self._check_open()
        times = [unit.store_ms for unit in self._queues.get((topic, queue_id), ())]
        right = bisect_left(times, time_ms)
        if right == len(times):
            return max(0, right - 1)
        if right and abs(time_ms - times[right - 1]) <= abs(times[right] - time_ms):
            return right - 1
        return right

    def store_time(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """When the message was stored; -1 when it is not there."""
        self._check_open()
        units = self._queues.get((topic, queue_id), ())
        return units[queue_offset].store_ms if 0 <= queue_offset < len(units) else -1

    def drop_queues(self, is_unwanted: Callable[[str], bool]) -> list[str]:
        """Forget the queues of unwanted topics, apart from the system's and light queues; the topics, sorted."""
        self._check_open()
        keys = [key for key in self._queues if is_unwanted(key[0]) and not keeps_queues(key[0])]
        for key in keys:
            del self._queues[key]
        return sorted({topic for topic, _ in keys})

    def flush(self) -> int:
        """Count everything as durable; the end of the log."""
        self._flushed = self._end
        return self._flushed

    def describe(self) -> dict[str, Any]:
        """Facts for operators."""
        return {
            "log_min_offset": 0,
            "log_max_offset": self._end,
            "flushed_offset": self._flushed,
            "dispatch_behind_bytes": 0,
            "disk_used_ratio": 0.0,
            "earliest_store_time_ms": self._records[0].store_ms if self._records else -1,
            "writable": self._is_open and not self.problem,
            "problem": self.problem if self._is_open else "the store is not open",
            "topics": sorted({topic for (topic, _), units in self._queues.items() if units}),
        }

    def run_maintenance(self, now_ms: int) -> None:
        """There is nothing to care for."""
        self._check_open()

    def keep_bit_maps(self, bit_map_of: BitMapOf) -> None:
        """Nothing: there are no extended queues."""

    def watch(self, listener: IArrivalListener) -> None:
        """Tell an IArrivalListener of every stored message from now on."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Refuse everything until the next `load`, and forget who watches."""
        self._is_open = False
        self._listeners.clear()
