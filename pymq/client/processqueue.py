# Tests: tests/client/test_processqueue.py
"""The messages in hand of one queue, and up to where all of them are done.

Pure bookkeeping: pulled messages are put in, finished ones taken out, and the offset to commit is that of the first unfinished
one. Times are given in milliseconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from pymq.message.message import StoredMessage
from pymq.wire.bodies.messagequeue import MessageQueue

MIB = 1024 * 1024
#: An ordered queue whose lock was not renewed for so long may already belong to another (Java: rebalanceLockMaxLiveTime).
LOCK_LIVES_MS = 30_000
#: A queue that was not pulled for so long is taken up anew (Java: pullMaxIdleTime).
PULL_IDLE_MAX_MS = 120_000


class ProcessQueue:
    """One queue in the hands of a push consumer (Java: ProcessQueue).

    `count` and `size_bytes` cover what was put and not yet removed. `dropped` is set when the queue is no longer ours; nothing is
    committed for it from then on. `leaving` asks an ordered consumer to stop before that; `in_listener` is set while its listener
    has messages of the queue. `locked` and `last_lock_ms` matter to ordered consumption alone.
    """

    __slots__ = (
        "_taken",
        "_waiting",
        "consuming",
        "count",
        "dropped",
        "in_listener",
        "last_consume_ms",
        "last_lock_ms",
        "last_pull_ms",
        "leaving",
        "locked",
        "next_offset",
        "queue",
        "size_bytes",
    )

    def __init__(self, queue: MessageQueue, now_ms: int) -> None:
        self.queue = queue
        self.dropped = False
        self.leaving = False
        self.in_listener = False
        self.locked = False
        self.consuming = False
        self.count = 0
        self.size_bytes = 0
        self.next_offset = 0
        self.last_pull_ms = now_ms
        self.last_consume_ms = now_ms
        self.last_lock_ms = now_ms
        self._waiting: OrderedDict[int, StoredMessage] = OrderedDict()
        self._taken: OrderedDict[int, StoredMessage] = OrderedDict()

    def put(self, messages: Sequence[StoredMessage]) -> bool:
        """Take in pulled messages, ascending by offset. Whether an ordered consumer must be started (Java: putMessage)."""
        waiting = self._waiting
        for message in messages:
            offset = message.queue_offset
            if offset not in waiting:
                waiting[offset] = message
                self.count += 1
                self.size_bytes += message.size
        if messages:
            self.next_offset = messages[-1].queue_offset + 1
        if self.consuming or not waiting:
            return False
        self.consuming = True
        return True

    def remove(self, messages: Iterable[StoredMessage], now_ms: int) -> int:
        """Messages are done; the offset to commit, or -1 when nothing was in hand (Java: removeMessage)."""
        self.last_consume_ms = now_ms
        waiting = self._waiting
        if not waiting:
            return -1
        for message in messages:
            if waiting.pop(message.queue_offset, None) is not None:
                self.count -= 1
                self.size_bytes -= message.size
        return next(iter(waiting)) if waiting else self.next_offset

    def holds(self, message: StoredMessage) -> bool:
        """Whether the message is still in hand."""
        return message.queue_offset in self._waiting or message.queue_offset in self._taken

    @property
    def span(self) -> int:
        """Offsets between the first and the last message in hand."""
        if not self._waiting:
            return 0
        return next(reversed(self._waiting)) - next(iter(self._waiting))

    def take(self, count_max: int, now_ms: int) -> list[StoredMessage]:
        """The next messages for ordered consumption; an empty list ends it until the next `put` (Java: takeMessages)."""
        self.last_consume_ms = now_ms
        messages: list[StoredMessage] = []
        while self._waiting and len(messages) < count_max:
            offset, message = self._waiting.popitem(last=False)
            self._taken[offset] = message
            messages.append(message)
        if not messages:
            self.consuming = False
        return messages

    def commit(self) -> int:
        """All taken messages are done; the offset to commit, or -1 when none was taken."""
        if not self._taken:
            return -1
        offset = next(reversed(self._taken)) + 1
        self.count -= len(self._taken)
        self.size_bytes -= sum(message.size for message in self._taken.values())
        self._taken.clear()
        return offset

    def put_back(self) -> None:
        """Taken messages are to be consumed again, before all others (Java: rollback, makeMessageToConsumeAgain)."""
        for offset in reversed(list(self._taken)):
            self._waiting[offset] = self._taken[offset]
            self._waiting.move_to_end(offset, last=False)
        self._taken.clear()

    def clear(self) -> None:
        """Forget all messages."""
        self._waiting.clear()
        self._taken.clear()
        self.count = 0
        self.size_bytes = 0

    def has_messages(self) -> bool:
        """Whether anything is in hand."""
        return self.count > 0

    def is_lock_expired(self, now_ms: int) -> bool:
        """Whether the broker may have given the lock to another by now."""
        return now_ms - self.last_lock_ms > LOCK_LIVES_MS

    def is_pull_expired(self, now_ms: int) -> bool:
        """Whether the queue was not pulled for so long that something must have gone wrong."""
        return now_ms - self.last_pull_ms > PULL_IDLE_MAX_MS

    @property
    def taken_count(self) -> int:
        """Messages that an ordered consumer has taken."""
        return len(self._taken)

    def offsets_in_hand(self) -> tuple[int, int, int, int]:
        """First and last offset that wait, first and last that are taken; 0 for none. For the running info."""
        pairs = [(next(iter(part)), next(reversed(part))) if part else (0, 0) for part in (self._waiting, self._taken)]
        return (*pairs[0], *pairs[1])
