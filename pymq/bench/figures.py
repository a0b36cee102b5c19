# Tests: tests/bench/test_figures.py
"""Counting and timing, and the lines that Apache's benchmark prints of it, with the median and the 99th percentile added."""

from __future__ import annotations

import time
from collections.abc import Sequence

#: Response times are counted in buckets of a tenth of a millisecond up to two seconds; slower ones share the last.
BUCKETS_PER_MS = 10
BUCKETS = 2000 * BUCKETS_PER_MS


class Timings:
    """Response times of one stretch of work."""

    def __init__(self) -> None:
        self.count = 0
        self.total_ms = 0.0
        self.max_ms = 0.0
        self._buckets = [0] * (BUCKETS + 1)

    def add(self, milliseconds: float) -> None:
        """Count one."""
        self.count += 1
        self.total_ms += milliseconds
        self.max_ms = max(self.max_ms, milliseconds)
        self._buckets[min(int(milliseconds * BUCKETS_PER_MS), BUCKETS)] += 1

    def percentile(self, share: float) -> float:
        """The time in ms within which `share` (0 to 1) of all stayed."""
        wanted, seen = self.count * share, 0
        for bucket, count in enumerate(self._buckets):
            seen += count
            if seen and seen >= wanted:
                return bucket / BUCKETS_PER_MS
        return 0.0

    @property
    def average_ms(self) -> float:
        """The mean, 0 for none."""
        return self.total_ms / self.count if self.count else 0.0


def clock_text(epoch_s: float) -> str:
    """A time as Java's benchmark prints it: yyyy-MM-dd HH:mm:ss,SSS in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s)) + f",{int(epoch_s * 1000) % 1000:03d}"


def producer_line(now_s: float, seconds: float, timings: Timings, send_failed: int, response_failed: int) -> str:
    """The line of producer.sh for one interval."""
    return (
        f"Current Time: {clock_text(now_s)} | Send TPS: {_rate(timings.count, seconds)} | Max RT(ms): {timings.max_ms:.0f} | "
        f"Average RT(ms): {timings.average_ms:7.3f} | Send Failed: {send_failed} | Response Failed: {response_failed} | "
        f"P50 RT(ms): {timings.percentile(0.5):.1f} | P99 RT(ms): {timings.percentile(0.99):.1f}"
    )


def producer_end(seconds: float, timings: Timings, send_failed: int, response_failed: int) -> str:
    """The last line of producer.sh."""
    return (
        f"[Complete] Send Total: {timings.count} | Send TPS: {_rate(timings.count, seconds)} | "
        f"Max RT(ms): {timings.max_ms:.0f} | Average RT(ms): {timings.average_ms:7.3f} | "
        f"Send Failed: {send_failed} | Response Failed: {response_failed} | "
        f"P50 RT(ms): {timings.percentile(0.5):.1f} | P99 RT(ms): {timings.percentile(0.99):.1f}"
    )


def consumer_line(now_s: float, seconds: float, born: Timings, stored: Timings, failed: int) -> str:
    """The line of consumer.sh for one interval: latency from the sender's clock and from the broker's."""
    return (
        f"Current Time: {clock_text(now_s)} | Consume TPS: {_rate(born.count, seconds)} | "
        f"AVG(B2C) RT(ms): {born.average_ms:7.3f} | AVG(S2C) RT(ms): {stored.average_ms:7.3f} | "
        f"MAX(B2C) RT(ms): {born.max_ms:.0f} | MAX(S2C) RT(ms): {stored.max_ms:.0f} | Consume Fail: {failed}"
    )


def consumer_end(seconds: float, received: int, failed: int) -> str:
    """The last line of a consumer, which Java's does not print."""
    return f"[Complete] Consume Total: {received} | Consume TPS: {_rate(received, seconds)} | Consume Fail: {failed}"


def _rate(count: int, seconds: float) -> int:
    """So many a second; of a stretch that took no time, the count."""
    return int(count / seconds) if seconds > 0 else count


def header_lines(pairs: Sequence[tuple[str, object]]) -> str:
    """What is going to be done, in one line of `name: value`."""
    return " ".join(f"{name}: {value}" for name, value in pairs)
