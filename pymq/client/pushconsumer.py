# Tests: tests/client/test_pushconsumer.py
"""The push consumer: pulls in loops and calls a listener (Java: DefaultMQPushConsumer)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pymq.client.balanced import BalancedConsumer
from pymq.client.config import INNER_PRODUCER_GROUP, MessageModel, ProducerConfig, PushConfig
from pymq.client.consume import ConcurrentConsumption
from pymq.client.consumption import ConsumptionParts
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.listening import Listener, ListenerCall, restore_topics
from pymq.client.orderly import OrderlyConsumption
from pymq.client.popper import Popper
from pymq.client.popping import PopClient
from pymq.client.popsettling import PopProcessQueue, PopVerdicts
from pymq.client.processqueue import ProcessQueue
from pymq.client.puller import Puller
from pymq.client.results import ConsumeContext, ServiceState
from pymq.client.running import direct_result
from pymq.client.send import Sender
from pymq.client.sendback import SendBack
from pymq.client.share import BROKERS_STRATEGIES, GivenByBroker, Share
from pymq.errors import ClientError, ConfigError, NotSupported
from pymq.message.message import StoredMessage
from pymq.message.topics import is_retry_topic, pop_retry_topic, retry_topic
from pymq.wire.bodies.connections import ConsumeMessageDirectlyResult
from pymq.wire.bodies.heartbeat import SUBSCRIBE_ALL, build_subscription
from pymq.wire.bodies.messagequeue import MessageQueue


class PushConsumer(BalancedConsumer[PushConfig]):
    """Calls a listener for every message of the subscribed topics.

    ::

        consumer = PushConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        consumer.subscribe("my-topic", "TagA || TagB")
        consumer.listen(on_messages)        # or listen_orderly
        await consumer.start()

    The listener is called with a list of StoredMessage and a ConsumeContext. It returns a ConsumeStatus, None for success, or a
    Deferred or coroutine of one; an exception means that the messages are to come again. The settings are those of PushConfig.

    With `client_rebalance=False` the brokers of 5.x share out the queues, and say of each topic whether it is pulled or popped
    (`Admin.set_message_request_mode`). As with Java that is for groups that share their messages, and not for `listen_orderly`.
    """

    kind = "push consumer"
    config_class = PushConfig
    consume_type = "CONSUME_PASSIVELY"

    def __init__(self, group: str, **settings: Any) -> None:
        """Beside the settings it takes what BalancedConsumer does. Raises ConfigError, ClientError."""
        super().__init__(group, **settings)
        self._listener: Listener | None = None
        self._popper: Popper | None = None
        self._is_orderly = False

    # Before the start

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

    @property
    def _locks_queues(self) -> bool:
        return self._is_orderly and self.config.message_model is MessageModel.CLUSTERING

    def _join(self, instance: MQClientInstance) -> None:
        if self._listener is None:
            raise ClientError(f"the {self.kind} {self.group} has no listener; call listen() or listen_orderly() before start()")
        if self.config.message_model is MessageModel.CLUSTERING:
            topic = retry_topic(self.group)
            self._subscriptions[topic] = build_subscription(topic, SUBSCRIBE_ALL, sub_version=self._now_ms())
        self._by_brokers = GivenByBroker(self.group, instance, self._allocator.name, self._assigned)
        super()._join(instance)
        self._call = ListenerCall(self.group, self._listener, self._hooks, is_orderly=self._is_orderly)
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

    @property
    def _asks_brokers(self) -> bool:
        """Whether the brokers share out the queues."""
        is_clustering = self.config.message_model is MessageModel.CLUSTERING
        return is_clustering and not self._is_orderly and not self.config.client_rebalance

    def _share(self, instance: MQClientInstance) -> Share:
        if not self._asks_brokers:
            return super()._share(instance)
        if self._allocator.name not in BROKERS_STRATEGIES:
            allowed = f"with client_rebalance=False the queues are shared out by {' or '.join(BROKERS_STRATEGIES)}"
            raise ConfigError("allocate_strategy", self._allocator.name, allowed)
        return self._by_brokers

    def _make_consumption(self, instance: MQClientInstance) -> ConcurrentConsumption | OrderlyConsumption:
        assert self._ids is not None, "made together with the instance"
        inner = ProducerConfig(unit_mode=self.config.unit_mode)
        sender = Sender(INNER_PRODUCER_GROUP, inner, instance, self._ids.next)
        send_back = SendBack(self.group, self.config, instance, sender)
        parts = ConsumptionParts(tasks=self.tasks, call=self._call, offsets=self._offsets, send_back=send_back)
        if not self._is_orderly:
            consumption = ConcurrentConsumption(self.group, self.config, instance, parts)
            if self._asks_brokers:
                self._popper = self._make_popper(instance, send_back, consumption)
            return consumption
        rebalancer = self._rebalancer
        return OrderlyConsumption(
            self.group, self.config, instance, parts, lock_all=rebalancer.lock_all, lock_one=rebalancer.lock_one
        )

    def _make_popper(self, instance: MQClientInstance, send_back: SendBack, consumption: ConcurrentConsumption) -> Popper:
        client = PopClient(self.group, instance, self.config.consume_from_where, self.namespace)
        return Popper(
            instance,
            self.config,
            client=client,
            verdicts=PopVerdicts(client, self.tasks, send_back, self.clock),
            tasks=self.tasks,
            subscriptions=self._subscriptions,
            group=self.group,
            consume=consumption.consume,
        )

    async def _started(self, instance: MQClientInstance) -> None:
        await super()._started(instance)
        if self._asks_brokers:
            await self._check_brokers(instance)

    async def _check_brokers(self, instance: MQClientInstance) -> None:
        """Brokers that cannot share out queues must fail the start: Java's consumer would wait for them for ever."""
        for topic in list(self._subscriptions):
            if instance.routes.subscribe_queues(topic) is not None:
                try:
                    await self._by_brokers.ask(topic)
                except NotSupported:
                    raise
                except EXPECTED_ERRORS as error:
                    self._log.warn("{topic} could not be shared out: {error}", topic=topic, error=error)

    def _running(self) -> None:
        self._consumption.start()
        super()._running()

    async def _stopping(self, instance: MQClientInstance) -> None:
        self._rebalancer.take_no_more()
        self._suspend(True)
        await self._consumption.stop()
        if self._popper is not None:
            await self._popper.close()
        await self._leave(instance)

    # While it runs

    def suspend(self) -> None:
        """Pull no more until `resume`; what is in hand is still consumed."""
        self._check_running()
        self._suspend(True)

    def resume(self) -> None:
        """Pull again; queues that wait notice it within a second."""
        self._check_running()
        self._suspend(False)
        self.instance.rebalance_soon()

    def _suspend(self, is_suspended: bool) -> None:
        self._puller.is_suspended = is_suspended
        if self._popper is not None:
            self._popper.is_suspended = is_suspended

    def unsubscribe(self, topic: str) -> None:
        """Consume a topic no more. May be called while the consumer runs."""
        self._subscriptions.pop(pop_retry_topic(self.namespace.wrap(topic), self.group), None)
        super().unsubscribe(topic)

    def _queue_taken(self, held: ProcessQueue, offset: int) -> None:
        self._puller.taken(held, offset)

    def _queue_let_go(self, held: ProcessQueue) -> None:
        self._puller.let_go(held)

    def _illegal_offset(self, held: ProcessQueue) -> None:
        self._rebalancer.forget(held)
        self.instance.rebalance_soon()

    @property
    def queues(self) -> list[MessageQueue]:
        """The queues that are ours now, sorted; none before the start. One to pop may have the id -1: all of its broker."""
        popped = [] if self._popper is None else self.namespace.unwrap_queues(self._popper.queues)
        return sorted([*super().queues, *popped])

    def _assigned(self, topic: str, to_pull: frozenset[MessageQueue], to_pop: frozenset[MessageQueue]) -> None:
        """A broker gave us these queues of a topic."""
        if self._popper is None or self.state is not ServiceState.RUNNING:
            return
        changed = self._popper.assigned(topic, to_pop)
        if not is_retry_topic(topic) and bool(to_pull) is not bool(to_pop):
            # What was popped before the topic was to be pulled again, and failed, comes in a topic of its own.
            retries = pop_retry_topic(topic, self.group)
            if to_pull and retries not in self._subscriptions:
                self._subscriptions[retries] = build_subscription(retries, SUBSCRIBE_ALL, sub_version=self._now_ms())
                self._changed_subscriptions()
            elif to_pop and self._subscriptions.pop(retries, None) is not None:
                self._changed_subscriptions()
        if changed:
            self._queues_changed()

    # As a member of its instance

    async def rebalance(self) -> bool:
        """Take our share of the queues, unless suspended; False when that should be tried again soon."""
        if self._puller.is_suspended:
            return True
        if self._popper is not None:
            self._popper.let_go_others(self._subscriptions)
        return await super().rebalance()

    def _popped(self) -> Iterable[PopProcessQueue]:
        return () if self._popper is None else self._popper.queues.values()

    def _properties(self) -> dict[str, str]:
        return {
            "PROP_THREADPOOL_CORE_SIZE": str(self.config.consume_concurrency),
            "PROP_CONSUMEORDERLY": str(self._is_orderly).lower(),
        }

    async def consume_directly(self, message: StoredMessage) -> ConsumeMessageDirectlyResult:
        """Give the listener one message (an operator's command)."""
        restore_topics([message], retry_topic(self.group), self.namespace)
        context = ConsumeContext(MessageQueue(message.topic, message.broker_name, message.queue_id))
        return await direct_result(self._call, [message], context, self._is_orderly, self.clock)
