# Tests: tests/client/test_rebalance.py
"""Which queues of a topic are this member's, in the three ways that there are."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Sequence
from typing import Any, Protocol

from pymq.client.instance import MQClientInstance
from pymq.interfaces import IQueueAllocator
from pymq.wire.bodies.messagequeue import MessageQueue


class Share(Protocol):
    """Finds a member's part of a topic's queues."""

    def __call__(self, topic: str, queues: Sequence[MessageQueue]) -> Coroutine[Any, Any, Collection[MessageQueue]]:
        """The queues that are this member's. Raises NoRoute, BrokerRefused, TRANSPORT_ERRORS when that cannot be told now."""


class SharedOut:
    """What an allocator gives this member among all that the group has now: clustering."""

    def __init__(self, group: str, instance: MQClientInstance, allocator: IQueueAllocator) -> None:
        self._group = group
        self._instance = instance
        self._allocator = allocator

    async def __call__(self, topic: str, queues: Sequence[MessageQueue]) -> Collection[MessageQueue]:
        """Asks a broker who is in the group."""
        members = await self._instance.consumer_ids(topic, self._group)
        return self._allocator.allocate(self._group, self._instance.client_id, list(queues), members)


async def everything(topic: str, queues: Sequence[MessageQueue]) -> Collection[MessageQueue]:
    """Every queue: broadcasting."""
    return queues


class Assigned:
    """The queues that the user chose, whoever else reads them."""

    def __init__(self) -> None:
        self.queues: frozenset[MessageQueue] = frozenset()

    async def __call__(self, topic: str, queues: Sequence[MessageQueue]) -> Collection[MessageQueue]:
        """Those of the topic."""
        return [queue for queue in self.queues if queue.topic == topic]
