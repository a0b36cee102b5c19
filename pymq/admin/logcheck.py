# Tests: tests/admin/test_logcheck.py
"""The walk over a commit log that goes on behind a damage: the next record is known by its magic and by its own place in it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from pymq.admin.findings import Finding, Report
from pymq.message.record import LOG_OFFSET_POSITION, MAGIC_V1, MAGIC_V2, Outcome, RecordCheck, check_record
from pymq.store.segment import Segment

__all__ = ["LogWalk", "nonzero_from"]

_MAGICS = tuple(magic.to_bytes(4, "big") for magic in (MAGIC_V1, MAGIC_V2))
_MAGIC_POSITION = 4
_CHUNK_BYTES = 1 << 20
_PROGRESS_RECORDS = 4096
_unpack_int64 = struct.Struct(">q").unpack_from


def nonzero_from(segment: Segment, position: int) -> int | None:
    """The position of the first byte that is not zero, or None; holes of the file are stepped over."""
    view, end = segment.view(), min(segment.size_bytes, segment.data_end())
    while position < end:
        chunk = bytes(view[position : min(end, position + _CHUNK_BYTES)])
        rest = chunk.lstrip(b"\0")
        if rest:
            return position + len(chunk) - len(rest)
        position += len(chunk)
    return None


class LogWalk:
    """One walk. Afterwards `end` is where the last whole record ends, `count` how many there were, `walked_bytes` what they take.

    `is_running`: a broker appends meanwhile, so what stands at the end may be half a record.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        report: Report,
        *,
        check_crc: bool = True,
        is_running: bool = False,
        progress: Callable[[int], None] = lambda done_bytes: None,
    ) -> None:
        self._segments = segments
        self._report = report
        self._check_crc = check_crc
        self._is_running = is_running
        self._progress = progress
        #: The place at which the log seems to end; if records follow after all, that is a damage.
        self._seeming_end: Finding | None = None
        self.end = segments[0].base if segments else 0
        self.count = 0
        self.walked_bytes = 0
        self.last_store_ms = 0

    def records(self) -> Iterator[RecordCheck]:
        """Every whole record, in order."""
        done = 0
        for segment in self._segments:
            self._progress(done)
            yield from self._records_of(segment, done)
            segment.release()
            done += segment.size_bytes
        if self._seeming_end is not None and self._seeming_end.cause and not self._is_running:
            self._report(self._seeming_end)
        self._progress(done)

    def record_at(self, log_offset: int) -> RecordCheck | None:
        """The whole record at a log offset, or None. Not while `records` is walked: it gives the file back."""
        for segment in self._segments:
            if segment.base <= log_offset < segment.end:
                check = check_record(segment.view(), log_offset - segment.base, segment.size_bytes, self._check_crc)
                segment.release()
                return check if check.outcome is Outcome.OK and check.log_offset == log_offset else None
        return None

    def _records_of(self, segment: Segment, done: int) -> Iterator[RecordCheck]:
        view, base, limit = segment.view(), segment.base, segment.size_bytes
        position = 0
        while True:
            check = check_record(view, position, limit, self._check_crc)
            if check.outcome is Outcome.OK and check.log_offset == base + position:
                self._told_end()
                position += check.size
                self.end = base + position
                self.count += 1
                self.walked_bytes += check.size
                self.last_store_ms = max(self.last_store_ms, check.store_timestamp)
                if not self.count % _PROGRESS_RECORDS:
                    self._progress(done + position)
                yield check
                continue
            if check.outcome is Outcome.BLANK:
                return
            cause = check.reason or f"the record says that it stands at {check.log_offset}, not at {base + position}"
            following = self._next_record(segment, position + 1)
            if following is None:
                self._note_end(segment, position, cause)
                return
            skipped = following - position
            self._report(Finding(segment.path, position, f"{cause}; the next whole record stands {skipped} bytes on"))
            position = following

    def _note_end(self, segment: Segment, position: int, cause: str) -> None:
        """Nothing whole follows in the file: the end of the log, unless another file goes on."""
        if self._seeming_end is None:
            garbage = nonzero_from(segment, position)
            if garbage is not None:
                cause = f"{cause}; no record follows, but there are bytes that are not zero from {garbage} on"
                self._seeming_end = Finding(segment.path, position, cause)
            else:
                self._seeming_end = Finding(segment.path, position, "")

    def _told_end(self) -> None:
        """A record stands behind what seemed to be the end."""
        if self._seeming_end is not None:
            seeming, self._seeming_end = self._seeming_end, None
            cause = seeming.cause or "zeros where a record or the blank that closes the file should stand"
            self._report(Finding(seeming.path, seeming.offset, f"{cause}; a later file holds records"))

    def _next_record(self, segment: Segment, start: int) -> int | None:
        """The position of the next whole record in the file; None when there is none."""
        view, end = segment.view(), min(segment.size_bytes, segment.data_end())
        at = start
        while at < end:
            chunk = bytes(view[at : min(end, at + _CHUNK_BYTES + _MAGIC_POSITION)])
            for found in _all_magics(chunk):
                position = at + found - _MAGIC_POSITION
                if position >= start and self._is_record(segment, position):
                    return position
            at += _CHUNK_BYTES
        return None

    def _is_record(self, segment: Segment, position: int) -> bool:
        place = position + LOG_OFFSET_POSITION
        if place + 8 > segment.size_bytes or _unpack_int64(segment.view(), place)[0] != segment.base + position:
            return False
        return check_record(segment.view(), position, segment.size_bytes, parse=False).outcome is Outcome.OK


def _all_magics(chunk: bytes) -> list[int]:
    places = []
    for magic in _MAGICS:
        at = chunk.find(magic)
        while at >= 0:
            places.append(at)
            at = chunk.find(magic, at + 1)
    return sorted(places)
