# Tests: tests/store/test_consumequeue.py
"""A consume queue: for each message of one topic queue, where its record is (store.md section 3; Java: ConsumeQueue).

    log offset 8 | record size 4 | tags code 8        20 bytes a unit, unit number `queue_offset` of the stream

Units are written through the mapping of the last file. All of it can be made anew from the commit log.
"""

from __future__ import annotations

from collections.abc import Callable

from construct import Int32sb, Int64sb, Struct

from pymq.interfaces import IFiles
from pymq.layout import fixed_head
from pymq.message.record import topic_field
from pymq.store.config import QUEUE_UNIT_BYTES
from pymq.store.segment import Segment
from pymq.store.segmentlist import SegmentList

__all__ = ["FILLER_SIZE", "UNIT", "UNIT_LAYOUT", "ConsumeQueue"]

UNIT_LAYOUT = Struct("log_offset" / Int64sb, "size" / Int32sb, "tags_code" / Int64sb)
UNIT = fixed_head(UNIT_LAYOUT)
#: The record size in units that only fill the first file of a queue that does not begin at 0; their log offset is 0.
FILLER_SIZE = 0x7FFFFFFF

_UNIT_BYTES = QUEUE_UNIT_BYTES
_PAGE_BYTES = 4096
_pack_into = UNIT.pack_into
_unpack_from = UNIT.unpack_from
#: How many files at the end are looked through unit by unit after a crash, as in Java.
_FILES_SCANNED = 3


class ConsumeQueue:
    """One queue. `min_offset` and `end_offset` are the first readable queue offset and the one behind the last.

    `next_offset` is what the next record gets; it runs ahead of `end_offset` only within one append. `max_log_offset` is the end
    of the newest record that has a unit, 0 when none has. `anomalies` counts units whose record claimed another place. `is_cut`
    says that units were taken away, which is not durable before the next sync.
    """

    __slots__ = (
        "_position", "_room_end", "_segment", "_view", "anomalies", "end_offset", "has_lost_units", "is_cut",
        "max_log_offset", "min_offset", "next_offset", "queue_id", "rolled", "segments", "topic", "topic_field",
    )  # fmt: skip

    def __init__(
        self,
        files: IFiles,
        folder: str,
        topic: str,
        queue_id: int,
        file_bytes: int,
        rolled: list[Segment] | None = None,
        on_open: Callable[[], None] | None = None,
    ) -> None:
        """`rolled` gets the files that became full, for somebody to sync them off-thread; `on_open` is called before a file is
        opened. Raises ValueError when the topic's name takes more than 127 bytes.
        """
        self.topic = topic
        self.queue_id = queue_id
        #: The topic as a record holds it.
        self.topic_field = topic_field(topic)
        self.segments = SegmentList(files, folder, file_bytes, on_open)
        self.rolled: list[Segment] = [] if rolled is None else rolled
        self.min_offset = 0
        self.end_offset = 0
        self.next_offset = 0
        self.max_log_offset = 0
        self.anomalies = 0
        self.has_lost_units = False
        self.is_cut = False
        self._segment: Segment | None = None
        self._view: memoryview | None = None
        #: Where the next unit goes in the last file, and before what position the fast way may write: 0 while it is not mapped.
        self._position = 0
        self._room_end = 0

    def add(self, queue_offset: int, log_offset: int, size: int, tags_code: int) -> bool:
        """Write the unit of a record (store.md 3.3); False when the record has one already. Raises OSError."""
        position = self._position
        if position < self._room_end and queue_offset == self.end_offset and log_offset >= self.max_log_offset:
            _pack_into(self._view, position, log_offset, size, tags_code)
            self._position = position + _UNIT_BYTES
            self.end_offset = queue_offset + 1
            self.max_log_offset = log_offset + size
            self._segment.is_written = True  # type: ignore[union-attr]  # there is one as long as there is room
            return True
        return self._add_slowly(queue_offset, log_offset, size, tags_code)

    def _add_slowly(self, queue_offset: int, log_offset: int, size: int, tags_code: int) -> bool:
        if not self.wants(queue_offset, log_offset + size):
            return False
        if not self.segments.segments:
            self._begin_at(queue_offset)
        elif queue_offset != self.end_offset:
            # Java logs this and appends at the end all the same; the unit is then not where its record says.
            self.anomalies += 1
        # Until the unit is written the fast way stays closed: what fails below is tried again, maybe in another file.
        self._room_end = 0
        segment = self._segment
        if segment is None or self._position >= segment.size_bytes:
            segment = self._segment = self._roll()
            self._position = 0
        # The first unit of a page is written, not stored into the mapping. That is fast, where the fault of an unwritten page may
        # take a millisecond; and a full disk is an error then, not a signal that kills the process.
        segment.write_at(self._position, UNIT.pack(log_offset, size, tags_code))
        self._position += _UNIT_BYTES
        page_end = min(-(-self._position // _PAGE_BYTES) * _PAGE_BYTES, segment.size_bytes)
        self._room_end = page_end - _UNIT_BYTES + 1
        self._view = segment.view()
        self.end_offset = (segment.base + self._position) // _UNIT_BYTES
        self.max_log_offset = log_offset + size
        return True

    def wants(self, queue_offset: int, record_end: int) -> bool:
        """Whether a record that says it is number `queue_offset` is to get a unit: one that has none. Raises OSError.

        What stands in its way goes. Number 0 behind others is the first message of a topic that was deleted and made anew; what
        recovery finds before it, in the log or in the queue's files, is of the deleted one. (Java appends 0 behind that, and
        leaves 1 and more out.) And files without a unit, which reached the disk when the records did not, say nothing.
        """
        if record_end <= self.max_log_offset or queue_offset < 0:
            return False
        if queue_offset != self.end_offset:
            if 0 < queue_offset < self.end_offset and self.max_log_offset:
                return False
            if self.segments.segments and not (queue_offset and self.max_log_offset):
                self.clear()
        return True

    def _roll(self) -> Segment:
        """Begin the next file. Recovery looks through the last files only, so those before them must be durable by now."""
        segments = self.segments.segments
        if len(segments) >= _FILES_SCANNED:
            segments[-_FILES_SCANNED].sync()
        last = self.segments.last
        if last is None:
            return self.segments.append(0)
        self.rolled.append(last)
        return self.segments.append(last.end)

    def _begin_at(self, queue_offset: int) -> None:
        """Make the first file, with fillers before the first unit when that is not at the file's beginning."""
        place = queue_offset * _UNIT_BYTES
        base = place - place % self.segments.size_bytes
        segment = self.segments.append(base)
        try:
            if place > base:
                segment.write_at(0, UNIT.pack(0, FILLER_SIZE, 0) * ((place - base) // _UNIT_BYTES))
        except OSError:
            self.segments.delete_last()
            raise
        self._segment = segment
        self._position = place - base
        self.min_offset = self.end_offset = queue_offset

    def units_from(self, queue_offset: int) -> memoryview | None:
        """The units from an offset to the end of its file, or None when they are not there."""
        place = queue_offset * _UNIT_BYTES
        segment = self._segment
        if segment is None or not segment.base <= place < segment.end:
            segment = self.segments.find(place)
            if segment is None:
                return None
        start = place - segment.base
        stop = self._position if segment is self._segment else segment.size_bytes
        return segment.view()[start:stop] if start < stop else None

    def unit_at(self, queue_offset: int) -> tuple[int, int, int] | None:
        """(log offset, record size, tags code) of one unit, or None when it is not there."""
        if not self.min_offset <= queue_offset < self.end_offset:
            return None
        units = self.units_from(queue_offset)
        return None if units is None else _unpack_from(units, 0)

    @property
    def first_offset(self) -> int:
        """The queue offset at which the first file begins; what stands there may be a filler or gone from the log."""
        first = self.segments.first
        return 0 if first is None else first.base // _UNIT_BYTES

    def next_file_offset(self, queue_offset: int) -> int:
        """The first queue offset of the file that follows the one of `queue_offset` (Java: rollNextFile)."""
        per_file = self.segments.size_bytes // _UNIT_BYTES
        return queue_offset + per_file - queue_offset % per_file

    def load(self, thorough: bool) -> None:
        """Find the files and the end of the units (store.md 5.5). Raises StoreDamaged.

        After a clean stop the units of the last file are followed by nothing, so their end is found by halving. `thorough`,
        after a crash, looks at every unit of the last three files, for pages of a mapping reach the disk in any order.
        """
        self.segments.load()
        if not self.segments.segments:
            self._set_end(None, 0)
            return
        segments = self.segments.segments
        index = max(0, len(segments) - _FILES_SCANNED) if thorough else self._last_begun()
        while True:
            segment = segments[index]
            count = _count_scanned(segment.view()) if thorough else _count_halved(segment)
            if count * _UNIT_BYTES < segment.size_bytes or index + 1 == len(segments):
                break
            index += 1
        self.has_lost_units = self._cut(segment, count * _UNIT_BYTES)

    def _last_begun(self) -> int:
        """The index of the last file that holds a unit, or 0."""
        for index in range(len(self.segments) - 1, 0, -1):
            if _is_unit(self.segments.segments[index].view(), 0):
                return index
        return 0

    def _cut(self, segment: Segment, position: int) -> bool:
        """End the queue at a place: what follows goes, in the file and behind it. Whether there was anything."""
        is_changed = self.segments.truncate(segment.base + position)
        self.is_cut = self.is_cut or is_changed
        self._set_end(segment, position)
        return is_changed

    def _set_end(self, segment: Segment | None, position: int) -> None:
        self._segment = segment
        self._view = None
        self._position = position
        self._room_end = 0
        self.end_offset = self.next_offset = 0 if segment is None else (segment.base + position) // _UNIT_BYTES
        self.max_log_offset = self._end_of_last_record()

    def _end_of_last_record(self) -> int:
        place = self.end_offset * _UNIT_BYTES - _UNIT_BYTES
        segment = self.segments.find(place)
        if segment is None:
            return 0
        log_offset, size, _ = _unpack_from(segment.view(), place - segment.base)
        return 0 if size == FILLER_SIZE and log_offset == 0 else int(log_offset + size)

    def truncate(self, log_end: int) -> None:
        """Drop the units of records at or beyond the end of the log (store.md 5.9). Raises OSError."""
        if self.max_log_offset <= log_end:
            return
        while (segment := self.segments.last) is not None:
            view = segment.view()
            position = self._position if segment is self._segment else segment.size_bytes
            while position and _unpack_from(view, position - _UNIT_BYTES)[0] >= log_end:
                position -= _UNIT_BYTES
            if position:
                self._cut(segment, position)
                return
            self.segments.delete_last()
            self.is_cut = True
        self._set_end(None, 0)
        self.min_offset = 0

    def drop_last(self) -> None:
        """Drop the newest unit of the last file, which a power cut left half written. Raises OSError."""
        if self._segment is not None and self._position:
            self._cut(self._segment, self._position - _UNIT_BYTES)

    def correct_min_offset(self, log_min: int) -> None:
        """Find the first unit whose record is still in the log (store.md 3.4); the end of the queue when none is (as 5.x does).

        Fillers are stepped over, also while the log begins at 0, where Java takes them for units.
        """
        low, high = self.first_offset, self.end_offset
        while low < high:
            middle = (low + high) // 2
            units = self.units_from(middle)
            # Of a file that is missing nothing is known; a reader is led over it when it comes there.
            log_offset, size, _ = (log_min, 0, 0) if units is None else _unpack_from(units, 0)
            if log_offset >= log_min and not (size == FILLER_SIZE and log_offset == 0):
                high = middle
            else:
                low = middle + 1
        self.min_offset = low

    def delete_expired(self, log_min: int) -> int:
        """Delete the oldest files, never the last, whose last unit's record is gone (store.md 3.6); how many went. Raises
        OSError.
        """
        count = 0
        segments = self.segments.segments
        while len(segments) > 1 and _unpack_from(segments[0].view(), segments[0].size_bytes - _UNIT_BYTES)[0] < log_min:
            self.segments.delete_first()
            count += 1
        self.correct_min_offset(log_min)
        return count

    def mark_dirty(self, *, rewrites: bool = False) -> None:
        """Have the next `sync` cover the files at the end: after a crash nobody knows how much of them is on disk.

        `rewrites` is that of SegmentList.mark_dirty.
        """
        begin = self.end_offset * _UNIT_BYTES - _FILES_SCANNED * self.segments.size_bytes
        self.segments.mark_dirty(begin, rewrites=rewrites)

    @property
    def is_dirty(self) -> bool:
        """Whether there are units that are not yet synced."""
        return self.segments.is_dirty

    def sync(self) -> None:
        """Make the units durable. May run while units are added. Raises OSError."""
        self.segments.sync()
        self.is_cut = False

    def release_idle(self) -> None:
        """Give back the files that nobody used since the last call."""
        for segment in self.segments.segments:
            if segment.release_if_idle() and segment is self._segment:
                self._view = None
                self._room_end = 0

    def clear(self) -> None:
        """Remove all files; the queue is as new. When it raises OSError it may lack its oldest files only."""
        try:
            self.segments.clear()
        finally:
            if self.segments.segments:
                self.min_offset = max(self.min_offset, self.first_offset)
            else:
                self._set_end(None, 0)
                self.min_offset = 0

    def release(self) -> None:
        """Give all files back."""
        self._view = None
        self._room_end = 0
        self.segments.release()


def _is_unit(view: memoryview, position: int) -> bool:
    log_offset, size, _ = _unpack_from(view, position)
    return bool(log_offset >= 0 and size > 0)


def _count_scanned(view: memoryview) -> int:
    """How many units stand at the beginning of a file before the first that is none."""
    count = 0
    for log_offset, size, _ in UNIT.iter_unpack(view):
        if log_offset < 0 or size <= 0:
            break
        count += 1
    return count


def _count_halved(segment: Segment) -> int:
    """The same for a file in which nothing follows the first that is none. Holes are not touched: that would give them pages."""
    view = segment.view()
    low, high = 0, -(-segment.data_end() // _UNIT_BYTES)
    while low < high:
        middle = (low + high) // 2
        if _is_unit(view, middle * _UNIT_BYTES):
            low = middle + 1
        else:
            high = middle
    return low
