# Tests: tests/services/test_sequence.py
"""Parts that start one after another and stop in reverse, each waited for.

Twisted's MultiService begins to stop all of its children at once, so that a store could close while the listener before it still
takes messages, and leaves the earlier children running when a later one cannot start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure


class Part(Protocol):
    """What a Sequence is made of. Both may give a Deferred or a coroutine, which is waited for."""

    def start(self) -> Any:
        """Begin. Raises, or fails, when that is not possible."""

    def stop(self) -> Any:
        """End. Only called after a start that succeeded."""


class Step:
    """A part made of two callables, either of which may be left out."""

    def __init__(self, name: str, *, start: Any = None, stop: Any = None) -> None:
        self.name = name
        self._start = start
        self._stop = stop

    def start(self) -> Any:
        """Call the first."""
        return None if self._start is None else self._start()

    def stop(self) -> Any:
        """Call the second."""
        return None if self._stop is None else self._stop()


class Sequence:
    """Parts in the order of their start. A Sequence is a part itself."""

    _log = Logger()

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self._parts = list(parts)
        self._started: list[Part] = []
        self._start_over: Deferred[None] | None = None
        self._stopped: Deferred[None] | None = None

    def add(self, part: Part) -> None:
        """Append a part; only before the start."""
        self._parts.append(part)

    def start(self) -> Deferred[None]:
        """Start every part, waiting for each; fires when all run.

        When one cannot start, those before it are stopped. Its error is raised here if no part had to be waited for until then,
        so that a `startService` that calls this raises as well; `stop` then gives the Deferred for the end of the others.
        Otherwise the Deferred fails with the error when the others have stopped.
        """
        self._stopped = None
        remaining = iter(self._parts)
        for part in remaining:
            results: list[Any] = []
            outcome = maybeDeferred(part.start).addBoth(results.append)
            if not results:
                self._start_over = Deferred()
                return Deferred.fromCoroutine(self._start_rest(part, outcome, results, remaining))
            if isinstance(results[0], Failure):
                self.stop()
                results[0].raiseException()
            self._started.append(part)
        return succeed(None)

    async def _start_rest(self, part: Part, outcome: Deferred[None], results: list[Any], remaining: Iterator[Part]) -> None:
        """Wait for a part that is starting, then for each of the remaining ones; a `stop` in between ends it."""
        try:
            while True:
                await outcome
                if isinstance(results[0], Failure):
                    self._say_failed(part, results[0])
                    await self._stop_all()
                    results[0].raiseException()
                self._started.append(part)
                following = next(remaining, None)
                if following is None or self._stopped is not None:
                    return
                part, results = following, []
                outcome = maybeDeferred(part.start).addBoth(results.append)
        finally:
            over, self._start_over = self._start_over, None
            assert over is not None
            over.callback(None)

    def _say_failed(self, part: Part, failure: Failure) -> None:
        self._log.error("{part} cannot start: {error}", part=_name_of(part), error=failure.getErrorMessage())

    def stop(self) -> Deferred[None]:
        """Stop what was started, last first, waiting for each; fires when all are over, also when called again.

        An error is logged and does not keep the others running.
        """
        if self._stopped is None:
            self._stopped = Deferred()
            Deferred.fromCoroutine(self._stop_when_started()).chainDeferred(self._stopped)
        watcher: Deferred[None] = Deferred()
        self._stopped.addBoth(lambda _: watcher.callback(None))
        return watcher

    async def _stop_when_started(self) -> None:
        if self._start_over is not None:
            await self._start_over
        await self._stop_all()

    async def _stop_all(self) -> None:
        while self._started:
            part = self._started.pop()
            try:
                await maybeDeferred(part.stop)
            except Exception:
                self._log.failure("{part} failed to stop; the others are stopped", part=_name_of(part))


def _name_of(part: Part) -> str:
    name = getattr(part, "name", None)
    return name if isinstance(name, str) else type(part).__name__
