# Tests: tests/admin/test_queuecheck.py
"""Consume queues against the commit log and the reverse: each record has its unit, and each unit its record."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence

from pymq.admin.findings import Report, Run
from pymq.admin.folder import StoreFolder
from pymq.admin.logcheck import LogWalk
from pymq.message.flags import TRANSACTION_UNQUEUED_BIT
from pymq.message.record import RecordCheck
from pymq.message.results import ExtUnit
from pymq.store.config import QUEUE_UNIT_BYTES
from pymq.store.consumequeue import FILLER_SIZE, UNIT
from pymq.store.consumequeueext import ADDRESS_MAX, read_unit
from pymq.store.dispatch import unit_code
from pymq.store.segment import Segment

__all__ = ["QueueChecks", "QueueUnits"]

_ADDRESS_BASE = -(2**63)
_NOT_THERE = (0, 0, 0)
_unpack_unit = UNIT.unpack_from


class QueueUnits:
    """The units of one queue, by queue offset."""

    def __init__(self, folder: StoreFolder, topic: str, queue_id: int, report: Report) -> None:
        self.topic = topic
        self.queue_id = queue_id
        self.segments = folder.queue_segments(topic, queue_id, report)
        self.ext_segments = folder.ext_segments(topic, queue_id, report)
        self._segment: Segment | None = None
        self._view = memoryview(b"")
        folder.on_release(self.release)

    @property
    def first_offset(self) -> int:
        """Where the first file begins."""
        return self.segments[0].base // QUEUE_UNIT_BYTES if self.segments else 0

    @property
    def limit(self) -> int:
        """Where the last file ends."""
        return self.segments[-1].end // QUEUE_UNIT_BYTES if self.segments else 0

    def unit(self, queue_offset: int) -> tuple[int, int, int]:
        """(log offset, record size, tags code); zeros where no file holds it."""
        place = queue_offset * QUEUE_UNIT_BYTES
        segment = self._segment
        if segment is None or not segment.base <= place < segment.end:
            segment = _find(self.segments, place)
            if segment is None:
                return _NOT_THERE
            if self._segment is not None:
                self._segment.release()
            self._segment, self._view = segment, segment.view()
        unit: tuple[int, int, int] = _unpack_unit(self._view, place - segment.base)
        return unit

    def place(self, queue_offset: int) -> tuple[str, int | None]:
        """(file, byte in it) of a unit, or the queue's folder where there is no such file."""
        segment = _find(self.segments, queue_offset * QUEUE_UNIT_BYTES)
        if segment is None:
            return f"consumequeue/{self.topic}/{self.queue_id}", None
        return segment.path, queue_offset * QUEUE_UNIT_BYTES - segment.base

    def written(self, begin: int = 0) -> Iterator[tuple[int, tuple[int, int, int]]]:
        """(queue offset, unit) from an offset on, without fillers and what was never written."""
        for segment in self.segments:
            if segment.end <= begin * QUEUE_UNIT_BYTES:
                continue
            end = min(segment.size_bytes, -(-segment.data_end() // QUEUE_UNIT_BYTES) * QUEUE_UNIT_BYTES)
            start = max(0, begin * QUEUE_UNIT_BYTES - segment.base)
            units = UNIT.iter_unpack(segment.view()[start:end]) if start < end else ()
            for number, unit in enumerate(units, (segment.base + start) // QUEUE_UNIT_BYTES):
                if unit[1] and unit[:2] != (0, FILLER_SIZE):
                    yield number, unit

    def ext_unit(self, code: int) -> ExtUnit | None:
        """What an address leads to."""
        offset = code - _ADDRESS_BASE
        segment = _find(self.ext_segments, offset)
        return None if segment is None else read_unit(segment.view(), offset - segment.base)

    def release(self) -> None:
        """Give the files back; they open again in use."""
        self._segment, self._view = None, memoryview(b"")
        for segment in (*self.segments, *self.ext_segments):
            segment.release()


def _find(segments: Sequence[Segment], place: int) -> Segment | None:
    index = bisect.bisect_right(segments, place, key=lambda segment: segment.base) - 1
    return segments[index] if index >= 0 and place < segments[index].end else None


class _QueueCheck:
    """One queue along the walk of the log; `next` is the queue offset that its next record must have, -1 before the first.

    `begin` is the log offset of the record to which its first unit leads. An older record whose number is in the queue's files is
    of a topic of this name that was deleted.
    """

    def __init__(self, units: QueueUnits, begin: int, delays_ms: Sequence[int], log_min: int, report: Report) -> None:
        self.units = units
        self._begin = begin
        self._delays_ms = delays_ms
        self._log_min = log_min
        self._run = Run(report, "queue offset")
        self.next = -1
        self.count = 0

    def take(self, record: RecordCheck) -> None:
        """The next record of the queue in log order."""
        offset = record.queue_offset
        if record.log_offset < self._begin and offset >= self.units.first_offset:
            return
        log_offset, size, code = self.units.unit(offset)
        is_found = log_offset == record.log_offset and size == record.size
        if offset != self.next and not is_found and self.units.unit(self.next)[:2] == (record.log_offset, record.size):
            cause = f"its unit is here, but the record at log offset {record.log_offset} says queue offset {offset}"
            self._run.add(self.next, *self.units.place(self.next), cause)
            self.next += 1
            return
        if self.next < 0:
            self._expect_expired(offset)
        elif offset > self.next:
            self._orphans(self.next, offset)
        elif offset < self.next:
            cause = f"the record at log offset {record.log_offset} has this number, but an earlier one has it too"
            self._run.add(offset, *self.units.place(offset), cause)
            return
        if not is_found:
            cause = "the record has no unit" if not size else "the unit points elsewhere than to its record"
            self._run.add(offset, *self.units.place(offset), cause)
        elif code != record.tags_code or code <= ADDRESS_MAX:
            self._check_code(record, code)
        self.next = offset + 1
        self.count += 1

    def _check_code(self, record: RecordCheck, code: int) -> None:
        expected = unit_code(record, self._delays_ms)
        if code <= ADDRESS_MAX:
            ext = self.units.ext_unit(code)
            path, place = self.units.place(record.queue_offset)
            if ext is None:
                self._run.add(record.queue_offset, path, place, "its address leads to no unit of the extension")
            elif (ext.tags_code, ext.store_ms) != (expected, record.store_timestamp):
                self._run.add(record.queue_offset, path, place, "its unit of the extension is of another message")
        elif code != expected:
            self._run.add(record.queue_offset, *self.units.place(record.queue_offset), "the tags code is not that of its record")

    def _expect_expired(self, first: int) -> None:
        """Units before the queue's first record point to log files that are gone."""
        log_offset, size, _ = self.units.unit(first - 1) if first > self.units.first_offset else _NOT_THERE
        if size and size != FILLER_SIZE and log_offset >= self._log_min:
            self._orphans(self.units.first_offset, first)

    def _orphans(self, begin: int, end: int) -> None:
        """Numbers without records; a number that is damaged may be any, so only what the files hold is looked at."""
        for offset in range(begin, min(end, self.units.limit)):
            log_offset, size, _ = self.units.unit(offset)
            if not size:
                self._run.add(offset, *self.units.place(offset), "neither a unit nor a record is there")
            elif log_offset >= self._log_min:
                self._run.add(offset, *self.units.place(offset), "the unit points to no whole record")

    def finish(self, log_end: int, is_running: bool) -> None:
        """Units behind the last record; while a broker runs there may be new ones."""
        for offset, (log_offset, _, _) in self.units.written(max(self.next, 0)):
            if log_offset >= log_end:
                if not is_running:
                    self._run.add(offset, *self.units.place(offset), f"the unit points beyond the log's end at {log_end}")
            elif log_offset >= self._log_min or self.next >= 0:
                self._run.add(offset, *self.units.place(offset), "the unit points to no whole record")
        self._run.close()
        self.units.release()


class QueueChecks:
    """All queues of a store along one walk of its log, which has not begun yet."""

    def __init__(self, folder: StoreFolder, walk: LogWalk, log_min: int, report: Report) -> None:
        self._folder = folder
        self._walk = walk
        self._log_min = log_min
        self._report = report
        self._delays_ms = folder.config.delay_levels_ms
        self._checks: dict[tuple[str, int], _QueueCheck] = {}
        for topic, queue_id in folder.queues():
            self._open(topic, queue_id)

    def _open(self, topic: str, queue_id: int) -> _QueueCheck:
        units = QueueUnits(self._folder, topic, queue_id, self._report)
        begin = self._begin_of(units)
        check = self._checks[topic, queue_id] = _QueueCheck(units, begin, self._delays_ms, self._log_min, self._report)
        return check

    def _begin_of(self, units: QueueUnits) -> int:
        """The log offset of the queue's first record, if the first unit leads to it, else 0."""
        log_offset, size, _ = units.unit(units.first_offset)
        record = self._walk.record_at(log_offset) if size else None
        place = units.topic, units.queue_id, units.first_offset
        return log_offset if record is not None and (record.topic, record.queue_id, record.queue_offset) == place else 0

    def take(self, record: RecordCheck) -> None:
        """The next record of the log."""
        if not record.sys_flag & TRANSACTION_UNQUEUED_BIT:
            key = (record.topic, record.queue_id)
            (self._checks.get(key) or self._open(*key)).take(record)

    def finish(self, log_end: int, is_running: bool) -> tuple[int, int]:
        """The walk is over; (queues, records in them)."""
        for check in self._checks.values():
            check.finish(log_end, is_running)
        return len(self._checks), sum(check.count for check in self._checks.values())
