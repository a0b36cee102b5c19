# Tests: tests/broker/test_stats.py
"""What the broker counts by topic and group, for tools and dashboards (remoting.md 3.12; Java: BrokerStatsManager).

Counting is cheap, and processors count once for each request or turn, not for each message.
"""

from __future__ import annotations

from collections.abc import Callable

from pymq.broker.storestats import StoreStats
from pymq.errors import RequestError
from pymq.interfaces import IClock
from pymq.message.topics import SCHEDULE_TOPIC
from pymq.statsitems import DAY, HOUR, MINUTE, MomentStatsItem, MomentStatsItemSet, StatsItem, StatsItemSet, Window
from pymq.wire.bodies.connections import BrokerStatsData, BrokerStatsItem
from pymq.wire.codes import ResponseCode

TOPIC_PUT_NUMS = "TOPIC_PUT_NUMS"
TOPIC_PUT_SIZE = "TOPIC_PUT_SIZE"
GROUP_GET_NUMS = "GROUP_GET_NUMS"
GROUP_GET_SIZE = "GROUP_GET_SIZE"
GROUP_GET_LATENCY = "GROUP_GET_LATENCY"
QUEUE_PUT_NUMS = "QUEUE_PUT_NUMS"
QUEUE_PUT_SIZE = "QUEUE_PUT_SIZE"
QUEUE_GET_NUMS = "QUEUE_GET_NUMS"
QUEUE_GET_SIZE = "QUEUE_GET_SIZE"
SNDBCK_PUT_NUMS = "SNDBCK_PUT_NUMS"
BROKER_PUT_NUMS = "BROKER_PUT_NUMS"
BROKER_GET_NUMS = "BROKER_GET_NUMS"

#: Pulls whose counters are kept at hand; when there are more, all are looked up again.
FOUND_MAX = 65_536

_COUNTED = (
    TOPIC_PUT_NUMS,
    TOPIC_PUT_SIZE,
    GROUP_GET_NUMS,
    GROUP_GET_SIZE,
    GROUP_GET_LATENCY,
    SNDBCK_PUT_NUMS,
    BROKER_PUT_NUMS,
    BROKER_GET_NUMS,
)
#: Counted only with `enableDetailStat`, and, as in Java, only for the queues that hold delayed messages.
_COUNTED_IN_DETAIL = (QUEUE_PUT_NUMS, QUEUE_PUT_SIZE, QUEUE_GET_NUMS, QUEUE_GET_SIZE)

#: The counters that one pull moves.
_Found = tuple[StatsItem, StatsItem, StatsItem, StatsItem, MomentStatsItem, MomentStatsItem]


class BrokerStatsManager:
    """All counters of a broker. `sample` is called every second. `store` counts what passes through the store.

    `enable_detail_stat` is the setting enableDetailStat: whether some figures are kept for each queue. `fall_size` and
    `fall_time` say how far, in bytes of the log and in milliseconds, a group was behind at its last pull, by
    `queueId@topic@group`. As in Java they are no counters that VIEW_BROKER_STATS_DATA could show.
    """

    def __init__(self, *, clock: IClock, cluster_name: str, enable_detail_stat: bool = True) -> None:
        now_ms = int(clock.seconds() * 1000)
        self._cluster_name = cluster_name
        self._in_detail = enable_detail_stat
        self._sets = {name: StatsItemSet(now_ms) for name in _COUNTED + (_COUNTED_IN_DETAIL if enable_detail_stat else ())}
        self.fall_size, self.fall_time = MomentStatsItemSet(), MomentStatsItemSet()
        self._put_nums, self._put_size = self._sets[TOPIC_PUT_NUMS], self._sets[TOPIC_PUT_SIZE]
        self._get_nums, self._get_size = self._sets[GROUP_GET_NUMS], self._sets[GROUP_GET_SIZE]
        self._broker_put, self._broker_get = self._sets[BROKER_PUT_NUMS], self._sets[BROKER_GET_NUMS]
        self.store = StoreStats(clock=clock)
        #: The counters of recent pulls that found messages, by group, topic and queue id.
        self._found: dict[tuple[str, str, int], _Found] = {}

    def put(self, topic: str, count: int, size_bytes: int, times: int = 0) -> None:
        """Count `count` messages of `size_bytes` together, stored for clients in `times` requests (0: one for each message)."""
        times = times or count
        self._put_nums.add(topic, count, times)
        self._put_size.add(topic, size_bytes, times)
        self._broker_put.add(self._cluster_name, count, 0)
        self.store.put(count, size_bytes)

    def get(self, group: str, topic: str, count: int, size_bytes: int) -> None:
        """Count one pull that gave a group `count` messages of `size_bytes` together; 0 for a pull that found nothing."""
        if count:
            key = f"{topic}@{group}"
            self._get_nums.add(key, count)
            self._get_size.add(key, size_bytes)
            self._broker_get.add(self._cluster_name, count, 0)
        self.store.get(count)

    def get_latency(self, group: str, topic: str, queue_id: int, elapsed_ms: int) -> None:
        """Count how long a pull took to be served, in milliseconds."""
        self._sets[GROUP_GET_LATENCY].add(self._latency_key(group, topic, queue_id), elapsed_ms)

    def _latency_key(self, group: str, topic: str, queue_id: int) -> str:
        return f"{queue_id}@{topic}@{group}" if self._in_detail else f"{topic}@{group}"

    def found(
        self,
        group: str,
        topic: str,
        queue_id: int,
        count: int,
        size_bytes: int,
        elapsed_ms: int,
        behind_bytes: int = 0,
        behind_ms: int = 0,
    ) -> None:
        """Count one pull that found messages: what `get`, `get_latency` and `fall_behind` count, with the keys made once."""
        key = (group, topic, queue_id)
        items = self._found.get(key)
        if items is None:
            self.get(group, topic, count, size_bytes)
            self.get_latency(group, topic, queue_id, elapsed_ms)
            self.fall_behind(group, topic, queue_id, behind_bytes, behind_ms)
            self._remember_found(key)
            return
        nums, size, latency, broker, fall_size, fall_time = items
        fall_size.value = behind_bytes
        fall_time.value = behind_ms
        nums.value += count
        nums.times += 1
        size.value += size_bytes
        size.times += 1
        latency.value += elapsed_ms
        latency.times += 1
        broker.value += count
        store = self.store
        store.found_times += 1
        store.transferred += count

    def _remember_found(self, key: tuple[str, str, int]) -> None:
        """Keep the counters of a pull at hand, unless there are too many to have one of each."""
        group, topic, queue_id = key
        nums, size = self._get_nums.get(f"{topic}@{group}"), self._get_size.get(f"{topic}@{group}")
        latency = self._sets[GROUP_GET_LATENCY].get(self._latency_key(group, topic, queue_id))
        broker = self._broker_get.get(self._cluster_name)
        if nums is not None and size is not None and latency is not None and broker is not None:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            moment_key = f"{queue_id}@{topic}@{group}"
            self._found[key] = nums, size, latency, broker, self.fall_size.item(moment_key), self.fall_time.item(moment_key)

    def send_back(self, group: str, topic: str) -> None:
        """Count a message that a consumer gave back (code 36)."""
        self._sets[SNDBCK_PUT_NUMS].add(f"{topic}@{group}", 1)

    def queue_put(self, topic: str, queue_id: int, count: int, size_bytes: int) -> None:
        """Count messages that went into a queue, if that is one of delayed messages."""
        if self._in_detail and topic == SCHEDULE_TOPIC:
            self._sets[QUEUE_PUT_NUMS].add(f"{topic}@{queue_id}", count)
            self._sets[QUEUE_PUT_SIZE].add(f"{topic}@{queue_id}", size_bytes)

    def queue_get(self, group: str, topic: str, queue_id: int, count: int, size_bytes: int) -> None:
        """Count messages that came out of one."""
        if self._in_detail:
            self._sets[QUEUE_GET_NUMS].add(f"{topic}@{queue_id}@{group}", count)
            self._sets[QUEUE_GET_SIZE].add(f"{topic}@{queue_id}@{group}", size_bytes)

    def fall_behind(self, group: str, topic: str, queue_id: int, size_bytes: int, time_ms: int | None = None) -> None:
        """Note how far a group reads behind: bytes to the log's end, and the age of the last message that it was given.

        None for a pull that looked at messages and gave none.
        """
        key = f"{queue_id}@{topic}@{group}"
        self.fall_size.item(key).value = size_bytes
        if time_ms is not None:
            self.fall_time.item(key).value = time_ms

    def caught_up(self, group: str, topic: str, queue_id: int) -> None:
        """Note that a group has read all of a queue: it is not behind, however much was written to other queues since."""
        key = f"{queue_id}@{topic}@{group}"
        for items in (self.fall_size, self.fall_time):
            known = items.get(key)
            if known is not None:
                known.value = 0

    def consume_tps(self, group: str, topic: str) -> float:
        """Messages per second that the group pulled from the topic within the last minute."""
        item = self._get_nums.get(f"{topic}@{group}")
        return 0.0 if item is None else item.snapshot(MINUTE).tps

    def sample(self, now: float) -> None:
        """Sample all counters; `now` in seconds since the epoch."""
        now_ms = int(now * 1000)
        for items in self._sets.values():
            items.sample(now_ms)
        self.store.sample(now_ms)

    def view(self, stats_name: str, stats_key: str) -> BrokerStatsData:
        """The course of one counter (code 315). Raises RequestError (SYSTEM_ERROR) when nothing is counted under that name."""
        item = self._item(stats_name, stats_key)
        if item is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"The stats <{stats_name}> <{stats_key}> not exist")
        return BrokerStatsData(
            stats_minute=_stats_item(item, MINUTE), stats_hour=_stats_item(item, HOUR), stats_day=_stats_item(item, DAY)
        )

    def topic_deleted(self, topic: str) -> None:
        """Forget the counters of a topic."""
        for name in (TOPIC_PUT_NUMS, TOPIC_PUT_SIZE):
            self._sets[name].remove(lambda key: key == topic)
        if self._in_detail:
            for name in (QUEUE_PUT_NUMS, QUEUE_PUT_SIZE):
                self._sets[name].remove(lambda key: key.rpartition("@")[0] == topic)
        self._forget(lambda key: _topic_and_group(key)[0] == topic)

    def group_deleted(self, group: str) -> None:
        """Forget the counters of a group."""
        self._forget(lambda key: _topic_and_group(key)[1] == group)

    def runtime_table(self) -> dict[str, str]:
        """The keys of code 28 that these counters give."""
        return self.store.runtime_table()

    def _item(self, stats_name: str, stats_key: str) -> StatsItem | None:
        items = self._sets.get(stats_name)
        return None if items is None else items.get(stats_key)

    def _forget(self, is_unwanted: Callable[[str], bool]) -> None:
        self._found.clear()
        for name in (GROUP_GET_NUMS, GROUP_GET_SIZE, GROUP_GET_LATENCY, SNDBCK_PUT_NUMS):
            self._sets[name].remove(is_unwanted)
        for items in (self.fall_size, self.fall_time):
            items.remove(is_unwanted)
        if self._in_detail:
            # These have the queue's number elsewhere: topic@queueId, topic@queueId@group.
            self._sets[QUEUE_GET_NUMS].remove(lambda key: is_unwanted(_without_queue_id(key)))
            self._sets[QUEUE_GET_SIZE].remove(lambda key: is_unwanted(_without_queue_id(key)))


def _topic_and_group(key: str) -> tuple[str, str]:
    """The end of `topic@group` and `queueId@topic@group`. Neither kind of name holds an `@`."""
    topic, _, group = key.rpartition("@")
    return topic.rpartition("@")[2], group


def _without_queue_id(key: str) -> str:
    """`topic@group` of `topic@queueId@group`."""
    topic, _, rest = key.partition("@")
    return f"{topic}@{rest.rpartition('@')[2]}"


def _stats_item(item: StatsItem, window: Window) -> BrokerStatsItem:
    snapshot = item.snapshot(window)
    return BrokerStatsItem(sum=snapshot.sum, tps=snapshot.tps, avgpt=snapshot.avgpt)
