# Tests: tests/client/test_puller.py
"""A push consumer's pull loops, one for each queue, with their brakes (Java: PullMessageService)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.client.config import MessageModel, PushConfig
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.offsets import OffsetStore
from pymq.client.processqueue import ProcessQueue
from pymq.client.pulling import PullClient
from pymq.client.results import PullResult, PullStatus
from pymq.client.tasks import Tasks
from pymq.errors import BrokerRefused, DecodeError, RequestError
from pymq.message.message import StoredMessage
from pymq.message.topics import is_retry_topic
from pymq.wire.bodies.heartbeat import EXPRESSION_TAG, SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import ResponseCode

#: While too much is in hand, and after an answer of FLOW_CONTROL, an error, a refused offset, or while the consumer is suspended.
FLOW_CONTROL_PAUSE_S = 0.05
BUSY_PAUSE_S = 0.02
ERROR_PAUSE_S = 3.0
#: A broker that was restarted does not know the group until the next heartbeat, which is sent at once.
UNKNOWN_PAUSE_S = 0.5
ILLEGAL_OFFSET_PAUSE_S = 10.0
SUSPENDED_PAUSE_S = 1.0
_MIB = 1024 * 1024


class Consumption(Protocol):
    """What pulled messages are handed to: `ConcurrentConsumption` or `OrderlyConsumption`."""

    is_orderly: bool

    def submit(self, held: ProcessQueue, messages: list[StoredMessage], *, dispatch: bool) -> None:
        """Messages were put into `held`; `dispatch` says that an ordered consumer must be started for it."""


class Puller:
    """Pulls every queue that is `taken` until it is `let_go`."""

    _log = Logger()

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
        self._group = group
        self._instance = instance
        self._config = config
        self._tasks = tasks
        self._offsets = offsets
        self._subscriptions = subscriptions
        self._consumption = consumption
        self._first_offset = first_offset
        self._illegal_offset = illegal_offset
        self._client = PullClient(group, instance)
        self._loops: dict[MessageQueue, Deferred[Any]] = {}
        self._queues_of_topic: dict[str, int] = {}
        self.is_suspended = False
        self.pause_count = 0

    def taken(self, held: ProcessQueue, offset: int) -> None:
        """Begin to pull a queue."""
        topic = held.queue.topic
        self._queues_of_topic[topic] = self._queues_of_topic.get(topic, 0) + 1
        self._loops[held.queue] = self._tasks.spawn(self._loop(held, offset), f"pulling {held.queue}")

    def let_go(self, held: ProcessQueue) -> None:
        """End it."""
        loop = self._loops.pop(held.queue, None)
        if loop is not None:
            self._queues_of_topic[held.queue.topic] -= 1
            self._client.forget(held.queue)
            loop.cancel()

    async def _loop(self, held: ProcessQueue, offset: int) -> None:
        if self._consumption.is_orderly:
            offset = await self._offset_under_lock(held, offset)
        while not held.dropped:
            held.last_pull_ms = self._instance.now_ms()
            pause_s = self._brake(held)
            if pause_s:
                self.pause_count += 1
                await self._tasks.sleep(pause_s)
                continue
            subscription = self._subscriptions.get(held.queue.topic)
            if subscription is None:
                await self._tasks.sleep(ERROR_PAUSE_S)
                continue
            begun_ms = held.last_pull_ms
            try:
                result = await self._pull(held, offset, subscription)
            except (*EXPECTED_ERRORS, DecodeError, RequestError) as error:
                await self._tasks.sleep(self._pause_after(error, held.queue))
                continue
            if held.dropped:
                return
            if result.status is PullStatus.OFFSET_ILLEGAL:
                await self._start_over(held, offset, result)
                return
            offset = result.next_offset
            if result.status is PullStatus.FOUND:
                elapsed_ms = self._instance.now_ms() - begun_ms
                self._instance.stats.pulled(self._group, held.queue.topic, len(result.messages), elapsed_ms)
            self._hand_over(held, result)
            if self._config.pull_interval_s > 0:
                await self._tasks.sleep(self._config.pull_interval_s)

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
        if held.count > count_max or held.size_bytes > size_max * _MIB:
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

    def _pause_after(self, error: Exception, queue: MessageQueue) -> float:
        if isinstance(error, BrokerRefused) and error.code == ResponseCode.FLOW_CONTROL:
            return BUSY_PAUSE_S
        if isinstance(error, BrokerRefused) and error.code == ResponseCode.SUBSCRIPTION_NOT_EXIST:
            self._instance.heartbeat_soon()
            return UNKNOWN_PAUSE_S
        if not is_retry_topic(queue.topic):
            self._log.warn(
                "pulling {queue} failed, again in {pause_s:g} s: {error}", queue=queue, pause_s=ERROR_PAUSE_S, error=error
            )
        return ERROR_PAUSE_S

    def _hand_over(self, held: ProcessQueue, result: PullResult) -> None:
        if result.messages:
            messages = list(result.messages)
            dispatch = held.put(messages)
            self._consumption.submit(held, messages, dispatch=dispatch)
        elif not held.has_messages():
            # Nothing of what was passed over concerns us, so the group has consumed it (Java: correctTagsOffset).
            self._offsets.update(held.queue, result.next_offset, increase_only=True)

    async def _start_over(self, held: ProcessQueue, offset: int, result: PullResult) -> None:
        """The broker does not have our offset: go on at the one it gave, after a pause in which others may settle."""
        self._log.warn(
            "{queue} has no offset {offset}; it goes on at {next_offset}",
            queue=held.queue,
            offset=offset,
            next_offset=result.next_offset,
        )
        held.dropped = True
        await self._tasks.sleep(ILLEGAL_OFFSET_PAUSE_S)
        self._offsets.update(held.queue, result.next_offset)
        await self._offsets.persist([held.queue])
        self._illegal_offset(held)
