# Tests: tests/client/test_polls.py
"""Pulled messages in hand until polls take them, and how far each queue is consumed by that (Java: AssignedMessageQueue).

What a poll gives counts as consumed when the next poll, or a commit, says so by `settle`. Until then `put_back` can have it come
again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed

from pymq.client.processqueue import ProcessQueue
from pymq.interfaces import IClock
from pymq.message.message import StoredMessage
from pymq.wire.bodies.messagequeue import MessageQueue

#: Messages and the queue that they are of, or None when none came in time.
Given = tuple[ProcessQueue, list[StoredMessage]]


class Polls:
    """The queues of one consumer, and the polls that wait for them.

    `positions` says of each queue at which offset goes on who has consumed what is settled.
    """

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._ready: deque[ProcessQueue] = deque()
        self._waiting: deque[tuple[int, Deferred[Given | None]]] = deque()
        self._given: dict[MessageQueue, ProcessQueue] = {}
        self.positions: dict[MessageQueue, int] = {}

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    # The pullers' side

    def begin(self, held: ProcessQueue, offset: int) -> None:
        """A queue is ours, and goes on at an offset."""
        held.next_offset = offset
        self.positions[held.queue] = offset

    def end(self, held: ProcessQueue) -> int:
        """A queue is ours no more, what is in hand of it is forgotten: its position."""
        held.clear()
        self._given.pop(held.queue, None)
        return self.positions.pop(held.queue)

    def arrived(self, held: ProcessQueue, messages: Sequence[StoredMessage], next_offset: int) -> None:
        """A pull up to `next_offset` brought these messages, or none."""
        is_ready = held.put(messages)
        held.next_offset = next_offset
        if not held.has_messages():
            # Nothing of what was passed over concerns us, so it is consumed.
            self.positions[held.queue] = next_offset
        elif is_ready:
            self._ready.append(held)
            self._serve()

    # The polls' side

    def settle(self) -> None:
        """All that was given counts as consumed from now on."""
        for held in self._given.values():
            behind = held.commit()
            self.positions[held.queue] = behind if held.has_messages() else held.next_offset
        self._given.clear()

    def put_back(self) -> None:
        """All that was given since it was last settled is to be given again."""
        for held in self._given.values():
            held.put_back()
            if not held.consuming:
                held.consuming = True
                self._ready.append(held)
        self._given.clear()
        self._serve()

    def poll(self, count_max: int, timeout_s: float | None) -> Deferred[Given | None]:
        """Up to so many messages of one queue, as soon as there are some; None when there are none in time.

        Queues take turns. None for `timeout_s` waits for ever. May be cancelled, and takes no messages then.
        """
        given = None if self._waiting else self._take(count_max)
        if given is not None or (timeout_s is not None and timeout_s <= 0):
            return succeed(given)
        waiting: Deferred[Given | None] = Deferred(lambda _: self._waiting.remove(entry))
        entry = (count_max, waiting)
        self._waiting.append(entry)
        if timeout_s is not None:
            waiting.addTimeout(timeout_s, self._clock, onTimeoutCancel=lambda *_: None)
        return waiting

    def _take(self, count_max: int) -> Given | None:
        while self._ready:
            held = self._ready.popleft()
            messages = [] if held.dropped else held.take(count_max, self._now_ms())
            if messages:
                self._given[held.queue] = held
                self._ready.append(held)
                return held, messages
        return None

    def _serve(self) -> None:
        while self._waiting:
            given = self._take(self._waiting[0][0])
            if given is None:
                return
            self._waiting.popleft()[1].callback(given)
