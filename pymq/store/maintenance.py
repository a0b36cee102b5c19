# Tests: tests/store/test_maintenance.py
"""The store's periodic care: queues and checkpoint made durable, old files deleted, the disk watched (store.md 5.1, 5.2, 5.12).

Nothing here runs by itself; `StoreCare.round` is called about once a second and knows what is due. Flushing all queues is spread
over many rounds, so that no round stops the reactor for long.
"""

from __future__ import annotations

from twisted.logger import Logger

from pymq.errors import StoreDamaged, SyncFailed
from pymq.interfaces import IFiles
from pymq.store.checkpoint import Checkpoint
from pymq.store.commitlog import CommitLog
from pymq.store.config import MessageStoreConfig
from pymq.store.consumequeue import ConsumeQueue
from pymq.store.dispatch import Dispatcher
from pymq.store.files import is_out_of_room
from pymq.store.keyindex import KeyIndex
from pymq.store.queuetable import QueueTable
from pymq.store.recovery import walk
from pymq.store.retention import DiskVerdict, count_removable, is_delete_hour, judge_disk, used_percent

__all__ = ["StoreCare"]

#: Nothing is deleted so soon after the start.
FIRST_EXPIRY_AFTER_MS = 60_000
#: Files that nobody used between two of these rounds are given back.
IDLE_INTERVAL_MS = 60_000
#: One flush of all queues is spread over this many rounds, but for so few queues that it does not matter.
ROUNDS_PER_PASS = 30
FLUSHED_AT_ONCE_MIN = 4
#: When the log has grown by so much the next flush of all queues begins before its time: it moves the checkpoint, and what lies
#: behind that is what the next start after a crash reads.
PASS_LOG_BYTES = 128 * 1024 * 1024
#: How much of the log a round reads for an index that has room again, beyond as much as was written since the last round.
INDEXED_AT_ONCE_BYTES = 1024 * 1024


class StoreCare:
    """Looks after the parts of one store. `is_disk_full` says that no message may be taken."""

    _events = Logger()

    def __init__(
        self,
        config: MessageStoreConfig,
        files: IFiles,
        log_files: IFiles,
        log: CommitLog,
        queues: QueueTable,
        index: KeyIndex | None,
        checkpoint: Checkpoint,
        dispatcher: Dispatcher,
    ) -> None:
        self._config = config
        self._files = files
        self._log_files = log_files
        self._log = log
        self._queues = queues
        self._index = index
        self._checkpoint = checkpoint
        self._dispatcher = dispatcher
        self._next_pass_ms = 0
        self._next_disk_ms = 0
        self._next_expiry_ms = 0
        self._next_idle_ms = 0
        self._next_index_ms = 0
        self._known_min_offset = 0
        #: How far the log was dispatched in the last round.
        self._seen_log_end = 0
        #: The queues that the present flush has still to do, how many at a time, and the store time that it makes durable.
        self._to_flush: list[ConsumeQueue] = []
        self._flush_at_once = FLUSHED_AT_ONCE_MIN
        #: Where the log ended when the newest such flush began.
        self._pass_log_end = 0
        self._pass_store_ms = -1
        self.is_disk_full = False
        self.deleted_files = 0

    def begin(self, now_ms: int) -> None:
        """The store was loaded: start counting the intervals."""
        self._next_pass_ms = now_ms + self._config.flush_consume_queue_thorough_interval
        self._next_expiry_ms = now_ms + FIRST_EXPIRY_AFTER_MS
        self._next_idle_ms = now_ms + IDLE_INTERVAL_MS
        self._next_disk_ms = now_ms
        self._known_min_offset = self._log.min_offset
        self._pass_log_end = self._log.end
        self._seen_log_end = self._dispatcher.end

    def round(self, now_ms: int) -> None:
        """Do what is due. Raises OSError when the disk fails."""
        if self._pass_store_ms >= 0 or now_ms >= self._next_pass_ms or self._log.end >= self._pass_log_end + PASS_LOG_BYTES:
            self._flush_some(now_ms)
        if now_ms >= self._next_disk_ms:
            self._next_disk_ms = now_ms + self._config.clean_resource_interval
            verdict = self.judge()
            if now_ms >= self._next_expiry_ms:
                self._try_to_expire(now_ms, verdict)
            self._set_full(verdict.full)
        new_bytes, self._seen_log_end = self._dispatcher.end - self._seen_log_end, self._dispatcher.end
        if not self.is_index_complete and now_ms >= self._next_index_ms and not self.is_disk_full:
            self._index_missing(now_ms, INDEXED_AT_ONCE_BYTES + max(0, new_bytes))
        if now_ms >= self._next_idle_ms:
            self._next_idle_ms = now_ms + IDLE_INTERVAL_MS
            self._queues.release_idle()
            for segment in self._log.segments.segments[:-1]:
                segment.release_if_idle()

    def note_full(self) -> None:
        """A write found no room. Messages are refused until the next look at the disk, when they are tried again."""
        self._set_full(True)

    def _set_full(self, is_full: bool) -> None:
        if is_full and not self.is_disk_full:
            self._events.error("{reason}; messages are refused until there is room", reason=self.describe_full())
        elif self.is_disk_full and not is_full:
            self._events.info("there is room on the disk again; messages are taken")
        self.is_disk_full = is_full

    def describe_full(self) -> str:
        """Why messages are refused, for a person to act on; the use of the disks as Apache's brokers put it."""
        log, queues = (max(0, used_percent(*files.space())) / 100 for files in (self._log_files, self._files))
        limit = self._config.disk_space_warning_level_ratio / 100
        return (
            f"the broker's disk is full [CL: {log:.2f} CQ: {queues:.2f} INDEX: {queues:.2f}], "
            f"messages are taken again when there is room and its use is not above {limit:.2f}"
        )

    def _try_to_expire(self, now_ms: int, verdict: DiskVerdict) -> None:
        """Expire; a file that cannot be deleted is passed over, it is found again at the next start."""
        try:
            self.expire(now_ms, verdict)
        except SyncFailed:
            raise
        except OSError as error:
            self._events.error("an expired file cannot be deleted: {reason}", reason=error)

    def _flush_some(self, now_ms: int) -> None:
        """A part of a flush of all queues; the checkpoint moves when the last part is done."""
        if self._pass_store_ms < 0:
            self._next_pass_ms = now_ms + self._config.flush_consume_queue_thorough_interval
            self._pass_store_ms = self._dispatcher.last_store_ms
            self._to_flush = self._queues.dirty()
            self._flush_at_once = max(FLUSHED_AT_ONCE_MIN, -(-len(self._to_flush) // ROUNDS_PER_PASS))
            self._pass_log_end = self._log.end
        for queue in self._to_flush[: self._flush_at_once]:
            queue.sync()
        del self._to_flush[: self._flush_at_once]
        if not self._to_flush:
            self._end_pass()

    def _end_pass(self, *, is_last: bool = False) -> None:
        store_ms, self._pass_store_ms = self._pass_store_ms, -1
        if self._index is not None:
            self._index.flush()
        if store_ms > 0 and self.is_index_complete:
            # Both go together, also where a pass had no key in it: our recovery relies on it (Checkpoint.is_ours).
            # Unless no more can come, a millisecond less: others may have come in the same one, after their queue was flushed.
            done_ms = store_ms if is_last else store_ms - 1
            self._checkpoint.logics_ms = done_ms
            if self._index is not None:
                self._checkpoint.index_ms = done_ms
        self._checkpoint.flush()

    @property
    def is_index_complete(self) -> bool:
        """Whether recovery need not go back to where indexing ended."""
        return self._index is None or self._index.is_complete

    def _index_missing(self, now_ms: int, log_bytes: int) -> None:
        """Index so much of what found no room; when there is none yet, again after `cleanResourceInterval`."""
        index, log_end = self._index, self._dispatcher.end
        if index is None or not index.can_go_on:
            return
        begin = max(index.missing_from, self._log.min_offset)
        end = min(log_end, begin + log_bytes)
        try:
            walked = walk(self._log, begin, self._dispatcher.index_missing, check_crc=False, end=end)
        except OSError as error:
            self._next_index_ms = now_ms + self._config.clean_resource_interval
            if not is_out_of_room(error):
                index.stop(error)
            return
        index.done_until(walked.end, log_end)
        if walked.end < end:
            index.stop(StoreDamaged(f"at {walked.end} of the log: {walked.stopped_by}"))

    def flush_all(self) -> None:
        """Make queues, index and checkpoint durable at once, as at shutdown. Raises OSError."""
        self._pass_store_ms = self._dispatcher.last_store_ms
        self._to_flush = []
        for queue in self._queues.dirty():
            queue.sync()
        self._end_pass(is_last=True)

    def judge(self) -> DiskVerdict:
        """What the use of the disks asks for now."""
        config = self._config
        return judge_disk(
            used_percent(*self._log_files.space()),
            used_percent(*self._files.space()),
            clean_from=config.disk_max_used_space_ratio,
            forced_from=config.disk_space_clean_forcibly_ratio,
            full_from=config.disk_space_warning_level_ratio,
            forced_allowed=config.clean_file_forcibly_enable,
        )

    def expire(self, now_ms: int, verdict: DiskVerdict) -> None:
        """Delete commit log files that may go; queues and index follow the log's beginning. Raises OSError."""
        hour_has_come = is_delete_hour(now_ms, self._config.delete_when)
        if hour_has_come or verdict.clean or verdict.forced:
            count = count_removable(
                [segment.modified_ms() for segment in self._log.segments],
                now_ms=now_ms,
                reserved_hours=self._config.file_reserved_time,
                hour_has_come=hour_has_come,
                verdict=verdict,
            )
            for _ in range(count):
                self._log.segments.delete_first()
            self.deleted_files += count
        if self._log.min_offset > self._known_min_offset:
            self._known_min_offset = self._log.min_offset
            self._queues.delete_expired(self._known_min_offset)
            if self._index is not None:
                self._index.delete_before(self._known_min_offset)
