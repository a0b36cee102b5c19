# Tests: tests/store/test_queuetable.py
"""All consume queues of a store, by topic and queue id (store.md 1.1, 2.9; Java: DefaultMessageStore.consumeQueueTable)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pymq.errors import StoreDamaged
from pymq.interfaces import IFiles
from pymq.message.record import TOPIC_BYTES_MAX
from pymq.message.topics import keeps_queues
from pymq.store.config import MessageStoreConfig
from pymq.store.consumequeue import ConsumeQueue
from pymq.store.consumequeueext import FOLDER as EXT_FOLDER
from pymq.store.extendedqueue import ExtendedConsumeQueue
from pymq.store.files import open_files_max
from pymq.store.segment import Segment

__all__ = ["QueueTable"]

FOLDER = "consumequeue"
#: Where brokers of 5.x keep the queues of topics with `queue.type=BatchCQ`: each of their records holds many messages.
BATCH_FOLDER = "batchconsumequeue"
#: Queue files may be open up to this share of the process's limit, for each takes two descriptors and connections want some; but
#: always as many as OPEN_MIN.
LIMIT_SHARE = 6
OPEN_MIN = 64

_QUEUE_ID_MAX = 2**31 - 1


class QueueTable:
    """The queues, read from the folders `consumequeue/<topic>/<queue id>`; new ones are made when their first message comes."""

    def __init__(self, files: IFiles, config: MessageStoreConfig, open_max: int | None = None) -> None:
        """`open_max` is how many files may be open at a time; by default it follows from the process's limit."""
        self._files = files
        self._open_max = max(OPEN_MIN, open_files_max() // LIMIT_SHARE) if open_max is None else open_max
        self._opened = 0
        self._file_bytes = config.consume_queue_file_bytes
        self._ext_file_bytes = config.mapped_file_size_consume_queue_ext if config.enable_consume_queue_ext else 0
        self._table: dict[tuple[str, int], ConsumeQueue] = {}
        #: The queue of a pair (topic, queue id) if it was made: `obtain` for the path of every message.
        self.find = self._table.get
        self._rolled: list[Segment] = []

    @property
    def are_extended(self) -> bool:
        """Whether the queues are ExtendedConsumeQueues."""
        return bool(self._ext_file_bytes)

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[ConsumeQueue]:
        return iter(self._table.values())

    def get(self, topic: str, queue_id: int) -> ConsumeQueue | None:
        """The queue, or None when no message of it was ever stored."""
        return self._table.get((topic, queue_id))

    def obtain(self, topic: str, queue_id: int) -> ConsumeQueue | None:
        """The queue, made if need be; None when there cannot be one of that name. Nothing is written before its first unit."""
        queue = self._table.get((topic, queue_id))
        if queue is None and _can_be_folder(topic) and 0 <= queue_id <= _QUEUE_ID_MAX:
            queue = self._make(topic, queue_id)
            if isinstance(queue, ExtendedConsumeQueue):
                queue.ext.discard()
            self._table[topic, queue_id] = queue
        return queue

    def _make(self, topic: str, queue_id: int) -> ConsumeQueue:
        name = f"{topic}/{queue_id}"
        common = (self._files, f"{FOLDER}/{name}", topic, queue_id, self._file_bytes, self._rolled, self._make_room)
        if not self._ext_file_bytes:
            return ConsumeQueue(*common)
        return ExtendedConsumeQueue(*common, ext_folder=f"{EXT_FOLDER}/{name}", ext_file_bytes=self._ext_file_bytes)

    def _make_room(self) -> None:
        """A file is to be opened: when so many were that the limit may be reached, all are given back and open again in use."""
        self._opened += 1
        if self._opened > self._open_max:
            self._opened = 1
            self.release()

    def load(self, thorough: bool) -> None:
        """Find all queues and their ends. A folder whose name is no queue id is passed over. Raises StoreDamaged, also for batch
        queues of 5.x, whose messages would each be as many as a batch has.
        """
        for topic in self._files.list(BATCH_FOLDER):
            if self._files.list(f"{BATCH_FOLDER}/{topic}"):
                raise StoreDamaged(
                    f"{BATCH_FOLDER}/{topic} holds batch consume queues of RocketMQ 5.x, which are not read here: "
                    f"have the messages of topic {topic} consumed by that broker and delete the topic there, then start this one"
                )
        for topic in self._files.list(FOLDER):
            folder = f"{FOLDER}/{topic}"
            if not self._files.is_folder(folder) or not _can_be_folder(topic):
                continue
            for name in self._files.list(folder):
                if name.isascii() and name.isdigit() and self._files.is_folder(f"{folder}/{name}"):
                    queue = self._make(topic, int(name))
                    queue.load(thorough)
                    queue.release()
                    self._table[topic, queue.queue_id] = queue

    @property
    def max_log_offset(self) -> int:
        """The end of the newest record that has a unit in any queue."""
        return max((queue.max_log_offset for queue in self), default=0)

    def truncate(self, log_end: int) -> None:
        """Drop all units of records at or beyond the end of the log. Raises OSError."""
        for queue in self:
            queue.truncate(log_end)

    def correct_offsets(self, log_min: int) -> None:
        """After recovery: find the first readable message of each queue, and number new messages on from its end."""
        for queue in self:
            queue.correct_min_offset(log_min)
            queue.next_offset = queue.end_offset
            queue.release()

    def delete_expired(self, log_min: int) -> int:
        """Delete files whose messages are all gone from the log; how many went. Raises OSError."""
        return sum(queue.delete_expired(log_min) for queue in self)

    def clear(self) -> None:
        """Remove all queues: there is no log, so what they point at is gone (store.md 5.7)."""
        self._remove(list(self._table))

    def drop(self, is_unwanted: Callable[[str], bool]) -> list[str]:
        """Remove the queues of unwanted topics, apart from the system's and light queues; the topics, sorted.

        Raises OSError; what is left of a queue is then its newest part, and it is numbered on.
        """
        keys = [key for key in self._table if is_unwanted(key[0]) and not keeps_queues(key[0])]
        self._remove(keys)
        return sorted({topic for topic, _ in keys})

    def _remove(self, keys: list[tuple[str, int]]) -> None:
        for key in keys:
            self._table[key].clear()
            del self._table[key]
        left = {topic for topic, _ in self._table}
        for topic in {topic for topic, _ in keys} - left:
            for folder in (f"{FOLDER}/{topic}", f"{EXT_FOLDER}/{topic}"):
                if self._files.is_folder(folder) and not self._files.list(folder):
                    self._files.delete(folder)

    def topics(self) -> list[str]:
        """The topics that have messages in queues, sorted."""
        return sorted({queue.topic for queue in self if queue.end_offset})

    def sync_cuts(self) -> None:
        """Make durable that units were taken away, lest a power cut bring them back among new ones. Raises OSError."""
        for queue in self:
            if queue.is_cut:
                queue.sync()

    def mark_dirty(self, *, rewrites: bool = False) -> None:
        """Have every queue synced in the next round. Raises OSError when it `rewrites`, see SegmentList.mark_dirty."""
        for queue in self:
            queue.mark_dirty(rewrites=rewrites)
            if rewrites:
                queue.release()

    def sync_rolled(self) -> None:
        """Make the files durable that became full since the last call. May run in another thread. Raises OSError."""
        while self._rolled:
            self._rolled.pop(0).sync()

    def dirty(self) -> list[ConsumeQueue]:
        """The queues that have units which are not yet synced."""
        return [queue for queue in self if queue.is_dirty]

    def release_idle(self) -> None:
        """Give back the files that nobody used since the last call."""
        for queue in self:
            queue.release_idle()

    def release(self) -> None:
        """Give all files back."""
        for queue in self:
            queue.release()


def _can_be_folder(topic: str) -> bool:
    """Whether a topic can name a folder; a name with a path in it must never reach the disk."""
    if not topic or topic in (".", "..") or "/" in topic or "\\" in topic or not topic.isprintable():
        return False
    return len(topic) <= TOPIC_BYTES_MAX and (topic.isascii() or len(topic.encode("utf-8", "replace")) <= TOPIC_BYTES_MAX)
