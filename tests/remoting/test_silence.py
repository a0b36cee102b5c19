"""When a server that leaves requests unanswered counts as gone."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.remoting.pending import Question
from pymq.remoting.silence import SILENCE_MAX_S, Silence

START_S = 1_700_000_000.0


def question(asked_s: float, timeout_s: float, reads: int) -> Question:
    """A request that was asked so long after the start."""
    return Question(Deferred(), 10, START_S + asked_s + timeout_s, timeout_s, reads)


class SilenceTests(SynchronousTestCase):
    """Times count from the start."""

    def setUp(self) -> None:
        """Nothing timed out yet."""
        self.silence = Silence()

    def timed_out(self, at_s: float, reads: int, *overdue: Question) -> float | None:
        """These are overdue now."""
        return self.silence.timed_out(overdue, reads, START_S + at_s)

    def test_one_request_is_enough_when_it_waited_long(self) -> None:
        """Java's usual three seconds."""
        silent_s = self.timed_out(3, 0, question(0, 3, 0))
        assert silent_s is not None
        self.assertAlmostEqual(silent_s, SILENCE_MAX_S, 5)

    def test_short_timeouts_add_up(self) -> None:
        """Each alone proves nothing."""
        self.assertIsNone(self.timed_out(1, 7, question(0, 1, 7)))
        self.assertIsNone(self.timed_out(2, 7, question(1, 1, 7)))
        self.assertIsNotNone(self.timed_out(3, 7, question(2, 1, 7)))

    def test_a_byte_is_life(self) -> None:
        """What came after a request was asked, even if it was no answer to it."""
        self.assertIsNone(self.timed_out(30, 8, question(0, 30, 7)))
        self.assertIsNone(self.timed_out(31, 8, question(30, 1, 8)))
        self.assertIsNone(self.timed_out(32, 9, question(31, 1, 8)))
        self.assertIsNone(self.timed_out(33, 9, question(32, 1, 9)))

    def test_the_oldest_counts(self) -> None:
        """Of those that time out together."""
        self.assertIsNotNone(self.timed_out(4, 0, question(3.5, 0.5, 0), question(0.5, 3.5, 0), question(3, 1, 0)))

    def test_a_pause_between_two_requests_counts(self) -> None:
        """Nothing came in all that time, although something was owed."""
        self.assertIsNone(self.timed_out(1, 0, question(0, 1, 0)))
        silent_s = self.timed_out(31, 0, question(30, 1, 0))
        assert silent_s is not None
        self.assertAlmostEqual(silent_s, 31, 5)
