"""Pauses that grow, up to a limit, and differ by chance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.remoting.backoff import Backoff


class BackoffTests(SynchronousTestCase):
    """A first pause of 0.1 s, none longer than 2 s."""

    def test_pauses_double_up_to_the_limit(self) -> None:
        """And begin anew after a success."""
        backoff = Backoff(0.1, 2.0, lambda: 1.0)
        self.assertEqual([round(backoff.next_s(), 6) for _ in range(7)], [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
        backoff.reset()
        self.assertEqual(backoff.next_s(), 0.1)

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
    def test_half_is_chance(self, chances: list[float]) -> None:
        """However long it goes on, each pause lies between the half and the whole."""
        left = list(chances)
        backoff = Backoff(0.1, 2.0, lambda: left.pop(0))
        for failures in range(len(chances)):
            full = min(0.1 * 2 ** min(failures, 16), 2.0)
            pause = backoff.next_s()
            self.assertTrue(full / 2 <= pause <= full, (failures, pause))

    def test_everybody_has_another(self) -> None:
        """Of themselves, two clients do not wait the same time."""
        self.assertNotEqual(Backoff(0.1, 2.0).next_s(), Backoff(0.1, 2.0).next_s())
