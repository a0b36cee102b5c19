"""The clock that can be moved forward."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.testing.skipping import SkippingClock

START_S = 1_700_000_000


class SkippingClockTests(SynchronousTestCase):
    """Over a clock that stands still unless it is told to go."""

    def setUp(self) -> None:
        self.real = Clock()
        self.real.advance(START_S)
        self.clock = SkippingClock(self.real)
        self.made: list[tuple[str, float]] = []

    def note(self, name: str) -> None:
        """What the calls do: tell their name and their time."""
        self.made.append((name, self.clock.seconds() - START_S))

    def advance(self, seconds: float, settle: Any = None) -> None:
        """Skip, and let the reactor go round until that is done."""
        done: list[Any] = []
        Deferred.fromCoroutine(self.clock.advance(seconds, settle)).addBoth(done.append)
        for _ in range(100):
            if done:
                break
            self.real.advance(0)
        self.assertEqual(done, [None])

    def test_it_is_a_clock(self) -> None:
        """Whatever takes a reactor for its time takes this."""
        verifyObject(IReactorTime, self.clock)

    def test_without_skips_it_is_the_reactors(self) -> None:
        """Calls come when their time has come by itself."""
        self.clock.callLater(2, self.note, "two")
        self.clock.callLater(1, self.note, "one")
        self.real.advance(1.5)
        self.assertEqual(self.made, [("one", 1.5)])
        self.real.advance(1)
        self.assertEqual([name for name, _ in self.made], ["one", "two"])

    def test_skipped_calls_see_their_own_time(self) -> None:
        """In their order; what is due later comes in its time."""
        for delay in (30, 10, 20, 50):
            self.clock.callLater(delay, self.note, str(delay))
        self.advance(40)
        self.assertEqual(self.made, [("10", 10), ("20", 20), ("30", 30)])
        self.assertEqual(self.clock.seconds(), START_S + 40)
        self.real.advance(10)
        self.assertEqual(self.made[3:], [("50", 50)])

    def test_calls_that_come_of_calls_are_made_too(self) -> None:
        """A period is gone through round by round."""

        def again() -> None:
            self.note("round")
            self.clock.callLater(60, again)

        self.clock.callLater(60, again)
        self.advance(3 * 60)
        self.assertEqual([at for _, at in self.made], [60, 120, 180])

    def test_cancelled_and_moved_calls(self) -> None:
        """As a reactor's: earlier, later, or not at all."""
        self.clock.callLater(10, self.note, "cancelled").cancel()
        self.clock.callLater(10, self.note, "delayed").delay(10)
        self.clock.callLater(30, self.note, "earlier").reset(5)
        self.clock.callLater(30, self.note, "later").reset(40)
        self.assertEqual(len(self.clock.getDelayedCalls()), 3)
        self.advance(60)
        self.assertEqual(self.made, [("earlier", 5), ("delayed", 20), ("later", 40)])

    def test_a_failing_call_hinders_no_other(self) -> None:
        """It is logged, as by a reactor."""
        self.clock.callLater(1, lambda: 1 / 0)
        self.clock.callLater(2, self.note, "two")
        self.advance(3)
        self.assertEqual(self.made, [("two", 2)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_others_react_before_a_jump(self) -> None:
        """What they ask for is done at its time, not after the skip."""

        async def settle() -> None:
            if self.made == [("delivered", 10)]:
                self.made.append(("answered", self.clock.seconds() - START_S))
                self.clock.callLater(5, self.note, "again")

        self.clock.callLater(10, self.note, "delivered")
        self.advance(60, settle)
        self.assertEqual(self.made, [("delivered", 10), ("answered", 10), ("again", 15)])

    def test_the_reactor_gets_its_turn(self) -> None:
        """A long skip does not keep others from being served."""
        served: list[int] = []
        self.real.callLater(0, lambda: served.append(len(self.made)))
        for number in range(200):
            self.clock.callLater(number, self.note, str(number))
        self.advance(300)
        self.assertEqual(len(self.made), 200)
        self.assertLess(served[0], 200)

    def test_after_a_stop_nothing_is_left(self) -> None:
        """Neither here nor at the reactor."""
        self.clock.callLater(1, self.note, "one")
        self.clock.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.real.getDelayedCalls()), ([], []))

    def test_no_way_back(self) -> None:
        """A clock that goes back would break every order."""
        for seconds in (-1, float("nan"), float("inf")):
            self.failureResultOf(Deferred.fromCoroutine(self.clock.advance(seconds)), ValueError)

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(st.lists(st.integers(0, 100), max_size=20), st.lists(st.integers(0, 60), max_size=5))
    def test_all_due_calls_are_made_in_order(self, delays: list[int], skips: list[int]) -> None:
        """Whatever the skips: those up to the time, each once, at its own."""
        self.setUp()
        for delay in delays:
            self.clock.callLater(delay, self.note, "call")
        for skip in skips:
            self.advance(skip)
        self.real.advance(0)
        due = sorted(delay for delay in delays if delay <= sum(skips))
        self.assertEqual([at for _, at in self.made], due)
