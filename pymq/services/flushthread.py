# Tests: tests/services/test_flushthread.py
"""One thread of its own for what blocks on the disk, so that the reactor never does.

Twisted's `deferToThread` would do, and is no slower in the median (60 us beyond the disk's own time, both); but its pool is
shared, so a flush could wait behind the resolving of a name, and it is slower at the 99th percentile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from pymq.services.sequence import Part

_Call = tuple[Callable[..., Any], tuple[Any, ...], "Deferred[Any]"]


class WorkThread(Part, Protocol):
    """What a broker asks of its threads; where the disk is in memory another stands in their place."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Call it, after what was given before; a Deferred of the result, or of the failure."""


class FlushThread:
    """A WorkThread. Calls functions one after another in a thread. `run` is the `run_blocking` of those who need it."""

    def __init__(self, reactor: IReactorFromThreads, *, name: str = "pymq-flush") -> None:
        self._call_from_thread = reactor.callFromThread
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ended: Deferred[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether `run` can be used."""
        return self._thread is not None

    def start(self) -> None:
        """Begin. Nothing happens when it runs already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> Deferred[None]:
        """End after the calls that were given; fires when the thread is over."""
        thread, self._thread = self._thread, None
        if thread is None:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._ended = ended
        self._calls.put(None)
        return ended.addCallback(lambda _: thread.join())

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Call in the thread; a Deferred of the result, or of the failure. Raises RuntimeError when not started."""
        if self._thread is None:
            raise RuntimeError(f"{self._name} is not started")
        result: Deferred[Any] = Deferred()
        self._calls.put((function, arguments, result))
        return result

    def _work(self) -> None:
        """The thread's own loop."""
        take, call_from_thread = self._calls.get, self._call_from_thread
        while (call := take()) is not None:
            function, arguments, result = call
            try:
                value = function(*arguments)
            except BaseException:
                call_from_thread(result.errback, Failure())
            else:
                call_from_thread(result.callback, value)
        assert self._ended is not None
        call_from_thread(self._ended.callback, None)
