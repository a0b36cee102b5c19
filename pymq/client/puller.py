# Tests: tests/client/test_puller.py
"""A push consumer's pull loops, with their brakes (Java: DefaultMQPushConsumerImpl.pullMessage)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pymq.client.config import MessageModel, PushConfig
from pymq.client.instance import MQClientInstance
from pymq.client.offsets import OffsetStore
from pymq.client.processqueue import MIB, ProcessQueue
from pymq.client.pullloops import FLOW_CONTROL_PAUSE_S, SUSPENDED_PAUSE_S, PullLoops
from pymq.client.results import PullResult
from pymq.client.tasks import Tasks
from pymq.message.message import StoredMessage
from pymq.wire.bodies.heartbeat import EXPRESSION_TAG, SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue

#: After an error, and after a refused offset.
ERROR_PAUSE_S = 3.0
ILLEGAL_OFFSET_PAUSE_S = 10.0


class Consumption(Protocol):
    """What pulled messages are handed to: `ConcurrentConsumption` or `OrderlyConsumption`."""

    is_orderly: bool

    def submit(self, held: ProcessQueue, messages: list[StoredMessage], *, dispatch: bool) -> None:
        """Messages were put into `held`; `dispatch` says that an ordered consumer must be started for it."""


class Puller(PullLoops):
    """Pulls for a push consumer, into the hands of its `consumption`."""

    _error_pause_s = ERROR_PAUSE_S

    def __init__(
        self,
        group: str,
        instance: MQClientInstance,
        config: PushConfig,
        *,
        tasks: Tasks,
        offsets: OffsetStore,
        subscriptions: Mapping[str, SubscriptionData],
        consumption: Consumption,
        first_offset: Callable[[MessageQueue], Any],
        illegal_offset: Callable[[ProcessQueue], None],
    ) -> None:
        super().__init__(group, instance, tasks=tasks, subscriptions=subscriptions)
        self._config = config
        self._offsets = offsets
        self._consumption = consumption
        self._first_offset = first_offset
        self._illegal_offset = illegal_offset
        self._queues_of_topic: dict[str, int] = {}
        self.is_suspended = False

    def taken(self, held: ProcessQueue, offset: int) -> None:
        """Begin to pull a queue."""
        topic = held.queue.topic
        self._queues_of_topic[topic] = self._queues_of_topic.get(topic, 0) + 1
        super().taken(held, offset)

    def let_go(self, held: ProcessQueue) -> None:
        """End it."""
        if held.queue in self._loops:
            self._queues_of_topic[held.queue.topic] -= 1
        super().let_go(held)

    async def _run(self, held: ProcessQueue, offset: int) -> None:
        if self._consumption.is_orderly:
            offset = await self._offset_under_lock(held, offset)
        await self._loop(held, offset)

    async def _offset_under_lock(self, held: ProcessQueue, offset: int) -> int:
        """Where an ordered queue begins: asked again when the lock came late, for its last owner may have gone on meanwhile."""
        asked_under_lock = held.locked or self._config.message_model is MessageModel.BROADCASTING
        while not asked_under_lock and not held.dropped:
            if held.locked:
                offset = await self._first_offset(held.queue)
                asked_under_lock = True
            else:
                await self._tasks.sleep(ERROR_PAUSE_S)
        return offset

    def _brake(self, held: ProcessQueue) -> float:
        """Seconds to wait before the next pull; 0 for none."""
        config = self._config
        if self.is_suspended:
            return SUSPENDED_PAUSE_S
        queue_count = max(self._queues_of_topic.get(held.queue.topic, 1), 1)
        count_max, size_max = config.pull_threshold_for_queue, config.pull_threshold_size_for_queue
        if config.pull_threshold_for_topic != -1:
            count_max = max(1, config.pull_threshold_for_topic // queue_count)
        if config.pull_threshold_size_for_topic != -1:
            size_max = max(1, config.pull_threshold_size_for_topic // queue_count)
        if held.count > count_max or held.size_bytes > size_max * MIB:
            return FLOW_CONTROL_PAUSE_S
        if self._consumption.is_orderly:
            may_pull = held.locked or config.message_model is MessageModel.BROADCASTING
            return 0.0 if may_pull else ERROR_PAUSE_S
        return FLOW_CONTROL_PAUSE_S if held.span > config.consume_concurrently_max_span else 0.0

    async def _pull(self, held: ProcessQueue, offset: int, subscription: SubscriptionData) -> PullResult:
        config = self._config
        commit_offset = None
        if config.message_model is MessageModel.CLUSTERING:
            in_memory = self._offsets.read(held.queue)
            commit_offset = in_memory if in_memory > 0 else None
        return await self._client.pull(
            held.queue,
            offset,
            subscription,
            count_max=config.pull_batch_size,
            timeout_s=config.pull_timeout_s,
            suspend_s=config.suspend_timeout_s,
            commit_offset=commit_offset,
            send_expression=config.post_subscription_when_pull and subscription.expression_type == EXPRESSION_TAG,
        )

    async def _hand_over(self, held: ProcessQueue, result: PullResult) -> None:
        if held.dropped:
            return
        if result.messages:
            messages = list(result.messages)
            dispatch = held.put(messages)
            self._consumption.submit(held, messages, dispatch=dispatch)
        elif not held.has_messages():
            # Nothing of what was passed over concerns us, so the group has consumed it (Java: correctTagsOffset).
            self._offsets.update(held.queue, result.next_offset, increase_only=True)
        if self._config.pull_interval_s > 0:
            await self._tasks.sleep(self._config.pull_interval_s)

    async def _offset_illegal(self, held: ProcessQueue, result: PullResult) -> None:
        """Start over, after a pause in which others may settle."""
        held.dropped = True
        await self._tasks.sleep(ILLEGAL_OFFSET_PAUSE_S)
        self._offsets.update(held.queue, result.next_offset)
        await self._offsets.persist([held.queue])
        self._illegal_offset(held)
