# Tests: tests/client/test_share.py
"""Which queues of a topic are this member's, in the four ways that there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, Protocol

from pymq.client.config import MessageModel
from pymq.client.instance import MQClientInstance
from pymq.errors import ClientError
from pymq.interfaces import IQueueAllocator
from pymq.wire.bodies.assignment import MODE_POP, MessageQueueAssignment, QueryAssignmentRequestBody
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


#: Told of a topic, and of the queues of it that are to be pulled and to be popped. Those may have the id -1, which is all queues
#: of the broker.
Assignment = Callable[[str, frozenset[MessageQueue], frozenset[MessageQueue]], None]


#: The allocators that brokers have too.
BROKERS_STRATEGIES = ("AVG", "AVG_BY_CIRCLE")


class GivenByBroker:
    """What a broker of 5.x gives this member; the queues to be pulled are its share, and `assigned` is told of all."""

    def __init__(self, group: str, instance: MQClientInstance, strategy: str, assigned: Assignment) -> None:
        """`strategy` is one of BROKERS_STRATEGIES: brokers say nothing about others."""
        self._group = group
        self._instance = instance
        self._strategy = strategy
        self._assigned = assigned

    async def ask(self, topic: str) -> tuple[MessageQueueAssignment, ...] | None:
        """The first answer of a broker of the topic. Raises NotSupported besides what `__call__` does."""
        model = MessageModel.CLUSTERING.value
        body = QueryAssignmentRequestBody(topic, self._group, self._instance.client_id, self._strategy, model)
        return await self._instance.ask_any(topic, lambda address: self._instance.api.query_assignment(address, body))

    async def __call__(self, topic: str, queues: Sequence[MessageQueue]) -> Collection[MessageQueue]:
        """Raises ClientError too when the broker cannot say, as when it does not know this member yet."""
        given = await self.ask(topic)
        if given is None:
            raise ClientError("the broker cannot say now which queues are ours")
        to_pop = frozenset(one.message_queue for one in given if one.message_queue and one.mode == MODE_POP)
        to_pull = frozenset(one.message_queue for one in given if one.message_queue and one.mode != MODE_POP)
        self._assigned(topic, to_pull, to_pop)
        return to_pull
