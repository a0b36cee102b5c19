# Tests: tests/admin/test_indexcheck.py
"""The key index against the commit log: entries come in the order of the log, so both are walked side by side.

Keys that are not indexed are a note, not a damage: Java leaves some out after a crash, and a start does not mend it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from pymq.admin.findings import Finding, Report, Run
from pymq.layout import fixed_head
from pymq.message.flags import TRANSACTION_MASK, TRANSACTION_ROLLBACK
from pymq.message.properties import TAGS, property_of
from pymq.message.record import RecordCheck
from pymq.store.config import MessageStoreConfig
from pymq.store.indexfile import INDEX_ENTRY, INDEX_HEADER, INDEX_SLOT
from pymq.store.keyhash import index_hash, index_hashes, topic_seed
from pymq.store.segment import Segment

__all__ = ["IndexCheck", "IndexEntries"]

HEADER = fixed_head(INDEX_HEADER)
ENTRY = fixed_head(INDEX_ENTRY)
_SLOT_BYTES = fixed_head(INDEX_SLOT).size_bytes
#: 5.x indexes tags too, under this word and the tag.
_TAG_KEY = "T#"

#: (file, number of the entry, byte in the file, key hash, log offset)
Entry = tuple[str, int, int, int, int]


class IndexEntries:
    """All entries of an index in the order in which they were made, and whether their chains hold."""

    def __init__(self, segments: Sequence[Segment], config: MessageStoreConfig, report: Report, *, check_chains: bool) -> None:
        self._segments = segments
        self._slots = config.max_hash_slot_num
        self._entries = config.max_index_num
        self._report = report
        self._check_chains = check_chains
        self._run = Run(report, "entry", "entries")
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for segment in self._segments:
            yield from self._of(segment)
            segment.release()
        self._run.close()

    def _of(self, segment: Segment) -> Iterator[Entry]:
        view, path, slots = segment.view(), segment.path, self._slots
        count = HEADER.unpack_dict(view)["index_count"]
        if not 0 <= count <= self._entries:
            self._report(Finding(path, HEADER.offsets["index_count"], f"it counts {count} entries of {self._entries}"))
            count = min(max(count, 0), self._entries)
        begin = HEADER.size_bytes + slots * _SLOT_BYTES
        newest = array("i", bytes(slots * 4))
        data = view[begin + ENTRY.size_bytes : begin + max(1, count) * ENTRY.size_bytes]
        for number, (key_hash, log_offset, _, previous) in enumerate(ENTRY.iter_unpack(data), 1):
            slot, place = key_hash % slots, begin + number * ENTRY.size_bytes
            if newest[slot] != previous:
                self._run.add(number, path, place, "it does not lead to the entry before it in its chain")
            newest[slot] = number
            self.count += 1
            yield path, number, place, key_hash, log_offset
        self._run.close()
        if self._check_chains:
            self._expect_slots(segment, newest)

    def _expect_slots(self, segment: Segment, newest: array[int]) -> None:
        run = Run(self._report, "slot")
        found = array("i", bytes(segment.view()[HEADER.size_bytes : HEADER.size_bytes + self._slots * _SLOT_BYTES]))
        found.byteswap()
        if found == newest:
            return
        for number, (one, other) in enumerate(zip(found, newest)):
            if one != other:
                run.add(number, segment.path, HEADER.size_bytes + number * _SLOT_BYTES, "it does not lead to its newest entry")
        run.close()


class IndexCheck:
    """Holds the entries against the records, which are given in log order."""

    def __init__(self, entries: IndexEntries, log_min: int, report: Report) -> None:
        self._entries = entries
        self._log_min = log_min
        self._iterator = iter(entries)
        self._entry: Entry | None = next(self._iterator, None)
        self._lacking = Run(report, "record")
        self._stray = Run(report, "entry", "entries")
        self._last_log_offset = -1
        self._number = 0
        self.lacking_count = 0

    def take(self, record: RecordCheck) -> None:
        """The next record of the log."""
        self._number += 1
        keys = record.index_keys
        entry = self._entry
        if entry is not None and entry[4] < record.log_offset:
            self._skip_to(record.log_offset)
            entry = self._entry
        if not keys or record.sys_flag & TRANSACTION_MASK == TRANSACTION_ROLLBACK:
            if entry is not None and entry[4] == record.log_offset:
                self._take_entries(record, set())
            return
        wanted = set(index_hashes(topic_seed(record.topic), keys))
        if wanted - self._take_entries(record, wanted):
            self.lacking_count += 1
            self._lacking.add(self._number, "index", None, "not all of its keys are indexed", is_damage=False)

    def _take_entries(self, record: RecordCheck, wanted: set[int]) -> set[int]:
        """The hashes of the entries that name a record; those that fit none of its keys, nor its tag, are damages."""
        found = set()
        entry = self._entry
        while entry is not None and entry[4] == record.log_offset:
            path, number, place, key_hash, _ = entry
            found.add(key_hash)
            if key_hash not in wanted and key_hash != _tag_hash(record):
                self._stray.add(number, path, place, f"its hash is of no key of the record at log offset {record.log_offset}")
            entry = self._entry = next(self._iterator, None)
        self._last_log_offset = record.log_offset
        return found

    def _skip_to(self, log_offset: int) -> None:
        """Entries that name no record; those of log files that are gone, and those made twice after a crash, are in order."""
        while self._entry is not None and self._entry[4] < log_offset:
            path, number, place, _, named = self._entry
            if named >= self._log_min and named > self._last_log_offset:
                self._stray.add(number, path, place, "it names a place of the log where no record with keys begins")
            self._entry = next(self._iterator, None)

    def finish(self, log_end: int, is_running: bool) -> int:
        """The walk is over; how many entries there were."""
        while self._entry is not None:
            path, number, place, _, named = self._entry
            if not is_running or named < log_end:
                self._stray.add(number, path, place, "it names a place of the log where no record with keys begins")
            self._entry = next(self._iterator, None)
        self._stray.close()
        self._lacking.close()
        return self._entries.count


def _tag_hash(record: RecordCheck) -> int | None:
    """The hash under which 5.x indexes the record's tag."""
    tags = property_of(record.properties, TAGS)
    return None if tags is None else index_hash(topic_seed(record.topic), _TAG_KEY + tags)
