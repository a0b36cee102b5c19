# Tests: tests/client/test_popconsumer.py
"""The pop consumer: messages one asks for, each with a receipt to acknowledge it by (brokers of 5.x)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.config import PopConfig
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.member import Member
from pymq.client.messageselector import MessageSelector, subscription_of
from pymq.client.popping import ALL_QUEUES, POP_COUNT_MAX, PopClient
from pymq.client.results import PopResult
from pymq.errors import ClientError, NoRoute, RequestError
from pymq.message.message import StoredMessage
from pymq.wire.bodies.connections import ConsumeMessageDirectlyResult, ConsumerRunningInfo
from pymq.wire.bodies.heartbeat import SUBSCRIBE_ALL, ConsumerData, SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import ResponseCode

INVISIBLE_S = 60.0
WAIT_S = 15.0


class PopConsumer(Member[PopConfig]):
    """Pops when it is told to.

    ::

        consumer = PopConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        await consumer.start()
        for message in await consumer.pop("my-topic", invisible_s=30):
            await consumer.ack(message)     # or change_invisible_time(message, 10)
        await consumer.shutdown()

    Any number of them pop the same queues; none owns a queue, and nobody rebalances. A message that was popped is hidden from the
    group, and comes again when it is not acknowledged within its invisible time: at least once, maybe more often. It is for
    groups that only pop. The settings are those of PopConfig.
    """

    kind = "pop consumer"
    config_class = PopConfig

    def __init__(self, group: str, **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        super().__init__(group, **settings)
        self._subscriptions: dict[str, SubscriptionData] = {}
        self._turn = 0

    # Life

    def _join(self, instance: MQClientInstance) -> None:
        self._client = PopClient(self.group, instance, self.config.consume_from_where, self.namespace)
        instance.add_consumer(self)

    async def _started(self, instance: MQClientInstance) -> None:
        """Brokers are met when their topics are popped."""

    async def _stopping(self, instance: MQClientInstance) -> None:
        await instance.unregister(None, self.group)

    # Popping

    def pop(
        self,
        source: str | MessageQueue,
        expression: str | MessageSelector = SUBSCRIBE_ALL,
        *,
        max_count: int = POP_COUNT_MAX,
        invisible_s: float = INVISIBLE_S,
        wait_s: float = WAIT_S,
        order: bool = False,
    ) -> Deferred[Sequence[StoredMessage]]:
        """Up to `max_count` messages of a topic or of one queue whose tags match `expression`, or that it selects; maybe none.

        They come again after `invisible_s`, unless they are acknowledged. While there are none, a broker waits for some for
        `wait_s`; with several brokers, each is asked without waiting first, and another waits at every call. When that one fails,
        so does this: with NotSupported when it cannot pop, BrokerRefused, DecodeError, or one of TRANSPORT_ERRORS; or NoRoute.

        With `order` (Java: PopMessageRequestHeader.order) the messages of a queue come one pop after another, in their order: the
        queue gives the group none while one that it gave is neither acknowledged nor visible again. Then those from the first
        on that is not acknowledged come again, acknowledged ones behind it too. All pops of the group should be such ones.
        """
        return self._do(self._pop(source, expression, max_count, invisible_s, wait_s, order))

    async def _pop(
        self,
        source: str | MessageQueue,
        expression: str | MessageSelector,
        max_count: int,
        invisible_s: float,
        wait_s: float,
        order: bool,
    ) -> Sequence[StoredMessage]:
        if not 1 <= max_count <= POP_COUNT_MAX or invisible_s <= 0 or wait_s < 0:
            raise ClientError(
                f"a pop takes 1 to {POP_COUNT_MAX} messages, which are invisible for more than 0 s, and cannot wait for less"
            )
        queues = await self._queues(source)
        subscription = subscription_of(queues[0].topic, expression, sub_version=int(self.clock.seconds() * 1000))
        if subscription.topic not in self._subscriptions:
            self._subscriptions[subscription.topic] = subscription
            await self.instance.heartbeat_all()

        def ask(queue: MessageQueue) -> Coroutine[Any, Any, PopResult]:
            waiting_s = wait_s if queue is queues[-1] else 0.0
            return self._client.pop(
                queue, subscription, count_max=max_count, invisible_s=invisible_s, wait_s=waiting_s, order=order
            )

        return await self._first_found(queues, ask)

    def peek(self, source: str | MessageQueue, *, max_count: int = POP_COUNT_MAX) -> Deferred[Sequence[StoredMessage]]:
        """Up to `max_count` messages of a topic or of one queue that the next pops bring, whatever their tags; maybe none.

        None is hidden by that, and none has a receipt. Those of a queue that is popped in order are seen until they are
        acknowledged. A group that never popped sees all that is there. Nothing waits. Fails as `pop` does (Java's brokers:
        PeekMessageProcessor; its clients do not ask it).
        """
        return self._do(self._peek(source, max_count))

    async def _peek(self, source: str | MessageQueue, max_count: int) -> Sequence[StoredMessage]:
        if not 1 <= max_count <= POP_COUNT_MAX:
            raise ClientError(f"1 to {POP_COUNT_MAX} messages can be seen, not {max_count}")
        queues = await self._queues(source)
        return await self._first_found(queues, lambda queue: self._client.peek(queue, count_max=max_count))

    async def _first_found(
        self, queues: Sequence[MessageQueue], ask: Callable[[MessageQueue], Coroutine[Any, Any, PopResult]]
    ) -> Sequence[StoredMessage]:
        """The messages of the first queue that has some. Raises the error of the last queue only."""
        messages: Sequence[StoredMessage] = ()
        for queue in queues:
            try:
                result = await ask(queue)
            except EXPECTED_ERRORS as error:
                if queue is queues[-1]:
                    raise
                self._log.warn("{queue} could not be asked for messages: {error}", queue=queue, error=error)
                continue
            messages = result.messages
            if messages:
                break
        for message in messages:
            message.topic = self.namespace.unwrap(message.topic)
        return messages

    async def _queues(self, source: str | MessageQueue) -> list[MessageQueue]:
        """What is to be popped, one after the other: the queue, or all queues of each broker, the one whose turn it is first."""
        if isinstance(source, MessageQueue):
            return [self.namespace.wrap_queue(source)]
        topic = self.namespace.wrap(source)
        queues = self.instance.routes.subscribe_queues(topic)
        if queues is None:
            await self.instance.update_route(topic)
            queues = self.instance.routes.subscribe_queues(topic)
        names = sorted({queue.broker_name for queue in queues or ()})
        if not names:
            raise NoRoute(f"no name server knows queues of the topic {topic}; was it created, and are its brokers registered?")
        self._turn += 1
        at = self._turn % len(names)
        return [MessageQueue(topic, name, ALL_QUEUES) for name in names[at:] + names[:at]]

    def ack(self, message: StoredMessage) -> Deferred[None]:
        """A message is consumed. A broker takes that also when it is too late and the message comes again.

        Fails with DecodeError for a message that was not popped, BrokerRefused, or one of TRANSPORT_ERRORS.
        """
        return self._do(self._client.ack(message))

    def ack_all(self, messages: Iterable[StoredMessage]) -> Deferred[None]:
        """Many messages are consumed, with one request to each broker. Fails as `ack` does."""
        return self._do(self._client.ack_all(list(messages)))

    def change_invisible_time(self, message: StoredMessage, invisible_s: float) -> Deferred[None]:
        """A message comes again after so long from now on: soon, when it failed, or later, when it takes longer than thought.
        One that was popped in order comes no sooner than all of its queue that are not acknowledged may.

        It has another receipt then; the one before no longer acknowledges it. Fails as `ack` does.
        """
        return self._do(self._client.change_invisible_time(message, invisible_s))

    def fetch_subscribe_queues(self, topic: str) -> Deferred[list[MessageQueue]]:
        """The queues from which a topic can be read. Fails with NoRoute."""
        return self._ask("fetch_subscribe_queues", topic)

    # As a member of its instance

    def consumer_data(self) -> ConsumerData:
        """Its part of the heartbeat."""
        return ConsumerData(
            group_name=self.group,
            consume_type="CONSUME_POP",
            message_model="CLUSTERING",
            consume_from_where=self.config.consume_from_where.value,
            subscription_data_set=tuple(subscription for _, subscription in sorted(self._subscriptions.items())),
            unit_mode=self.config.unit_mode,
        )

    def subscribed_topics(self) -> Iterable[str]:
        """The topics whose routes it uses."""
        return list(self._subscriptions)

    async def rebalance(self) -> bool:
        """Nothing: nobody owns queues."""
        return True

    async def persist_offsets(self) -> None:
        """Nothing: brokers keep the offsets of what is popped."""

    async def reset_offsets(self, table: dict[MessageQueue, int]) -> None:
        """Nothing: the broker begins anew by itself."""

    def offsets_of(self, topic: str) -> dict[MessageQueue, int]:
        """None: brokers keep them."""
        return {}

    def running_info(self) -> ConsumerRunningInfo:
        """What this consumer does, for operators."""
        return ConsumerRunningInfo(
            properties={
                "PROP_NAMESERVER_ADDR": ";".join(self.instance.name_servers),
                "PROP_CONSUME_TYPE": "CONSUME_POP",
                "PROP_CONSUMEORDERLY": "false",
            },
            subscription_set=tuple(self._subscriptions.values()),
        )

    async def consume_directly(self, message: StoredMessage) -> ConsumeMessageDirectlyResult:
        """Refused: there is no listener. Raises RequestError."""
        raise RequestError(ResponseCode.SYSTEM_ERROR, f"The Consumer Group <{self.group}> pops by hand and has no listener")
