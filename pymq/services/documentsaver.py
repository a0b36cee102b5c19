# Tests: tests/services/test_documentsaver.py
"""Saves the broker's documents off the reactor's thread, one write of each at a time, for all who wait (as in group commit).

Changes made during a write are taken together by the next one, so however many topics are made in a row, no more texts are made
of the table than the disk takes. Java: ConfigManager.persist, which writes in the thread of each request.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.broker.configmanager import ConfigManager
from pymq.interfaces import IClock
from pymq.services.flusher import RunBlocking


class DocumentSaver:
    """Writes what changed of ConfigManagers. `run_blocking` must call one function after another."""

    _log = Logger()

    def __init__(self, *, clock: IClock, run_blocking: RunBlocking) -> None:
        self._clock = clock
        self._run_blocking = run_blocking
        #: Who waits for the next write of a manager, by manager; one that is here is written, or will be at the turn's end.
        self._waiting: dict[ConfigManager, list[Deferred[None]]] = {}

    def when_saved(self, manager: ConfigManager) -> Deferred[None]:
        """Write what changed; fires when all that changed until now is in the document. Fails with what the write failed with.

        After a failure the changes stay unsaved, and the next call tries again.
        """
        if not manager.has_changed:
            return succeed(None)
        saved: Deferred[None] = Deferred()
        waiting = self._waiting.get(manager)
        if waiting is None:
            self._waiting[manager] = [saved]
            # At the end of the turn, so that its requests share the write.
            self._clock.callLater(0, self._write, manager)
        else:
            waiting.append(saved)
        return saved

    async def save_all(self, *managers: ConfigManager) -> None:
        """Save these; what fails is logged, and keeps the others from nothing."""
        for manager in managers:
            try:
                await self.when_saved(manager)
            except Exception:
                self._log.failure("{document} could not be saved", document=manager.document)

    def _write(self, manager: ConfigManager) -> None:
        waiting, self._waiting[manager] = self._waiting[manager], []
        snapshot = manager.snapshot()
        written = self._run_blocking(manager.write, snapshot)
        written.addCallback(lambda _: manager.written(snapshot)).addBoth(self._over, manager, waiting)

    def _over(self, outcome: Any, manager: ConfigManager, waiting: list[Deferred[None]]) -> None:
        if self._waiting[manager]:
            self._write(manager)
        else:
            del self._waiting[manager]
        for saved in waiting:
            # Each with a failure of its own: one that a waiter takes apart is not the next one's any more.
            saved.callback(None) if outcome is None else saved.errback(Failure(outcome.value))
