# Tests: tests/store/test_consumequeueext.py
"""What a queue keeps of its messages beside its units: tag hash, store time and filter bit map (store.md 3.7; Java:
ConsumeQueueExt).

    size 2 | tags code 8 | store time in ms 8 | bit map size 2 | bit map

Units are addressed by the byte at which they begin in the row of files, plus -2**63: such a number stands in place of the tags
code in the queue's unit, and is below every hash. The last four bytes of a file stay free; a size of -1 or 0 ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from construct import Bytes, Int16sb, Int64sb, Struct, this

from pymq.interfaces import IFiles
from pymq.layout import fixed_head
from pymq.message.results import ExtUnit
from pymq.store.segment import Segment
from pymq.store.segmentlist import SegmentList

__all__ = ["ADDRESS_MAX", "EXT_UNIT_LAYOUT", "FOLDER", "ConsumeQueueExt", "read_unit"]

FOLDER = "consumequeue_ext"
EXT_UNIT_LAYOUT = Struct(
    "size" / Int16sb,
    "tags_code" / Int64sb,
    "store_ms" / Int64sb,
    "bit_map_size" / Int16sb,
    "bit_map" / Bytes(this.bit_map_size),
)
#: Every address is at most this (Java: MAX_ADDR), every tags code above it.
ADDRESS_MAX = -(2**31) - 1
#: What stays free at the end of a file, and the largest unit.
END_BLANK_BYTES = 4
UNIT_BYTES_MAX = 2**15 - 1

_ADDRESS_BASE = -(2**63)
_OFFSET_MAX = ADDRESS_MAX - _ADDRESS_BASE
_HEAD = fixed_head(EXT_UNIT_LAYOUT)
_HEAD_BYTES = _HEAD.size_bytes
_SIZE_BYTES = 2
_FILE_END = b"\xff\xff"
_PAGE_BYTES = 4096


def read_unit(view: memoryview, position: int) -> ExtUnit | None:
    """The unit at a place of a file, or None when there is none that is whole."""
    if position + _HEAD_BYTES > len(view):
        return None
    size, tags_code, store_ms, bits = _HEAD.unpack_from(view, position)
    start = position + _HEAD_BYTES
    bits = max(0, bits)
    if size < _HEAD_BYTES + bits or start + bits > len(view):
        return None
    return ExtUnit(tags_code, store_ms, bytes(view[start : start + bits]), size)


class ConsumeQueueExt:
    """The extension of one queue. `end` is the byte at which the next unit begins."""

    def __init__(self, files: IFiles, folder: str, file_bytes: int, on_open: Callable[[], None] | None = None) -> None:
        """`on_open` is called before a file is opened."""
        self._files = files
        self.segments = SegmentList(files, folder, file_bytes, on_open)
        self.end = 0
        #: Before what position of the last file the mapping may be written: its page was touched by a write already.
        self._touched_end = 0

    def put(self, tags_code: int, store_ms: int, bit_map: bytes) -> int | None:
        """Append a unit; its address, or None when it cannot be kept. Raises OSError."""
        size = _HEAD_BYTES + len(bit_map)
        room_max = min(UNIT_BYTES_MAX, self.segments.size_bytes - END_BLANK_BYTES)
        if size > room_max or self.end + size > _OFFSET_MAX:
            return None
        segment = self.segments.last
        if segment is None or self.end >= segment.end:
            segment = self._roll(self.end)
        elif self.end + size + END_BLANK_BYTES > segment.end:
            segment.write_at(self.end - segment.base, _FILE_END)
            segment = self._roll(segment.end)
        position = self.end - segment.base
        data = _HEAD.pack(size, tags_code, store_ms, len(bit_map)) + bit_map
        if position + size <= self._touched_end:
            segment.view()[position : position + size] = data
            segment.is_written = True
        else:
            # As in ConsumeQueue: who writes a page first does so with a write, which is fast and tells of a full disk.
            segment.write_at(position, data)
            self._touched_end = min(-(-(position + size) // _PAGE_BYTES) * _PAGE_BYTES, segment.size_bytes)
        self.end += size
        return self.end - size + _ADDRESS_BASE

    def _roll(self, base: int) -> Segment:
        self._touched_end = 0
        self.end = base
        return self.segments.append(base)

    def get(self, address: int) -> ExtUnit | None:
        """The unit at an address, or None for what is no address and for a unit that cannot be read."""
        if address > ADDRESS_MAX:
            return None
        offset = address - _ADDRESS_BASE
        segment = self.segments.find(offset)
        return None if segment is None else read_unit(segment.view(), offset - segment.base)

    def discard(self) -> None:
        """Remove what an earlier queue of this name left."""
        for name in self._files.list(self.segments.folder):
            self._files.delete(f"{self.segments.folder}/{name}")

    def load(self) -> None:
        """Find the files; the end is unknown until `end_behind` is told the newest address. Raises StoreDamaged."""
        self.segments.load()

    def end_behind(self, address: int | None) -> None:
        """Make the unit at `address` the last: what follows it goes. None leaves nothing. Raises OSError.

        Where that unit cannot be read the next one begins in a new file, lest its address be given out once more.
        """
        self._touched_end = 0
        if address is None:
            self.clear()
            return
        unit, offset = self.get(address), address - _ADDRESS_BASE
        if unit is not None:
            self.end = offset + unit.size
        else:
            self.end = (offset // self.segments.size_bytes + 1) * self.segments.size_bytes
        self.segments.truncate(self.end)

    def walked_end(self) -> int:
        """Where the units of the last file end, found by their sizes as Java does."""
        segment = self.segments.last
        if segment is None:
            return 0
        view, position = segment.view(), 0
        for position, unit in iter_units(view):
            position += unit.size
        return segment.base + position

    def delete_before(self, address: int) -> None:
        """Delete the files that end before a unit, never the last one. Raises OSError."""
        offset = address - _ADDRESS_BASE
        while len(self.segments) > 1 and self.segments.segments[0].end < offset:
            self.segments.delete_first()

    def clear(self) -> None:
        """Remove all files; the extension is as new."""
        self.segments.clear()
        self.end = self._touched_end = 0


def iter_units(view: memoryview) -> Iterator[tuple[int, ExtUnit]]:
    """(position, unit) of the units of a file, up to the first that is none."""
    position = 0
    while (unit := read_unit(view, position)) is not None:
        yield position, unit
        position += unit.size
