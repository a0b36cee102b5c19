"""Answers find their requests, in time or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import ConnectionClosed, RequestTimeout, TooManyRequests
from pymq.remoting.pending import SWEEP_INTERVAL_S, PendingRequests, Question
from pymq.wire.command import RemotingCommand


def answer_to(opaque: int, code: int = 0) -> RemotingCommand:
    """A response under that opaque."""
    return RemotingCommand(code=code, opaque=opaque, flag=1)


class PendingRequestsTests(SynchronousTestCase):
    """One connection's open questions."""

    def setUp(self) -> None:
        """A clock that looks like today, and room for three requests."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.timeouts: list[int] = []
        self.pending = PendingRequests(
            clock=self.clock, address="10.0.0.9:10911", pending_requests_max=3, timed_out=self.count_timeout
        )

    def count_timeout(self, overdue: Sequence[Question]) -> None:
        """Called when deadlines passed."""
        self.timeouts += [question.reads for question in overdue]

    def test_answer_goes_to_its_request_in_any_order(self) -> None:
        """Responses may come in any order."""
        first_opaque, first = self.pending.ask(10, 3)
        second_opaque, second = self.pending.ask(11, 3)
        self.assertTrue(self.pending.answered(answer_to(second_opaque, 19)))
        self.assertTrue(self.pending.answered(answer_to(first_opaque, 0)))
        self.assertEqual(self.successResultOf(second).code, 19)
        self.assertEqual(self.successResultOf(first).code, 0)
        self.assertEqual(len(self.pending), 0)

    def test_deadline_fails_the_request_with_what_was_asked(self) -> None:
        """The error says who did not answer what, and in which time; what its asker gave comes back."""
        _, asked = self.pending.ask(34, 3, 17)
        self.clock.advance(2.99)
        self.assertNoResult(asked)
        self.clock.advance(0.02)
        error = self.failureResultOf(asked, RequestTimeout).value
        self.assertEqual((error.address, error.code, error.timeout_s), ("10.0.0.9:10911", 34, 3))
        self.assertEqual(self.timeouts, [17])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_each_request_has_a_deadline_of_its_own(self) -> None:
        """A short deadline behind a long one is kept, to within the sweep's interval."""
        _, long = self.pending.ask(11, 30)
        _, short = self.pending.ask(34, 1)
        self.clock.advance(1 + SWEEP_INTERVAL_S)
        self.failureResultOf(short, RequestTimeout)
        self.assertNoResult(long)
        self.clock.advance(29)
        self.failureResultOf(long, RequestTimeout)

    def test_late_answer_is_no_surprise(self) -> None:
        """An answer to a request that was given up is dropped without a warning."""
        opaque, asked = self.pending.ask(10, 1)
        self.clock.advance(2)
        self.failureResultOf(asked, RequestTimeout)
        self.assertFalse(self.pending.answered(answer_to(opaque)))

    def test_answer_to_nothing_is_reported_and_dropped(self) -> None:
        """An opaque that was never asked does no harm."""
        self.assertFalse(self.pending.answered(answer_to(77)))
        self.assertFalse(self.pending.answered(answer_to(-1)))

    def test_bound_on_open_requests(self) -> None:
        """Beyond the bound nothing is taken; an answer makes room."""
        opaque, _ = self.pending.ask(10, 3)
        self.pending.ask(10, 3)
        self.pending.ask(10, 3)
        self.assertRaises(TooManyRequests, self.pending.ask, 10, 3)
        self.pending.answered(answer_to(opaque))
        self.pending.ask(10, 3)

    def test_cancelling_gives_the_answer_up(self) -> None:
        """A cancelled request leaves nothing behind."""
        opaque, asked = self.pending.ask(10, 3)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(len(self.pending), 0)
        self.assertFalse(self.pending.answered(answer_to(opaque)))

    def test_fail_all_leaves_no_timer(self) -> None:
        """A lost connection fails everything with its reason."""
        _, first = self.pending.ask(10, 3)
        _, second = self.pending.ask(10, 3)
        self.pending.fail_all(ConnectionClosed("gone"))
        self.failureResultOf(first, ConnectionClosed)
        self.failureResultOf(second, ConnectionClosed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_opaques_are_not_given_twice_when_they_begin_anew(self) -> None:
        """After 2**31 - 1 comes 0; an opaque that is still open is passed over."""
        first, _ = self.pending.ask(10, 3)
        self.pending._next_opaque = 2**31 - 1
        self.assertEqual(self.pending.ask(10, 3)[0], 2**31 - 1)
        self.assertEqual(self.pending.next_opaque(), 0)
        self.assertNotEqual(self.pending.ask(10, 3)[0], first)
