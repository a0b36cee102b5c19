"""Calls are made elsewhere, in order, and their results come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.services.flushthread import FlushThread

#: No test waits longer for the thread.
WAIT_S = 30.0


class HandReactor:
    """Keeps what threads want called until the test lets it be called."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        """As the reactor's."""
        self._calls.put((function, arguments))

    def turn(self) -> None:
        """Wait for one call, and make it."""
        function, arguments = self._calls.get(timeout=WAIT_S)
        function(*arguments)


class FlushThreadTests(SynchronousTestCase):
    """One thread, one reactor moved by hand."""

    def setUp(self) -> None:
        """Start."""
        self.reactor = HandReactor()
        self.thread = FlushThread(self.reactor)  # type: ignore[arg-type]
        self.thread.start()
        self.addCleanup(self.end)

    def end(self) -> None:
        """Stop, when it still runs."""
        if self.thread.is_running:
            stopped = self.thread.stop()
            self.reactor.turn()
            self.successResultOf(stopped)

    def test_call(self) -> None:
        """In another thread; the result comes by the reactor."""
        self.thread.start()
        result = self.thread.run(lambda number: (threading.current_thread().name, number + 1), 6)
        self.assertNoResult(result)
        self.reactor.turn()
        self.assertEqual(self.successResultOf(result), ("pymq-flush", 7))

    def test_failure(self) -> None:
        """An exception is the Deferred's failure, and the thread lives on."""
        failing, working = self.thread.run(int, "x"), self.thread.run(int, "3")
        self.reactor.turn()
        self.reactor.turn()
        self.failureResultOf(failing, ValueError)
        self.assertEqual(self.successResultOf(working), 3)

    def test_stop_is_behind_the_calls(self) -> None:
        """What was given is done first; then there is no thread any more."""
        order: list[int] = []
        results: list[Deferred[Any]] = [self.thread.run(order.append, number) for number in range(3)]
        stopped = self.thread.stop()
        for _ in range(4):
            self.reactor.turn()
        self.successResultOf(stopped)
        for result in results:
            self.successResultOf(result)
        self.assertEqual(order, [0, 1, 2])
        self.assertRaises(RuntimeError, self.thread.run, int)
        self.successResultOf(self.thread.stop())
        self.assertNotIn("pymq-flush", [thread.name for thread in threading.enumerate()])
