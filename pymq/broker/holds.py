# Tests: tests/broker/test_holds.py
"""Pulls that wait for a message (Java: PullRequestHoldService).

A pull that found nothing is held by topic and queue. It is resumed by the first message that its filters let through, or at
its deadline; cancelling it, as the dispatcher does when its connection closes, forgets it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from pymq.errors import RequestError
from pymq.interfaces import IArrivalListener, IClock, IMessageStore
from pymq.message.tags import narrow_code
from pymq.wire.codes import ResponseCode

if TYPE_CHECKING:
    from pymq.message.record import RecordDraft

#: Pulls held at one time; one more is answered SYSTEM_BUSY, after which clients pause before they pull again.
HELD_PULLS_MAX = 200_000
#: Every queue with held pulls is compared with the store once in so many checks, in case an arrival was not told.
COMPARE_PERIOD_CHECKS = 5

K = TypeVar("K")


class Hold:
    """One held pull.

    `offset` is where reading must begin when it is resumed: the pull's own offset, moved past messages that came since and that
    its filter refused. `deadline` is in seconds since the epoch.
    """

    __slots__ = ("_service", "deadline", "is_cancelled", "matches", "offset", "queue_id", "resume", "tag_filter", "topic")

    def __init__(
        self,
        service: PullRequestHoldService,
        topic: str,
        queue_id: int,
        offset: int,
        tag_filter: frozenset[int] | None,
        deadline: float,
        resume: Callable[[Hold], None],
        matches: Callable[[RecordDraft], bool] | None,
    ) -> None:
        self._service: PullRequestHoldService | None = service
        self.topic = topic
        self.queue_id = queue_id
        self.offset = offset
        self.tag_filter = tag_filter
        self.deadline = deadline
        self.resume = resume
        self.matches = matches
        self.is_cancelled = False

    @property
    def is_held(self) -> bool:
        """Whether it still waits: neither resumed nor cancelled."""
        return self._service is not None

    def cancel(self) -> None:
        """Forget the pull; `resume` will not be called from now on, also when its turn had come. Does nothing after that."""
        self.is_cancelled = True
        service = self.release()
        if service is not None:
            service.forget(self)

    def release(self) -> PullRequestHoldService | None:
        """Mark it as waiting no more; the service that held it, or None when it did not wait."""
        service, self._service = self._service, None
        return service


@implementer(IArrivalListener)
class PullRequestHoldService:
    """All held pulls, by queue and by deadline. `check` is called every second, so a deadline is met at most a second late."""

    log = Logger()

    def __init__(self, *, clock: IClock, store: IMessageStore) -> None:
        self._clock = clock
        self._store = store
        self._queues: dict[tuple[str, int], dict[Hold, None]] = {}
        # Holds by the second in which their deadline falls: forgetting one is a dictionary's pop, and nothing stale remains.
        self._seconds: dict[int, dict[Hold, None]] = {}
        self._turn = 0
        self._count = 0

    @property
    def count(self) -> int:
        """How many pulls are held."""
        return self._count

    def hold(
        self,
        topic: str,
        queue_id: int,
        offset: int,
        tag_filter: frozenset[int] | None,
        deadline: float,
        resume: Callable[[Hold], None],
        matches: Callable[[RecordDraft], bool] | None = None,
    ) -> Hold:
        """Hold a pull until a message that passes `tag_filter` and `matches` comes at `offset` or above, or until `deadline`.

        `tag_filter` holds hashes, signed or not; None or an empty one lets everything through. `resume(hold)` is called once,
        when the hold is no more in the table. Raises RequestError (SYSTEM_BUSY) when HELD_PULLS_MAX are held.
        """
        if self._count >= HELD_PULLS_MAX:
            raise RequestError(ResponseCode.SYSTEM_BUSY, f"the broker holds {HELD_PULLS_MAX} pulls, its most; pull again later")
        hashes = frozenset(map(narrow_code, tag_filter)) if tag_filter else None
        hold = Hold(self, topic, queue_id, offset, hashes, deadline, resume, matches)
        self._queues.setdefault((topic, queue_id), {})[hold] = None
        self._seconds.setdefault(math.ceil(deadline), {})[hold] = None
        self._count += 1
        return hold

    def messages_arrived(self, arrivals: Sequence[RecordDraft]) -> None:
        """Resume the pulls that wait for one of these messages.

        Nothing is resumed before all arrivals were looked at: a pull that is held anew by its own resumption was answered from
        the store, which has all of them.
        """
        queues = self._queues
        if not queues:
            return
        due: list[Hold] = []
        for draft in arrivals:
            waiting = queues.get((draft.topic, draft.queue_id))
            if waiting is not None:
                self._match(waiting, draft, due)
        if due:
            self._resume(due)

    def _match(self, waiting: dict[Hold, None], draft: RecordDraft, due: list[Hold]) -> None:
        """Take the holds of one queue that the message ends out of the table and into `due`; move the others past it."""
        offset, code, woken = draft.queue_offset, narrow_code(draft.tags_code), []
        for hold in waiting:
            if offset < hold.offset:
                continue
            if (hold.tag_filter is None or code in hold.tag_filter) and (hold.matches is None or hold.matches(draft)):
                woken.append(hold)
            elif offset == hold.offset:
                hold.offset = offset + 1
        for hold in woken:
            hold.release()
            self.forget(hold)
        due += woken

    def check(self, now: float | None = None) -> None:
        """Resume the pulls whose deadline has come at `now`, the clock's seconds, and those of which the store knows better."""
        now = self._clock.seconds() if now is None else now
        due: list[Hold] = []
        for second, waiting in self._seconds.items():
            if second < now + 1:
                due += [hold for hold in waiting if hold.deadline <= now]
        self._turn = (self._turn + 1) % COMPARE_PERIOD_CHECKS
        for key, waiting in self._queues.items():
            if hash(key) % COMPARE_PERIOD_CHECKS == self._turn:
                end = self._store.max_offset(*key)
                due += [hold for hold in waiting if hold.offset != end and hold.deadline > now]
        for hold in due:
            hold.release()
            self.forget(hold)
        self._resume(due)

    def forget(self, hold: Hold) -> None:
        """Take a released hold out of the tables. For Hold and this class."""
        _take_out(self._queues, (hold.topic, hold.queue_id), hold)
        _take_out(self._seconds, math.ceil(hold.deadline), hold)
        self._count -= 1

    def _resume(self, due: list[Hold]) -> None:
        """Call each hold's `resume`; one that fails is logged and does not keep the others waiting."""
        for hold in due:
            # The resumption of one may have closed the channel of another.
            if hold.is_cancelled:
                continue
            try:
                hold.resume(hold)
            except Exception:
                self.log.failure("resuming a pull of {topic} queue {queue_id} failed", topic=hold.topic, queue_id=hold.queue_id)


def _take_out(table: dict[K, dict[Hold, None]], key: K, hold: Hold) -> None:
    """Remove a hold from one of the tables, and its key with the last one."""
    holds = table[key]
    del holds[hold]
    if not holds:
        del table[key]
