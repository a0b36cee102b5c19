# Tests: tests/testing/test_skipping.py
"""A clock that goes with the reactor's and can be moved forward: what would come later comes now, in order, at its time."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

__all__ = ["SkippingClock"]

#: A skip over so many seconds lets others react first to what was done before it.
SETTLE_SPAN_S = 0.5
#: Calls that `advance` makes before it lets the reactor serve others.
CALLS_AT_ONCE = 64


@implementer(IReactorTime)
class SkippingClock:
    """The time of `reactor` plus all that was skipped. It holds its own delayed calls, and one of the reactor's for the first."""

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        #: (time, number, call), a heap; an entry whose time is not the call's any more is stale.
        self._heap: list[tuple[float, int, DelayedCall]] = []
        self._count = 0
        self._timer: IDelayedCall | None = None
        #: Seconds that this clock is ahead of the reactor's.
        self.skipped_s = 0.0

    def seconds(self) -> float:
        """The time, in seconds since the epoch."""
        return float(self._reactor.seconds()) + self.skipped_s

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> DelayedCall:
        """Call at `seconds() + delay`, be that waited for or skipped to."""
        call = DelayedCall(self.seconds() + delay, callable, args, kw, self._cancelled, self._push, self.seconds)
        self._push(call)
        return call

    def getDelayedCalls(self) -> list[DelayedCall]:
        """The calls that are to come."""
        return [call for time, _, call in self._heap if call.active() and call.time == time]

    def stop(self) -> None:
        """Make none of the calls that are left."""
        self._heap.clear()
        self._set_timer()

    async def advance(self, seconds: float, settle: Callable[[], Awaitable[None]] | None = None) -> None:
        """Skip so many seconds: make each call that is due by then, when the clock stands at its time. Raises ValueError.

        `settle` is awaited before every longer jump and at the end, for those who react to the calls, and whose reactions may
        ask for more calls. The time that passes meanwhile comes on top.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"a clock goes forward by a number of seconds, not by {seconds}")
        target, count = self.seconds() + seconds, 0
        while True:
            call = self._first()
            next_s = target if call is None else min(call.getTime(), target)
            if settle is not None and next_s - self.seconds() > SETTLE_SPAN_S:
                await settle()
                call = self._first()
            if call is None or call.getTime() > target:
                break
            self._skip_to(call.getTime())
            self._make(call)
            count += 1
            if count % CALLS_AT_ONCE == 0:
                await deferLater(self._reactor, 0)
        self._skip_to(target)
        self._set_timer()
        if settle is not None:
            await settle()

    def _skip_to(self, time_s: float) -> None:
        self.skipped_s += max(0.0, time_s - self.seconds())

    def _push(self, call: DelayedCall) -> None:
        """A call was made, or its time was moved to an earlier one."""
        self._count += 1
        heapq.heappush(self._heap, (call.time, self._count, call))
        if self._heap[0][2] is call:
            self._set_timer()

    def _cancelled(self, call: DelayedCall) -> None:
        if self._heap and self._heap[0][2] is call:
            self._set_timer()

    def _first(self) -> DelayedCall | None:
        """The call that comes next; what was cancelled or moved is put in order on the way."""
        while self._heap:
            time, _, call = self._heap[0]
            if call.active() and call.time == time:
                if not call.delayed_time:
                    return call
                heapq.heappop(self._heap)
                call.activate_delay()
                self._count += 1
                heapq.heappush(self._heap, (call.time, self._count, call))
            else:
                heapq.heappop(self._heap)
        return None

    def _set_timer(self) -> None:
        """Wake up for the first call, or not at all."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        first = self._first()
        if first is not None:
            self._timer = self._reactor.callLater(max(0.0, first.getTime() - self.seconds()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now_s = self.seconds()
        while (call := self._first()) is not None and call.getTime() <= now_s:
            self._make(call)
        self._set_timer()

    def _make(self, call: DelayedCall) -> None:
        """Make the first call. What it raises is logged, as a reactor does."""
        heapq.heappop(self._heap)
        call.called = 1
        try:
            call.func(*call.args, **call.kw)
        except Exception:
            self._log.failure("a delayed call failed")
