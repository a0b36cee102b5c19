"""Coroutines that end when their owner ends."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.tasks import Shared, Tasks, UnderWay, all_of
from tests.client.cases import awaited


class TasksTests(SynchronousTestCase):
    """Running, ending, sharing."""

    def setUp(self) -> None:
        """An owner."""
        self.clock = Clock()
        self.tasks = Tasks(self.clock)
        self.seen: list[object] = []

    async def waits(self, on: Deferred[object]) -> object:
        """Waits, and notes how that ended."""
        try:
            value = await on
        except BaseException as error:
            self.seen.append(type(error))
            raise
        self.seen.append(value)
        return value

    def test_cancel_all_ends_what_waits(self) -> None:
        """Each coroutine is told where it waits."""
        first: Deferred[object] = Deferred()
        self.tasks.spawn(self.waits(first), "waiting")
        held = self.tasks.hold(self.waits(Deferred()))
        self.assertEqual(len(self.tasks), 2)
        self.tasks.cancel_all()
        self.assertEqual((self.seen, len(self.tasks)), ([CancelledError, CancelledError], 0))
        self.failureResultOf(held, CancelledError)

    def test_nothing_starts_after_the_end(self) -> None:
        """A coroutine that begins too late is ended at its first wait, and sleeps no more."""
        self.tasks.cancel_all()
        self.failureResultOf(self.tasks.hold(self.waits(Deferred())), CancelledError)
        self.failureResultOf(self.tasks.sleep(1), CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_errors_of_spawned_work_are_logged(self) -> None:
        """Nobody waits for it, so the log must tell."""

        async def fails() -> None:
            raise ZeroDivisionError

        self.tasks.spawn(fails(), "dividing")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_sleep_may_be_cancelled(self) -> None:
        """And leaves no delayed call."""
        sleeping = self.tasks.sleep(5)
        sleeping.cancel()
        self.failureResultOf(sleeping, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_of_gives_results_and_failures_in_order(self) -> None:
        """One failure does not take the others along."""
        late: Deferred[object] = Deferred()

        async def fails() -> object:
            raise ZeroDivisionError

        outcome = all_of([self.waits(late), fails(), self.waits(Deferred.fromCoroutine(awaited(late)))])
        self.assertNoResult(outcome)
        late.callback(None)
        result = self.successResultOf(outcome)
        self.assertIsNone(result[0])
        assert isinstance(result[1], Failure)
        self.assertTrue(result[1].check(ZeroDivisionError))

    def test_cancelling_all_of_cancels_each(self) -> None:
        """Nothing goes on unobserved."""
        outcome = all_of([self.waits(Deferred()), self.waits(Deferred())])
        outcome.cancel()
        self.assertEqual(self.seen, [CancelledError, CancelledError])
        self.failureResultOf(outcome, CancelledError)

    def test_shared_work_runs_once(self) -> None:
        """Who asks meanwhile gets the same outcome; who asks later has it done again."""
        shared, gate, begun = Shared(self.tasks), [Deferred(), Deferred()], []

        async def work() -> int:
            begun.append(1)
            await gate[len(begun) - 1]
            return len(begun)

        first, second = shared.run("key", work), shared.run("key", work)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        third = shared.run("key", work)
        gate[0].callback(None)
        self.assertEqual((self.successResultOf(first), self.successResultOf(third)), (1, 1))
        fourth = shared.run("key", work)
        gate[1].callback(None)
        self.assertEqual(self.successResultOf(fourth), 2)

    def test_shared_failures_reach_every_waiter(self) -> None:
        """And the next one starts afresh."""
        shared, gate = Shared(self.tasks), Deferred()

        async def work() -> None:
            await gate

        waiters = [shared.run("key", work) for _ in range(2)]
        gate.errback(ZeroDivisionError())
        for waiter in waiters:
            self.failureResultOf(waiter, ZeroDivisionError)

    def test_who_comes_behind_waits_for_what_is_under_way(self) -> None:
        """Under that key, however it ends; not for what begins later. A waiter that is cancelled leaves the work alone."""
        work, gates = UnderWay(), [Deferred() for _ in range(4)]
        running = [self.tasks.hold(work.run(key, gate)) for key, gate in zip("aab", gates)]
        waiting, impatient = (self.tasks.hold(work.ended("a")) for _ in range(2))
        running.append(self.tasks.hold(work.run("a", gates[3])))
        impatient.cancel()
        self.failureResultOf(impatient, CancelledError)
        gates[1].callback(1)
        self.assertNoResult(waiting)
        gates[0].errback(ZeroDivisionError())
        self.successResultOf(waiting)
        self.assertEqual(self.successResultOf(running[1]), 1)
        self.failureResultOf(running[0], ZeroDivisionError)
        self.successResultOf(self.tasks.hold(work.ended("c")))
        for gate in gates[2:]:
            gate.callback(None)
        self.assertEqual([self.successResultOf(one) for one in running[2:]], [None, None])
