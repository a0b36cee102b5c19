"""The producer as its users see it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.results import SendResult
from pymq.errors import InvalidMessage, NoRoute
from pymq.message.message import Message
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue


class ProducerTests(ClientCase):
    """Sending in every way."""

    def test_send(self) -> None:
        """In a coroutine, as users write it."""

        async def user() -> SendResult:
            return await self.producer().send(Message(TOPIC, b"hello", tags="A", keys="k1"))

        result = self.successResultOf(Deferred.fromCoroutine(user()))
        message = self.cluster.broker.stored(TOPIC)[0]
        self.assertEqual((message.body, message.tags, message.keys, message.msg_id), (b"hello", "A", ("k1",), result.msg_id))

    def test_all_queues_get_their_turn(self) -> None:
        """Four sends, four queues."""
        producer = self.producer()
        results = [self.result(producer.send(Message(TOPIC, b"x"))) for _ in range(4)]
        self.assertEqual({result.queue.queue_id for result in results}, {0, 1, 2, 3})

    def test_to_a_queue(self) -> None:
        """The one given."""
        self.assertEqual(self.result(self.producer().send(Message(TOPIC, b"x"), queue=queue(2))).queue, queue(2))

    def test_by_a_selector(self) -> None:
        """Called with queues, message and argument; what it gives must be a queue."""
        producer, message = self.producer(), Message(TOPIC, b"x")
        seen: list[Any] = []

        def choose(queues: Any, about: Message, argument: Any) -> Any:
            seen.append((len(queues), about, argument))
            return queues[argument]

        self.assertEqual(self.result(producer.send(message, selector=choose, argument=3)).queue, queue(3))
        self.assertEqual(seen, [(4, message, 3)])
        self.result(producer.send_oneway(message, selector=choose, argument=1))
        self.assertEqual(self.cluster.broker.stored(TOPIC)[0].queue_id, 1)
        self.failure(producer.send(message, selector=lambda queues, message, argument: None), InvalidMessage)

    def test_batches(self) -> None:
        """In turn, or to a queue; an empty one is refused."""
        producer = self.producer()
        messages = [Message(TOPIC, b"a"), Message(TOPIC, b"b")]
        self.result(producer.send_batch(messages, queue=queue(1)))
        self.result(producer.send_batch(iter(messages)))  # type: ignore[arg-type]  # any iterable will do
        self.assertEqual(len(self.cluster.broker.stored(TOPIC)), 4)
        self.failure(producer.send_batch([]), InvalidMessage)

    def test_a_topic_that_does_not_exist_is_made_by_its_first_message(self) -> None:
        """By way of TBW102; without it there is no route."""
        producer = self.producer()
        self.assertLess(self.result(producer.send(Message("new", b"x"))).queue.queue_id, 4)
        self.cluster.broker.topics.clear()
        self.failure(producer.send(Message("newer", b"x")), NoRoute)

    def test_queues_of_a_topic(self) -> None:
        """As the name server says now."""
        producer = self.producer()
        self.assertEqual(self.result(producer.fetch_publish_queues(TOPIC)), [queue(n) for n in range(4)])
        self.failure(producer.fetch_publish_queues("unknown"), NoRoute)

    def test_topics_in_use_are_kept_up_to_date(self) -> None:
        """With every look at the routes."""
        producer = self.producer()
        self.result(producer.send(Message(TOPIC, b"x")))
        self.cluster.asked.clear()
        self.tick(30.1)
        self.assertIn(TOPIC, [one.fields["topic"] for one in self.cluster.of(Code.GET_ROUTEINFO_BY_TOPIC)])
