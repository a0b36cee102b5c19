"""Tests of pymq.broker.storestats."""

from __future__ import annotations

from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.storestats import StoreStats
from tests.broker.fixtures import NOW_MS, started_clock


class StoreStatsTests(SynchronousTestCase):
    """What went into and out of the store."""

    def setUp(self) -> None:
        """A broker that starts now."""
        self.clock = started_clock()
        self.stats = StoreStats(clock=self.clock)

    def run_for(self, seconds: int, puts: int = 0) -> None:
        """Let time pass, with so many puts and one sample in each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.stats.put(puts, 100 * puts)
            self.stats.sample(int(self.clock.seconds() * 1000))

    def test_fresh_broker_shows_zeros(self) -> None:
        """Tools split the rates at spaces and read numbers."""
        table = self.stats.runtime_table()
        for key in ("putTps", "getFoundTps", "getMissTps", "getTotalTps", "getTransferedTps", "getTransferredTps"):
            self.assertEqual(table[key], "0.0 0.0 0.0")
        self.assertEqual((table["putMessageAverageSize"], table["putMessageTimesTotal"]), ("0.0", "0"))

    def test_all_values_are_text(self) -> None:
        """The body of code 28 is a map of text to text."""
        self.run_for(3, 7)
        for key, value in self.stats.runtime_table().items():
            self.assertIsInstance(value, str, key)

    def test_rates_are_over_10_60_and_600_seconds(self) -> None:
        """Ten a second for 500 s, then none for 105 s: the three spans see none, none, and most of it."""
        self.run_for(495, 10)
        self.run_for(105)
        self.assertEqual(self.stats.rates(1), "0.0 0.0 8.25")

    def test_rates_of_a_young_broker_are_those_since_its_start(self) -> None:
        """Apache leaves them empty, which tools show as 0."""
        self.run_for(5, 10)
        self.assertEqual(self.stats.rates(1), "10.0 10.0 10.0")

    def test_gets_that_find_and_gets_that_miss(self) -> None:
        """Found and missed count gets, transferred counts messages."""
        self.stats.get(32)
        self.stats.get(8)
        self.stats.get(0)
        self.run_for(1)
        table = self.stats.runtime_table()
        rates = [table[key].split()[0] for key in ("getFoundTps", "getMissTps", "getTotalTps", "getTransferedTps")]
        self.assertEqual(rates, ["2.0", "1.0", "3.0", "40.0"])
        self.assertEqual(table["msgGetTotalTodayNow"], "40")

    def test_totals_and_mean_size(self) -> None:
        """Of all messages since the start."""
        self.stats.put(3, 600)
        table = self.stats.runtime_table()
        self.assertEqual(
            [table[key] for key in ("putMessageTimesTotal", "putMessageSizeTotal", "putMessageAverageSize")],
            ["3", "600", "200.0"],
        )

    def test_put_times_fall_into_apaches_buckets(self) -> None:
        """Lower bounds belong to the bucket, and the exporter parses the text."""
        for elapsed_ms in (0, 0.5, 1, 9, 10, 50, 1000, 9999, 10_000, 99_999):
            self.stats.put_took(elapsed_ms)
        table = self.stats.runtime_table()
        self.assertEqual(
            table["putMessageDistributeTime"],
            "[<=0ms]:2 [0~10ms]:2 [10~50ms]:1 [50~100ms]:1 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 "
            "[1~2s]:1 [2~3s]:0 [3~4s]:0 [4~5s]:0 [5~10s]:1 [10s~]:2 ",
        )
        self.assertEqual(table["putMessageEntireTimeMax"], "99999")

    def test_latency_quantiles_are_those_of_the_last_whole_minute(self) -> None:
        """99 and 99.9 percent; a minute without puts has none."""
        for _ in range(989):
            self.stats.put_took(0.3)
        for _ in range(10):
            self.stats.put_took(20)
        self.stats.put_took(400)
        self.run_for(60)
        table = self.stats.runtime_table()
        self.assertEqual((table["putLatency99"], table["putLatency999"]), ("21.00", "21.00"))
        self.stats.put_took(400)
        self.run_for(60)
        self.assertEqual(self.stats.runtime_table()["putLatency99"], "410.00")
        self.run_for(60)
        self.assertEqual(self.stats.runtime_table()["putLatency999"], "0.00")

    def test_the_longest_put_of_the_last_ten_seconds(self) -> None:
        """In place of the time that Java's appends hold their lock; and the last slow one with its end."""
        self.stats.put_took(0.5)
        self.assertEqual((self.stats.longest_put_ms, self.stats.slow_put), (0, (0.0, 0)))
        self.stats.put_took(1500)
        ended = self.clock.seconds()
        self.run_for(4)
        self.stats.put_took(5)
        self.assertEqual((self.stats.longest_put_ms, self.stats.slow_put), (1500, (ended, 1500)))
        self.run_for(6)
        self.assertEqual(self.stats.longest_put_ms, 5)
        self.run_for(10)
        self.assertEqual(self.stats.longest_put_ms, 0)

    def test_longest_get_is_kept(self) -> None:
        """In whole milliseconds."""
        for elapsed_ms in (1.5, 7.9, 3):
            self.stats.get_took(elapsed_ms)
        self.assertEqual(self.stats.runtime_table()["getMessageEntireTimeMax"], "7")

    def test_totals_turn_over_at_local_midnight(self) -> None:
        """This morning's become yesterday's."""
        day = datetime.fromtimestamp(NOW_MS / 1000)
        midnight_ms = int(datetime(day.year, day.month, day.day).timestamp() * 1000) + 86_400_000
        seen = []
        for moment_ms in (midnight_ms - 1, midnight_ms + 3_600_000, midnight_ms + 86_400_000 + 3_600_000):
            self.stats.put(10, 1000)
            self.stats.get(4)
            self.stats.sample(moment_ms)
            table = self.stats.runtime_table()
            seen.append(
                [
                    int(table[f"msg{way}Total{when}"])
                    for way in ("Put", "Get")
                    for when in ("YesterdayMorning", "TodayMorning", "TodayNow")
                ]
            )
        self.assertEqual(seen, [[0, 0, 10, 0, 0, 4], [0, 20, 20, 0, 8, 8], [20, 30, 30, 8, 12, 12]])

    def test_running_time_is_told_in_apaches_words(self) -> None:
        """Since the start, which is told as well."""
        self.clock.advance(2 * 86_400 + 3 * 3600 + 4 * 60 + 5.5)
        table = self.stats.runtime_table()
        self.assertEqual((table["runtime"], table["bootTimestamp"]), ("[ 2 days, 3 hours, 4 minutes, 5 seconds ]", str(NOW_MS)))
