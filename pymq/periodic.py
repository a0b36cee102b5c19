# Tests: tests/test_periodic.py
"""Work that is done again and again. The only door to LoopingCall, which ends for good when its function raises once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.interfaces import IClock


class Periodic:
    """Calls `work` every `seconds`, first after `initial_delay_s` (None: after `seconds`), until it is stopped.

    `work` may give a Deferred or a coroutine; the next round then waits for it, and rounds missed meanwhile are left out. An
    error is logged and counted in `failure_count`, and the next round comes as if nothing had happened. `start` and `stop` may
    alternate.
    """

    _log = Logger()

    def __init__(
        self, clock: IClock, seconds: float, work: Callable[[], Any], *, name: str, initial_delay_s: float | None = None
    ) -> None:
        self.name = name
        self.run_count = 0
        self.failure_count = 0
        self._clock = clock
        self._seconds = seconds
        self._work = work
        self._initial_delay_s = seconds if initial_delay_s is None else initial_delay_s
        self._loop: _ClockedCall | None = None
        self._first: Any = None
        self._round: Deferred[Any] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is started."""
        return self._first is not None or self._loop is not None

    def start(self) -> None:
        """Begin. Nothing happens when it runs already."""
        if not self.is_running:
            self._first = self._clock.callLater(self._initial_delay_s, self._begin)

    def stop(self) -> Deferred[None]:
        """End; fires when a round that is under way is over. Again is harmless."""
        first, self._first = self._first, None
        loop, self._loop = self._loop, None
        if first is not None:
            first.cancel()
        if loop is not None and loop.running:
            loop.stop()
        if self._round is None:
            return succeed(None)
        over: Deferred[None] = Deferred()
        self._round.addBoth(lambda _: over.callback(None))
        return over

    def _begin(self) -> None:
        self._first = None
        self._loop = loop = _ClockedCall(self._clock, self._run)
        loop.start(self._seconds, now=True)

    def _run(self) -> Deferred[None]:
        self.run_count += 1
        under_way = maybeDeferred(self._work)
        self._round = under_way

        def over(result: Any) -> None:
            self._round = None
            if isinstance(result, Failure) and result.check(CancelledError) is None:
                self.failure_count += 1
                self._log.failure("{name} failed; it goes on", result, name=self.name)

        return under_way.addBoth(over)


class _ClockedCall(LoopingCall):
    """A LoopingCall made with its clock. The usual way installs the process's reactor to have one, also where none ever runs."""

    def __init__(self, clock: IClock, work: Callable[[], Any]) -> None:
        self.clock = clock
        self.f, self.a, self.kw = work, (), {}
