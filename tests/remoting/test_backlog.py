"""Tests of pymq.remoting.backlog."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.remoting.backlog import Backlog, Frame

FRAMES: list[Frame] = [(0, b"%d" % number, b"") for number in range(5)]


class BacklogTests(SynchronousTestCase):
    """Frames that wait."""

    def test_in_order(self) -> None:
        """As many as wanted, as long as there are any."""
        backlog = Backlog()
        backlog.frames += FRAMES
        self.assertEqual([backlog.take(3), backlog.take(3), backlog.take(3)], [FRAMES[:3], FRAMES[3:], []])

    def test_waiting_begins_once(self) -> None:
        """With the first time that they could not be handled, and ends when none waits any more."""
        backlog = Backlog()
        backlog.left_at(100.0)
        self.assertEqual(backlog.waited_s(105.0), 0.0)
        backlog.frames += FRAMES
        backlog.left_at(106.0)
        backlog.take(1)
        backlog.left_at(107.0)
        self.assertEqual(backlog.waited_s(110.0), 4.0)
        backlog.clear()
        self.assertEqual((backlog.waited_s(111.0), backlog.frames), (0.0, []))
