"""What the tests of the asyncio client have in common: the cluster in memory, and an event loop of each test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pymq import aio
from tests.client.cases import TOPIC, ClientCase

T = TypeVar("T")
#: A bound for what takes no time; only a failing test reaches it.
HANG_S = 30


class AioCase(ClientCase):
    """The clients' time stands still but for `tick`; the loop's does not matter."""

    def run_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it in a loop of its own, which must have nothing left to do then."""

        async def bounded() -> T:
            outcome = await asyncio.wait_for(work, HANG_S)
            self.assertEqual(asyncio.all_tasks() - {asyncio.current_task()}, set())
            return outcome

        return asyncio.run(bounded())

    def aio_producer(self, **more: Any) -> aio.Producer:
        """A producer, not started."""
        return aio.Producer("pg", **self.settings(**more))

    def aio_consumer(self, **more: Any) -> aio.PushConsumer:
        """A push consumer of the topic from the first message on, not started."""
        more.setdefault("consume_from_where", "CONSUME_FROM_FIRST_OFFSET")
        consumer = aio.PushConsumer("cg", **self.settings(**more))
        consumer.subscribe(TOPIC)
        return consumer

    def put(self, *bodies: bytes, queue_id: int = 0) -> None:
        """Messages that are there already."""
        for body in bodies:
            self.cluster.broker.put(TOPIC, queue_id, body)

    async def take_queues(self) -> None:
        """Let the consumers take their queues and pull."""
        for _ in range(3):
            self.tick(0.01)
            await asyncio.sleep(0)
