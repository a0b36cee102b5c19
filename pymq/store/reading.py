# Tests: tests/store/test_reading.py
"""Reading queues: the answer to a pull, and the place of a time (store.md 3.5, 8.2; Java: DefaultMessageStore.getMessage).

Records come as memoryviews of the mapped log, uncopied.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache, partial

from pymq.message.record import check_record
from pymq.message.results import BitFilter, ExtUnit, GetResult, GetStatus
from pymq.message.tags import narrow_code
from pymq.store.commitlog import CommitLog
from pymq.store.config import QUEUE_UNIT_BYTES, MessageStoreConfig
from pymq.store.consumequeue import FILLER_SIZE, UNIT, ConsumeQueue
from pymq.store.consumequeueext import ADDRESS_MAX
from pymq.store.dispatch import unit_code
from pymq.store.extendedqueue import ExtendedConsumeQueue
from pymq.store.queuetable import QueueTable
from pymq.store.segment import Segment

__all__ = ["QueueReader", "is_match", "outside"]

#: Bytes of queue units that one get looks through at least, and for each message asked for.
SCAN_BYTES_MIN = 16000
#: So many units are read at once where nothing but their number and bytes limits the answer; above, one by one.
RUN_UNITS_MAX = 128

_INT32_MIN = -(2**31)
_INT32_MAX = 2**31 - 1
_iter_units = UNIT.iter_unpack
_unpack_unit = UNIT.unpack_from


@lru_cache(maxsize=RUN_UNITS_MAX)
def _run_of(count: int) -> Callable[[memoryview], tuple[int, ...]]:
    """Reads `count` units at once: log offset and size of each, without the tags code."""
    unit = UNIT.struct.format.removeprefix(">").removesuffix("q")
    return struct.Struct(">" + f"{unit}8x" * count).unpack_from


def outside(queue_offset: int, min_offset: int, max_offset: int) -> GetResult:
    """The answer for an offset at which the queue holds nothing (store.md 8.2)."""
    if max_offset == 0:
        status, next_offset = GetStatus.NO_MESSAGE_IN_QUEUE, 0
    elif queue_offset < min_offset:
        status, next_offset = GetStatus.OFFSET_TOO_SMALL, min_offset
    elif queue_offset == max_offset:
        status, next_offset = GetStatus.OFFSET_OVERFLOW_ONE, queue_offset
    else:
        status, next_offset = GetStatus.OFFSET_OVERFLOW_BADLY, max_offset
    return GetResult(status, [], next_offset, min_offset, max_offset)


def is_match(tags_code: int, tag_filter: frozenset[int]) -> bool:
    """Whether a filter lets a unit pass: only the low 32 bits of its code count. An address of an extension that is not there
    passes, as in Java; the client looks at the tag itself.
    """
    if tags_code in tag_filter:
        return True
    return not _INT32_MIN <= tags_code <= _INT32_MAX and (tags_code <= ADDRESS_MAX or narrow_code(tags_code) in tag_filter)


def _extended_match(
    queue: ExtendedConsumeQueue, tag_filter: frozenset[int] | None, bit_filter: BitFilter | None, tags_code: int
) -> bool:
    """The same for a unit whose code may be an address."""
    unit = queue.ext.get(tags_code)
    if unit is None:
        return tag_filter is None or is_match(tags_code, tag_filter)
    if tag_filter is not None and not is_match(unit.tags_code, tag_filter):
        return False
    return bit_filter is None or not unit.bit_map or bit_filter(unit.store_ms, unit.bit_map)


def _unit_test(
    queue: ConsumeQueue, tag_filter: frozenset[int] | None, bit_filter: BitFilter | None
) -> Callable[[int], bool] | None:
    """Which units to look at, by their codes, where one of the filters is given; None for all of them."""
    if isinstance(queue, ExtendedConsumeQueue):
        return partial(_extended_match, queue, tag_filter, bit_filter)
    return None if tag_filter is None else lambda tags_code: is_match(tags_code, tag_filter)


class QueueReader:
    """Answers questions about queues from queues and log. `memory_bytes` is the machine's memory."""

    def __init__(self, log: CommitLog, queues: QueueTable, config: MessageStoreConfig, memory_bytes: int) -> None:
        self._log = log
        self._queues = queues
        self._delays_ms = config.delay_levels_ms
        self._behind_bytes = memory_bytes * config.access_message_in_memory_max_ratio // 100
        self._memory_limits = (config.max_transfer_count_on_message_in_memory, config.max_transfer_bytes_on_message_in_memory)
        self._disk_limits = (config.max_transfer_count_on_message_in_disk, config.max_transfer_bytes_on_message_in_disk)

    def get(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        count_max: int,
        tag_filter: frozenset[int] | None,
        bit_filter: BitFilter | None = None,
    ) -> GetResult:
        """The messages of a queue from an offset on; see IMessageStore.get."""
        queue = self._queues.find((topic, queue_id))
        if queue is None:
            return GetResult(GetStatus.NO_MESSAGE_IN_QUEUE, [], 0, 0, 0)
        min_offset, max_offset = queue.min_offset, queue.end_offset
        if not min_offset <= queue_offset < max_offset:
            return outside(queue_offset, min_offset, max_offset)
        units = queue.units_from(queue_offset)
        if units is None:
            return GetResult(GetStatus.OFFSET_FOUND_NULL, [], queue.next_file_offset(queue_offset), min_offset, max_offset)
        result = GetResult(GetStatus.NO_MATCHED_MESSAGE, [], queue_offset, min_offset, max_offset)
        passes = None if tag_filter is bit_filter is None else _unit_test(queue, tag_filter, bit_filter)
        if passes is None and self._take_run(result, units, count_max):
            return result
        self._scan(result, units, count_max, passes)
        return result

    def _take_run(self, result: GetResult, units: memoryview, count_max: int) -> bool:
        """Take messages up to the limits for those in memory. False when the first one is not, or is gone: that is for the long
        way, for the limits change on the way from the disk to memory.
        """
        log_offset = _unpack_unit(units)[0]
        segment = self._log.segments.find(log_offset)
        if segment is None:
            return False
        if self._log.end - log_offset > self._behind_bytes:
            return False
        count_limit, bytes_max = self._memory_limits
        wanted = (count_max if count_max < count_limit else count_limit) if count_max > 1 else 1
        if wanted * QUEUE_UNIT_BYTES > len(units):
            wanted = len(units) // QUEUE_UNIT_BYTES
        if wanted <= RUN_UNITS_MAX:
            offsets_and_sizes = _run_of(wanted)(units)
            offsets, sizes = offsets_and_sizes[::2], offsets_and_sizes[1::2]
            size_bytes, log_offset = sum(sizes), offsets[-1]
            if size_bytes <= bytes_max and log_offset < segment.end:
                view, base = segment.view(), segment.base
                result.records = [view[(at := offset - base) : at + size] for offset, size in zip(offsets, sizes)]
                result.size_bytes = size_bytes
        if not result.records:
            log_offset = self._take_one_by_one(result, units[: wanted * QUEUE_UNIT_BYTES], segment, bytes_max)
        result.status = GetStatus.FOUND
        result.count = count = len(result.records)
        result.next_offset += count
        result.behind_bytes = behind = self._log.end - log_offset
        result.is_behind = behind > self._behind_bytes
        return True

    def _take_one_by_one(self, result: GetResult, units: memoryview, segment: Segment, bytes_max: int) -> int:
        """Take messages, one at least, that begin in `segment`, up to a number of bytes; the last log offset looked at."""
        records, bytes_left = result.records, bytes_max
        log_offset = 0
        for log_offset, size, _ in _iter_units(units):
            if not segment.base <= log_offset < segment.end:
                following = self._log.segments.find(log_offset)
                if following is None:
                    break
                segment = following
            bytes_left -= size
            if bytes_left < 0 and records:
                break
            start = log_offset - segment.base
            records.append(segment.view()[start : start + size])
        result.size_bytes = sum(map(len, records))
        return log_offset

    def _scan(self, result: GetResult, units: memoryview, count_max: int, passes: Callable[[int], bool] | None) -> None:
        """Look at unit after unit, as Java does: pass over what the filter does not want and over log files that are gone."""
        log_end, behind_bytes = self._log.end, self._behind_bytes
        skip_until = -1
        scanned, log_offset = 0, log_end
        segment: Segment | None = None
        for log_offset, size, tags_code in _iter_units(units[: max(SCAN_BYTES_MIN, QUEUE_UNIT_BYTES * count_max)]):
            if log_offset >= skip_until:
                skip_until = -1
                if self._is_full(result, size, count_max, log_end - log_offset > behind_bytes):
                    break
                if passes is None or passes(tags_code):
                    if segment is None or not segment.base <= log_offset < segment.end:
                        segment = self._log.segments.find(log_offset)
                    if segment is not None and log_offset + size <= log_end and size != FILLER_SIZE:
                        start = log_offset - segment.base
                        result.records.append(segment.view()[start : start + size])
                        result.size_bytes += size
                        result.status = GetStatus.FOUND
                    else:
                        if not result.records:
                            result.status = GetStatus.MESSAGE_WAS_REMOVING
                        file_bytes = self._log.segments.size_bytes
                        skip_until = log_offset + file_bytes - log_offset % file_bytes
                elif not result.records:
                    result.status = GetStatus.NO_MATCHED_MESSAGE
            scanned += 1
        result.next_offset += scanned
        result.count = len(result.records)
        result.behind_bytes = log_end - log_offset
        result.is_behind = result.behind_bytes > behind_bytes

    def _is_full(self, result: GetResult, size: int, count_max: int, is_on_disk: bool) -> bool:
        """Whether an answer takes no further record; the first one is always taken."""
        count = len(result.records)
        if not count:
            return False
        count_limit, bytes_limit = self._disk_limits if is_on_disk else self._memory_limits
        return count >= min(count_max, count_limit) or result.size_bytes + size > bytes_limit

    def units(self, topic: str, queue_id: int, queue_offset: int, count_max: int) -> list[tuple[int, int, int]]:
        """Units of a queue from an offset on; see IMessageStore."""
        queue = self._queues.get(topic, queue_id)
        if queue is None or not queue.min_offset <= queue_offset < queue.end_offset:
            return []
        data = queue.units_from(queue_offset)
        units = [] if data is None else list(_iter_units(data[: count_max * QUEUE_UNIT_BYTES]))
        return [unit if unit[2] > ADDRESS_MAX else self._with_code(queue, unit) for unit in units]

    def extension(self, topic: str, queue_id: int, queue_offset: int) -> tuple[int, ExtUnit | None] | None:
        """What an extended queue keeps beside a unit; see IMessageStore."""
        queue = self._queues.get(topic, queue_id)
        if not isinstance(queue, ExtendedConsumeQueue):
            return None
        unit = queue.unit_at(queue_offset)
        return None if unit is None or unit[2] > ADDRESS_MAX else (unit[2], queue.ext.get(unit[2]))

    def _with_code(self, queue: ConsumeQueue, unit: tuple[int, int, int]) -> tuple[int, int, int]:
        """A unit with the tags code that its address leads to; reckoned from the record where it leads nowhere."""
        log_offset, size, address = unit
        extended = queue.ext.get(address) if isinstance(queue, ExtendedConsumeQueue) else None
        if extended is not None:
            return log_offset, size, extended.tags_code
        record = self._log.read_at(log_offset)
        # read_at gives whole records only
        return log_offset, size, 0 if record is None else unit_code(check_record(record, check_crc=False), self._delays_ms)

    def offset_at(self, topic: str, queue_id: int, time_ms: int) -> int:
        """The queue offset of the message stored nearest to a time, as Java 4.9.8 finds it (store.md 3.5)."""
        queue = self._queues.get(topic, queue_id)
        if queue is None or queue.first_offset >= queue.end_offset:
            return 0
        low, high = self._file_span(queue, time_ms)
        left: tuple[int, int] | None = None
        right: tuple[int, int] | None = None
        last_gone = -1
        while low <= high:
            middle = (low + high) // 2
            unit = queue.unit_at(middle)
            if unit is None or unit[0] < self._log.min_offset:
                low, last_gone = middle + 1, middle
                continue
            stored_ms = self._log.store_time(unit[0])
            if stored_ms < 0:
                return 0
            if stored_ms == time_ms:
                return middle
            if stored_ms > time_ms:
                high, right = middle - 1, (middle, stored_ms)
            else:
                low, left = middle + 1, (middle, stored_ms)
        if left is None:
            return right[0] if right is not None else max(last_gone, 0)
        if right is None or abs(time_ms - left[1]) <= abs(time_ms - right[1]):
            return left[0]
        return right[0]

    def _file_span(self, queue: ConsumeQueue, time_ms: int) -> tuple[int, int]:
        """The first and last readable queue offset of the file to search: the first one last written at the time or later."""
        segments = queue.segments.segments
        segment = next((segment for segment in segments if segment.modified_ms() >= time_ms), segments[-1])
        low = max(queue.min_offset, segment.base // QUEUE_UNIT_BYTES)
        return low, min(queue.end_offset, segment.end // QUEUE_UNIT_BYTES) - 1

    def store_time(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """When the message was stored, in milliseconds since the epoch; -1 when it is not there."""
        queue = self._queues.get(topic, queue_id)
        unit = None if queue is None else queue.unit_at(queue_offset)
        return -1 if unit is None else self._log.store_time(unit[0])
