# Tests: tests/aio/test_deliveries.py
"""Messages taken one by one in an `async for`, on the other side of a push consumer's listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from twisted.internet.defer import Deferred

from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.errors import ClientError
from pymq.message.message import StoredMessage


class _Delivery:
    """What one call of the listener brought, until all of it is acknowledged."""

    def __init__(self, messages: Sequence[StoredMessage], success: ConsumeStatus, failure: ConsumeStatus) -> None:
        self._open = {id(message) for message in messages}
        self._success = success
        self._failure = failure
        self.verdict: Deferred[ConsumeStatus] = Deferred(lambda _: None)

    @property
    def is_open(self) -> bool:
        """Whether anybody still waits for the verdict: the queue may be another consumer's by now."""
        return not self.verdict.called

    def ack(self, message: StoredMessage) -> None:
        """One of them is consumed."""
        self._open.discard(id(message))
        if self.is_open and not self._open:
            self.verdict.callback(self._success)

    def reject(self) -> None:
        """All of them are to come again."""
        if self.is_open:
            self.verdict.callback(self._failure)


class Deliveries:
    """The listener of a consumer that is iterated over. Its bound is the consumer's: `consume_concurrency` unfinished calls."""

    def __init__(self, *, is_orderly: bool) -> None:
        self._success = ConsumeStatus.SUCCESS if is_orderly else ConsumeStatus.CONSUME_SUCCESS
        self._failure = ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT if is_orderly else ConsumeStatus.RECONSUME_LATER
        self._waiting: asyncio.Queue[tuple[StoredMessage, _Delivery] | None] = asyncio.Queue()
        self._taken: dict[int, tuple[StoredMessage, _Delivery]] = {}

    def offer(self, messages: Sequence[StoredMessage], context: ConsumeContext) -> Deferred[ConsumeStatus]:
        """The listener: messages to be taken, and what will be said of them."""
        delivery = _Delivery(messages, self._success, self._failure)
        for message in messages:
            self._waiting.put_nowait((message, delivery))
        return delivery.verdict

    async def take(self) -> StoredMessage | None:
        """The next message, None when the consumer is shut down. A cancelled call takes none."""
        while True:
            item = await self._waiting.get()
            if item is None:
                self.close()
                return None
            message, delivery = item
            if delivery.is_open:
                self._forget_closed()
                self._taken[id(message)] = item
                return message

    def ack(self, message: StoredMessage) -> None:
        """A message that was taken is consumed. Again is harmless, also when it was given to another consumer meanwhile."""
        _, delivery = self._taken.pop(id(message), (None, None))
        if delivery is not None:
            delivery.ack(message)

    def reject(self, message: StoredMessage) -> None:
        """A message that was taken is to come again, with those that the same call of the listener brought."""
        _, delivery = self._taken.pop(id(message), (None, None))
        if delivery is not None:
            delivery.reject()

    def close(self) -> None:
        """No more messages: everybody who waits, or will, is told."""
        self._waiting.put_nowait(None)

    def _forget_closed(self) -> None:
        for key in [key for key, (_, delivery) in self._taken.items() if not delivery.is_open]:
            del self._taken[key]


class Messages(AsyncIterator[StoredMessage]):
    """One walk over a consumer's messages: asking for the next acknowledges the one before."""

    def __init__(self, deliveries: Deliveries | None) -> None:
        """None for a consumer that has a listener. Raises ClientError for that."""
        if deliveries is None:
            raise ClientError("this consumer has a listener, which gets all messages; iterate over one that has none")
        self._deliveries = deliveries
        self._last: StoredMessage | None = None

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> StoredMessage:
        last, self._last = self._last, None
        if last is not None:
            self._deliveries.ack(last)
        self._last = message = await self._deliveries.take()
        if message is None:
            raise StopAsyncIteration
        return message
