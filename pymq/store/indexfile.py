# Tests: tests/store/test_indexfile.py
"""One file of the key index: a hash table of fixed size (store.md section 4; Java: IndexFile, IndexHeader).

    header (40 bytes) | slots, 4 bytes each: the newest entry of that hash, 0 for none | entries, 20 bytes each, entry 0 unused

Entries are appended, each naming the one before it in its slot's chain. A slot or link that points at or beyond the header's
count leads nowhere, so entries count only once the header says so.

Files are sparse and written through their mapping, but only where the disk has given its blocks: the first time a page is touched
it is *written* as it is. On a full disk that is an OSError; the store into the mapping would be a signal that kills the process.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator, Sequence

from construct import Int32sb, Int64sb, Struct

from pymq.interfaces import IFile
from pymq.layout import fixed_head
from pymq.store.keyhash import index_hashes, topic_seed

__all__ = ["INDEX_ENTRY", "INDEX_HEADER", "INDEX_SLOT", "IndexFile", "IndexRow", "file_size"]

INDEX_HEADER = Struct(
    "begin_ms" / Int64sb,
    "end_ms" / Int64sb,
    "begin_offset" / Int64sb,
    "end_offset" / Int64sb,
    "used_slots" / Int32sb,
    "index_count" / Int32sb,
)
INDEX_SLOT = Struct("newest" / Int32sb)
INDEX_ENTRY = Struct("key_hash" / Int32sb, "log_offset" / Int64sb, "seconds" / Int32sb, "previous" / Int32sb)

_HEADER = fixed_head(INDEX_HEADER)
_SLOT = fixed_head(INDEX_SLOT)
_ENTRY = fixed_head(INDEX_ENTRY)
_HEADER_BYTES, _SLOT_BYTES, _ENTRY_BYTES = _HEADER.size_bytes, _SLOT.size_bytes, _ENTRY.size_bytes
_SECONDS_MAX = 2**31 - 1
_PAGE_SHIFT = 12
_PAGE_BYTES = 1 << _PAGE_SHIFT
_REWRITE_BYTES = 1 << 20
#: The key hashes of entries, one after another.
_iter_hashes = struct.Struct(f">i{_ENTRY_BYTES - 4}x").iter_unpack

#: (topic, index keys, log offset, store timestamp in ms): one message to be found by its keys.
IndexRow = tuple[str, Sequence[str], int, int]


def file_size(slots: int, entries: int) -> int:
    """Bytes of a file with so many slots and entries."""
    return _HEADER.size_bytes + slots * _SLOT.size_bytes + entries * _ENTRY.size_bytes


def _seconds_between(begin_ms: int, store_ms: int) -> int:
    """The time of an entry as its file counts it, from the file's begin; 0 where that is unknown or later."""
    return min((store_ms - begin_ms) // 1000, _SECONDS_MAX) if 0 < begin_ms < store_ms else 0


class IndexFile:
    """One file of the index. `index_count` is the number of the next entry and starts at 1, as in Java."""

    def __init__(self, file: IFile, slots: int, entries: int) -> None:
        self.file = file
        self._view: memoryview = file.view()
        self._slots = slots
        self._entries = entries
        self._entries_at = _HEADER.size_bytes + slots * _SLOT.size_bytes
        #: By page of the file: whether its blocks are there for sure.
        self._backed = bytearray(-(-file.size_bytes >> _PAGE_SHIFT))
        self.synced = False
        fields = _HEADER.unpack_from(self._view)
        self.begin_ms, self.end_ms, self.begin_offset, self.end_offset, self.used_slots, self.index_count = fields
        self.index_count = min(max(1, self.index_count), entries)

    @property
    def is_full(self) -> bool:
        """Whether the next key needs another file."""
        return self.index_count >= self._entries

    def preset(self, end_offset: int, end_ms: int) -> None:
        """What Java writes into the header of a new file that follows a full one: the full one's end, as begin and end.

        Raises OSError.
        """
        self.begin_ms = self.end_ms = end_ms
        self.begin_offset = self.end_offset = end_offset
        self._write_header()

    def put(self, rows: Sequence[IndexRow], start: int, key_at: int) -> tuple[int, int]:
        """Append the keys of `rows` from key `key_at` of row `start` until the file is full; the row and key to go on with.

        The header is written once, after the entries, so that a process killed in here leaves entries that do not count. Raises
        OSError when the disk is full; what was put until then counts.
        """
        view, slots, limit, backed = self._view, self._slots, self._entries, self._backed
        count, used, begin_ms = self.index_count, self.used_slots, self.begin_ms
        end_offset, end_ms = self.end_offset, self.end_ms
        entry_at = self._entries_at + count * _ENTRY_BYTES
        read_slot, write_slot, write_entry = _SLOT.unpack_from, _SLOT.pack_into, _ENTRY.pack_into
        seed_topic, seed, seconds_ms, seconds = "", topic_seed(""), 0, 0
        entries_end = self._entries_at + min(limit, count + sum([len(row[1]) for row in rows[start:]])) * _ENTRY_BYTES
        for position in (0, *range(entry_at, entries_end, _PAGE_BYTES), entries_end - 1):
            self._back(position)
        # A file in use has soon touched every page of slots.
        is_sparse = backed.find(0, 0, (self._entries_at - 1 >> _PAGE_SHIFT) + 1) >= 0
        for at in range(start, len(rows)):
            topic, keys, log_offset, store_ms = rows[at]
            if log_offset <= end_offset:  # dispatched again
                if log_offset < end_offset:
                    continue
                key_at = max(key_at, self._count_of(log_offset, count))
            if topic != seed_topic:
                seed_topic, seed = topic, topic_seed(topic)
            if store_ms != seconds_ms:
                seconds_ms, seconds = store_ms, _seconds_between(begin_ms, store_ms)
            first = count - key_at
            for key_hash in index_hashes(seed, keys[key_at:] if key_at else keys):
                if count >= limit:
                    self._set_end(count, used, end_offset, end_ms)
                    return at, count - first
                slot_at = _HEADER_BYTES + key_hash % slots * _SLOT_BYTES
                if is_sparse and not backed[slot_at >> _PAGE_SHIFT]:
                    try:
                        self._back(slot_at)
                    except OSError:
                        self._set_end(count, used, end_offset, end_ms)
                        raise
                (previous,) = read_slot(view, slot_at)
                if previous <= 0 or previous > count:
                    previous = 0
                    used += 1
                write_entry(view, entry_at, key_hash, log_offset, seconds, previous)
                write_slot(view, slot_at, count)
                if count == 1:
                    self.begin_offset = log_offset
                    self.begin_ms = begin_ms = store_ms
                    seconds = 0
                count += 1
                entry_at += _ENTRY_BYTES
                end_offset, end_ms = log_offset, store_ms
            key_at = 0
        self._set_end(count, used, end_offset, end_ms)
        return len(rows), 0

    def _count_of(self, log_offset: int, count: int) -> int:
        """How many of the entries below number `count` are a message's, whose they must be if they are anybody's: their last."""
        number = count - 1
        while number > 0 and self._entry(number)[1] == log_offset:
            number -= 1
        return count - 1 - number

    def _set_end(self, count: int, used_slots: int, end_offset: int, end_ms: int) -> None:
        self.index_count, self.used_slots, self.end_offset, self.end_ms = count, used_slots, end_offset, end_ms
        self._write_header()

    def _back(self, position: int) -> None:
        """See that the page of a position has its blocks. Raises OSError when the disk has none left."""
        page = position >> _PAGE_SHIFT
        if not self._backed[page]:
            self._write_page(page, self._view[page << _PAGE_SHIFT : page + 1 << _PAGE_SHIFT].tobytes())

    def _write_page(self, page: int, content: bytes) -> None:
        self.synced = False
        self.file.write_at(page << _PAGE_SHIFT, content)
        self._backed[page] = True

    def _write_header(self) -> None:
        self._back(0)
        self.synced = False
        _HEADER.pack_into(
            self._view, 0, self.begin_ms, self.end_ms, self.begin_offset, self.end_offset, self.used_slots, self.index_count
        )

    def overlaps(self, begin_ms: int, end_ms: int) -> bool:
        """Whether the file may hold something stored from `begin_ms` to `end_ms`."""
        return begin_ms <= self.end_ms and end_ms >= self.begin_ms

    def chain(self, key_hash: int) -> Iterator[tuple[int, int]]:
        """(log offset, time in ms) of the entries with that hash, newest first; ends at a broken link, so it ends."""
        (number,) = _SLOT.unpack_from(self._view, _HEADER.size_bytes + key_hash % self._slots * _SLOT.size_bytes)
        above = self.index_count
        while 0 < number < above:
            stored_hash, log_offset, seconds, previous = self._entry(number)
            if seconds < 0:
                return
            if stored_hash == key_hash:
                yield log_offset, self.begin_ms + seconds * 1000
            above, number = number, previous

    def _entry(self, number: int) -> tuple[int, int, int, int]:
        fields: tuple[int, int, int, int] = _ENTRY.unpack_from(self._view, self._entries_at + number * _ENTRY.size_bytes)
        return fields

    def count_before(self, log_end: int | None, time_ms: int | None) -> int:
        """The number of the first entry at or beyond `log_end`, or that may have been stored at `time_ms` or later, or that is
        none: a power cut may have taken it though the header counts it. Found by halving.
        """
        offset_limit = 2**63 if log_end is None else log_end
        seconds_limit = 2**31 if time_ms is None else (time_ms - 999 - self.begin_ms) / 1000
        low, high = 1, self.index_count
        while low < high:
            middle = (low + high) // 2
            key_hash, log_offset, seconds, _ = self._entry(middle)
            # The first entry counts its time from the end of the file before, as in Java; it was stored at the file's begin.
            is_late = log_offset >= offset_limit or (seconds if middle > 1 else 0) >= seconds_limit
            # Offsets never descend; of a torn entry a part of the offset may be missing.
            if is_late or not (log_offset or key_hash) or log_offset < self._entry(middle - 1)[1]:
                high = middle
            else:
                low = middle + 1
        return low

    def cut(self, count: int) -> None:
        """Keep the entries below number `count`, which must be whole, and make slots and header fit them, whatever a crash left.

        Of the last one a power cut may have taken the end, time and link: it looks early enough to be durable and is not. Raises
        OSError.
        """
        slots = array("i", bytes(self._slots * 4))
        last_at = self._entries_at + (count - 1) * _ENTRY.size_bytes
        entries = self._view[self._entries_at + _ENTRY.size_bytes : last_at]
        size = self._slots
        for number, (key_hash,) in enumerate(_iter_hashes(entries), 1):
            slots[key_hash % size] = number
        key_hash, log_offset, seconds, previous = self._entry(count - 1)
        if previous != slots[key_hash % size]:
            if count > 3:  # The first one's time counts from elsewhere.
                seconds = max(seconds, self._entry(count - 2)[2])
            self.file.write_at(last_at, _ENTRY.pack(key_hash, log_offset, seconds, slots[key_hash % size]))
        slots[key_hash % size] = count - 1
        self.used_slots = self._slots - slots.count(0)
        if sys.byteorder == "little":
            slots.byteswap()
        wanted = slots.tobytes()
        for at in range(0, len(wanted), _PAGE_BYTES):
            part, start = wanted[at : at + _PAGE_BYTES], _HEADER.size_bytes + at
            if self._view[start : start + len(part)].tobytes() != part:
                self.file.write_at(start, part)
        if count < self.index_count:
            last = self._entry(count - 1)
            self.end_offset, self.end_ms = last[1], self.begin_ms + last[2] * 1000 + 999
        self.index_count = count
        # What stays behind the end would be taken for new entries, should those and not the header be lost by a power cut.
        self.file.zero_from(self._entries_at + count * _ENTRY.size_bytes)
        self._write_header()

    def rewrite(self) -> None:
        """Write everything once more, for a failed sync leaves pages that the kernel takes for clean. Raises OSError."""
        self.synced = False
        for start in range(0, self.file.data_end(), _REWRITE_BYTES):
            block = bytes(self._view[start : start + _REWRITE_BYTES])
            if block.count(0) < len(block):
                self.file.write_at(start, block)

    def close(self) -> None:
        """Give the file back."""
        self.file.close()

    def sync(self) -> None:
        """Make the file durable, if anything was written since the last time. Raises OSError."""
        if not self.synced:
            self.synced = True
            try:
                self.file.sync()
            except OSError:
                self.synced = False
                raise
