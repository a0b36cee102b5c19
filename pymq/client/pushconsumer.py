# Tests: tests/client/test_pushconsumer.py
"""The push consumer: pulls in loops and calls a listener (Java: DefaultMQPushConsumer)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.allocate import allocator_of
from pymq.client.beginning import begin_time_ms, first_offset
from pymq.client.config import INNER_PRODUCER_GROUP, MessageModel, ProducerConfig, PushConfig
from pymq.client.consume import ConcurrentConsumption
from pymq.client.consumption import ConsumptionParts
from pymq.client.hooks import ConsumeMessageHook
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.listening import Listener, ListenerCall, restore_topics
from pymq.client.localfile import LocalDocuments, offsets_folder
from pymq.client.member import Member
from pymq.client.messageselector import MessageSelector, subscription_of
from pymq.client.offsets import LocalFileOffsetStore, OffsetStore, RemoteBrokerOffsetStore
from pymq.client.orderly import OrderlyConsumption
from pymq.client.processqueue import ProcessQueue
from pymq.client.puller import Puller
from pymq.client.rebalance import Rebalancer
from pymq.client.results import ConsumeContext, ServiceState
from pymq.client.running import direct_result, running_info
from pymq.client.send import Sender
from pymq.client.sendback import SendBack
from pymq.client.trace import ConsumeTraceHook, TraceDispatcher, consume_hook
from pymq.errors import ClientError
from pymq.interfaces import IDocuments
from pymq.message.message import StoredMessage
from pymq.message.topics import check_topic, retry_topic
from pymq.wire.bodies.connections import ConsumeMessageDirectlyResult, ConsumerRunningInfo
from pymq.wire.bodies.heartbeat import EXPRESSION_TAG, SUBSCRIBE_ALL, ConsumerData, SubscriptionData, build_subscription
from pymq.wire.bodies.messagequeue import MessageQueue

#: A subscribed topic without a route is asked for again after these pauses, and then with every look at the routes: the retry
#: topic of a new group exists only after its first heartbeat.
ROUTE_CHASE_S = (0.5, 1.0, 2.0, 4.0, 8.0)


class PushConsumer(Member[PushConfig]):
    """Calls a listener for every message of the subscribed topics.

    ::

        consumer = PushConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        consumer.subscribe("my-topic", "TagA || TagB")
        consumer.listen(on_messages)        # or listen_orderly
        await consumer.start()

    The listener is called with a list of StoredMessage and a ConsumeContext. It returns a ConsumeStatus, None for success, or a
    Deferred or coroutine of one; an exception means that the messages are to come again. The settings are those of PushConfig.
    """

    kind = "push consumer"
    config_class = PushConfig

    def __init__(
        self, group: str, *, hooks: Sequence[ConsumeMessageHook] = (), documents: IDocuments | None = None, **settings: Any
    ) -> None:
        """`documents` replaces the folder in which a broadcast group keeps its offsets. Raises ConfigError, ClientError."""
        super().__init__(group, **settings)
        self._has_own_instance = self.config.message_model is MessageModel.CLUSTERING
        self._allocator = allocator_of(self.config.allocate_strategy)
        self._hooks = list(hooks)
        self._documents = documents
        self._subscriptions: dict[str, SubscriptionData] = {}
        self._listener: Listener | None = None
        self._trace: TraceDispatcher | None = None
        self._is_orderly = False
        self._started_s = 0.0

    # Before the start

    def subscribe(
        self, topic: str, expression: str | MessageSelector = SUBSCRIBE_ALL, expression_type: str | None = None
    ) -> None:
        """Consume a topic: all of it, those with one of the tags in `TagA || TagB`, or what a MessageSelector selects.

        May be called again, also while the consumer runs. Raises ClientError.
        """
        try:
            check_topic(topic)
        except ValueError as error:
            raise ClientError(str(error)) from error
        if isinstance(expression, str) and expression_type is not None:
            expression = MessageSelector(expression, expression_type)
        topic = self.namespace.wrap(topic)
        subscription = subscription_of(topic, expression, sub_version=self._now_ms())
        self._subscriptions[topic] = subscription
        if self.state is ServiceState.RUNNING:
            self.tasks.spawn(self._subscriptions_changed(self.instance), "the new subscription")

    def unsubscribe(self, topic: str) -> None:
        """Consume a topic no more. May be called while the consumer runs."""
        self._subscriptions.pop(self.namespace.wrap(topic), None)
        if self.state is ServiceState.RUNNING:
            self.tasks.spawn(self._subscriptions_changed(self.instance), "the new subscription")

    def listen(self, listener: Listener) -> None:
        """Have messages consumed by `listener`, several at a time and in any order. Before the start."""
        self._set_listener(listener, is_orderly=False)

    def listen_orderly(self, listener: Listener) -> None:
        """Have messages consumed by `listener` in the order of their queue. Before the start."""
        self._set_listener(listener, is_orderly=True)

    def _set_listener(self, listener: Listener, is_orderly: bool) -> None:
        self.state.check_new(f"the {self.kind} {self.group}")
        if not callable(listener):
            raise ClientError(f"the listener {listener!r} cannot be called")
        self._listener, self._is_orderly = listener, is_orderly

    # Life

    def _now_ms(self) -> int:
        return int(self.clock.seconds() * 1000)

    def _join(self, instance: MQClientInstance) -> None:
        if self._listener is None:
            raise ClientError(f"the {self.kind} {self.group} has no listener; call listen() or listen_orderly() before start()")
        if self.config.message_model is MessageModel.CLUSTERING:
            topic = retry_topic(self.group)
            self._subscriptions[topic] = build_subscription(topic, SUBSCRIBE_ALL, sub_version=self._now_ms())
        self._started_s = self.clock.seconds()
        self._offsets = self._make_offsets(instance)
        hooks = [*self._hooks, *self._trace_hooks(instance)]
        self._call = ListenerCall(self.group, self._listener, hooks, is_orderly=self._is_orderly)
        self._rebalancer = Rebalancer(
            self.group,
            instance,
            model=self.config.message_model,
            is_orderly=self._is_orderly,
            allocator=self._allocator,
            offsets=self._offsets,
            subscriptions=self._subscriptions,
            first_offset=self._first_offset,
            taken=self._queue_taken,
            let_go=self._queue_let_go,
        )
        self._consumption = self._make_consumption(instance)
        self._puller = Puller(
            self.group,
            instance,
            self.config,
            tasks=self.tasks,
            offsets=self._offsets,
            subscriptions=self._subscriptions,
            consumption=self._consumption,
            first_offset=self._first_offset,
            illegal_offset=self._illegal_offset,
        )
        instance.add_consumer(self)

    def _trace_hooks(self, instance: MQClientInstance) -> list[ConsumeTraceHook]:
        if not self.config.enable_msg_trace:
            return []
        assert self._ids is not None, "made together with the instance"
        self._trace, hook = consume_hook(self.group, self.config.customized_trace_topic, instance, self.tasks, self._ids.next)
        return [hook]

    def _make_offsets(self, instance: MQClientInstance) -> OffsetStore:
        if self.config.message_model is MessageModel.CLUSTERING:
            return RemoteBrokerOffsetStore(self.group, instance)
        folder = offsets_folder(self.config.offset_store_folder, instance.client_id, self.group)
        return LocalFileOffsetStore(LocalDocuments(folder) if self._documents is None else self._documents)

    def _make_consumption(self, instance: MQClientInstance) -> ConcurrentConsumption | OrderlyConsumption:
        assert self._ids is not None, "made together with the instance"
        inner = ProducerConfig(unit_mode=self.config.unit_mode)
        sender = Sender(INNER_PRODUCER_GROUP, inner, instance, self._ids.next)
        send_back = SendBack(self.group, self.config, instance, sender)
        parts = ConsumptionParts(tasks=self.tasks, call=self._call, offsets=self._offsets, send_back=send_back)
        if not self._is_orderly:
            return ConcurrentConsumption(self.group, self.config, instance, parts)
        rebalancer = self._rebalancer
        return OrderlyConsumption(
            self.group, self.config, instance, parts, lock_all=rebalancer.lock_all, lock_one=rebalancer.lock_one
        )

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
        self._consumption.start()
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

    async def _subscriptions_changed(self, instance: MQClientInstance) -> None:
        await instance.update_all_routes()
        await instance.heartbeat_all()
        instance.rebalance_soon()

    async def _stopping(self, instance: MQClientInstance) -> None:
        self._rebalancer.take_no_more()
        self._puller.is_suspended = True
        await self._consumption.stop()
        if self._trace is not None:
            await self._trace.close()
        await self.persist_offsets()
        await self._rebalancer.close()
        instance.stats.forget(self.group)
        await instance.unregister(None, self.group)

    # While it runs

    def suspend(self) -> None:
        """Pull no more until `resume`; what is in hand is still consumed."""
        self._check_running()
        self._puller.is_suspended = True

    def resume(self) -> None:
        """Pull again; queues that wait notice it within a second."""
        self._check_running()
        self._puller.is_suspended = False
        self.instance.rebalance_soon()

    @property
    def queues(self) -> list[MessageQueue]:
        """The queues that are ours now, sorted; none before the start."""
        return sorted(self.namespace.unwrap_queues(self._rebalancer.queues)) if self._instance is not None else []

    def fetch_subscribe_queues(self, topic: str) -> Deferred[list[MessageQueue]]:
        """The queues from which a topic can be read. Fails with NoRoute."""
        return self._ask("fetch_subscribe_queues", topic)

    async def _first_offset(self, queue: MessageQueue) -> int:
        time_ms = begin_time_ms(self.config.consume_timestamp_s, self._started_s)
        return await first_offset(queue, self._offsets, self.instance, self.config, time_ms)

    def _queue_taken(self, held: ProcessQueue, offset: int) -> None:
        self._puller.taken(held, offset)

    def _queue_let_go(self, held: ProcessQueue) -> None:
        self._puller.let_go(held)

    def _illegal_offset(self, held: ProcessQueue) -> None:
        self._rebalancer.forget(held)
        self.instance.rebalance_soon()

    # As a member of its instance

    def consumer_data(self) -> ConsumerData:
        """Its part of the heartbeat."""
        return ConsumerData(
            group_name=self.group,
            consume_type="CONSUME_PASSIVELY",
            message_model=self.config.message_model.value,
            consume_from_where=self.config.consume_from_where.value,
            subscription_data_set=tuple(subscription for _, subscription in sorted(self._subscriptions.items())),
            unit_mode=self.config.unit_mode,
        )

    def subscribed_topics(self) -> Iterable[str]:
        """The topics whose routes it uses."""
        return list(self._subscriptions)

    async def rebalance(self) -> bool:
        """Take our share of the queues; False when that should be tried again soon."""
        if self.state is not ServiceState.RUNNING or self._puller.is_suspended:
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
            self._offsets.update(queue, offset)
            try:
                # Two-way, unlike every other commit: the queue's new beginning is asked for right after it.
                if self.config.message_model is MessageModel.CLUSTERING:
                    address, _ = await self.instance.broker_to_read(queue.topic, queue.broker_name)
                    await self.instance.api.update_consumer_offset(address, self.group, queue, offset, oneway=False)
            except EXPECTED_ERRORS as error:
                self._log.warn("the offset of {queue} could not be set: {error}", queue=queue, error=error)
        self.instance.rebalance_soon()

    def offsets_of(self, topic: str) -> dict[MessageQueue, int]:
        """Our offsets of a topic."""
        return self._offsets.table_of(topic)

    def running_info(self) -> ConsumerRunningInfo:
        """What this consumer does, for operators."""
        return running_info(
            self.config,
            self.instance.name_servers,
            self._is_orderly,
            int(self._started_s * 1000),
            self._subscriptions.values(),
            self._rebalancer.queues.values(),
            self._offsets,
            lambda topic: self.instance.stats.status_of(self.group, topic),
        )

    async def consume_directly(self, message: StoredMessage) -> ConsumeMessageDirectlyResult:
        """Give the listener one message (an operator's command)."""
        restore_topics([message], retry_topic(self.group), self.namespace)
        context = ConsumeContext(MessageQueue(message.topic, message.broker_name, message.queue_id))
        return await direct_result(self._call, [message], context, self._is_orderly, self.clock)
