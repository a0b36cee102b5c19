# Tests: tests/store/test_commitlog.py
"""The commit log: one stream of records of all topics, in files of fixed size (store.md section 2; Java: CommitLog).

A record never crosses the end of a file; a finished file ends with a blank record. Appending takes the drafts of a whole reactor
turn: their parts are gathered and written with one write for each file that they touch.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

from pymq.interfaces import IFiles
from pymq.layout import FixedRun
from pymq.message.flags import HOSTS_V6_MASK, TRANSACTION_UNQUEUED_BIT
from pymq.message.ids import HOST_V4_BYTES
from pymq.message.record import (
    BLANK_BYTES,
    CRC_MASK,
    HEAD_V4,
    HEADS,
    MAGIC_V1,
    PROPERTIES_BYTES_MAX,
    Outcome,
    RecordDraft,
    blank_record,
    check_record,
    store_time_at,
    v6_bits,
)
from pymq.message.results import PutResult, PutStatus
from pymq.store.config import MessageStoreConfig
from pymq.store.consumequeue import ConsumeQueue
from pymq.store.files import is_out_of_room
from pymq.store.segment import Segment
from pymq.store.segmentlist import SegmentList

__all__ = ["CommitLog"]

#: What a record may take beyond the largest body (store.md 2.10).
RECORD_EXTRA_BYTES = 65536

_HOSTS_V4_BYTES = 2 * HOST_V4_BYTES
#: The head without its two addresses, and the length field of the properties.
_HEAD_LESS_HOSTS = HEAD_V4.size_bytes - _HOSTS_V4_BYTES
_LENGTH_BYTES = 2
_OVERHEAD_V4 = HEAD_V4.size_bytes + _LENGTH_BYTES
_SPECIAL_FLAGS = HOSTS_V6_MASK | TRANSACTION_UNQUEUED_BIT
_V6_SHIFT = 4
_PUT_OK = PutStatus.PUT_OK
_pack_length = struct.Struct(">h").pack

QueueFinder = Callable[[str, int], "ConsumeQueue | None"]


class CommitLog:
    """The records of a store. `end` is the log offset that the next one gets, `flushed` how far they are durable.

    `end` moves after the bytes before it are written, by one assignment, so that a flush in another thread may read it.
    """

    def __init__(self, files: IFiles, folder: str, config: MessageStoreConfig) -> None:
        self._config = config
        self.segments = SegmentList(files, folder, config.mapped_file_size_commit_log)
        self._segment: Segment | None = None
        #: Where the next record goes in the last segment.
        self._position = 0
        self.end = 0
        self.flushed = 0
        self.last_store_ms = 0
        #: Whether the last append was cut short because there was no room on the disk.
        self.is_out_of_room = False

    @property
    def min_offset(self) -> int:
        """Where the oldest file begins."""
        return self.segments.segments[0].base if self.segments.segments else 0

    def load(self) -> None:
        """Find the files. Their end is unknown until `truncate` is told it. Raises StoreDamaged."""
        self.segments.load()
        self._segment = self.segments.last
        self._position = 0 if self._segment is None else self._segment.size_bytes
        self.end = 0 if self._segment is None else self._segment.end

    def truncate(self, end: int) -> None:
        """Make `end` the end: later files go, what follows in its own file becomes zero. Raises OSError."""
        self.segments.truncate(end)
        self._segment = self.segments.last
        self._position = 0 if self._segment is None else min(end - self._segment.base, self._segment.size_bytes)
        self.end = 0 if self._segment is None else self._segment.base + self._position

    def append(
        self, drafts: Sequence[RecordDraft], now_ms: int, find_queue: QueueFinder
    ) -> tuple[list[PutResult], list[RecordDraft]]:
        """Write drafts in order, all with the store timestamp `now_ms`; a result for each, and those that were stored.

        `find_queue` gives the queue that numbers the messages, or None for a topic or queue that cannot be. Queue offsets are
        given out here, as the record holds them. Where the disk has no room for them, the rest is refused, what was written of it
        is zeroed, and `is_out_of_room` is set. Raises OSError when the disk fails: then none of the drafts counts as stored, and
        nothing more must be appended.
        """
        turn: _Turn | None = None
        self.is_out_of_room = False
        try:
            turn = _Turn(self, now_ms)
            number = 0
            while (number := turn.add_plain(drafts, number, find_queue, self._config.max_message_size)) < len(drafts):
                number = self._add_special(turn, drafts, number, find_queue)
            turn.write()
        except BaseException as error:
            if turn is not None:
                turn.give_offsets_back(find_queue)
            if not (isinstance(error, OSError) and is_out_of_room(error)):
                raise
            self.is_out_of_room = True
            if self._segment is not None and self._position < self._segment.size_bytes:
                self._segment.zero_from(self._position)
            results, stored = ([], []) if turn is None else turn.kept()
            reason = f"the broker's disk is full: {error}"
            refused = [PutResult(PutStatus.SERVICE_NOT_AVAILABLE, reason=reason) for _ in drafts[len(results) :]]
            return results + refused, stored
        if turn.stored:
            self.last_store_ms = now_ms
        return turn.results, turn.stored

    def _add_special(self, turn: _Turn, drafts: Sequence[RecordDraft], number: int, find_queue: QueueFinder) -> int:
        """Add or refuse a draft that is not plain, and with it its batch when that is refused; the number of the next draft."""
        draft = drafts[number]
        queue = find_queue(draft.topic, draft.queue_id)
        need = size = self._size_of(draft, queue)
        if size >= 0 and draft.group_count > 1:
            need = self._size_of_group(drafts[number : number + draft.group_count], find_queue)
        if need >= 0 and queue is not None:
            try:
                turn.add(draft, queue, size, need)
            except struct.error as error:
                turn.refuse(PutStatus.MESSAGE_ILLEGAL, f"a number of the message has no place in a record: {error}")
            return number + 1
        if size < 0 or queue is None:
            turn.refuse(*self._why_refused(draft, queue))
        else:
            turn.refuse(PutStatus.MESSAGE_ILLEGAL, "the batch does not fit into a file or one of it is refused")
        others = drafts[number + 1 : number + draft.group_count]
        for _ in others:
            turn.refuse(PutStatus.MESSAGE_ILLEGAL, "another message of its batch was refused")
        return number + 1 + len(others)

    def _size_of(self, draft: RecordDraft, queue: ConsumeQueue | None) -> int:
        """Bytes of the record of a draft, or -1 when it must be refused."""
        if queue is None:
            return -1
        body_length = len(draft.body)
        properties_length = len(draft.properties)
        size = (
            _HEAD_LESS_HOSTS + len(draft.born_host) + len(draft.store_host) + body_length
            + len(queue.topic_field) + _LENGTH_BYTES + properties_length
        )  # fmt: skip
        config = self._config
        if (
            body_length > config.max_message_size
            or properties_length > PROPERTIES_BYTES_MAX
            or size > config.max_message_size + RECORD_EXTRA_BYTES
            or size > config.mapped_file_size_commit_log - BLANK_BYTES
        ):
            return -1
        return size

    def _size_of_group(self, drafts: Sequence[RecordDraft], find_queue: QueueFinder) -> int:
        """Bytes of all records of a client batch, or -1 when it must be refused."""
        total = 0
        for draft in drafts:
            size = self._size_of(draft, find_queue(draft.topic, draft.queue_id))
            if size < 0:
                return -1
            total += size
        return total if total <= self._config.mapped_file_size_commit_log - BLANK_BYTES else -1

    def _why_refused(self, draft: RecordDraft, queue: ConsumeQueue | None) -> tuple[PutStatus, str]:
        """Status and reason for a draft that cannot be stored."""
        if queue is None:
            return PutStatus.MESSAGE_ILLEGAL, f"topic {draft.topic!r} or queue {draft.queue_id} cannot be"
        if len(draft.properties) > PROPERTIES_BYTES_MAX:
            # Java's store counts characters first and its encoder bytes, each with a status of its own.
            too_many = len(draft.properties.decode("utf-8", "replace")) > PROPERTIES_BYTES_MAX
            status = PutStatus.MESSAGE_ILLEGAL if too_many else PutStatus.PROPERTIES_SIZE_EXCEEDED
            return status, f"the properties take {len(draft.properties)} bytes, {PROPERTIES_BYTES_MAX} are allowed"
        most = min(self._config.max_message_size, self._config.mapped_file_size_commit_log - BLANK_BYTES)
        return PutStatus.MESSAGE_ILLEGAL, f"the body takes {len(draft.body)} bytes, the record does not fit into {most}"

    def read(self, log_offset: int, size: int) -> memoryview | None:
        """`size` bytes from a log offset, or None when they are not there; what they are is not looked at."""
        segment = self.segments.find(log_offset)
        if segment is None or size <= 0 or log_offset + size > min(segment.end, self.end):
            return None
        start = log_offset - segment.base
        return segment.view()[start : start + size]

    def read_at(self, log_offset: int) -> memoryview | None:
        """The whole record at a log offset, or None when no record begins there. The body's CRC is not checked."""
        segment = self.segments.find(log_offset)
        if segment is None:
            return None
        view, start = segment.view(), log_offset - segment.base
        check = check_record(view, start, min(segment.end, self.end) - segment.base, check_crc=False, parse=False)
        if check.outcome is not Outcome.OK or check.log_offset != log_offset:
            return None
        return view[start : start + check.size]

    def store_time(self, log_offset: int) -> int:
        """When the record at an offset known to be a record's was stored, in ms since the epoch; -1 when it is gone."""
        segment = self.segments.find(log_offset)
        if segment is None or log_offset + HEAD_V4.size_bytes > min(segment.end, self.end):
            return -1
        return store_time_at(segment.view(), log_offset - segment.base)

    def flush(self) -> tuple[int, int]:
        """Make durable what was appended before the call; (the end up to which it is, the store time of the newest record in it).

        May run in another thread while the reactor's appends. Raises OSError, after which nothing more may be acknowledged.
        """
        store_ms, end = self.last_store_ms, self.end
        if end > self.flushed or self.segments.is_dirty:
            self.segments.sync()
        self.flushed = end
        return end, store_ms

    def roll(self) -> Segment:
        """Begin the next file; the last one must be closed by its blank. Raises OSError."""
        base = self._segment.end if self._segment is not None else 0
        self._segment = self.segments.append(base)
        self._position = 0
        self.end = base
        return self._segment

    def place(self) -> tuple[Segment, int]:
        """(last segment, position in it) where the next record goes. Raises OSError when the first file cannot be made."""
        if self._segment is None or self._position >= self._segment.size_bytes:
            self.roll()
        assert self._segment is not None, "roll makes a segment"
        return self._segment, self._position

    def advance(self, position: int) -> None:
        """Everything before `position` in the last segment is written."""
        assert self._segment is not None, "something was written"
        self._position = position
        self.end = self._segment.base + position


class _Turn:
    """The records of one append on their way into the last file, and into the next ones when it is full."""

    __slots__ = ("_begin", "_kept", "_limit", "_log", "_now_ms", "_parts", "_position", "_segment", "results", "stored")

    def __init__(self, log: CommitLog, now_ms: int) -> None:
        self._log = log
        self._now_ms = now_ms
        self._segment, self._position = log.place()
        self._begin = self._position
        self._limit = self._segment.size_bytes - BLANK_BYTES
        self._parts: list[bytes] = []
        self.results: list[PutResult] = []
        self.stored: list[RecordDraft] = []
        #: How many results and stored drafts belong to files that were finished.
        self._kept = (0, 0)

    def add_plain(self, drafts: Sequence[RecordDraft], start: int, find_queue: QueueFinder, body_max: int) -> int:
        """Lay down the drafts from number `start` on, up to the first that is not plain; its number, or how many there are.

        Not plain is what may be refused, what begins a batch or a file, IPv6 addresses, what has no queue offset. This does for
        most messages what `add` does for all: one loop over local names, for it is the broker's hottest.
        """
        parts, results, now_ms = self._parts, self.results, self._now_ms
        position, limit, base = self._position, self._limit, self._segment.base
        pack, crc32 = HEAD_V4.pack, zlib.crc32
        number = start
        try:
            for draft in drafts[start:] if start else drafts:
                body, properties, sys_flag = draft.body, draft.properties, draft.sys_flag
                born_host, store_host = draft.born_host, draft.store_host
                queue = find_queue(draft.topic, draft.queue_id)
                body_length, properties_length = len(body), len(properties)
                if queue is None or sys_flag & _SPECIAL_FLAGS or draft.group_count > 1 or body_length > body_max:
                    break
                size = _OVERHEAD_V4 + body_length + len(queue.topic_field) + properties_length
                if properties_length > PROPERTIES_BYTES_MAX or position + size > limit:
                    break
                if len(born_host) != HOST_V4_BYTES or len(store_host) != HOST_V4_BYTES:
                    break
                log_offset, queue_offset = base + position, queue.next_offset
                packed = pack(
                    size, MAGIC_V1, crc32(body) & CRC_MASK, draft.queue_id, draft.flag, queue_offset, log_offset, sys_flag,
                    draft.born_timestamp, born_host, now_ms, store_host, draft.reconsume_times,
                    draft.prepared_transaction_offset, body_length,
                )  # fmt: skip
                parts += (packed, body, queue.topic_field, _pack_length(properties_length), properties)
                position += size
                queue.next_offset = queue_offset + 1
                draft.log_offset = log_offset
                draft.queue_offset = queue_offset
                draft.store_timestamp = now_ms
                draft.size = size
                results.append(PutResult(_PUT_OK, log_offset, queue_offset, now_ms, size))
                number += 1
        except struct.error:
            pass  # a number that has no place in a record: `add` finds it too
        finally:
            self._position = position
            self.stored += drafts[start:number]
        return number

    def refuse(self, status: PutStatus, reason: str) -> None:
        """Note a draft that is not stored."""
        self.results.append(PutResult(status, reason=reason))

    def add(self, draft: RecordDraft, queue: ConsumeQueue, size: int, need: int) -> None:
        """Give a draft its offsets and lay its record down for writing; `need` bytes must fit into the file from here on."""
        if self._position + need > self._limit:
            self._close_file()
        head: FixedRun = HEAD_V4
        sys_flag = draft.sys_flag & ~HOSTS_V6_MASK
        if len(draft.born_host) + len(draft.store_host) != _HOSTS_V4_BYTES:
            bits = v6_bits(draft.born_host, draft.store_host)
            sys_flag |= bits
            head = HEADS[bits >> _V6_SHIFT]
        is_queued = not sys_flag & TRANSACTION_UNQUEUED_BIT
        queue_offset = queue.next_offset if is_queued else 0
        body, properties = draft.body, draft.properties
        log_offset = self._segment.base + self._position
        packed = head.pack(
            size, MAGIC_V1, zlib.crc32(body) & CRC_MASK, draft.queue_id, draft.flag, queue_offset, log_offset, sys_flag,
            draft.born_timestamp, draft.born_host, self._now_ms, draft.store_host, draft.reconsume_times,
            draft.prepared_transaction_offset, len(body),
        )  # fmt: skip
        self._parts += (packed, body, queue.topic_field, _pack_length(len(properties)), properties)
        if is_queued:
            queue.next_offset = queue_offset + 1
        self._position += size
        draft.sys_flag = sys_flag
        draft.log_offset = log_offset
        draft.queue_offset = queue_offset
        draft.store_timestamp = self._now_ms
        draft.size = size
        self.stored.append(draft)
        self.results.append(PutResult(PutStatus.PUT_OK, log_offset, queue_offset, self._now_ms, size))

    def _close_file(self) -> None:
        """Write what is there and the blank record, and go on in a new file."""
        self._parts.append(blank_record(self._segment.size_bytes - self._position))
        self._segment.write_at(self._begin, b"".join(self._parts))
        self._parts = []
        self._log.advance(self._segment.size_bytes)
        self._kept = (len(self.results), len(self.stored))
        self._segment = self._log.roll()
        self._begin = self._position = 0
        self._limit = self._segment.size_bytes - BLANK_BYTES

    def write(self) -> None:
        """Write what is left. Raises OSError."""
        if self._parts:
            self._segment.write_at(self._begin, b"".join(self._parts))
            self._parts = []
            self._log.advance(self._position)

    def give_offsets_back(self, find_queue: QueueFinder) -> None:
        """Undo the numbering: nothing of this turn was stored, but for what filled a file."""
        for draft in reversed(self.stored[self._kept[1] :]):
            draft.size = 0
            queue = find_queue(draft.topic, draft.queue_id)
            if queue is not None and not draft.sys_flag & TRANSACTION_UNQUEUED_BIT:
                queue.next_offset = draft.queue_offset

    def kept(self) -> tuple[list[PutResult], list[RecordDraft]]:
        """The results and the stored drafts that files hold which this turn filled."""
        return self.results[: self._kept[0]], self.stored[: self._kept[1]]
