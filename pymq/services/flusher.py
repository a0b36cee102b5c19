# Tests: tests/services/test_flusher.py
"""When stored messages become durable: one flush of the store at a time, off the reactor's thread, for all who wait (group
commit).

While a flush runs, sends go on; whoever asks meanwhile is served by the next one. Java: FlushCommitLogService and its two kinds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.errors import StoreError, StoreReadOnly
from pymq.interfaces import IClock, IMessageStore
from pymq.periodic import Periodic
from pymq.store.config import MessageStoreConfig

#: Calls a function elsewhere than in the reactor's thread; a Deferred of its result. Tests pass `maybeDeferred`.
RunBlocking = Callable[..., "Deferred[Any]"]

_SYNC = "SYNC_FLUSH"


class _Waiter:
    """One who asked: until what log offset the store must be durable for it, when it asked, and when it gives up."""

    __slots__ = ("asked", "deadline", "durable", "log_offset")

    def __init__(self, log_offset: int, asked: float, deadline: float, durable: Deferred[bool]) -> None:
        self.log_offset = log_offset
        self.asked = asked
        self.deadline = deadline
        self.durable = durable


class Flusher:
    """Flushes the store by demand (SYNC_FLUSH) and by the clock, `flushIntervalCommitLog`, in either mode.

    After an I/O error nothing is flushed any more and every wait fails: what the kernel dropped then cannot be made durable by
    trying again. A part of a Sequence, to be started behind the store and stopped before it.
    """

    _log = Logger()

    def __init__(self, store: IMessageStore, config: MessageStoreConfig, clock: IClock, run_blocking: RunBlocking) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._run_blocking = run_blocking
        self._waiters: deque[_Waiter] = deque()
        self._asked_count = 0
        self._flushed_offset = 0
        self._flushing: Deferred[None] | None = None
        self._deadline_call: Any = None
        self._periodic = Periodic(clock, config.flush_interval_commit_log / 1000, self.flush, name="flush of the commit log")
        #: Why nothing can be made durable any more; None while all is well.
        self.error: StoreError | None = None
        #: How many flushes were asked of the store.
        self.flush_count = 0

    @property
    def sync(self) -> bool:
        """Whether a send is to be acknowledged only when it is durable."""
        return self._config.flush_disk_type == _SYNC

    @property
    def flushed_offset(self) -> int:
        """The log offset up to which everything is known to be durable."""
        return self._flushed_offset

    @property
    def head_wait_s(self) -> float:
        """How long the first of those who wait for the disk has waited, in seconds; 0 when nobody waits."""
        if not self._waiters:
            return 0.0
        return max(0.0, self._clock.seconds() - self._waiters[0].asked)

    def start(self) -> None:
        """Flush by the clock from now on."""
        self._periodic.start()

    async def stop(self) -> None:
        """Flush everything, and answer all who wait."""
        await self._periodic.stop()
        if self._flushing is not None:
            await self.flush()
        await self.flush()
        while self._waiters:
            self._waiters.popleft().durable.callback(False)
        if self._deadline_call is not None:
            self._deadline_call.cancel()
            self._deadline_call = None

    def when_durable(self, log_offset: int) -> Deferred[bool]:
        """True when the log is durable up to `log_offset`, the offset behind the last byte that matters; False when that takes
        longer than `syncFlushTimeout`.

        Fails with StoreReadOnly when the disk failed.
        """
        if self.error is not None:
            return fail(self.error)
        if log_offset <= self._flushed_offset:
            return succeed(True)
        durable: Deferred[bool] = Deferred()
        now = self._clock.seconds()
        self._asked_count += 1
        self._waiters.append(_Waiter(log_offset, now, now + self._config.sync_flush_timeout / 1000, durable))
        if self._deadline_call is None:
            self._watch_deadlines()
        if self._flushing is None:
            self._flush()
        return durable

    def flush(self) -> Deferred[None]:
        """Make everything put so far durable, unless that is impossible; fires when it is done. Never fails."""
        done: Deferred[None] = Deferred()
        if self.error is not None:
            return succeed(None)
        if self._flushing is None:
            self._flush()
        if self._flushing is None:
            return succeed(None)
        self._flushing.addCallback(lambda _: done.callback(None))
        return done

    def _flush(self) -> None:
        """Begin a flush; when it is done, and somebody waits for more, begin another."""
        self.flush_count += 1
        finished: Deferred[None] = Deferred()
        self._flushing = finished
        flushed = self._run_blocking(self._store.flush).addCallbacks(self._flushed, self._failed)
        flushed.addBoth(self._finished, finished, self._asked_count)

    def _finished(self, result: Any, finished: Deferred[None], asked_count: int) -> None:
        if isinstance(result, Failure):
            self._log.failure("releasing those who waited for the disk", result)
        self._flushing = None
        # Only for those who came while it ran: whom this flush could not help, the next would not help either.
        if self._asked_count > asked_count and self._waiters and self.error is None:
            self._flush()
        finished.callback(None)

    def _flushed(self, log_offset: int) -> None:
        self._flushed_offset = max(self._flushed_offset, log_offset)
        waiters, later = self._waiters, []
        while waiters:
            waiter = waiters.popleft()
            if waiter.log_offset <= log_offset:
                waiter.durable.callback(True)
            else:
                later.append(waiter)
        waiters.extendleft(reversed(later))

    def _failed(self, failure: Failure) -> None:
        reason = failure.value
        self.error = reason if isinstance(reason, StoreError) else StoreReadOnly(f"the disk failed: {failure.getErrorMessage()}")
        self._log.failure("the store cannot be flushed; nothing is acknowledged any more", failure)
        while self._waiters:
            self._waiters.popleft().durable.errback(self.error)

    def _watch_deadlines(self) -> None:
        """One timer for all: every wait has the same length, so the first in the row is the first to end."""
        delay = max(self._waiters[0].deadline - self._clock.seconds(), 0.001)
        self._deadline_call = self._clock.callLater(delay, self._give_up)

    def _give_up(self) -> None:
        self._deadline_call = None
        now = self._clock.seconds()
        while self._waiters and self._waiters[0].deadline <= now:
            self._waiters.popleft().durable.callback(False)
        if self._waiters:
            self._watch_deadlines()
