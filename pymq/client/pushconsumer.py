# Tests: tests/client/test_pushconsumer.py
"""The push consumer: pulls in loops and calls a listener (Java: DefaultMQPushConsumer)."""

from __future__ import annotations

from typing import Any

from pymq.client.balanced import BalancedConsumer
from pymq.client.config import INNER_PRODUCER_GROUP, MessageModel, ProducerConfig, PushConfig
from pymq.client.consume import ConcurrentConsumption
from pymq.client.consumption import ConsumptionParts
from pymq.client.instance import MQClientInstance
from pymq.client.listening import Listener, ListenerCall, restore_topics
from pymq.client.orderly import OrderlyConsumption
from pymq.client.processqueue import ProcessQueue
from pymq.client.puller import Puller
from pymq.client.results import ConsumeContext
from pymq.client.running import direct_result, running_info
from pymq.client.send import Sender
from pymq.client.sendback import SendBack
from pymq.errors import ClientError
from pymq.message.message import StoredMessage
from pymq.message.topics import retry_topic
from pymq.wire.bodies.connections import ConsumeMessageDirectlyResult, ConsumerRunningInfo
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
    """

    kind = "push consumer"
    config_class = PushConfig
    consume_type = "CONSUME_PASSIVELY"

    def __init__(self, group: str, **settings: Any) -> None:
        """Beside the settings it takes what BalancedConsumer does. Raises ConfigError, ClientError."""
        super().__init__(group, **settings)
        self._listener: Listener | None = None
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

    def _running(self) -> None:
        self._consumption.start()
        super()._running()

    async def _stopping(self, instance: MQClientInstance) -> None:
        self._rebalancer.take_no_more()
        self._puller.is_suspended = True
        await self._consumption.stop()
        await self._leave(instance)

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

    def _queue_taken(self, held: ProcessQueue, offset: int) -> None:
        self._puller.taken(held, offset)

    def _queue_let_go(self, held: ProcessQueue) -> None:
        self._puller.let_go(held)

    def _illegal_offset(self, held: ProcessQueue) -> None:
        self._rebalancer.forget(held)
        self.instance.rebalance_soon()

    # As a member of its instance

    async def rebalance(self) -> bool:
        """Take our share of the queues, unless suspended; False when that should be tried again soon."""
        return True if self._puller.is_suspended else await super().rebalance()

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
            more={
                "PROP_THREADPOOL_CORE_SIZE": str(self.config.consume_concurrency),
                "PROP_CONSUMEORDERLY": str(self._is_orderly).lower(),
            },
        )

    async def consume_directly(self, message: StoredMessage) -> ConsumeMessageDirectlyResult:
        """Give the listener one message (an operator's command)."""
        restore_topics([message], retry_topic(self.group), self.namespace)
        context = ConsumeContext(MessageQueue(message.topic, message.broker_name, message.queue_id))
        return await direct_result(self._call, [message], context, self._is_orderly, self.clock)
