# Tests: tests/blocking/test_consumer.py
"""The consumers, for threads."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from typing import Any

from pymq import aio
from pymq.blocking.callbacks import Callbacks
from pymq.blocking.face import Face, handed, waited
from pymq.blocking.loopthread import LOOP_THREAD
from pymq.client.balanced import QueueListener
from pymq.client.hooks import ConsumeMessageHook
from pymq.client.listening import Listener
from pymq.client.results import ServiceState
from pymq.client.topicwatch import TopicListener
from pymq.errors import ClientError
from pymq.interfaces import IDocuments
from pymq.message.message import MessageQueue, StoredMessage


class PushConsumer(Face[aio.PushConsumer]):
    """Gives the messages of the subscribed topics, one by one to `for`::

        consumer = PushConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        consumer.subscribe("my-topic", "TagA || TagB")
        with consumer:
            for message in consumer:
                print(message.body)

    or several at a time to a `listener`, which is called in up to `consume_concurrency` threads of its own and may block.

    When a message of the loop counts as consumed, and all else, is as `pymq.aio.PushConsumer` says.
    """

    def __init__(
        self,
        group: str,
        *,
        listener: Listener | None = None,
        orderly: bool = False,
        hooks: Sequence[ConsumeMessageHook] = (),
        documents: IDocuments | None = None,
        **settings: Any,
    ) -> None:
        """Raises ConfigError, ClientError."""

        def make(callbacks: Callbacks) -> aio.PushConsumer:
            threaded = None if listener is None else callbacks.in_threads(listener)
            return aio.PushConsumer(group, listener=threaded, orderly=orderly, hooks=hooks, documents=documents, **settings)

        super().__init__(make)

    def __iter__(self) -> Iterator[StoredMessage]:
        return self.messages()

    def messages(self, timeout_s: float | None = None) -> Iterator[StoredMessage]:
        """The messages that come; ends when none came for `timeout_s`, and when the consumer is shut down.

        Asking for the next one acknowledges the one before. Raises ClientError for a consumer that has a listener.
        """
        messages = self.here().__aiter__()

        async def following() -> StoredMessage:
            return await asyncio.wait_for(messages.__anext__(), timeout_s)

        while True:
            try:
                message = LOOP_THREAD.run(following)
            except (StopAsyncIteration, asyncio.TimeoutError):
                return
            except ClientError:
                if self.state is ServiceState.SHUTDOWN_ALREADY:
                    return
                raise
            yield message

    ack = handed(aio.PushConsumer.ack)
    reject = handed(aio.PushConsumer.reject)
    subscribe = handed(aio.PushConsumer.subscribe)
    unsubscribe = handed(aio.PushConsumer.unsubscribe)
    suspend = handed(aio.PushConsumer.suspend)
    resume = handed(aio.PushConsumer.resume)
    fetch_subscribe_queues = waited(aio.PushConsumer.fetch_subscribe_queues)


class LitePullConsumer(Face[aio.LitePullConsumer]):
    """Gives messages when it is asked for them, some at a time by `poll`, or one by one to `for`::

        consumer = LitePullConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        consumer.subscribe("my-topic")
        with consumer:
            for message in consumer:
                print(message.body)

    In the loop a message counts as consumed when the next one is asked for, or when `commit` says so. Listeners are called in
    threads of their own. All else is as `pymq.client.LitePullConsumer` says.
    """

    def __init__(
        self,
        group: str,
        *,
        hooks: Sequence[ConsumeMessageHook] = (),
        documents: IDocuments | None = None,
        queue_listener: QueueListener | None = None,
        **settings: Any,
    ) -> None:
        """Raises ConfigError, ClientError."""

        def make(callbacks: Callbacks) -> aio.LitePullConsumer:
            listener = None if queue_listener is None else callbacks.in_threads(queue_listener)
            return aio.LitePullConsumer(group, hooks=hooks, documents=documents, queue_listener=listener, **settings)

        super().__init__(make)

    def __iter__(self) -> Iterator[StoredMessage]:
        return self.messages()

    def messages(self, timeout_s: float | None = None) -> Iterator[StoredMessage]:
        """The messages that come; ends when none came for `timeout_s`, and when the consumer is shut down."""
        while True:
            try:
                messages = self.poll(math.inf if timeout_s is None else timeout_s, 1)
            except ClientError:
                if self.state is ServiceState.SHUTDOWN_ALREADY:
                    return
                raise
            if not messages:
                return
            yield from messages

    def register_topic_message_queue_change_listener(self, topic: str, listener: TopicListener) -> None:
        """Have `listener` called with the topic and its queues when they are others than before; looked at every
        `topic_metadata_check_interval_s`.
        """
        self._register_listener(topic, self._callbacks.in_threads(listener))

    @property
    def queues(self) -> list[MessageQueue]:
        """The queues that are ours now, sorted."""
        return self.here().queues

    _register_listener = handed(aio.LitePullConsumer.register_topic_message_queue_change_listener)
    poll = waited(aio.LitePullConsumer.poll)
    subscribe = handed(aio.LitePullConsumer.subscribe)
    unsubscribe = handed(aio.LitePullConsumer.unsubscribe)
    assign = handed(aio.LitePullConsumer.assign)
    pause = handed(aio.LitePullConsumer.pause)
    resume = handed(aio.LitePullConsumer.resume)
    fetch_subscribe_queues = waited(aio.LitePullConsumer.fetch_subscribe_queues)
    fetch_message_queues = waited(aio.LitePullConsumer.fetch_message_queues)
    seek = waited(aio.LitePullConsumer.seek)
    seek_to_begin = waited(aio.LitePullConsumer.seek_to_begin)
    seek_to_end = waited(aio.LitePullConsumer.seek_to_end)
    offset_for_timestamp = waited(aio.LitePullConsumer.offset_for_timestamp)
    committed = waited(aio.LitePullConsumer.committed)
    commit = waited(aio.LitePullConsumer.commit)


class PullConsumer(Face[aio.PullConsumer]):
    """Pulls when it is told to. Settings, methods and errors are those of `pymq.client.PullConsumer`."""

    def __init__(self, group: str, *, documents: IDocuments | None = None, **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        super().__init__(lambda _: aio.PullConsumer(group, documents=documents, **settings))

    register_topic = handed(aio.PullConsumer.register_topic)
    fetch_subscribe_queues = waited(aio.PullConsumer.fetch_subscribe_queues)
    fetch_queues_in_balance = waited(aio.PullConsumer.fetch_queues_in_balance)
    pull = waited(aio.PullConsumer.pull)
    pull_block_if_not_found = waited(aio.PullConsumer.pull_block_if_not_found)
    fetch_consume_offset = waited(aio.PullConsumer.fetch_consume_offset)
    update_consume_offset = waited(aio.PullConsumer.update_consume_offset)
    persist = waited(aio.PullConsumer.persist)


class PopConsumer(Face[aio.PopConsumer]):
    """Pops when it is told to. Settings, methods and errors are those of `pymq.client.PopConsumer`."""

    def __init__(self, group: str, **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        super().__init__(lambda _: aio.PopConsumer(group, **settings))

    pop = waited(aio.PopConsumer.pop)
    peek = waited(aio.PopConsumer.peek)
    ack = waited(aio.PopConsumer.ack)
    ack_all = waited(aio.PopConsumer.ack_all)
    change_invisible_time = waited(aio.PopConsumer.change_invisible_time)
    fetch_subscribe_queues = waited(aio.PopConsumer.fetch_subscribe_queues)
