# Tests: tests/client/test_producer.py
"""The producer (Java: DefaultMQProducer)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.config import ProducerConfig
from pymq.client.hooks import SendMessageHook
from pymq.client.instance import MQClientInstance
from pymq.client.member import Member
from pymq.client.request import ask
from pymq.client.results import SendResult
from pymq.client.routes import PublishInfo
from pymq.client.send import Sender
from pymq.client.trace import SendTraceHook, TraceDispatcher, make_dispatcher
from pymq.errors import InvalidMessage
from pymq.message.message import Message, StoredMessage
from pymq.wire.bodies.messagequeue import MessageQueue

#: Chooses a queue, called with those of the topic, the message and the caller's argument (Java: MessageQueueSelector).
SelectQueue = Callable[[Sequence[MessageQueue], Message, Any], MessageQueue]

#: How long a request waits for its reply when nothing else is said.
REQUEST_TIMEOUT_S = 3.0
_FIRST_TURN_MAX = 1_000_000


class Producer(Member[ProducerConfig]):
    """Sends messages. Many sends may be under way at once; each is a Deferred of its SendResult.

    ::

        producer = Producer("my-group", namesrv_addr="127.0.0.1:9876")
        await producer.start()
        result = await producer.send(Message("my-topic", b"hello", tags="A"))
        await producer.shutdown()

    The settings are those of ProducerConfig. Sends fail with InvalidMessage, NoRoute, NoNameServer, BrokerRefused,
    RequestTimeout, ConnectFailed, ConnectionClosed or TooManyRequests; before the start and after the shutdown with NotStarted.
    """

    kind = "producer"
    config_class = ProducerConfig

    def __init__(self, group: str, *, hooks: Sequence[SendMessageHook] = (), **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        super().__init__(group, **settings)
        self._hooks = list(hooks)
        self._sender: Sender | None = None
        self._trace: TraceDispatcher | None = None
        self._topics: set[str] = {self.config.create_topic_key}

    # As a member of its instance

    def publish_topics(self) -> Iterable[str]:
        """The topics whose routes it uses."""
        return self._topics

    def _join(self, instance: MQClientInstance) -> None:
        instance.add_producer(self)
        assert self._ids is not None, "made together with the instance"
        turn = random.randrange(_FIRST_TURN_MAX)
        hooks = [*self._hooks, *self._trace_hooks(instance, self._ids.next)]
        self._sender = Sender(self.group, self.config, instance, self._ids.next, hooks=hooks, first_turn=turn)

    def _trace_hooks(self, instance: MQClientInstance, next_id: Callable[[], str]) -> list[SendTraceHook]:
        if not self.config.enable_msg_trace:
            return []
        topic = self.config.customized_trace_topic
        self._trace = make_dispatcher(self.group, "PRODUCE", topic, instance, self.tasks, next_id)
        self._topics.add(self._trace.topic)
        return [SendTraceHook(self._trace, self.clock)]

    async def _started(self, instance: MQClientInstance) -> None:
        await instance.update_route(self.config.create_topic_key)
        await instance.heartbeat_all()

    async def _stopping(self, instance: MQClientInstance) -> None:
        if self._trace is not None:
            await self._trace.close()
        await instance.unregister(self.group, None)

    # Sending

    def _ready(self, topic: str) -> Sender:
        self._check_running()
        self._topics.add(self.namespace.wrap(topic))
        assert self._sender is not None, "a running producer has one"
        return self._sender

    def send(
        self,
        message: Message,
        *,
        queue: MessageQueue | None = None,
        selector: SelectQueue | None = None,
        argument: Any = None,
        timeout_s: float | None = None,
    ) -> Deferred[SendResult]:
        """Send a message: to a queue in turn, to `queue`, or to the one that `selector(queues, message, argument)` gives.

        Only the first way is tried again elsewhere when it fails.
        """
        return self._do(self._send(message, queue, selector, argument, timeout_s))

    async def _send(
        self, message: Message, queue: MessageQueue | None, selector: SelectQueue | None, argument: Any, timeout_s: float | None
    ) -> SendResult:
        sender = self._ready(message.topic)
        prepared = sender.prepare(message)
        timeout_s = self.config.send_msg_timeout_s if timeout_s is None else timeout_s
        if selector is not None:
            begun = self.clock.seconds()
            queue = await self._selected(message, selector, argument, timeout_s)
            timeout_s -= self.clock.seconds() - begun
        if queue is not None:
            return await sender.send_to_queue(queue, prepared, timeout_s)
        return await sender.send(prepared, timeout_s)

    async def _selected(self, message: Message, selector: SelectQueue, argument: Any, timeout_s: float) -> MessageQueue:
        info = await self._publish_info(message.topic, timeout_s)
        queue = selector(self.namespace.unwrap_queues(info.queues), message, argument)
        if not isinstance(queue, MessageQueue):
            raise InvalidMessage(f"the selector gave {queue!r}; it must give one of the queues that it is called with")
        return queue

    async def _publish_info(self, topic: str, timeout_s: float) -> PublishInfo:
        config = self.config
        return await self.instance.publish_info(
            self.namespace.wrap(topic), config.create_topic_key, config.default_topic_queue_nums, timeout_s
        )

    def request(
        self,
        message: Message,
        timeout_s: float = REQUEST_TIMEOUT_S,
        *,
        queue: MessageQueue | None = None,
        selector: SelectQueue | None = None,
        argument: Any = None,
    ) -> Deferred[StoredMessage]:
        """Send a message as a request and wait for the reply of a consumer, made with `reply_message`.

        Fails with NoReply when none comes within `timeout_s`, or as `send` does.
        """
        return self._do(self._request(message, timeout_s, queue, selector, argument))

    async def _request(
        self, message: Message, timeout_s: float, queue: MessageQueue | None, selector: SelectQueue | None, argument: Any
    ) -> StoredMessage:
        self._ready(message.topic)
        instance = self.instance

        async def send(request: Message) -> SendResult:
            # The broker passes the reply on only to a client that it knows.
            await self._publish_info(message.topic, timeout_s)
            await instance.heartbeat_all(only_new=True)
            return await self._send(request, queue, selector, argument, timeout_s)

        return await ask(message, timeout_s, client_id=instance.client_id, replies=instance.replies, clock=self.clock, send=send)

    def send_oneway(
        self,
        message: Message,
        *,
        queue: MessageQueue | None = None,
        selector: SelectQueue | None = None,
        argument: Any = None,
    ) -> Deferred[None]:
        """Send without an answer: fires when the message is written, and nobody will know whether it arrived."""
        return self._do(self._send_oneway(message, queue, selector, argument))

    async def _send_oneway(
        self, message: Message, queue: MessageQueue | None, selector: SelectQueue | None, argument: Any
    ) -> None:
        sender = self._ready(message.topic)
        prepared = sender.prepare(message)
        if selector is not None:
            queue = await self._selected(message, selector, argument, self.config.send_msg_timeout_s)
        await sender.send_oneway(prepared, queue)

    def send_batch(
        self, messages: Sequence[Message], *, queue: MessageQueue | None = None, timeout_s: float | None = None
    ) -> Deferred[SendResult]:
        """Send messages of one topic together, to one queue. They may not be delayed; their bodies go uncompressed."""
        return self._do(self._send_batch(list(messages), queue, timeout_s))

    async def _send_batch(self, messages: list[Message], queue: MessageQueue | None, timeout_s: float | None) -> SendResult:
        sender = self._ready(messages[0].topic if messages else self.config.create_topic_key)
        prepared = sender.prepare_batch(messages)
        if queue is not None:
            return await sender.send_to_queue(queue, prepared, timeout_s)
        return await sender.send(prepared, timeout_s)

    def fetch_publish_queues(self, topic: str) -> Deferred[list[MessageQueue]]:
        """The queues to which messages of a topic can be sent. Fails with NoRoute."""
        return self._ask("fetch_publish_queues", topic)
