# Tests: tests/store/test_recovery.py
"""After a stop or a crash: how far the log is whole, and queues and index made to agree with it (store.md 5.5 to 5.10).

The commit log is the only truth. The walk begins at a record that is known to be sound and durable, goes on as long as records
are sound, and where it ends the log is cut. Where Java begins at the start of a file we begin at the newest record that a queue
unit vouches for, so that a start takes as long as what happened since the last checkpoint, not as long as gigabytes; without
such a unit Java's rule is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs

from pymq.message.record import Outcome, RecordCheck, check_record, is_torn_behind_body
from pymq.store.checkpoint import Checkpoint
from pymq.store.commitlog import CommitLog
from pymq.store.config import MessageStoreConfig
from pymq.store.consumequeue import ConsumeQueue
from pymq.store.dispatch import Dispatcher
from pymq.store.queuetable import QueueTable

__all__ = ["RecoveryReport", "recover", "walk"]

#: After a clean stop Java looks through this many files at the end of the log.
FILES_CHECKED = 3

_RECORDS_AT_ONCE = 1024
_END_OF_FILES = "the end of the files"
#: What a log ends with that lost nothing: zeros, which are read as a magic, or the end of its last file.
_USUAL_ENDS = ("", _END_OF_FILES, f"magic {0:#010x}")


@attrs.define
class RecoveryReport:
    """What recovery did, for the log. Offsets are log offsets, counts are of records.

    `walk_begin` to `log_end` was checked, `stopped_by` is what stood at its end; `cut_files` went as they lay beyond it.
    `dispatched` counts those given to queues and index, which know most of them already. `lost_units_from` is where records begin
    that were dispatched because a queue lost units of them; `damage` says what was found there, and is left as it is.
    """

    is_abnormal: bool
    walk_begin: int = 0
    log_end: int = 0
    checked: int = 0
    stopped_by: str = ""
    cut_files: int = 0
    dispatched: int = 0
    queues: int = 0
    anomalies: int = 0
    lost_units_from: int = -1
    damage: str = ""

    @property
    def is_notable(self) -> bool:
        """Whether there was anything to recover, or might have been: worth a line in the log."""
        return self.is_abnormal or bool(self.cut_files or self.dispatched or self.anomalies)

    def sentence(self) -> str:
        """What was done, for people."""
        parts = ["the last exit was abnormal" if self.is_abnormal else "the last exit was clean"]
        if self.checked:
            parts.append(f"{_counted(self.checked, 'record')} checked from log offset {self.walk_begin} to {self.log_end}")
        if self.stopped_by not in _USUAL_ENDS:
            parts.append(f"the log was cut there: {self.stopped_by}")
        if self.cut_files:
            parts.append(f"{_counted(self.cut_files, 'log file')} behind the end removed")
        if self.dispatched:
            parts.append(f"{_counted(self.dispatched, 'record')} given to queues and index, as far as they lacked them")
        if self.anomalies:
            parts.append(f"{_counted(self.anomalies, 'record')} found that do not fit their queues")
        return "recovery of the store: " + "; ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@attrs.define
class _Walked:
    """Where a walk ended, how many records it saw and what stopped it."""

    end: int
    count: int = 0
    stopped_by: str = _END_OF_FILES


def walk(
    log: CommitLog,
    begin: int,
    receive: Callable[[Sequence[RecordCheck]], None] | None,
    *,
    check_crc: bool,
    end: int | None = None,
) -> _Walked:
    """Follow the records from `begin`, which must be a record's place, and hand them on in order if anybody wants them; up to
    `end` if that is given, which must be one too.

    A blank leads to the next file, whatever its size says; the end before a blank with no file behind it is the blank's place.
    """
    walked = _Walked(begin)
    pending: list[RecordCheck] = []
    for segment in [segment for segment in log.segments if segment.end > begin]:
        view, base = segment.view(), segment.base
        position = max(0, begin - base)
        while end is None or base + position < end:
            check = check_record(view, position, segment.size_bytes, check_crc, receive is not None)
            if check.outcome is not Outcome.OK:
                break
            if check.log_offset != base + position:
                check = RecordCheck(Outcome.BAD, check.size, f"the record says that it stands at {check.log_offset}")
                break
            if check_crc and is_torn_behind_body(view, position, check.size):
                check = RecordCheck(Outcome.BAD, check.size, "a part of its properties was never written")
                break
            position += check.size
            walked.count += 1
            if receive is not None:
                pending.append(check)
                if len(pending) >= _RECORDS_AT_ONCE:
                    receive(pending)
                    pending = []
        walked.end = base + position
        if end is not None and walked.end >= end:
            break
        if check.outcome is not Outcome.BLANK:
            walked.stopped_by = check.reason
            break
    if pending and receive is not None:
        receive(pending)
    return walked


def recover(
    log: CommitLog,
    queues: QueueTable,
    dispatcher: Dispatcher,
    checkpoint: Checkpoint,
    config: MessageStoreConfig,
    *,
    is_abnormal: bool,
    rewrites: bool = False,
) -> RecoveryReport:
    """Find the end of the log, cut log and queues there, and fill queues and index that lag. Raises OSError.

    `log` and `queues` are loaded, the index is loaded and is cut by the caller at the report's `log_end`. When this returns the
    log is durable, and so is what was given to queues and cut from them: nothing that was found, and may be consumed, is lost by
    the next power cut, and nothing that was cut comes back. `rewrites` says that the disk had failed: then only what is written
    again is sure to reach it.
    """
    report = RecoveryReport(is_abnormal)
    if not log.segments.segments:
        queues.clear()
        return report
    if is_abnormal:
        report.walk_begin = _begin_after_crash(log, queues, checkpoint, config)
        if queues.are_extended:
            # Of the extension nobody can tell what is torn. What the checkpoint does not vouch for is made anew.
            _make_anew(queues, report.walk_begin)
        _drop_torn_units(log, queues, report.walk_begin)
        receive = _counting(dispatcher, report)
        _give_lost_units_back(log, queues, receive, report)
        walked = walk(log, report.walk_begin, receive, check_crc=config.check_crc_on_recover)
    else:
        report.walk_begin = _begin_after_stop(log, queues)
        walked = walk(log, report.walk_begin, None, check_crc=config.check_crc_on_recover)
    report.log_end, report.checked, report.stopped_by = walked.end, walked.count, walked.stopped_by
    files = len(log.segments)
    log.truncate(walked.end)
    report.cut_files = files - len(log.segments)
    queues.truncate(walked.end)
    _fill(log, queues, dispatcher, report)
    # The checkpoint may vouch for what was given to queues just now, and the next crash must not take it back: neither units that
    # were lost, nor those of a deleted topic, of which no queue is left to say that they are wanted.
    for queue in queues.dirty():
        queue.sync()
    dispatcher.end = log.end
    queues.correct_offsets(log.min_offset)
    if is_abnormal:
        # What a killed process wrote may be in the page cache only, and the units of records that were walked may be lost.
        log.last_store_ms = dispatcher.last_store_ms
        log.segments.mark_dirty(report.walk_begin, rewrites=rewrites)
        queues.mark_dirty(rewrites=rewrites)
    if log.segments.is_dirty:
        log.flush()
    queues.sync_cuts()
    report.queues = len(queues)
    report.anomalies = sum(queue.anomalies for queue in queues) + dispatcher.unqueued
    for segment in log.segments.segments[:-1]:
        segment.release()
    return report


def _drop_torn_units(log: CommitLog, queues: QueueTable, begin: int) -> None:
    """Drop each queue's last unit, if its record is to be walked, which brings it back: its write may have been torn."""
    for queue in queues:
        unit = _last_unit(queue)
        if unit is not None and unit[0] >= begin and log.segments.find(unit[0]) is not None:
            queue.drop_last()
            # One before it that points beyond all files would make the records that follow look as if they had units.
            queue.truncate(log.segments.segments[-1].end)
            queue.release()


def _make_anew(queues: QueueTable, begin: int) -> None:
    """Drop all units of records that are to be walked."""
    for queue in queues:
        queue.truncate(begin)
        queue.release()


def _counting(dispatcher: Dispatcher, report: RecoveryReport) -> Callable[[Sequence[RecordCheck]], None]:
    def receive(records: Sequence[RecordCheck]) -> None:
        report.dispatched += len(records)
        dispatcher.dispatch(records)

    return receive


def _fill(log: CommitLog, queues: QueueTable, dispatcher: Dispatcher, report: RecoveryReport) -> None:
    """Dispatch what the queues lack at their end (store.md 5.10); all of the log when they do not end at a record."""
    begin = max(log.min_offset, queues.max_log_offset)
    receive = _counting(dispatcher, report)
    if begin < log.end and walk(log, begin, receive, check_crc=False).end < log.end and begin > log.min_offset:
        walk(log, log.min_offset, receive, check_crc=False)


def _begin_after_stop(log: CommitLog, queues: QueueTable) -> int:
    """Where to begin when all was flushed and dispatched: at the newest record that has a unit, if it is what the unit says.

    Otherwise at the third file from the end, as Java does.
    """
    newest = max(queues, key=lambda queue: queue.max_log_offset, default=None)
    if newest is not None:
        unit = _last_unit(newest)
        if unit is not None and _is_record_of(log, newest, newest.end_offset - 1):
            return unit[0]
    return log.segments.segments[max(0, len(log.segments) - FILES_CHECKED)].base


def _last_unit(queue: ConsumeQueue) -> tuple[int, int, int] | None:
    return queue.unit_at(queue.end_offset - 1) if queue.max_log_offset else None


def _is_record_of(log: CommitLog, queue: ConsumeQueue, queue_offset: int) -> bool:
    """Whether a queue's unit leads to a sound record that says it is the one of that place."""
    unit = queue.unit_at(queue_offset)
    check = None if unit is None else _sound_record(log, unit[0], unit[1])
    return check is not None and (check.topic, check.queue_id, check.queue_offset) == (queue.topic, queue.queue_id, queue_offset)


def _sound_record(log: CommitLog, log_offset: int, size: int) -> RecordCheck | None:
    """The record at a log offset, body checked, or None unless it is whole, of that size and at its own place."""
    segment = log.segments.find(log_offset)
    if segment is None:
        return None
    check = check_record(segment.view(), log_offset - segment.base, segment.size_bytes)
    return check if check.outcome is Outcome.OK and check.size == size and check.log_offset == log_offset else None


def _begin_after_crash(log: CommitLog, queues: QueueTable, checkpoint: Checkpoint, config: MessageStoreConfig) -> int:
    """Where to begin when only what the checkpoint vouches for is durable, in log, queues and index alike."""
    if not len(queues):
        return log.min_offset
    safe_ms = checkpoint.min_ms
    if config.message_index_enable and (config.message_index_safe or checkpoint.is_ours):
        safe_ms = checkpoint.min_index_ms
    begin = log.min_offset
    for segment in reversed(log.segments.segments):
        check = check_record(segment.view(), 0, segment.size_bytes, False, False)
        if check.outcome is Outcome.OK and 0 < check.store_timestamp <= safe_ms:
            begin = segment.base
            break
    return max((begin, *_newest_safe_records(log, queues, safe_ms)))


def _give_lost_units_back(
    log: CommitLog, queues: QueueTable, receive: Callable[[Sequence[RecordCheck]], None], report: RecoveryReport
) -> None:
    """A queue that lost units must get all of them again, however old they are; else later ones would take their places.

    What stands before the walk's begin was durable. Should a record there be damaged, those behind it are not given up for that:
    the walk begins where it would without.
    """
    begin = min((max(log.min_offset, queue.max_log_offset) for queue in queues if queue.has_lost_units), default=log.end)
    if begin < report.walk_begin:
        walked = walk(log, begin, receive, check_crc=False, end=report.walk_begin)
        report.lost_units_from = begin
        if walked.end < report.walk_begin:
            report.damage = f"at {walked.end} of the log: {walked.stopped_by}"


def _newest_safe_records(log: CommitLog, queues: QueueTable, safe_ms: int) -> Iterator[int]:
    """For each queue the place of the newest record stored at or before `safe_ms`, found by halving; sound ones only."""
    for queue in queues:
        low, high = queue.first_offset, queue.end_offset
        while low < high:
            middle = (low + high) // 2
            if _is_stored_by(log, queue, middle, safe_ms):
                low = middle + 1
            else:
                high = middle
        unit = queue.unit_at(low - 1)
        if unit is not None and log.store_time(unit[0]) <= safe_ms and _sound_record(log, unit[0], unit[1]) is not None:
            yield unit[0]


def _is_stored_by(log: CommitLog, queue: ConsumeQueue, queue_offset: int, time_ms: int) -> bool:
    """Whether the message was stored by then; one that left the log was, one that cannot be read was not."""
    unit = queue.unit_at(queue_offset)
    if unit is None:
        return False
    return unit[0] < log.min_offset or 0 < log.store_time(unit[0]) <= time_ms
