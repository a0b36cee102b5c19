# Tests: tests/store/test_store.py
"""The store on files: the face of log, queues, index and care, with little logic of its own (Java: DefaultMessageStore).

One thread, the reactor's, calls everything but `flush`, which may run in another one while messages are put and read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from pymq.errors import StoreClosed, StoreReadOnly, SyncFailed
from pymq.interfaces import IArrivalListener, IClock, IFiles, IMessageStore
from pymq.message.record import RecordDraft
from pymq.message.results import BitFilter, ExtUnit, FoundByKey, GetResult, PutResult, PutStatus
from pymq.store.checkpoint import Checkpoint
from pymq.store.commitlog import CommitLog
from pymq.store.config import LOG_FOLDER, MessageStoreConfig
from pymq.store.dispatch import BitMapOf, Dispatcher
from pymq.store.files import is_out_of_room, physical_memory_bytes
from pymq.store.keyindex import KeyIndex
from pymq.store.maintenance import StoreCare
from pymq.store.queuetable import QueueTable
from pymq.store.reading import QueueReader
from pymq.store.recovery import RecoveryReport, recover
from pymq.store.retention import used_percent

__all__ = ["FileMessageStore"]

LOCK_PATH = "lock"
ABORT_PATH = "abort"
#: Made when the disk failed: what was written then may look sound and not be on the disk, so the next start writes it again. The
#: file need not be durable, for what is read after the machine's restart is what is on the disk.
FAILED_PATH = "diskfailed"


@implementer(IMessageStore)
class FileMessageStore:
    """Messages in Apache RocketMQ's files (store.md 1.1).

    `log_files` is the folder of the commit log where it has one of its own, else it is `commitlog` in `files`. `memory_bytes` is
    the machine's memory, for telling readers near the end from those far behind. `report` says what recovery did.
    """

    _events = Logger()

    def __init__(
        self,
        files: IFiles,
        config: MessageStoreConfig,
        *,
        clock: IClock,
        log_files: IFiles | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self._files = files
        self._config = config
        self._clock = clock
        self._log_files = files if log_files is None else log_files
        self._log = CommitLog(self._log_files, LOG_FOLDER if log_files is None else "", config)
        self._queues = QueueTable(files, config)
        self._index = KeyIndex(files, config, clock=clock) if config.message_index_enable else None
        self._checkpoint = Checkpoint(files)
        self._dispatcher = Dispatcher(self._queues, self._index, config.delay_levels_ms)
        memory = physical_memory_bytes() if memory_bytes is None else memory_bytes
        self._reader = QueueReader(self._log, self._queues, config, memory)
        self._care = StoreCare(
            config, files, self._log_files, self._log, self._queues, self._index, self._checkpoint, self._dispatcher
        )
        self._listeners: list[IArrivalListener] = []
        self._unlock: Any = None
        self._is_open = False
        self._failure = ""
        #: Messages in the log for which there was no room in queues or index yet; nothing more is taken while there are any.
        self._undispatched: list[RecordDraft] = []
        self.report = RecoveryReport(False)

    def load(self) -> None:
        """Open, or create, and recover. Raises StoreLocked, StoreDamaged, OSError."""
        self._unlock = self._files.lock(LOCK_PATH)
        try:
            self._load()
        except BaseException:
            self._release()
            raise
        self._is_open = True

    def _load(self) -> None:
        has_failed = self._files.exists(FAILED_PATH)
        is_abnormal = has_failed or self._files.exists(ABORT_PATH)
        self._log.load()
        self._queues.load(thorough=is_abnormal)
        self._checkpoint.load()
        if self._index is not None:
            self._index.load(is_abnormal, self._checkpoint.index_ms, is_ours=self._checkpoint.is_ours)
        self.report = recover(
            self._log,
            self._queues,
            self._dispatcher,
            self._checkpoint,
            self._config,
            is_abnormal=is_abnormal,
            rewrites=has_failed,
        )
        if self._index is not None:
            self._index.truncate(self._log.end)
            if has_failed:
                self._index.rewrite()
        if has_failed:
            for queue in self._queues.dirty():
                queue.sync()
            if self._index is not None:
                self._index.flush()
        self._log.flushed = self._log.end
        if not self._files.exists(ABORT_PATH):
            self._files.create(ABORT_PATH, 0).close()
            self._files.sync_folder("")
        self._files.delete(FAILED_PATH)
        self._care.begin(self._now_ms())

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    def _release(self) -> None:
        self._queues.release()
        self._log.segments.release()
        if self._index is not None:
            self._index.close()
        self._checkpoint.close()
        unlock, self._unlock = self._unlock, None
        if unlock is not None:
            unlock()

    def _fail(self, doing: str, error: BaseException) -> None:
        """After an error of the disk nobody knows what is stored; nothing more is taken until the store was opened anew."""
        if self._failure:
            return
        self._failure = f"{doing} failed: {error}"
        self._events.error(
            "the store takes no more messages, for {reason}; what it has can still be read. When the disk is sound, restart "
            "the broker",
            reason=self._failure,
        )
        try:
            self._files.create(FAILED_PATH, 0).close()
        except OSError as also:
            self._events.error("{path} cannot be made: {reason}", path=FAILED_PATH, reason=also)

    @property
    def is_writable(self) -> bool:
        """Whether messages are taken: open, the disk sound and not full."""
        return self._is_open and not self._failure and not self._care.is_disk_full

    def _why_unwritable(self) -> str:
        return self._failure or self._care.describe_full()

    # Writing

    def put(self, drafts: Sequence[RecordDraft]) -> list[PutResult]:
        """Append drafts in order, index them, tell the listeners; a result for each. Raises StoreClosed."""
        if not self.is_writable:
            return self._refuse(drafts)
        end = self._log.end
        stored: list[RecordDraft] = []
        try:
            results, stored = self._log.append(drafts, int(self._clock.seconds() * 1000), self._queues.obtain)
            if self._log.is_out_of_room:
                self._care.note_full()
            self._dispatcher.dispatch(stored)
        except OSError as error:
            if stored and is_out_of_room(error):
                # They are as durable as any others, and can be read when there is room for their units.
                self._undispatched = stored
                self._care.note_full()
                return results
            self._fail("writing messages", error)
            return self._refuse(drafts)
        except BaseException as error:
            # A fault of ours. What reached the log but not the queues must not be followed by other messages.
            if self._log.end != end:
                self._fail("indexing messages", error)
            raise
        if stored:
            for listener in self._listeners:
                listener.messages_arrived(stored)
        return results

    def _catch_up(self) -> None:
        """Dispatch what there was no room for. Raises OSError; what was dispatched by then is not dispatched twice."""
        self._dispatcher.dispatch(self._undispatched)
        late, self._undispatched = self._undispatched, []
        for listener in self._listeners:
            listener.messages_arrived(late)

    def _refuse(self, drafts: Sequence[RecordDraft]) -> list[PutResult]:
        if not self._is_open:
            raise StoreClosed("the store is not open")
        for draft in drafts:
            draft.size = 0
        reason = self._why_unwritable()
        return [PutResult(PutStatus.SERVICE_NOT_AVAILABLE, reason=reason) for _ in drafts]

    def flush(self) -> int:
        """Make everything put so far durable; the log offset up to which it is. Raises StoreReadOnly once the disk failed."""
        if self._failure:
            raise StoreReadOnly(self._failure)
        try:
            end, store_ms = self._log.flush()
            self._queues.sync_rolled()
        except OSError as error:
            self._fail("making messages durable", error)
            raise StoreReadOnly(self._failure) from error
        if store_ms > 0:
            self._checkpoint.physic_ms = store_ms
        return end

    def watch(self, listener: IArrivalListener) -> None:
        """Tell an IArrivalListener of every stored message from now on."""
        self._listeners.append(listener)

    def keep_bit_maps(self, bit_map_of: BitMapOf) -> None:
        """Keep what `bit_map_of` gives beside the units of new messages, if queues are extended; see IMessageStore."""
        self._dispatcher.bit_map_of = bit_map_of

    # Reading

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreClosed("the store is not open")

    def get(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        count_max: int,
        tag_filter: frozenset[int] | None,
        bit_filter: BitFilter | None = None,
    ) -> GetResult:
        """Messages of a queue from an offset on (store.md 8.2). Raises StoreClosed."""
        if not self._is_open:
            raise StoreClosed("the store is not open")
        return self._reader.get(topic, queue_id, queue_offset, count_max, tag_filter, bit_filter)

    def units(self, topic: str, queue_id: int, queue_offset: int, count_max: int) -> list[tuple[int, int, int]]:
        """Units of a queue from an offset on; see IMessageStore. Raises StoreClosed."""
        self._check_open()
        return self._reader.units(topic, queue_id, queue_offset, count_max)

    def extension(self, topic: str, queue_id: int, queue_offset: int) -> tuple[int, ExtUnit | None] | None:
        """What an extended queue keeps beside a unit; see IMessageStore. Raises StoreClosed."""
        self._check_open()
        return self._reader.extension(topic, queue_id, queue_offset)

    def read_at(self, log_offset: int) -> memoryview | None:
        """The whole record at a log offset, or None when no record begins there."""
        self._check_open()
        return self._log.read_at(log_offset)

    def find_by_key(self, topic: str, key: str, count_max: int, begin_ms: int, end_ms: int) -> FoundByKey:
        """Records of a topic by key and store time, ascending by log offset."""
        self._check_open()
        if self._index is None:
            return FoundByKey([])
        offsets, last_time_ms, last_log_offset = self._index.find(topic, key, count_max, begin_ms, end_ms)
        records = [record for offset in offsets if (record := self._log.read_at(offset)) is not None]
        return FoundByKey(records, last_time_ms, last_log_offset)

    def min_offset(self, topic: str, queue_id: int) -> int:
        """The first readable queue offset; 0 for an unknown queue."""
        queue = self._queues.get(topic, queue_id)
        return 0 if queue is None else queue.min_offset

    def max_offset(self, topic: str, queue_id: int) -> int:
        """The queue offset that the next message gets; 0 for an unknown queue."""
        queue = self._queues.get(topic, queue_id)
        return 0 if queue is None else queue.end_offset

    def offset_at(self, topic: str, queue_id: int, time_ms: int) -> int:
        """The queue offset of the message stored nearest to a time."""
        self._check_open()
        return self._reader.offset_at(topic, queue_id, time_ms)

    def store_time(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """When the message was stored, in milliseconds since the epoch; -1 when it is not there."""
        self._check_open()
        return self._reader.store_time(topic, queue_id, queue_offset)

    # Care

    def drop_queues(self, is_unwanted: Callable[[str], bool]) -> list[str]:
        """Remove the queues of unwanted topics, apart from system queues; the topics, sorted.

        Raises OSError; queues may then be left, and this can be tried again, but for an error after which nothing is taken.
        Raises StoreReadOnly while messages wait for room in their queues, which these would bring back.
        """
        self._check_open()
        if self._undispatched:
            raise StoreReadOnly(f"queues cannot be removed now: {self._why_unwritable()}")
        try:
            return self._queues.drop(is_unwanted)
        except SyncFailed as error:
            self._fail("removing queues", error)
            raise

    def describe(self) -> dict[str, Any]:
        """Facts for operators; see IMessageStore. `problem` says why nothing is taken, `recovery` what the start found."""
        log = self._log
        used_bytes, usable_bytes = self._log_files.space()
        return {
            "log_min_offset": log.min_offset,
            "log_max_offset": log.end,
            "flushed_offset": log.flushed,
            "dispatch_behind_bytes": max(0, log.end - self._dispatcher.end),
            "disk_used_ratio": max(0, used_percent(used_bytes, usable_bytes)) / 100,
            "disk_used_bytes": used_bytes,
            "disk_usable_bytes": usable_bytes,
            "log_disks_used_ratio": [max(0, used_percent(*space)) / 100 for space in self._log_files.spaces()],
            "earliest_store_time_ms": log.store_time(log.min_offset) if log.end > log.min_offset else -1,
            "writable": self.is_writable,
            "problem": "" if self.is_writable else self._why_unwritable() if self._is_open else "the store is not open",
            "topics": self._queues.topics(),
            "recovery": self.report,
        }

    def run_maintenance(self, now_ms: int) -> None:
        """One round of the periodic care. May block briefly; an error of the disk makes the store read-only.

        After such an error nothing is flushed any more: what is on the disk is unknown.
        """
        self._check_open()
        if self._failure:
            return
        try:
            self._care.round(now_ms)
            if self._undispatched and not self._care.is_disk_full:
                self._catch_up()
        except OSError as error:
            if is_out_of_room(error):
                self._care.note_full()
            else:
                self._fail("caring for the files", error)

    def close(self) -> None:
        """Flush all, write the checkpoint, take `abort` away if all is dispatched, unlock. Does nothing when it is not open."""
        if not self._is_open:
            return
        is_clean = self.is_writable
        self._is_open = False
        try:
            if not self._failure:
                self.flush()
                if not self._undispatched:
                    self._care.flush_all()
            if is_clean and self._care.is_index_complete and self._dispatcher.end >= self._log.end:
                self._files.delete(ABORT_PATH)
                self._files.sync_folder("")
        except (OSError, StoreReadOnly) as error:
            self._fail("closing", error)
        finally:
            self._release()
