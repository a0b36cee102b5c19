# Tests: tests/aio/test_consumer.py
"""The consumers, for asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymq import client as on_deferreds
from pymq.aio.deliveries import Deliveries, Messages
from pymq.aio.face import Face, awaited, bridged, passed
from pymq.aio.looptransport import on_loop
from pymq.client.listening import Listener
from pymq.interfaces import IDocuments
from pymq.message.message import StoredMessage


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
