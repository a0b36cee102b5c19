# Tests: tests/client/test_pullconsumer.py
"""The pull consumer: everything by hand (Java: DefaultMQPullConsumer)."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from pymq.client.config import ConsumerConfig, MessageModel
from pymq.client.consumer import Consumer
from pymq.client.instance import MQClientInstance
from pymq.client.messageselector import MessageSelector, subscription_of
from pymq.client.pulling import PullClient
from pymq.client.results import PullResult
from pymq.errors import ClientError
from pymq.wire.bodies.connections import ConsumerRunningInfo
from pymq.wire.bodies.heartbeat import SUBSCRIBE_ALL, ConsumerData, build_subscription
from pymq.wire.bodies.messagequeue import MessageQueue

PULL_COUNT_MAX = 32


class PullConsumer(Consumer[ConsumerConfig]):
    """Pulls when it is told to.

    ::

        consumer = PullConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        await consumer.start()
        for queue in await consumer.fetch_subscribe_queues("my-topic"):
            offset = max(await consumer.fetch_consume_offset(queue), 0)
            result = await consumer.pull(queue, "*", offset, 32)
            await consumer.update_consume_offset(queue, result.next_offset)
        await consumer.shutdown()

    `hooks` are told of every pull that found messages. The settings are those of ConsumerConfig.
    """

    kind = "pull consumer"
    config_class = ConsumerConfig

    def register_topic(self, topic: str) -> None:
        """Tell the brokers that this group reads a topic, as `fetch_queues_in_balance` needs it."""
        topic = self.namespace.wrap(topic)
        self._subscriptions[topic] = build_subscription(topic, SUBSCRIBE_ALL, sub_version=self._now_ms())

    # Life

    def _join(self, instance: MQClientInstance) -> None:
        super()._join(instance)
        self._client = PullClient(self.group, instance)
        self._used: set[MessageQueue] = set()
        instance.add_consumer(self)

    async def _started(self, instance: MQClientInstance) -> None:
        await instance.update_all_routes()
        await instance.heartbeat_all()

    async def _stopping(self, instance: MQClientInstance) -> None:
        await self._close_trace()
        await self.persist_offsets()
        await instance.unregister(None, self.group)

    # Pulling

    def fetch_subscribe_queues(self, topic: str) -> Deferred[list[MessageQueue]]:
        """The queues from which a topic can be read. Fails with NoRoute."""
        return self._do(self._fetch_subscribe_queues(topic))

    async def _fetch_subscribe_queues(self, topic: str) -> list[MessageQueue]:
        queues: list[MessageQueue] = await self._asked("fetch_subscribe_queues", topic)
        # The route may have brought brokers that do not know this group yet.
        await self.instance.heartbeat_all()
        return queues

    def fetch_queues_in_balance(self, topic: str) -> Deferred[list[MessageQueue]]:
        """This member's share of the queues, computed now from who is in the group. The topic must be registered."""
        return self._do(self._fetch_queues_in_balance(topic))

    async def _fetch_queues_in_balance(self, topic: str) -> list[MessageQueue]:
        queues = await self._fetch_subscribe_queues(topic)
        if self.config.message_model is MessageModel.BROADCASTING:
            return queues
        members = await self.instance.consumer_ids(self.namespace.wrap(topic), self.group)
        mine: list[MessageQueue] = self._allocator.allocate(self.group, self.client_id, sorted(queues), members)
        return mine

    def pull(
        self,
        queue: MessageQueue,
        expression: str | MessageSelector,
        offset: int,
        max_count: int = PULL_COUNT_MAX,
        *,
        timeout_s: float | None = None,
    ) -> Deferred[PullResult]:
        """Messages from `offset` on whose tags match `expression`, or that it selects; answers at once also without any."""
        timeout = self.config.consumer_timeout_s if timeout_s is None else timeout_s
        return self._do(self._pull(queue, expression, offset, max_count, timeout, 0.0))

    def pull_block_if_not_found(
        self, queue: MessageQueue, expression: str | MessageSelector, offset: int, max_count: int = PULL_COUNT_MAX
    ) -> Deferred[PullResult]:
        """The same, but the broker holds the request for up to `suspend_timeout_s` while there are no messages."""
        config = self.config
        return self._do(self._pull(queue, expression, offset, max_count, config.pull_timeout_s, config.suspend_timeout_s))

    async def _pull(
        self,
        queue: MessageQueue,
        expression: str | MessageSelector,
        offset: int,
        max_count: int,
        timeout_s: float,
        suspend_s: float,
    ) -> PullResult:
        if offset < 0 or max_count <= 0:
            raise ClientError(f"offset {offset}, count {max_count}: the offset must be 0 or more, the count 1 or more")
        queue = self.namespace.wrap_queue(queue)
        subscription = subscription_of(queue.topic, expression, sub_version=self._now_ms())
        self._used.add(queue)
        client = self._client
        result = await client.pull(queue, offset, subscription, count_max=max_count, timeout_s=timeout_s, suspend_s=suspend_s)
        self._given(queue, result.messages)
        return result

    # Offsets

    def fetch_consume_offset(self, queue: MessageQueue, *, from_store: bool = False) -> Deferred[int]:
        """The group's offset of a queue: what was last set here, else what is persisted; -1 when there is none."""
        return self._do(self._offset_of(queue, from_store=from_store))

    def update_consume_offset(self, queue: MessageQueue, offset: int) -> Deferred[None]:
        """Set the group's offset of a queue; it is committed every few seconds, and by `persist`."""
        return self._do(self._update_consume_offset(queue, offset))

    async def _update_consume_offset(self, queue: MessageQueue, offset: int) -> None:
        queue = self.namespace.wrap_queue(queue)
        self._used.add(queue)
        self._offsets.update(queue, offset)

    def persist(self) -> Deferred[None]:
        """Commit all offsets now."""
        return self._do(self.persist_offsets())

    # As a member of its instance

    def consumer_data(self) -> ConsumerData:
        """Its part of the heartbeat."""
        return ConsumerData(
            group_name=self.group,
            consume_type="CONSUME_ACTIVELY",
            message_model=self.config.message_model.value,
            subscription_data_set=tuple(subscription for _, subscription in sorted(self._subscriptions.items())),
            unit_mode=self.config.unit_mode,
        )

    def subscribed_topics(self) -> Iterable[str]:
        """The topics whose routes it uses."""
        return set(self._subscriptions) | {queue.topic for queue in self._used}

    async def rebalance(self) -> bool:
        """Nothing: its user asks for the share."""
        return True

    async def persist_offsets(self) -> None:
        """Commit the offsets of every queue that was used."""
        await self._offsets.persist(sorted(self._used))

    async def reset_offsets(self, table: dict[MessageQueue, int]) -> None:
        """Take over an operator's offsets; they show at the next `fetch_consume_offset`."""
        for queue, offset in table.items():
            self._used.add(queue)
            self._offsets.update(queue, offset)
        await self.persist_offsets()

    def running_info(self) -> ConsumerRunningInfo:
        """What this consumer does, for operators."""
        return ConsumerRunningInfo(
            properties={
                "PROP_NAMESERVER_ADDR": ";".join(self.instance.name_servers),
                "PROP_CONSUME_TYPE": "CONSUME_ACTIVELY",
                "PROP_CONSUMEORDERLY": "false",
            },
            subscription_set=tuple(self._subscriptions.values()),
        )
