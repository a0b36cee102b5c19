"""Tests of pymq.broker.halfanswers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import halfanswers
from pymq.broker.halfanswers import HalfAnswers


class HalfAnswersTests(SynchronousTestCase):
    """Op messages from offset 10 on, half messages from offset 100 on."""

    def setUp(self) -> None:
        self.answers = HalfAnswers(10, 100)

    def take(self, offset: int) -> bool:
        """Look at a half message and pass it."""
        taken = self.answers.take(offset)
        self.answers.move_to(offset + 1)
        return taken

    def test_what_is_ended(self) -> None:
        """Those that an op message names, once."""
        self.answers.note(10, [101])
        self.assertEqual([self.take(100), self.take(101), self.take(101)], [False, True, False])

    def test_progress_waits_for_what_is_ahead(self) -> None:
        """The first op message about a half message that was not passed yet is where to go on."""
        self.answers.note(10, [102])
        self.answers.note(11, [100])
        self.assertEqual(self.answers.progress, 10)
        self.take(100)
        self.assertEqual(self.answers.progress, 10)
        self.take(101)
        self.take(102)
        self.assertEqual((self.answers.progress, self.answers.next_op_offset), (12, 12))

    def test_a_list_is_done_with_its_last(self) -> None:
        """As 5.x writes them."""
        self.answers.note(10, [100, 101])
        self.take(100)
        self.assertEqual(self.answers.progress, 10)
        self.take(101)
        self.assertEqual(self.answers.progress, 11)

    def test_a_second_op_message(self) -> None:
        """A transaction that was ended twice does not hold the progress up."""
        self.answers.note(10, [100])
        self.answers.note(11, [100])
        self.assertTrue(self.take(100))
        self.assertEqual(self.answers.progress, 12)

    def test_nonsense(self) -> None:
        """An op message about nothing is done."""
        self.answers.note(10, [])
        self.assertEqual(self.answers.progress, 11)

    def test_late_answers(self) -> None:
        """What ends a half message that was passed is remembered, once."""
        self.take(100)
        self.answers.note(10, [100, 3])
        self.assertEqual(self.answers.progress, 11)
        self.assertEqual([self.answers.take_late(offset) for offset in (100, 3, 3, 101)], [True, True, False, False])

    def test_a_leap(self) -> None:
        """Half messages that are gone are passed; what was known of them has become late."""
        self.answers.note(10, [100, 101, 110])
        self.answers.move_to(105)
        self.assertEqual(self.answers.progress, 10)
        self.assertTrue(self.answers.take_late(101))
        self.assertTrue(self.take(110))
        self.assertEqual(self.answers.progress, 11)

    def test_bounds(self) -> None:
        """So many answers are held, and so many late ones, of which the oldest go."""
        self.patch(halfanswers, "ANSWERS_HELD_MAX", 2)
        self.patch(halfanswers, "LATE_ANSWERS_MAX", 2)
        self.answers.note(10, [200])
        self.assertFalse(self.answers.is_full)
        self.answers.note(11, [201, 1, 2, 3])
        self.assertTrue(self.answers.is_full)
        self.assertEqual([self.answers.take_late(offset) for offset in (1, 2, 3)], [False, True, True])

    @given(st.lists(st.lists(st.integers(0, 15), max_size=4), max_size=12), st.integers(0, 15))
    def test_nothing_is_forgotten_by_a_restart(self, ops: list[list[int]], passed: int) -> None:
        """Wherever it stops: from the progress on, every answer about what is ahead is read again."""
        answers = HalfAnswers(0, 0)
        for offset, halves in enumerate(ops):
            answers.note(offset, halves)
        ended = []
        for half in range(passed):
            ended.append(answers.take(half))
            answers.move_to(half + 1)
        self.assertEqual(ended, [any(half in halves for halves in ops) for half in range(passed)])
        again = HalfAnswers(answers.progress, passed)
        for offset in range(answers.progress, len(ops)):
            again.note(offset, ops[offset])
        for half in range(passed, 16):
            self.assertEqual(again.take(half), any(half in halves for halves in ops))
