"""Tests of pymq.statsitems."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq import statsitems as module
from pymq.statsitems import DAY, HOUR, MINUTE, MomentStatsItemSet, StatsItem, StatsItemSet, StatsSnapshot
from tests.broker.fixtures import NOW_MS


class StatsItemTests(SynchronousTestCase):
    """One counter's course."""

    def test_nothing_is_known_before_the_first_sample(self) -> None:
        """Zeros, not an error."""
        item = StatsItem()
        item.value = 5
        self.assertEqual(item.snapshot(MINUTE), StatsSnapshot(0, 0.0, 0.0))

    def test_first_sample_counts_from_zero_one_period_before(self) -> None:
        """A counter that was just made has its rate at once."""
        item = StatsItem()
        item.value, item.times = 50, 5
        item.sample(0, NOW_MS)
        self.assertEqual(item.snapshot(MINUTE), StatsSnapshot(50, 5.0, 10.0))

    def test_window_forgets_what_is_older(self) -> None:
        """Seven samples of ten seconds are one minute."""
        item = StatsItem()
        for index in range(20):
            item.value += 10
            item.times += 1
            item.sample(0, NOW_MS + index * 10_000)
        self.assertEqual(item.snapshot(MINUTE), StatsSnapshot(60, 1.0, 10.0))

    def test_windows_do_not_mix(self) -> None:
        """Each has samples of its own."""
        item = StatsItem()
        item.value = 3600
        item.sample(2, NOW_MS)
        self.assertEqual((item.snapshot(DAY).tps, item.snapshot(HOUR)), (1.0, StatsSnapshot()))

    def test_samples_of_one_moment_have_no_rate(self) -> None:
        """A clock that stands still divides nothing by zero."""
        item = StatsItem()
        for _ in range(8):
            item.sample(0, NOW_MS)
            item.value += 1
        self.assertEqual(item.snapshot(MINUTE).tps, 0.0)


class StatsItemSetTests(SynchronousTestCase):
    """Counters by key."""

    def setUp(self) -> None:
        """Nothing was counted."""
        self.items = StatsItemSet(NOW_MS)

    def test_counts_add_up_by_key(self) -> None:
        """Values and times."""
        self.items.add("T", 5)
        self.items.add("T", 7, 3)
        item = self.items.get("T")
        self.assertEqual((item.value, item.times, self.items.get("X")), (12, 4, None))

    def test_each_window_is_sampled_when_it_is_due(self) -> None:
        """Every ten seconds, ten minutes, and hour."""
        self.items.add("T", 6)
        seen = []
        for seconds in (9, 10, 599, 600, 3599, 3600):
            self.items.sample(NOW_MS + seconds * 1000)
            item = self.items.get("T")
            seen.append(tuple(item.snapshot(window).sum for window in (MINUTE, HOUR, DAY)))
        self.assertEqual(seen, [(0, 0, 0), (6, 0, 0), (6, 0, 0), (6, 6, 0), (6, 6, 0), (6, 6, 6)])

    def test_after_a_long_pause_one_sample_stands_for_all(self) -> None:
        """The next one is due at the next whole period."""
        self.items.add("T", 6)
        self.items.sample(NOW_MS + 95_000)
        self.items.add("T", 1)
        self.items.sample(NOW_MS + 99_000)
        self.assertEqual(self.items.get("T").snapshot(MINUTE).sum, 6)
        self.items.sample(NOW_MS + 100_000)
        self.assertEqual(self.items.get("T").snapshot(MINUTE).sum, 7)

    def test_unwanted_keys_can_be_removed(self) -> None:
        """And the others stay."""
        self.items.add("T", 1)
        self.items.add("X", 1)
        self.items.remove(lambda key: key == "T")
        self.assertEqual(list(self.items.items), ["X"])

    def test_keys_have_a_bound(self) -> None:
        """What comes for one more is counted together."""
        self.patch(module, "STATS_ITEMS_MAX", 1)
        self.items.add("T", 1)
        self.items.add("X", 5)
        self.items.add("T", 1)
        self.assertEqual((self.items.get("T").value, self.items.get("X"), self.items.untracked_count), (2, None, 5))


class MomentStatsItemSetTests(SynchronousTestCase):
    """Last figures by key."""

    def test_the_last_one_counts(self) -> None:
        """Of each key; a key without one has none."""
        items = MomentStatsItemSet()
        items.item("a").value = 5
        items.item("a").value = 3
        self.assertEqual((items.item("a").value, items.get("b")), (3, None))
        items.remove(lambda key: key == "a")
        self.assertIsNone(items.get("a"))

    def test_there_are_not_too_many(self) -> None:
        """A further key's figure is taken and forgotten."""
        self.patch(module, "STATS_ITEMS_MAX", 1)
        items = MomentStatsItemSet()
        items.item("a").value = 1
        items.item("b").value = 2
        self.assertEqual(list(items.items), ["a"])
