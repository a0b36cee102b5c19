"""The reactor is kept awake for a bounded number of rounds."""

from __future__ import annotations

from twisted.internet import task
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.linger import LINGER_ROUNDS, Linger


class Rounds(task.Clock):
    """A clock that counts what is scheduled on it."""

    scheduled = 0

    def callLater(self, when: float, what: object, *arguments: object, **keywords: object) -> object:
        """Count, and schedule."""
        self.scheduled += 1
        return super().callLater(when, what, *arguments, **keywords)


class LingerTests(SynchronousTestCase):
    """It ends by itself, and there is one at a time."""

    def setUp(self) -> None:
        self.clock = Rounds()
        self.linger = Linger(self.clock)

    def test_it_ends(self) -> None:
        """After so many rounds nothing is scheduled any more."""
        self.linger.keep_awake()
        self.clock.advance(0)
        self.assertEqual(self.clock.scheduled, LINGER_ROUNDS)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_there_is_one_at_a_time(self) -> None:
        """Another message only begins the count anew."""
        self.linger.keep_awake()
        self.linger.keep_awake()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_it_can_begin_again(self) -> None:
        """For the next lone message."""
        self.linger.keep_awake()
        self.clock.advance(0)
        self.linger.keep_awake()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
