"""Nothing is called durable that is not, and everybody who waits gets an answer."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreReadOnly
from pymq.services.flusher import Flusher
from pymq.store.config import MessageStoreConfig


class CountingStore:
    """As much of a store as the flusher uses: it has bytes, and can make them durable, or fail."""

    def __init__(self) -> None:
        self.end = 0
        self.flushed = 0
        self.error: Exception | None = None

    def put(self, size: int = 100) -> int:
        """Append; the offset behind it."""
        self.end += size
        return self.end

    def flush(self) -> int:
        """Make all durable."""
        if self.error is not None:
            raise self.error
        self.flushed = self.end
        return self.flushed


class FlusherTests(SynchronousTestCase):
    """With SYNC_FLUSH; the test finishes each flush by hand."""

    def setUp(self) -> None:
        """A store, a clock, calls that wait in `blocked`."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.store: Any = CountingStore()
        self.config = MessageStoreConfig(flush_disk_type="SYNC_FLUSH")
        self.blocked: list[tuple[Any, Deferred[Any]]] = []
        self.flusher = Flusher(self.store, self.config, clock=self.clock, run_blocking=self.run_blocking)

    def run_blocking(self, function: Any) -> Deferred[Any]:
        """Keep the call for `finish`."""
        result: Deferred[Any] = Deferred()
        self.blocked.append((function, result))
        return result

    def finish(self) -> None:
        """Do the oldest call, as the thread would."""
        function, result = self.blocked.pop(0)
        maybeDeferred(function).addBoth(lambda outcome: result.callback(outcome))

    def test_mode(self) -> None:
        """The setting says whether sends wait."""
        self.assertTrue(self.flusher.sync)
        asynchronous = attrs.evolve(self.config, flush_disk_type="ASYNC_FLUSH")
        self.assertFalse(Flusher(self.store, asynchronous, clock=self.clock, run_blocking=self.run_blocking).sync)

    def test_one_flush_for_all_who_wait(self) -> None:
        """Those who came before it began are released by it; who came later by the next, which follows by itself."""
        first, second = self.flusher.when_durable(self.store.put()), self.flusher.when_durable(self.store.put())
        function, result = self.blocked.pop(0)
        flushed = function()
        third = self.flusher.when_durable(self.store.put())
        self.assertEqual(self.blocked, [])
        result.callback(flushed)
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (True, True))
        self.assertNoResult(third)
        self.finish()
        self.assertTrue(self.successResultOf(third))
        self.assertEqual((self.blocked, self.flusher.flush_count), ([], 2))

    def test_how_long_the_first_has_waited(self) -> None:
        """For those who watch."""
        self.assertEqual(self.flusher.head_wait_s, 0.0)
        self.flusher.when_durable(self.store.put())
        self.clock.advance(0.5)
        self.flusher.when_durable(self.store.put())
        self.clock.advance(0.25)
        self.assertEqual(self.flusher.head_wait_s, 0.75)
        self.finish()
        self.assertEqual(self.flusher.head_wait_s, 0.0)
        self.clock.advance(10)

    def test_durable_already(self) -> None:
        """Needs no flush."""
        offset = self.store.put()
        self.flusher.when_durable(offset)
        self.finish()
        self.assertTrue(self.successResultOf(self.flusher.when_durable(offset)))
        self.assertEqual((self.flusher.flush_count, self.flusher.flushed_offset), (1, offset))

    def test_timeout(self) -> None:
        """False after syncFlushTimeout; the flush that comes late releases the others only."""
        slow = self.flusher.when_durable(self.store.put())
        self.clock.advance(4)
        later = self.flusher.when_durable(self.store.put())
        self.clock.advance(1)
        self.assertIs(self.successResultOf(slow), False)
        self.assertNoResult(later)
        self.finish()
        self.assertTrue(self.successResultOf(later))

    def test_offset_that_is_not_stored(self) -> None:
        """Nobody flushes again and again for it; it ends by its timeout."""
        beyond = self.flusher.when_durable(self.store.put() + 1)
        self.finish()
        self.assertEqual(self.blocked, [])
        self.clock.advance(5)
        self.assertIs(self.successResultOf(beyond), False)

    def test_disk_error(self) -> None:
        """All who wait fail, all who come fail, and the disk is not asked again."""
        self.store.error = OSError(5, "Input/output error")
        waiting = self.flusher.when_durable(self.store.put())
        self.finish()
        self.failureResultOf(waiting, StoreReadOnly)
        self.store.error = None
        self.failureResultOf(self.flusher.when_durable(self.store.put()), StoreReadOnly)
        self.successResultOf(self.flusher.flush())
        self.assertEqual(self.blocked, [])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_store_error_is_passed_on(self) -> None:
        """The store's own words are kept."""
        self.store.error = StoreReadOnly("segment 0000 cannot be written")
        waiting = self.flusher.when_durable(self.store.put())
        self.finish()
        self.assertIs(self.failureResultOf(waiting, StoreReadOnly).value, self.store.error)
        self.flushLoggedErrors(StoreReadOnly)

    def test_clock(self) -> None:
        """Every 500 ms what was put is flushed, whoever waits."""
        self.flusher.start()
        self.store.put()
        self.clock.advance(0.5)
        self.finish()
        self.assertEqual(self.store.flushed, 100)

    def test_stop_flushes_everything(self) -> None:
        """Also what comes behind a flush that is under way; then nothing is left."""
        self.flusher.start()
        self.flusher.when_durable(self.store.put())
        function, result = self.blocked.pop(0)
        flushed = function()
        self.store.put()
        stopped = Deferred.fromCoroutine(self.flusher.stop())
        result.callback(flushed)
        self.assertNoResult(stopped)
        self.finish()
        self.successResultOf(stopped)
        self.assertEqual(self.store.flushed, 200)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_direct_calls(self) -> None:
        """Tests of others pass maybeDeferred as run_blocking."""
        flusher = Flusher(self.store, self.config, clock=self.clock, run_blocking=maybeDeferred)
        self.assertTrue(self.successResultOf(flusher.when_durable(self.store.put())))
        self.successResultOf(Deferred.fromCoroutine(flusher.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
