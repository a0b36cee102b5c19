# Tests: tests/blocking/test_callbacks.py
"""A client's callbacks that may block, each in a thread; what they give comes back to the loop many at a time."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

P = ParamSpec("P")
T = TypeVar("T")

#: Threads for one client's callbacks; they start when there is work, and the client's own settings keep it far below this.
CALLBACK_THREADS_MAX = 1000


class Callbacks:
    """The threads of one client's callbacks.

    Waking the loop costs more than a short callback does, so that it is woken once for all that end before it looks.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(CALLBACK_THREADS_MAX, "pymq-callback")
        self._ended: deque[tuple[Deferred[Any], Any]] = deque()
        self._is_loop_told = False

    def in_threads(self, function: Callable[P, T]) -> Callable[P, Deferred[T]]:
        """A user's function that may block, as one to be called in the loop. Cancelling keeps it from beginning."""

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
            loop = asyncio.get_running_loop()

            def give_up(_: Deferred[T]) -> None:
                future.cancel()

            answer: Deferred[T] = Deferred(give_up)
            future = self._executor.submit(self._run, loop, answer, functools.partial(function, *args, **kwargs))
            return answer

        return call

    def _run(self, loop: asyncio.AbstractEventLoop, answer: Deferred[T], work: Callable[[], T]) -> None:
        outcome: T | Failure
        try:
            outcome = work()
        except BaseException:
            outcome = Failure()
        self._ended.append((answer, outcome))
        if not self._is_loop_told:
            self._is_loop_told = True
            # Of a loop that is closed by now the executor keeps the error to itself: its client was shut down.
            loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        # Taken back first: who ends from here on tells the loop again, and may be answered now all the same.
        self._is_loop_told = False
        for _ in range(len(self._ended)):
            answer, outcome = self._ended.popleft()
            if not answer.called:
                answer.callback(outcome)

    def stop(self) -> None:
        """Begin no more; wait for none."""
        self._executor.shutdown(wait=False, cancel_futures=True)
