"""What a client counts for operators."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.stats import SAMPLE_INTERVAL_S, ConsumerStatsManager
from pymq.wire.bodies.connections import ConsumeStatus

MINUTE_S, HOUR_S = 60, 3600


class ConsumerStatsTests(SynchronousTestCase):
    """Counters of two groups."""

    def setUp(self) -> None:
        """Nothing counted yet."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.stats = ConsumerStatsManager(clock=self.clock)

    def wait(self, seconds: float) -> None:
        """Let time pass, with the samples that are due."""
        for _ in range(int(seconds / SAMPLE_INTERVAL_S)):
            self.clock.advance(SAMPLE_INTERVAL_S)
            self.stats.sample()

    def test_nothing(self) -> None:
        """Is zeros, also for a topic that nobody knows."""
        self.stats.sample()
        self.assertEqual(self.stats.status_of("g", "t"), ConsumeStatus())

    def test_the_last_minute(self) -> None:
        """Rates a second, and mean times a pull and a call."""
        for n in range(6):
            self.stats.pulled("g", "t", 30, 4 + n)
            self.stats.consumed("g", "t", 9, 1, 20)
            self.stats.consumed("g", "t", 0, 1, 40)
            self.wait(SAMPLE_INTERVAL_S)
        status = self.stats.status_of("g", "t")
        self.assertEqual((status.pull_rt, status.pull_tps), (6.5, 3.0))
        self.assertEqual((status.consume_rt, status.consume_ok_tps, status.consume_failed_tps), (30.0, 0.9, 0.2))
        self.assertEqual(self.stats.status_of("other", "t"), ConsumeStatus())

    def test_the_last_hour(self) -> None:
        """Counts failures, and gives the time of calls when the last minute has none."""
        self.stats.consumed("g", "t", 1, 2, 50)
        self.wait(20 * MINUTE_S)
        status = self.stats.status_of("g", "t")
        self.assertEqual((status.consume_failed_msgs, status.consume_rt, status.consume_ok_tps), (2, 50.0, 0.0))
        self.wait(2 * HOUR_S)
        self.assertEqual(self.stats.status_of("g", "t"), ConsumeStatus())

    def test_a_group_that_left(self) -> None:
        """Is forgotten, others are not."""
        for group in ("g", "other-g"):
            self.stats.pulled(group, "t", 60, 1)
        self.wait(SAMPLE_INTERVAL_S)
        self.stats.forget("g")
        self.assertEqual(self.stats.status_of("g", "t"), ConsumeStatus())
        self.assertEqual(self.stats.status_of("other-g", "t").pull_tps, 6.0)
