# Tests: tests/aio/test_consumer.py
"""The consumers, for asyncio."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pymq import client as on_deferreds
from pymq.aio.deliveries import Deliveries, Messages
from pymq.aio.face import Face, awaited, bridged, passed
from pymq.aio.looptransport import on_loop
from pymq.client.balanced import QueueListener
from pymq.client.listening import Listener
from pymq.client.results import ServiceState
from pymq.client.topicwatch import TopicListener
from pymq.errors import NotStarted
from pymq.interfaces import IDocuments
from pymq.message.message import MessageQueue, StoredMessage


class PushConsumer(Face[on_deferreds.PushConsumer]):
    """Gives the messages of the subscribed topics, one by one to `async for`::

        consumer = PushConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        consumer.subscribe("my-topic", "TagA || TagB")
        async with consumer:
            async for message in consumer:
                print(message.body)

    or several at a time to a `listener`, called as `pymq.client.PushConsumer` says, which may be a coroutine function.

    In the loop a message counts as consumed when the next one is asked for. When the loop is left, by `break` or by an error, the
    last one does not, unless `ack` said so: it comes again, here or at another member of the group. With `orderly=True` the
    messages of a queue come one after another, in their order. Several tasks may iterate over one consumer
    and share its messages.

    Settings, methods and errors are those of `pymq.client.PushConsumer`.
    """

    def __init__(
        self,
        group: str,
        *,
        listener: Listener | None = None,
        orderly: bool = False,
        hooks: Sequence[on_deferreds.ConsumeMessageHook] = (),
        documents: IDocuments | None = None,
        **settings: Any,
    ) -> None:
        """Raises ConfigError, ClientError."""
        self._deliveries: Deliveries | None = None
        if listener is None:
            self._deliveries = Deliveries(is_orderly=orderly)
            listener = self._deliveries.offer
            # What a loop is not done with at the shutdown it never will be.
            settings.setdefault("await_termination_s", 0.0)
        self.client = on_deferreds.PushConsumer(group, hooks=hooks, documents=documents, **on_loop(settings))
        listen = self.client.listen_orderly if orderly else self.client.listen
        listen(bridged(listener))

    def __aiter__(self) -> Messages:
        return Messages(self._deliveries)

    def ack(self, message: StoredMessage) -> None:
        """A message that the loop brought is consumed; needed only before the loop is left."""
        if self._deliveries is not None:
            self._deliveries.ack(message)

    def reject(self, message: StoredMessage) -> None:
        """A message that the loop brought is to come again later, counted as another attempt."""
        if self._deliveries is not None:
            self._deliveries.reject(message)

    async def shutdown(self) -> None:
        """End: nothing of this consumer runs any more when it returns. Loops over it end."""
        if self._deliveries is not None:
            self._deliveries.close()
        await super().shutdown()

    subscribe = passed(on_deferreds.PushConsumer.subscribe)
    unsubscribe = passed(on_deferreds.PushConsumer.unsubscribe)
    suspend = passed(on_deferreds.PushConsumer.suspend)
    resume = passed(on_deferreds.PushConsumer.resume)
    fetch_subscribe_queues = awaited(on_deferreds.PushConsumer.fetch_subscribe_queues)


class LitePullConsumer(Face[on_deferreds.LitePullConsumer]):
    """Gives messages when it is asked for them, some at a time by `poll`, or one by one to `async for`::

        consumer = LitePullConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        consumer.subscribe("my-topic")
        async with consumer:
            async for message in consumer:
                print(message.body)

    In the loop a message counts as consumed when the next one is asked for, or when `commit` says so. The loop ends when the
    consumer is shut down. A task that is cancelled while it polls takes no messages.

    Settings, methods and errors are those of `pymq.client.LitePullConsumer`; its listeners may be coroutine functions.
    """

    def __init__(
        self,
        group: str,
        *,
        hooks: Sequence[on_deferreds.ConsumeMessageHook] = (),
        documents: IDocuments | None = None,
        queue_listener: QueueListener | None = None,
        **settings: Any,
    ) -> None:
        """Raises ConfigError, ClientError."""
        listener = None if queue_listener is None else bridged(queue_listener)
        more = on_loop(settings)
        self.client = on_deferreds.LitePullConsumer(group, hooks=hooks, documents=documents, queue_listener=listener, **more)

    async def poll(self, timeout_s: float | None = None, max_count: int | None = None) -> list[StoredMessage]:
        """The next messages, of one queue, at most `max_count` or `pull_batch_size`; an empty list when none came in
        `timeout_s`, which may be infinite, or `poll_timeout_s`. What earlier polls gave counts as consumed.
        """
        polled = self.client.poll(timeout_s, max_count).asFuture(asyncio.get_running_loop())
        try:
            return await polled
        except asyncio.CancelledError:
            if polled.done() and not polled.cancelled() and polled.exception() is None:
                # They came, but the task was cancelled before it saw them.
                self.client.put_back()
            raise

    async def __aiter__(self) -> AsyncIterator[StoredMessage]:
        while True:
            try:
                messages = await self.poll(math.inf, 1)
            except NotStarted:
                if self.state is ServiceState.SHUTDOWN_ALREADY:
                    return
                raise
            for message in messages:
                yield message

    def register_topic_message_queue_change_listener(self, topic: str, listener: TopicListener) -> None:
        """Have `listener` called with the topic and its queues when they are others than before; looked at every
        `topic_metadata_check_interval_s`.
        """
        self.client.register_topic_message_queue_change_listener(topic, bridged(listener))

    @property
    def queues(self) -> list[MessageQueue]:
        """The queues that are ours now, sorted."""
        return self.client.queues

    subscribe = passed(on_deferreds.LitePullConsumer.subscribe)
    unsubscribe = passed(on_deferreds.LitePullConsumer.unsubscribe)
    assign = passed(on_deferreds.LitePullConsumer.assign)
    pause = passed(on_deferreds.LitePullConsumer.pause)
    resume = passed(on_deferreds.LitePullConsumer.resume)
    fetch_subscribe_queues = awaited(on_deferreds.LitePullConsumer.fetch_subscribe_queues)
    fetch_message_queues = awaited(on_deferreds.LitePullConsumer.fetch_message_queues)
    seek = awaited(on_deferreds.LitePullConsumer.seek)
    seek_to_begin = awaited(on_deferreds.LitePullConsumer.seek_to_begin)
    seek_to_end = awaited(on_deferreds.LitePullConsumer.seek_to_end)
    offset_for_timestamp = awaited(on_deferreds.LitePullConsumer.offset_for_timestamp)
    committed = awaited(on_deferreds.LitePullConsumer.committed)
    commit = awaited(on_deferreds.LitePullConsumer.commit)


class PullConsumer(Face[on_deferreds.PullConsumer]):
    """Pulls when it is told to. Settings, methods and errors are those of `pymq.client.PullConsumer`."""

    def __init__(self, group: str, *, documents: IDocuments | None = None, **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        self.client = on_deferreds.PullConsumer(group, documents=documents, **on_loop(settings))

    register_topic = passed(on_deferreds.PullConsumer.register_topic)
    fetch_subscribe_queues = awaited(on_deferreds.PullConsumer.fetch_subscribe_queues)
    fetch_queues_in_balance = awaited(on_deferreds.PullConsumer.fetch_queues_in_balance)
    pull = awaited(on_deferreds.PullConsumer.pull)
    pull_block_if_not_found = awaited(on_deferreds.PullConsumer.pull_block_if_not_found)
    fetch_consume_offset = awaited(on_deferreds.PullConsumer.fetch_consume_offset)
    update_consume_offset = awaited(on_deferreds.PullConsumer.update_consume_offset)
    persist = awaited(on_deferreds.PullConsumer.persist)


class PopConsumer(Face[on_deferreds.PopConsumer]):
    """Pops when it is told to. Settings, methods and errors are those of `pymq.client.PopConsumer`.

    A pop that is cancelled while a broker holds it may take messages with it, until their invisible time is over.
    """

    def __init__(self, group: str, **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        self.client = on_deferreds.PopConsumer(group, **on_loop(settings))

    pop = awaited(on_deferreds.PopConsumer.pop)
    peek = awaited(on_deferreds.PopConsumer.peek)
    ack = awaited(on_deferreds.PopConsumer.ack)
    ack_all = awaited(on_deferreds.PopConsumer.ack_all)
    change_invisible_time = awaited(on_deferreds.PopConsumer.change_invisible_time)
    fetch_subscribe_queues = awaited(on_deferreds.PopConsumer.fetch_subscribe_queues)
