# Tests: tests/client/test_pushconsumer.py
"""Consumers whose queues come and go by rebalance, with what they subscribe to: the base of push and lite pull consumers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred

from pymq.client.beginning import begin_time_ms, first_offset
from pymq.client.config import BalancedConfig, MessageModel
from pymq.client.consumer import Consumer
from pymq.client.hooks import ConsumeMessageHook
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.messageselector import MessageSelector, subscription_of
from pymq.client.popsettling import PopProcessQueue
from pymq.client.processqueue import ProcessQueue
from pymq.client.rebalance import Rebalancer
from pymq.client.results import ServiceState
from pymq.client.running import running_info
from pymq.client.share import Share, SharedOut, everything
from pymq.errors import ClientError
from pymq.interfaces import IDocuments
from pymq.message.topics import check_topic
from pymq.wire.bodies.connections import ConsumerRunningInfo
from pymq.wire.bodies.heartbeat import EXPRESSION_TAG, SUBSCRIBE_ALL, ConsumerData, SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue

B = TypeVar("B", bound=BalancedConfig)

#: A subscribed topic without a route is asked for again after these pauses, and then with every look at the routes: the retry
#: topic of a new group exists only after its first heartbeat.
ROUTE_CHASE_S = (0.5, 1.0, 2.0, 4.0, 8.0)

#: Told of the queues that are ours, sorted, whenever they are others than before; may give a Deferred (Java:
#: MessageQueueListener).
QueueListener = Callable[[list[MessageQueue]], Any]


class BalancedConsumer(Consumer[B]):
    """A consumer with subscriptions, and a share of their queues."""

    consume_type: str

    def __init__(
        self,
        group: str,
        *,
        hooks: Sequence[ConsumeMessageHook] = (),
        documents: IDocuments | None = None,
        queue_listener: QueueListener | None = None,
        **settings: Any,
    ) -> None:
        """`hooks` are told what is consumed; `documents` replaces the folder in which a broadcast group keeps its offsets;
        `queue_listener` is told which queues are ours, sorted, whenever they change. Raises ConfigError, ClientError.
        """
        super().__init__(group, hooks=hooks, documents=documents, **settings)
        self._queue_listener = queue_listener
        self._started_s = 0.0

    def subscribe(
        self, topic: str, expression: str | MessageSelector = SUBSCRIBE_ALL, expression_type: str | None = None
    ) -> None:
        """Consume a topic: all of it, those with one of the tags in `TagA || TagB`, or what a MessageSelector selects.

        May be called again, also while the consumer runs. Raises ClientError.
        """
        if isinstance(expression, str) and expression_type is not None:
            expression = MessageSelector(expression, expression_type)
        subscription = self._subscription(topic, expression)
        self._subscriptions[subscription.topic] = subscription
        self._changed_subscriptions()

    def unsubscribe(self, topic: str) -> None:
        """Consume a topic no more. May be called while the consumer runs."""
        self._subscriptions.pop(self.namespace.wrap(topic), None)
        self._changed_subscriptions()

    def _subscription(self, topic: str, expression: str | MessageSelector) -> SubscriptionData:
        """For a topic as its user names it. Raises ClientError."""
        try:
            check_topic(topic)
        except ValueError as error:
            raise ClientError(str(error)) from error
        return subscription_of(self.namespace.wrap(topic), expression, sub_version=self._now_ms())

    def _changed_subscriptions(self) -> None:
        """Have brokers and rebalance know of other topics, if they know of any yet."""
        if self.state is ServiceState.RUNNING:
            self.tasks.spawn(self._subscriptions_changed(self.instance), "the new subscription")

    async def _subscriptions_changed(self, instance: MQClientInstance) -> None:
        await instance.update_all_routes()
        await instance.heartbeat_all()
        instance.rebalance_soon()

    # Life

    def _join(self, instance: MQClientInstance) -> None:
        super()._join(instance)
        self._started_s = self.clock.seconds()
        self._rebalancer = Rebalancer(
            self.group,
            instance,
            share=self._share(instance),
            locks_queues=self._locks_queues,
            offsets=self._offsets,
            subscriptions=self._subscriptions,
            first_offset=self._first_offset,
            taken=self._queue_taken,
            let_go=self._queue_let_go,
            changed=self._queues_changed,
        )

    @property
    def _locks_queues(self) -> bool:
        """Whether our queues must be locked at their brokers."""
        return False

    def _share(self, instance: MQClientInstance) -> Share:
        if self.config.message_model is MessageModel.BROADCASTING:
            return everything
        return SharedOut(self.group, instance, self._allocator)

    async def _started(self, instance: MQClientInstance) -> None:
        await instance.update_all_routes()
        for subscription in list(self._subscriptions.values()):
            await self._check_subscription(instance, subscription)
        await instance.heartbeat_all()

    async def _check_subscription(self, instance: MQClientInstance, subscription: SubscriptionData) -> None:
        """Ask a broker whether it can serve what is not by tags; that must fail the start (Java: checkClientInBroker)."""
        if subscription.expression_type == EXPRESSION_TAG:
            return
        for name in instance.routes.broker_names_of(subscription.topic)[:1]:
            found = instance.routes.address_of(name)
            if found is not None:
                await instance.api.check_client_config(found[0], instance.client_id, self.group, subscription)

    def _running(self) -> None:
        self.instance.rebalance_soon()
        self.tasks.spawn(self._chase_routes(self.instance), "looking for routes")

    async def _chase_routes(self, instance: MQClientInstance) -> None:
        for pause_s in ROUTE_CHASE_S:
            missing = [topic for topic in self._subscriptions if instance.routes.subscribe_queues(topic) is None]
            if not missing:
                return
            await self.tasks.sleep(pause_s)
            for topic in missing:
                await instance.update_route(topic)

    async def _leave(self, instance: MQClientInstance) -> None:
        """The last part of every `_stopping`."""
        await self._close_trace()
        await self.persist_offsets()
        await self._rebalancer.close()
        instance.stats.forget(self.group)
        await instance.unregister(None, self.group)

    # Queues

    @abstractmethod
    def _queue_taken(self, held: ProcessQueue, offset: int) -> None:
        """A queue is ours from now on, and begins at an offset."""

    @abstractmethod
    def _queue_let_go(self, held: ProcessQueue) -> None:
        """A queue is ours no more."""

    def _queues_changed(self) -> None:
        if self._queue_listener is not None:
            told = maybeDeferred(self._queue_listener, self.queues)
            told.addErrback(lambda failure: self._log.failure("the queue listener of {client!r} failed", failure, client=self))

    @property
    def queues(self) -> list[MessageQueue]:
        """The queues that are ours now, sorted; none before the start."""
        return sorted(self.namespace.unwrap_queues(self._rebalancer.queues)) if self._instance is not None else []

    async def _first_offset(self, queue: MessageQueue) -> int:
        time_ms = begin_time_ms(self.config.consume_timestamp_s, self._started_s)
        return await first_offset(queue, self._offsets, self.instance, self.config, time_ms)

    def fetch_subscribe_queues(self, topic: str) -> Deferred[list[MessageQueue]]:
        """The queues from which a topic can be read. Fails with NoRoute."""
        return self._ask("fetch_subscribe_queues", topic)

    # As a member of its instance

    def consumer_data(self) -> ConsumerData:
        """Its part of the heartbeat."""
        return self._heartbeat_part(self._subscriptions.values())

    def _heartbeat_part(self, subscriptions: Iterable[SubscriptionData]) -> ConsumerData:
        return ConsumerData(
            group_name=self.group,
            consume_type=self.consume_type,
            message_model=self.config.message_model.value,
            consume_from_where=self.config.consume_from_where.value,
            subscription_data_set=tuple(sorted(subscriptions, key=lambda one: one.topic)),
            unit_mode=self.config.unit_mode,
        )

    async def rebalance(self) -> bool:
        """Take our share of the queues; False when that should be tried again soon."""
        if self.state is not ServiceState.RUNNING:
            return True
        return await self._rebalancer.rebalance()

    async def persist_offsets(self) -> None:
        """Commit the offsets of our queues."""
        await self._offsets.persist(list(self._rebalancer.queues))

    async def reset_offsets(self, table: dict[MessageQueue, int]) -> None:
        """Drop what is in hand of these queues and go on at these offsets (an operator's command)."""
        self._log.info("{client!r} is told to go on at {count} other offsets", client=self, count=len(table))
        for queue, offset in sorted(table.items()):
            held = self._rebalancer.queues.get(queue)
            if held is None:
                continue
            self._rebalancer.forget(held)
            try:
                # Two-way, unlike most other commits: the queue's new beginning is asked for right after it.
                await self._offsets.save(queue, offset)
            except EXPECTED_ERRORS as error:
                self._log.warn("the offset of {queue} could not be set: {error}", queue=queue, error=error)
        self.instance.rebalance_soon()

    def running_info(self) -> ConsumerRunningInfo:
        """What this consumer does, for operators."""
        return running_info(
            self.consume_type,
            self.instance,
            self.group,
            started_ms=int(self._started_s * 1000),
            subscriptions=self._subscriptions.values(),
            queues=self._rebalancer.queues.values(),
            offsets=self._offsets,
            popped=self._popped(),
            more=self._properties(),
        )

    def _popped(self) -> Iterable[PopProcessQueue]:
        """The queues that are popped, for `running_info`."""
        return ()

    def _properties(self) -> dict[str, str]:
        """Further properties for `running_info`."""
        return {"PROP_CONSUMEORDERLY": "false"}
