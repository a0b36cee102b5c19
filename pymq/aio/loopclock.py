# Tests: tests/aio/test_loopclock.py
"""Time as Twisted asks for it, kept by an asyncio event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.runtime import seconds
from zope.interface import implementer

from pymq.errors import ClientError


@implementer(IReactorTime)
class LoopClock:
    """The clock of the event loop that runs when it is first asked to call something, and of no other.

    Clocks of one loop are equal, so that the clients of one loop find each other in the registry of instances.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: set[LoopCall] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop. Raises ClientError when another one runs now, RuntimeError when none does."""
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        if self._loop is not running:
            raise ClientError("this client belongs to another event loop; use it there, or make one for this loop")
        return running

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LoopClock):
            return NotImplemented
        return self is other or (self._loop is not None and self._loop is other._loop)

    def __hash__(self) -> int:
        return hash(self.loop)

    def seconds(self) -> float:
        """Seconds since the epoch."""
        return seconds()

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object) -> LoopCall:
        """Call it after `delay` seconds."""
        call = LoopCall(self.loop, delay, self._calls, lambda: callable(*args, **kwargs))
        self._calls.add(call)
        return call

    def getDelayedCalls(self) -> list[LoopCall]:
        """What is still to be called."""
        return list(self._calls)


@implementer(IDelayedCall)
class LoopCall:
    """One call that is still to be made, and a member of `waiting` until then."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, delay_s: float, waiting: set[LoopCall], call: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._call = call
        self._waiting = waiting
        self._is_called = False
        self._is_cancelled = False
        self._set(seconds() + delay_s)

    def _set(self, time_s: float) -> None:
        self._time_s = time_s
        self._handle = self._loop.call_later(max(time_s - seconds(), 0.0), self._run)

    def _run(self) -> None:
        self._is_called = True
        self._waiting.discard(self)
        self._call()

    def _check_active(self) -> None:
        if self._is_cancelled:
            raise AlreadyCancelled
        if self._is_called:
            raise AlreadyCalled

    def getTime(self) -> float:
        """When, in seconds since the epoch."""
        return self._time_s

    def cancel(self) -> None:
        """Do not call. Raises AlreadyCancelled, AlreadyCalled."""
        self._check_active()
        self._is_cancelled = True
        self._waiting.discard(self)
        self._handle.cancel()

    def delay(self, seconds_later: float) -> None:
        """Call later than planned."""
        self._move(self._time_s + seconds_later)

    def reset(self, seconds_from_now: float) -> None:
        """Call so long from now on."""
        self._move(seconds() + seconds_from_now)

    def _move(self, time_s: float) -> None:
        self._check_active()
        self._handle.cancel()
        self._set(time_s)

    def active(self) -> bool:
        """Whether it is still to be made."""
        return not (self._is_called or self._is_cancelled)

    def __repr__(self) -> str:
        state: Any = "cancelled" if self._is_cancelled else "called" if self._is_called else f"due at {self._time_s:.3f}"
        return f"<LoopCall {state}>"
