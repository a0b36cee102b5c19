# Tests: tests/client/test_stats.py
"""What a client's consumers pulled and consumed lately, by group and topic, for operators (Java: ConsumerStatsManager).

Counted once for each pull that found messages and each call of a listener. Times are in milliseconds.
"""

from __future__ import annotations

from pymq.interfaces import IClock
from pymq.statsitems import HOUR, MINUTE, StatsItemSet, StatsSnapshot, Window
from pymq.wire.bodies.connections import ConsumeStatus

#: How often the counters are sampled; the shortest of their windows counts such steps.
SAMPLE_INTERVAL_S = MINUTE.period_ms / 1000
_NOTHING = StatsSnapshot()


class ConsumerStatsManager:
    """All counters of one client. `sample` is called every SAMPLE_INTERVAL_S."""

    def __init__(self, *, clock: IClock) -> None:
        self._clock = clock
        now_ms = int(clock.seconds() * 1000)
        self._pull_ms = StatsItemSet(now_ms)
        self._pulled = StatsItemSet(now_ms)
        self._consume_ms = StatsItemSet(now_ms)
        self._consumed = StatsItemSet(now_ms)
        self._failed = StatsItemSet(now_ms)

    def pulled(self, group: str, topic: str, count: int, elapsed_ms: int) -> None:
        """One pull found `count` messages."""
        key = _key(group, topic)
        self._pull_ms.add(key, elapsed_ms)
        self._pulled.add(key, count)

    def consumed(self, group: str, topic: str, done_count: int, failed_count: int, elapsed_ms: int) -> None:
        """One call of a listener is over: so many of its messages are done, so many are to come again."""
        key = _key(group, topic)
        self._consume_ms.add(key, elapsed_ms)
        if done_count:
            self._consumed.add(key, done_count)
        if failed_count:
            self._failed.add(key, failed_count)

    def sample(self) -> None:
        """Note where the counters stand."""
        now_ms = int(self._clock.seconds() * 1000)
        for counters in (self._pull_ms, self._pulled, self._consume_ms, self._consumed, self._failed):
            counters.sample(now_ms)

    def forget(self, group: str) -> None:
        """The group left the client."""
        for counters in (self._pull_ms, self._pulled, self._consume_ms, self._consumed, self._failed):
            counters.remove(lambda key: key.endswith(_key(group, "")))

    def status_of(self, group: str, topic: str) -> ConsumeStatus:
        """The last minute of a topic; its failures, and its time when nothing was consumed in that minute, of the last hour."""
        key = _key(group, topic)
        consume_ms = _snapshot(self._consume_ms, key, MINUTE)
        if consume_ms.sum == 0:
            consume_ms = _snapshot(self._consume_ms, key, HOUR)
        return ConsumeStatus(
            pull_rt=_snapshot(self._pull_ms, key, MINUTE).avgpt,
            pull_tps=_snapshot(self._pulled, key, MINUTE).tps,
            consume_rt=consume_ms.avgpt,
            consume_ok_tps=_snapshot(self._consumed, key, MINUTE).tps,
            consume_failed_tps=_snapshot(self._failed, key, MINUTE).tps,
            consume_failed_msgs=_snapshot(self._failed, key, HOUR).sum,
        )


def _key(group: str, topic: str) -> str:
    return f"{topic}@{group}"


def _snapshot(counters: StatsItemSet, key: str, window: Window) -> StatsSnapshot:
    item = counters.get(key)
    return _NOTHING if item is None else item.snapshot(window)
