"""Work that is repeated goes on whatever it meets."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.periodic import Periodic


class PeriodicTests(SynchronousTestCase):
    """Every ten seconds."""

    def setUp(self) -> None:
        """Work that does what the test put into `outcome`."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.times: list[float] = []
        self.outcome: Any = None
        self.periodic = Periodic(self.clock, 10, self.work, name="some work")

    def work(self) -> Any:
        """Remember when; return or raise."""
        self.times.append(self.clock.seconds() - 1_700_000_000)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def tick(self, seconds: float, times: int) -> None:
        """Let time pass in steps: one large step would run the work once only."""
        self.clock.pump([seconds] * times)

    def test_first_after_one_period(self) -> None:
        """Then again and again."""
        self.periodic.start()
        self.tick(5, 7)
        self.assertEqual(self.times, [10, 20, 30])
        self.assertEqual(self.periodic.run_count, 3)

    def test_initial_delay(self) -> None:
        """The first time may differ; zero is the next turn, not this one."""
        self.periodic = Periodic(self.clock, 10, self.work, name="some work", initial_delay_s=0)
        self.periodic.start()
        self.assertEqual(self.times, [])
        self.tick(5, 5)
        self.assertEqual(self.times, [5, 15, 25])

    def test_errors_are_counted_and_survived(self) -> None:
        """A LoopingCall by itself would end at the first."""
        self.outcome = ZeroDivisionError("now and then")
        self.periodic.start()
        self.tick(10, 3)
        self.assertEqual((self.periodic.failure_count, len(self.times)), (3, 3))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_rounds_wait_for_a_deferred(self) -> None:
        """A round that takes long is not overtaken by the next."""
        self.outcome = under_way = Deferred()
        self.periodic.start()
        self.tick(10, 3)
        self.assertEqual(self.times, [10])
        self.outcome = None
        under_way.callback(None)
        self.tick(10, 2)
        self.assertEqual(self.times, [10, 40, 50])

    def test_stop_waits_for_the_round(self) -> None:
        """So that what the work uses can be closed after it."""
        self.outcome = under_way = Deferred()
        self.periodic.start()
        self.tick(10, 1)
        stopped = self.periodic.stop()
        self.assertNoResult(stopped)
        under_way.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_before_the_first_round(self) -> None:
        """Leaves nothing; twice is harmless; it can start again."""
        self.periodic.start()
        self.successResultOf(self.periodic.stop())
        self.successResultOf(self.periodic.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.periodic.is_running)
        self.periodic.start()
        self.periodic.start()
        self.tick(10, 1)
        self.assertEqual(len(self.times), 1)
        self.successResultOf(self.periodic.stop())
