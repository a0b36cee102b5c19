"""What the tests of the blocking client have in common: the cluster in memory, asked by the clients' thread only."""

from __future__ import annotations

import threading
from typing import Any

from pymq import blocking
from pymq.blocking.loopthread import LOOP_THREAD
from tests.client.cases import TOPIC, ClientCase

#: A bound for what takes no time; only a failing test reaches it.
HANG_S = 30


class BlockingCase(ClientCase):
    """The clients' time stands still but for `take_queues`."""

    def check_all_is_over(self) -> None:
        """Every client is shut down, and their thread is gone."""
        super().check_all_is_over()
        self.assertFalse(LOOP_THREAD.is_running)
        self.assertEqual([thread for thread in threading.enumerate() if thread.name == "pymq-client"], [])

    def blocking_producer(self, **more: Any) -> blocking.Producer:
        """A producer, not started."""
        return blocking.Producer("pg", **self.settings(**more))

    def blocking_consumer(self, **more: Any) -> blocking.PushConsumer:
        """A push consumer of the topic from the first message on, not started."""
        more.setdefault("consume_from_where", "CONSUME_FROM_FIRST_OFFSET")
        consumer = blocking.PushConsumer("cg", **self.settings(**more))
        consumer.subscribe(TOPIC)
        return consumer

    def put(self, *bodies: bytes) -> None:
        """Messages that are there already."""
        for body in bodies:
            self.cluster.broker.put(TOPIC, 0, body)

    def take_queues(self) -> None:
        """Let the consumers take their queues and pull."""

        async def pump() -> None:
            self.tick(0.01, 3)

        LOOP_THREAD.run(pump, HANG_S)
