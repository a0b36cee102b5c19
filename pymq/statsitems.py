# Tests: tests/test_statsitems.py
"""Counters by key with their course over the last minute, hour and day (Java: StatsItem, StatsItemSet), and last figures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

#: Keys that one set counts, such as pairs of topic and group; what comes for more keys is counted in `untracked_count` only.
STATS_ITEMS_MAX = 262_144


@attrs.frozen
class Window:
    """How often a counter is sampled, in milliseconds, and how many samples are kept."""

    period_ms: int
    samples_max: int


#: One minute, one hour, one day, as Apache keeps them.
MINUTE = Window(10_000, 7)
HOUR = Window(600_000, 7)
DAY = Window(3_600_000, 25)
WINDOWS = (MINUTE, HOUR, DAY)


@attrs.frozen
class StatsSnapshot:
    """What happened in one window: the sum of the values, their rate per second, and the mean for each time."""

    sum: int = 0
    tps: float = 0.0
    avgpt: float = 0.0


class StatsItem:
    """One counter: `value` is what was counted, `times` how often. Both only grow."""

    __slots__ = ("_samples", "times", "value")

    def __init__(self) -> None:
        self.value = 0
        self.times = 0
        self._samples: tuple[deque[tuple[int, int, int]], ...] = tuple(deque(maxlen=window.samples_max) for window in WINDOWS)

    def sample(self, index: int, now_ms: int) -> None:
        """Note the counter for the window WINDOWS[index]; the first time also a zero, one period before."""
        samples = self._samples[index]
        if not samples:
            samples.append((now_ms - WINDOWS[index].period_ms, 0, 0))
        samples.append((now_ms, self.value, self.times))

    def snapshot(self, window: Window) -> StatsSnapshot:
        """From the oldest sample of a window to the newest; zeros before the first sample."""
        samples = self._samples[WINDOWS.index(window)]
        if not samples:
            return StatsSnapshot()
        (first_ms, first_value, first_times), (last_ms, last_value, last_times) = samples[0], samples[-1]
        total, times, elapsed_ms = last_value - first_value, last_times - first_times, last_ms - first_ms
        return StatsSnapshot(
            sum=total,
            tps=total * 1000 / elapsed_ms if elapsed_ms > 0 else 0.0,
            avgpt=total / times if times > 0 else 0.0,
        )


class StatsItemSet:
    """Counters of one kind by key. `sample` is called every second or so and samples each window when its time has come."""

    def __init__(self, now_ms: int) -> None:
        self.items: dict[str, StatsItem] = {}
        self.untracked_count = 0
        self._due_ms = [now_ms + window.period_ms for window in WINDOWS]

    def add(self, key: str, value: int, times: int = 1) -> None:
        """Count `value`, which happened in `times` times."""
        item = self.items.get(key)
        if item is None:
            if len(self.items) >= STATS_ITEMS_MAX:
                self.untracked_count += value
                return
            item = self.items[key] = StatsItem()
        item.value += value
        item.times += times

    def get(self, key: str) -> StatsItem | None:
        """The counter of a key, or None when nothing was counted for it."""
        return self.items.get(key)

    def sample(self, now_ms: int) -> None:
        """Sample the windows that are due."""
        for index, window in enumerate(WINDOWS):
            if now_ms < self._due_ms[index]:
                continue
            # After a long pause one sample stands for all that were missed.
            self._due_ms[index] += window.period_ms * (1 + (now_ms - self._due_ms[index]) // window.period_ms)
            for item in self.items.values():
                item.sample(index, now_ms)

    def remove(self, is_unwanted: Callable[[str], bool]) -> None:
        """Forget the counters whose key `is_unwanted` says yes to."""
        for key in [key for key in self.items if is_unwanted(key)]:
            del self.items[key]


class MomentStatsItem:
    """A figure of which only the last one counts (Java: MomentStatsItem)."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class MomentStatsItemSet:
    """Last figures by key. Beyond STATS_ITEMS_MAX keys a further one's figure is kept by nobody."""

    def __init__(self) -> None:
        self.items: dict[str, MomentStatsItem] = {}

    def item(self, key: str) -> MomentStatsItem:
        """The figure of a key, to be set; made at its first use."""
        known = self.items.get(key)
        if known is None:
            known = MomentStatsItem()
            if len(self.items) < STATS_ITEMS_MAX:
                self.items[key] = known
        return known

    def get(self, key: str) -> MomentStatsItem | None:
        """The figure of a key, or None when none was noted."""
        return self.items.get(key)

    def remove(self, is_unwanted: Callable[[str], bool]) -> None:
        """Forget the figures whose key `is_unwanted` says yes to."""
        for key in [key for key in self.items if is_unwanted(key)]:
            del self.items[key]
