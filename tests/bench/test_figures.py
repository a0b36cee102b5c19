"""The benchmark's arithmetic and its lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.bench.figures import Timings, clock_text, consumer_line, producer_end, producer_line


class TimingsTests(SynchronousTestCase):
    """Percentiles from buckets."""

    def test_percentiles(self) -> None:
        """The median and the tail of a hundred."""
        timings = Timings()
        for number in range(1, 101):
            timings.add(float(number))
        self.assertEqual((timings.percentile(0.5), timings.percentile(0.99), timings.max_ms), (50.0, 99.0, 100.0))
        self.assertEqual(timings.average_ms, 50.5)

    def test_nothing_measured(self) -> None:
        """Zeros rather than a division by zero."""
        self.assertEqual((Timings().percentile(0.5), Timings().average_ms), (0.0, 0.0))


class LineTests(SynchronousTestCase):
    """The lines that people's scripts already read."""

    def test_producer_lines_begin_like_apaches(self) -> None:
        """Our percentiles come after Java's fields."""
        timings = Timings()
        timings.add(2.0)
        line = producer_line(1_700_000_000.5, 10.0, timings, 1, 2)
        self.assertRegex(
            line,
            r"^Current Time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,500 \| Send TPS: 0 \| Max RT\(ms\): 2 \| "
            r"Average RT\(ms\): +2\.000 \| Send Failed: 1 \| Response Failed: 2 \| P50",
        )
        self.assertTrue(producer_end(1.0, timings, 0, 0).startswith("[Complete] Send Total: 1 | Send TPS: 1 | Max RT(ms): 2 | "))

    def test_consumer_line(self) -> None:
        """Latency from the sender's and from the broker's clock."""
        born, stored = Timings(), Timings()
        born.add(3.0)
        stored.add(1.0)
        line = consumer_line(0.0, 1.0, born, stored, 0)
        self.assertIn("| Consume TPS: 1 | AVG(B2C) RT(ms):   3.000 | AVG(S2C) RT(ms):   1.000 |", line)

    def test_clock_text_has_milliseconds(self) -> None:
        """With Java's comma."""
        self.assertTrue(clock_text(12.034).endswith(",034"))
