# Tests: tests/client/test_selector.py
"""Which queue the next message goes to: in turn, not to the broker that just failed, and on request not to slow ones.

Pure: times are given in milliseconds, the first turn as a number.
"""

from __future__ import annotations

import attrs

from pymq.client.routes import PublishInfo
from pymq.wire.bodies.messagequeue import MessageQueue

#: A send that took so many milliseconds ... (Java: latencyMax)
LATENCY_STEPS_MS = (50, 100, 550, 1_000, 2_000, 3_000, 15_000)
#: ... keeps its broker out of the choice for so many (Java: notAvailableDuration).
AVOID_STEPS_MS = (0, 0, 30_000, 60_000, 120_000, 180_000, 600_000)
#: A failed send counts as if it took so long.
FAILED_LATENCY_MS = 30_000


@attrs.define
class _Fault:
    broker_name: str
    latency_ms: int
    usable_from_ms: int


def avoid_ms(latency_ms: int) -> int:
    """For how long a broker is left alone after a send of that latency (Java: computeNotAvailableDuration)."""
    for step, duration in zip(reversed(LATENCY_STEPS_MS), reversed(AVOID_STEPS_MS)):
        if latency_ms >= step:
            return duration
    return 0


class FaultTable:
    """How fast each broker answered last (Java: LatencyFaultTolerance)."""

    def __init__(self) -> None:
        self._faults: dict[str, _Fault] = {}
        self._turn = 0

    def record(self, broker_name: str, latency_ms: int, now_ms: int, failed: bool = False) -> None:
        """A send to the broker took so long, or failed."""
        duration = avoid_ms(FAILED_LATENCY_MS if failed else latency_ms)
        self._faults[broker_name] = _Fault(broker_name, latency_ms, now_ms + duration)

    def is_usable(self, broker_name: str, now_ms: int) -> bool:
        """Whether the broker may be chosen."""
        fault = self._faults.get(broker_name)
        return fault is None or now_ms >= fault.usable_from_ms

    def forget(self, broker_name: str) -> None:
        """Drop what is known of a broker."""
        self._faults.pop(broker_name, None)

    def pick_least_bad(self, now_ms: int) -> str | None:
        """One of the better half of the brokers that have a record, in turn (Java: pickOneAtLeast)."""
        if not self._faults:
            return None
        ranked = sorted(
            self._faults.values(), key=lambda fault: (now_ms < fault.usable_from_ms, fault.latency_ms, fault.usable_from_ms)
        )
        half = len(ranked) // 2
        if half == 0:
            return ranked[0].broker_name
        self._turn += 1
        return ranked[self._turn % half].broker_name


class QueueSelector:
    """Chooses a queue for each message of a producer (Java: MQFaultStrategy and TopicPublishInfo)."""

    def __init__(self, *, fault_enable: bool, first_turn: int = 0) -> None:
        self._fault_enable = fault_enable
        self._first_turn = first_turn
        self._turns: dict[str, int] = {}
        self.faults = FaultTable()

    def select(self, info: PublishInfo, last_broker: str | None, now_ms: int) -> MessageQueue:
        """A queue of `info`, which has at least one; not of `last_broker`, where the try before failed, if that can be."""
        if self._fault_enable:
            return self._select_by_faults(info, now_ms)
        if last_broker is not None:
            for _ in range(len(info.queues)):
                queue = self._next(info)
                if queue.broker_name != last_broker:
                    return queue
        return self._next(info)

    def _next(self, info: PublishInfo) -> MessageQueue:
        turn = self._turns.get(info.topic, self._first_turn)
        self._turns[info.topic] = turn + 1
        return info.queues[turn % len(info.queues)]

    def _select_by_faults(self, info: PublishInfo, now_ms: int) -> MessageQueue:
        for _ in range(len(info.queues)):
            queue = self._next(info)
            if self.faults.is_usable(queue.broker_name, now_ms):
                return queue
        least_bad = self.faults.pick_least_bad(now_ms)
        if least_bad is not None:
            mine = [queue for queue in info.queues if queue.broker_name == least_bad]
            if mine:
                return mine[self._turns[info.topic] % len(mine)]
            self.faults.forget(least_bad)
        return self._next(info)

    def record(self, broker_name: str, latency_ms: int, now_ms: int, failed: bool = False) -> None:
        """Remember how a send went, if that is wanted."""
        if self._fault_enable:
            self.faults.record(broker_name, latency_ms, now_ms, failed)
