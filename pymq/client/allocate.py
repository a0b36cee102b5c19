# Tests: tests/client/test_allocate.py
"""Sharing the queues of a topic among the members of a group.

Every member computes the shares alone from the same sorted lists, so the results must be those of Java's strategies to the queue:
a group may have members in several languages.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from zope.interface import implementer

from pymq.errors import ConfigError
from pymq.interfaces import IQueueAllocator
from pymq.wire.bodies.messagequeue import MessageQueue

Q = TypeVar("Q")

VIRTUAL_NODES = 10
_HASH_BYTES = 4


@implementer(IQueueAllocator)
class AllocateAverage:
    """A run of neighbouring queues for each member; the first ones get one more (Java: AllocateMessageQueueAveragely)."""

    name = "AVG"

    def allocate(self, group: str, me: str, queues: Sequence[Q], consumers: Sequence[str]) -> list[Q]:
        """The share of `me`; nothing for one who is not among the consumers."""
        if me not in consumers:
            return []
        index = consumers.index(me)
        share, rest = divmod(len(queues), len(consumers))
        if index < rest:
            start, count = index * (share + 1), share + 1
        else:
            start, count = index * share + rest, share
        return list(queues[start : start + count])


@implementer(IQueueAllocator)
class AllocateAverageByCircle:
    """Queues dealt out one by one (Java: AllocateMessageQueueAveragelyByCircle)."""

    name = "AVG_BY_CIRCLE"

    def allocate(self, group: str, me: str, queues: Sequence[Q], consumers: Sequence[str]) -> list[Q]:
        """The share of `me`; nothing for one who is not among the consumers."""
        return list(queues[consumers.index(me) :: len(consumers)]) if me in consumers else []


@implementer(IQueueAllocator)
class AllocateByConfig:
    """Always the queues that were given (Java: AllocateMessageQueueByConfig)."""

    name = "CONFIG"

    def __init__(self, queues: Iterable[MessageQueue]) -> None:
        self._queues = list(queues)

    def allocate(self, group: str, me: str, queues: Sequence[MessageQueue], consumers: Sequence[str]) -> list[MessageQueue]:
        """The configured queues, whoever else there is."""
        return list(self._queues)


@implementer(IQueueAllocator)
class AllocateByMachineRoom:
    """Queues of brokers named `ROOM@name` in the given rooms, shared evenly (Java: AllocateMessageQueueByMachineRoom)."""

    name = "MACHINE_ROOM"

    def __init__(self, rooms: Iterable[str]) -> None:
        self._rooms = frozenset(rooms)

    def allocate(self, group: str, me: str, queues: Sequence[MessageQueue], consumers: Sequence[str]) -> list[MessageQueue]:
        """An equal run for each member; what is left over goes to the first ones, one each."""
        if me not in consumers:
            return []
        near = [queue for queue in queues if self._is_near(queue.broker_name)]
        index = consumers.index(me)
        share, rest = divmod(len(near), len(consumers))
        mine = near[share * index : share * (index + 1)]
        if index < rest:
            mine.append(near[index + share * len(consumers)])
        return mine

    def _is_near(self, broker_name: str) -> bool:
        parts = broker_name.split("@")
        return len(parts) == 2 and parts[0] in self._rooms


@implementer(IQueueAllocator)
class AllocateByConsistentHash:
    """Each queue goes to the next member on a ring of MD5 hashes (Java: AllocateMessageQueueConsistentHash)."""

    name = "CONSISTENT_HASH"

    def __init__(self, virtual_nodes: int = VIRTUAL_NODES) -> None:
        self._virtual_nodes = virtual_nodes

    def allocate(self, group: str, me: str, queues: Sequence[MessageQueue], consumers: Sequence[str]) -> list[MessageQueue]:
        """The queues whose next point on the ring is one of `me`."""
        if me not in consumers:
            return []
        ring = {_ring_hash(f"{member}-{replica}"): member for member in consumers for replica in range(self._virtual_nodes)}
        points = sorted(ring)
        mine = []
        for queue in queues:
            text = f"MessageQueue [topic={queue.topic}, brokerName={queue.broker_name}, queueId={queue.queue_id}]"
            place = bisect.bisect_left(points, _ring_hash(text))
            if ring[points[place % len(points)]] == me:
                mine.append(queue)
        return mine


def _ring_hash(text: str) -> int:
    digest = hashlib.md5(text.encode("utf-8"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:_HASH_BYTES], "big")


_BY_NAME: dict[str, Callable[[], IQueueAllocator]] = {
    "AVG": AllocateAverage,
    "AVG_BY_CIRCLE": AllocateAverageByCircle,
    "CONSISTENT_HASH": AllocateByConsistentHash,
}


def allocator_of(strategy: object) -> IQueueAllocator:
    """The allocator of that name, or `strategy` itself when it is one. Raises ConfigError.

    CONFIG and MACHINE_ROOM need to be told something, so they are given as objects.
    """
    if isinstance(strategy, str) and strategy in _BY_NAME:
        return _BY_NAME[strategy]()
    if not IQueueAllocator.providedBy(strategy):
        raise ConfigError("allocate_strategy", strategy, f"allowed: {', '.join(_BY_NAME)}, or an IQueueAllocator")
    return strategy
