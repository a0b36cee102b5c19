"""Consumption in order by a group, client and broker in one process: never two at once in a queue, none left out."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from pymq.client import ConsumeFromWhere, Message, PushConsumer
from pymq.testing.cluster import MemoryCluster

TOPIC = "Orders"
QUEUES = 4
PER_QUEUE = 60
#: So that a consumer is in the middle of its messages for as long as the tests take.
WORK_S = 1.0


class OrderTests(SynchronousTestCase):
    """Two consumers that share four queues, and take a second for each message."""

    def setUp(self) -> None:
        """Both have their queues and are at work."""
        self.cluster = MemoryCluster()
        self.cluster.start()
        self.addCleanup(self.cluster.stop)
        self.at_work: dict[int, str] = {}
        self.offsets: dict[int, list[int]] = {queue: [] for queue in range(QUEUES)}
        self.two_at_once: list[tuple[int, int, str]] = []
        producer = self.cluster.producer()
        self.cluster.result(producer.create_topic("TBW102", TOPIC, QUEUES))
        self.one, self.two = self.consumer("one"), self.consumer("two")
        self.cluster.tick(1.0, 5)
        self.assertEqual((self.own(self.one), self.own(self.two)), (2, 2))
        for number in range(QUEUES * PER_QUEUE):
            message = Message(TOPIC, b"%d" % number)
            sent = producer.send(message, selector=lambda queues, _, n: queues[n % len(queues)], argument=number)
            self.cluster.result(sent)
        self.cluster.tick(1.0, 5)

    def consumer(self, name: str) -> PushConsumer:
        """A member of the group."""
        consumer = PushConsumer(
            "order_consumers",
            consume_from_where=ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET,
            **self.cluster.client_settings(instance_name=name),
        )

        async def consume(messages: Any, context: Any) -> None:
            (message,) = messages
            queue, offset = message.queue_id, message.queue_offset
            if queue in self.at_work:
                self.two_at_once.append((queue, offset, f"{name} while {self.at_work[queue]} is at work"))
            self.at_work[queue] = name
            self.offsets[queue].append(offset)
            await deferLater(self.cluster.reactor, WORK_S, lambda: None)
            self.at_work.pop(queue, None)

        consumer.subscribe(TOPIC)
        consumer.listen_orderly(consume)
        self.cluster.result(consumer.start())
        self.addCleanup(lambda: self.cluster.result(consumer.shutdown()))
        return consumer

    @staticmethod
    def own(consumer: PushConsumer) -> int:
        """How many queues of the topic a consumer has."""
        return sum(queue.topic == TOPIC for queue in consumer.queues)

    def check(self) -> None:
        """Wait until all is consumed; each queue was, from its first message to its last, in order and by one at a time."""
        self.cluster.tick(WORK_S, 2 * PER_QUEUE)
        self.assertEqual(self.two_at_once, [])
        self.assertEqual(self.offsets, {queue: list(range(PER_QUEUE)) for queue in range(QUEUES)})

    def test_all_is_consumed_in_order(self) -> None:
        """Without any disturbance."""
        self.check()

    def test_broker_restarts(self) -> None:
        """Who finds it first is alone in the group for a while, and gets nothing of what the others work on."""
        broker = self.cluster.brokers[0]
        self.cluster.result(broker.stop())
        self.cluster.tick(1.0, 2)
        broker.start()
        self.consumer("first")
        self.check()

    def test_locks_are_on_the_disk_before_a_crash(self) -> None:
        """They were saved before they were given; a stop is not needed."""
        files = self.cluster.brokers[0].files
        text = files.read_bytes("config/queueLocks.json").decode()
        self.assertEqual([text.count(f"@{name}") > 0 for name in ("one", "two")], [True, True])

    def test_a_third_joins_and_leaves(self) -> None:
        """Queues change hands between two calls, with their offsets."""
        third = self.consumer("three")
        self.cluster.tick(1.0, 20)
        self.assertEqual(self.own(third), 1)
        self.cluster.result(third.shutdown())
        self.check()
