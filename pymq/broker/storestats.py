# Tests: tests/broker/test_storestats.py
"""What went into and out of the store, for GET_BROKER_RUNTIME_INFO (28, remoting.md 3.12; Java: StoreStatsService)."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from datetime import datetime

from twisted.logger import Logger

from pymq.interfaces import IClock

SAMPLE_PERIOD_S = 1

# Not an attribute of the class, which would name it by that.
_log = Logger("RocketmqBroker")
_RATE_SPANS_S = (10, 60, 600)

#: Upper bounds of the time that a put took, in milliseconds, and Apache's names for the buckets.
_BUCKET_BOUNDS_MS = (10, 50, 100, 200, 500, 1000, 2000, 3000, 4000, 5000, 10_000)
_BUCKET_NAMES = (
    "[<=0ms]", "[0~10ms]", "[10~50ms]", "[50~100ms]", "[100~200ms]", "[200~500ms]", "[500ms~1s]",
    "[1~2s]", "[2~3s]", "[3~4s]", "[4~5s]", "[5~10s]", "[10s~]",
)  # fmt: skip

#: Finer bounds, in milliseconds, for the quantiles of the last minute.
_QUANTILE_BOUNDS_MS = (*range(1, 50), *range(50, 500, 10), *range(500, 10_001, 250))
_QUANTILE_PERIOD_S = 60

_DAY_MS = 86_400_000

#: A put that took so long is remembered as a slow one.
SLOW_PUT_MS = 10
#: Over how many seconds the longest put is shown.
LONGEST_PUT_SPAN_S = 10


class StoreStats:
    """Counters of puts and gets, their rates over 10, 60 and 600 seconds, and the day's totals.

    `put_times` and `put_bytes` count messages stored, `found_times` and `miss_times` gets that found messages or none,
    `transferred` messages handed out.
    """

    def __init__(self, *, clock: IClock) -> None:
        self._clock = clock
        self.boot_ms = int(clock.seconds() * 1000)
        self.put_times = 0
        self.put_bytes = 0
        self.put_failed_times = 0
        self.found_times = 0
        self.miss_times = 0
        self.transferred = 0
        self.put_time_max_ms = 0
        self.get_time_max_ms = 0
        #: When the last slow put ended, in seconds since the epoch, and how long it took, in milliseconds.
        self.slow_put = (0.0, 0)
        #: The longest put of each of the last seconds, in milliseconds; the current one stands last.
        self._longest_puts_ms: deque[int] = deque([0], maxlen=LONGEST_PUT_SPAN_S)
        self._put_buckets = [0] * len(_BUCKET_NAMES)
        self._quantile_buckets = [0] * (len(_QUANTILE_BOUNDS_MS) + 1)
        self._quantiles_ms = (0.0, 0.0)
        self._quantiles_due_ms = self.boot_ms + _QUANTILE_PERIOD_S * 1000
        self._samples: deque[tuple[int, int, int, int, int]] = deque(maxlen=_RATE_SPANS_S[-1] // SAMPLE_PERIOD_S + 1)
        self._samples.append((self.boot_ms, 0, 0, 0, 0))
        self._today = _day_of(self.boot_ms)
        self._mornings = {"put": (0, 0), "get": (0, 0)}

    def put(self, count: int, size_bytes: int) -> None:
        """Count stored messages."""
        self.put_times += count
        self.put_bytes += size_bytes

    def get(self, count: int) -> None:
        """Count one get that handed out `count` messages, 0 for none."""
        if count:
            self.found_times += 1
            self.transferred += count
        else:
            self.miss_times += 1

    def put_took(self, elapsed_ms: float) -> None:
        """Count how long a put took, from its request to its being stored."""
        if elapsed_ms < 1:
            # By far the most, on the path of every send.
            self._put_buckets[0] += 1
            self._quantile_buckets[0] += 1
            return
        whole_ms = int(elapsed_ms)
        self._put_buckets[1 + bisect_right(_BUCKET_BOUNDS_MS, whole_ms)] += 1
        self._quantile_buckets[bisect_right(_QUANTILE_BOUNDS_MS, elapsed_ms)] += 1
        self.put_time_max_ms = max(self.put_time_max_ms, whole_ms)
        self._longest_puts_ms[-1] = max(self._longest_puts_ms[-1], whole_ms)
        if whole_ms >= SLOW_PUT_MS:
            self.slow_put = (self._clock.seconds(), whole_ms)

    def get_took(self, elapsed_ms: float) -> None:
        """Count how long a get took."""
        self.get_time_max_ms = max(self.get_time_max_ms, int(elapsed_ms))

    def sample(self, now_ms: int) -> None:
        """Note the counters; called every second. Turns the day's totals over at local midnight."""
        self._samples.append((now_ms, self.put_times, self.found_times, self.miss_times, self.transferred))
        self._longest_puts_ms.append(0)
        if now_ms >= self._quantiles_due_ms:
            self._quantiles_due_ms = now_ms + _QUANTILE_PERIOD_S * 1000
            self._quantiles_ms = (_quantile(self._quantile_buckets, 0.99), _quantile(self._quantile_buckets, 0.999))
            self._quantile_buckets = [0] * len(self._quantile_buckets)
        today = _day_of(now_ms)
        if today != self._today:
            self._today = today
            (_, put), (_, got) = self._mornings["put"], self._mornings["get"]
            self._mornings = {"put": (put, self.put_times), "get": (got, self.transferred)}
            _log.info("yesterday put message total: {count}", count=self.put_times - put)
            _log.info("yesterday get message total: {count}", count=self.transferred - got)

    @property
    def longest_put_ms(self) -> int:
        """The longest put of the last LONGEST_PUT_SPAN_S seconds, in milliseconds."""
        return max(self._longest_puts_ms)

    def rates(self, *columns: int) -> str:
        """The rates per second over 10, 60 and 600 seconds as Apache writes them, columns 1 to 4 of the samples added up.

        While the broker is younger than a span the rate since its start stands for it.
        """
        return " ".join(str(self._rate(span, columns)) for span in _RATE_SPANS_S)

    def _rate(self, span_s: int, columns: tuple[int, ...]) -> float:
        last = self._samples[-1]
        first = self._samples[max(0, len(self._samples) - 1 - span_s // SAMPLE_PERIOD_S)]
        elapsed_ms = last[0] - first[0]
        return sum(last[column] - first[column] for column in columns) * 1000 / elapsed_ms if elapsed_ms > 0 else 0.0

    def runtime_table(self) -> dict[str, str]:
        """The keys of code 28 that these counters give."""
        (put_yesterday, put_today), (get_yesterday, get_today) = self._mornings["put"], self._mornings["get"]
        transferred = self.rates(4)
        return {
            "bootTimestamp": str(self.boot_ms),
            "runtime": _runtime_text(int(self._clock.seconds() * 1000) - self.boot_ms),
            "msgPutTotalYesterdayMorning": str(put_yesterday),
            "msgPutTotalTodayMorning": str(put_today),
            "msgPutTotalTodayNow": str(self.put_times),
            "msgGetTotalYesterdayMorning": str(get_yesterday),
            "msgGetTotalTodayMorning": str(get_today),
            "msgGetTotalTodayNow": str(self.transferred),
            "putMessageEntireTimeMax": str(self.put_time_max_ms),
            "putMessageTimesTotal": str(self.put_times),
            "putMessageFailedTimes": str(self.put_failed_times),
            "putMessageSizeTotal": str(self.put_bytes),
            "putMessageDistributeTime": "".join(f"{name}:{count} " for name, count in zip(_BUCKET_NAMES, self._put_buckets)),
            "putMessageAverageSize": str(self.put_bytes / max(1, self.put_times)),
            "getMessageEntireTimeMax": str(self.get_time_max_ms),
            "putTps": self.rates(1),
            "getFoundTps": self.rates(2),
            "getMissTps": self.rates(3),
            "getTotalTps": self.rates(2, 3),
            # 4.9's clusterList reads the misspelt key, 5.x the other one.
            "getTransferedTps": transferred,
            "getTransferredTps": transferred,
            "putLatency99": f"{self._quantiles_ms[0]:.2f}",
            "putLatency999": f"{self._quantiles_ms[1]:.2f}",
        }


def _quantile(buckets: list[int], share: float) -> float:
    """The upper bound, in milliseconds, of the bucket below which `share` of all counts lie; 0 when nothing was counted."""
    wanted = sum(buckets) * share
    seen = 0
    for count, bound in zip(buckets, (*_QUANTILE_BOUNDS_MS, _QUANTILE_BOUNDS_MS[-1])):
        seen += count
        if count and seen >= wanted:
            return float(bound)
    return 0.0


def _day_of(now_ms: int) -> int:
    """The number of the local day; totals turn over at the operator's midnight, as Apache's do."""
    return datetime.fromtimestamp(now_ms / 1000).toordinal()


def _runtime_text(elapsed_ms: int) -> str:
    """How long the broker runs, in the words of Apache."""
    days, rest = divmod(elapsed_ms // 1000, _DAY_MS // 1000)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"[ {days} days, {hours} hours, {minutes} minutes, {seconds} seconds ]"
