# Tests: tests/client/test_tasks.py
"""Coroutines that run on their own, held so that a shutdown can end every one of them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.interfaces import IClock

T = TypeVar("T")


class Tasks:
    """The running coroutines of one owner. After `cancel_all` nothing of it runs and nothing new starts."""

    _log = Logger()

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._running: set[Deferred[Any]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, Any], what: str) -> Deferred[Any]:
        """Run a coroutine of which nobody waits for the result; an error is logged with `what`. The Deferred may be cancelled."""

        def failed(failure: Failure) -> None:
            if failure.check(CancelledError) is None:
                self._log.failure("{what}", failure, what=what)

        return self.hold(work).addErrback(failed)

    def hold(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Run a coroutine whose result the caller takes; it is cancelled with all others."""
        running = Deferred.fromCoroutine(work)
        if self._closed:
            running.cancel()
        elif not running.called:
            self._running.add(running)
            running.addBoth(self._ended, running)
        return running

    def _ended(self, result: T, running: Deferred[Any]) -> T:
        self._running.discard(running)
        return result

    def sleep(self, seconds: float) -> Deferred[None]:
        """Fires after so many seconds; may be cancelled, and is at once after `cancel_all`.

        The latter ends a coroutine that was running, not waiting, when everything was cancelled.
        """
        if self._closed:
            return fail(CancelledError())
        return deferLater(self._clock, seconds)

    def cancel_all(self) -> None:
        """End everything that runs."""
        self._closed = True
        while self._running:
            self._running.pop().cancel()


def all_of(works: Iterable[Awaitable[T]]) -> Deferred[list[T | Failure]]:
    """Wait for all, together; each one's result or its Failure, in order. Cancelling it cancels them all, and is an error."""
    running = [Deferred.fromCoroutine(_awaited(work)) for work in works]
    is_cancelled = False

    def cancel(_: object) -> None:
        nonlocal is_cancelled
        is_cancelled = True
        for one in running:
            one.cancel()

    def over(outcomes: list[tuple[bool, Any]]) -> None:
        if not is_cancelled:
            all_over.callback([value for _, value in outcomes])

    all_over: Deferred[list[T | Failure]] = Deferred(cancel)
    DeferredList(running, consumeErrors=True).addCallback(over)
    return all_over


async def _awaited(work: Awaitable[T]) -> T:
    return await work


class Shared:
    """Runs one piece of work at a time under each key; who asks while it runs gets the same outcome.

    The work belongs to nobody in particular: a waiter that is cancelled leaves it running.
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._waiting: dict[object, list[Deferred[Any]]] = {}

    def run(self, key: object, work: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """The outcome of `work()`, or of the one under way."""
        waiting = self._waiting.get(key)
        mine: Deferred[T] = Deferred()
        if waiting is not None:
            waiting.append(mine)
            return mine
        self._waiting[key] = [mine]
        self._tasks.hold(work()).addBoth(self._finish, key)
        return mine

    def _finish(self, result: Any, key: object) -> None:
        for waiter in self._waiting.pop(key):
            if not waiter.called:
                waiter.callback(result)


class UnderWay:
    """Pieces of work under keys, several at a time under each; who must come behind them waits for their ends."""

    def __init__(self) -> None:
        #: For each piece, by key and number, who waits for its end.
        self._waiting: dict[tuple[object, int], list[Deferred[None]]] = {}
        self._numbers = itertools.count()

    async def run(self, key: object, work: Awaitable[T]) -> T:
        """The outcome of `work`."""
        piece = key, next(self._numbers)
        self._waiting[piece] = []
        try:
            return await work
        finally:
            for waiter in self._waiting.pop(piece):
                waiter.callback(None)

    async def ended(self, key: object) -> None:
        """Wait until what is under way at this time has ended, however it did; what begins later does not matter."""
        ends: list[Deferred[None]] = []
        for (its_key, _), waiting in self._waiting.items():
            if its_key == key:
                ends.append(Deferred())
                waiting.append(ends[-1])
        await all_of(ends)
