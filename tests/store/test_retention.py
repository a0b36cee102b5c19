"""Which files may go: age, hour, space, ten at a time, never the last."""

from __future__ import annotations

from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from pymq.store.retention import FILES_PER_ROUND_MAX, DiskVerdict, count_removable, is_delete_hour, judge_disk, used_percent

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
CALM = DiskVerdict(clean=False, forced=False, full=False)


class UsedPercentTests(SynchronousTestCase):
    """Rounded up, as Java does."""

    def test_rounds_up(self) -> None:
        """One byte over 75 percent is 76."""
        self.assertEqual([used_percent(75, 25), used_percent(751, 249), used_percent(0, 5), used_percent(5, 0)], [75, 76, 0, 100])

    def test_unknown(self) -> None:
        """A disk without size is unreadable."""
        self.assertEqual(used_percent(0, 0), -1)


class JudgeDiskTests(SynchronousTestCase):
    """Three thresholds over two disks."""

    def judge(self, log_percent: int, queue_percent: int = 10, forced_allowed: bool = True) -> tuple[bool, bool, bool]:
        """With Java's defaults."""
        verdict = judge_disk(
            log_percent, queue_percent, clean_from=75, forced_from=85, full_from=90, forced_allowed=forced_allowed
        )
        return verdict.clean, verdict.forced, verdict.full

    def test_thresholds_act_above_their_value(self) -> None:
        """At 75, 85 and 90 nothing changes yet."""
        wanted = {75: (0, 0, 0), 76: (1, 0, 0), 85: (1, 0, 0), 86: (1, 1, 0), 90: (1, 1, 0), 91: (1, 1, 1)}
        self.assertEqual({percent: self.judge(percent) for percent in wanted}, wanted)

    def test_the_fuller_disk_decides(self) -> None:
        """Queues may have a disk of their own."""
        self.assertEqual(self.judge(10, 91), (True, True, True))

    def test_force_can_be_forbidden(self) -> None:
        """cleanFileForciblyEnable=false keeps young files; the disk is full all the same."""
        self.assertEqual(self.judge(95, forced_allowed=False), (True, False, True))

    def test_unreadable_disk_asks_for_cleaning(self) -> None:
        """Java's rule for a ratio of -1."""
        self.assertEqual(self.judge(-1), (True, False, False))


class IsDeleteHourTests(SynchronousTestCase):
    """deleteWhen, by the local clock."""

    def at(self, hour: int) -> int:
        """Half past an hour, local time, in ms."""
        return int(datetime(2024, 3, 5, hour, 30).timestamp() * 1000)

    def test_hours(self) -> None:
        """The whole hour counts, and every hour of the list."""
        self.assertEqual([is_delete_hour(self.at(hour), "04;16") for hour in (3, 4, 5, 16)], [False, True, False, True])

    def test_parts_that_are_no_hour(self) -> None:
        """They neither match nor raise."""
        self.assertEqual([is_delete_hour(self.at(4), text) for text in ("", ";", "x", "x;4 ", "40")], [0, 0, 0, 1, 0])


class CountRemovableTests(SynchronousTestCase):
    """Which files of a row go in one round."""

    def count(self, ages_hours: list[int], hour_has_come: bool = True, verdict: DiskVerdict = CALM) -> int:
        """With the default of 72 hours."""
        modified = [NOW_MS - age * HOUR_MS for age in ages_hours]
        return count_removable(modified, now_ms=NOW_MS, reserved_hours=72, hour_has_come=hour_has_come, verdict=verdict)

    def test_expired_files_go_at_the_hour(self) -> None:
        """72 hours to the millisecond are enough."""
        self.assertEqual(self.count([100, 72, 71, 0]), 2)

    def test_nothing_goes_at_another_hour(self) -> None:
        """Unless the disk asks for it."""
        self.assertEqual(self.count([100, 0], hour_has_come=False), 0)
        self.assertEqual(self.count([100, 0], hour_has_come=False, verdict=DiskVerdict(True, False, False)), 1)

    def test_stops_at_the_first_that_must_stay(self) -> None:
        """The log must stay without gaps, so a later expired file stays too."""
        self.assertEqual(self.count([100, 1, 100, 0]), 1)

    def test_never_the_last(self) -> None:
        """It is being written, however old."""
        self.assertEqual([self.count([]), self.count([100]), self.count([100, 100])], [0, 0, 1])

    def test_forced_takes_young_files(self) -> None:
        """Above the second threshold age does not matter."""
        self.assertEqual(self.count([1, 1, 1], hour_has_come=False, verdict=DiskVerdict(True, True, False)), 2)

    def test_ten_in_a_round(self) -> None:
        """However many are due."""
        self.assertEqual(self.count([100] * 30), FILES_PER_ROUND_MAX)
