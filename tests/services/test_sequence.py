"""Parts start in order, stop in reverse, and nothing is left running."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.services.sequence import Sequence, Step


class SequenceTests(SynchronousTestCase):
    """Three parts that write down what happens to them."""

    def setUp(self) -> None:
        """`outcomes` by "start b" and the like: an exception to raise, or something to return."""
        self.happened: list[str] = []
        self.outcomes: dict[str, Any] = {}
        self.sequence = Sequence([self.part("a"), self.part("b")])
        self.sequence.add(self.part("c"))

    def part(self, name: str) -> Step:
        """One part."""

        def do(what: str) -> Any:
            self.happened.append(what)
            outcome = self.outcomes.get(what)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return Step(name, start=lambda: do(f"start {name}"), stop=lambda: do(f"stop {name}"))

    def test_order(self) -> None:
        """Forward, then backward."""
        self.successResultOf(self.sequence.start())
        self.successResultOf(self.sequence.stop())
        self.assertEqual(self.happened, ["start a", "start b", "start c", "stop c", "stop b", "stop a"])

    def test_each_is_waited_for(self) -> None:
        """Both ways."""
        starting, stopping = Deferred(), Deferred()
        self.outcomes = {"start b": starting, "stop b": stopping}
        started = self.sequence.start()
        self.assertEqual(self.happened, ["start a", "start b"])
        starting.callback(None)
        self.successResultOf(started)
        stopped, again = self.sequence.stop(), self.sequence.stop()
        self.assertEqual(self.happened[3:], ["stop c", "stop b"])
        stopping.callback(None)
        self.successResultOf(stopped)
        self.successResultOf(again)
        self.assertEqual(self.happened[-1], "stop a")

    def test_coroutines(self) -> None:
        """A part's start may be an async function."""

        async def coroutine() -> None:
            self.happened.append("awaited")

        self.outcomes = {"start b": coroutine()}
        self.successResultOf(self.sequence.start())
        self.assertEqual(self.happened, ["start a", "start b", "awaited", "start c"])

    def test_start_that_raises(self) -> None:
        """Those before it are stopped, the error is raised to the caller at once."""
        self.outcomes = {"start c": ZeroDivisionError("cannot")}
        self.assertRaises(ZeroDivisionError, self.sequence.start)
        self.assertEqual(self.happened[3:], ["stop b", "stop a"])
        self.successResultOf(self.sequence.stop())

    def test_start_that_raises_while_stopping_takes_time(self) -> None:
        """The error does not wait, but stop does."""
        stopping: Deferred[None] = Deferred()
        self.outcomes = {"start c": ZeroDivisionError("cannot"), "stop b": stopping}
        self.assertRaises(ZeroDivisionError, self.sequence.start)
        stopped = self.sequence.stop()
        self.assertNoResult(stopped)
        stopping.callback(None)
        self.successResultOf(stopped)

    def test_start_that_fails_late(self) -> None:
        """The Deferred fails when all others have stopped."""
        starting, stopping = Deferred(), Deferred()
        self.outcomes = {"start b": starting, "stop a": stopping}
        started = self.sequence.start()
        starting.errback(ZeroDivisionError("late"))
        self.assertNoResult(started)
        stopping.callback(None)
        self.failureResultOf(started, ZeroDivisionError)
        self.assertEqual(self.happened, ["start a", "start b", "stop a"])

    def test_stop_while_starting(self) -> None:
        """What is starting is waited for, the rest is not started, all that runs is stopped."""
        starting: Deferred[None] = Deferred()
        self.outcomes = {"start b": starting}
        started = self.sequence.start()
        stopped = self.sequence.stop()
        self.assertNoResult(stopped)
        starting.callback(None)
        self.successResultOf(started)
        self.successResultOf(stopped)
        self.assertEqual(self.happened, ["start a", "start b", "stop b", "stop a"])

    def test_stop_that_fails(self) -> None:
        """Is logged; the others are stopped."""
        self.outcomes = {"stop b": ZeroDivisionError("stuck")}
        self.successResultOf(self.sequence.start())
        self.successResultOf(self.sequence.stop())
        self.assertEqual(self.happened[-1], "stop a")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_start_again(self) -> None:
        """After a stop."""
        self.successResultOf(self.sequence.start())
        self.successResultOf(self.sequence.stop())
        self.happened.clear()
        self.successResultOf(self.sequence.start())
        self.successResultOf(self.sequence.stop())
        self.assertEqual(len(self.happened), 6)

    def test_steps_without_callables(self) -> None:
        """Either may be left out."""
        sequence = Sequence([Step("nothing")])
        self.successResultOf(sequence.start())
        self.successResultOf(sequence.stop())
