"""Consuming in threads."""

from __future__ import annotations

import threading
from typing import Any

from pymq import blocking
from pymq.client.results import ConsumeStatus
from pymq.errors import ClientError
from tests.blocking.cases import HANG_S, BlockingCase
from tests.client.cases import TOPIC, queue
from tests.client.fakepop import let_pop


class IterationTests(BlockingCase):
    """`for` over a consumer."""

    def test_messages_come(self) -> None:
        """Until none came for a while; then all are committed."""
        self.put(b"a", b"b")
        with self.blocking_consumer() as consumer:
            self.take_queues()
            self.assertEqual([message.body for message in consumer.messages(timeout_s=0.05)], [b"a", b"b"])
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 2)

    def test_the_last_is_acknowledged_by_hand(self) -> None:
        """Before the loop is left."""
        self.put(b"a", b"b")
        with self.blocking_consumer() as consumer:
            self.take_queues()
            for message in consumer:
                if message.body == b"b":
                    consumer.ack(message)
                    break
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 2)

    def test_a_shutdown_ends_the_loop(self) -> None:
        """From another thread."""
        got: list[Any] = [None]
        consumer = self.blocking_consumer()
        consumer.start()
        looping = threading.Thread(target=lambda: got.__setitem__(0, list(consumer)))
        looping.start()
        self.take_queues()
        consumer.shutdown()
        looping.join(HANG_S)
        self.assertEqual(got, [[]])

    def test_who_asks_after_the_shutdown_is_told_the_same(self) -> None:
        """The thread of the loop may have been busy with a message; but a consumer that was never started has no messages."""
        consumer = self.blocking_consumer()
        self.assertRaises(ClientError, list, consumer)
        consumer.start()
        messages = consumer.messages()
        consumer.shutdown()
        self.assertEqual(list(messages), [])


class ListenerTests(BlockingCase):
    """A listener that may block."""

    def test_it_is_called_in_threads_of_its_own(self) -> None:
        """And may use other clients."""
        self.put(b"a")
        called, names = threading.Event(), []

        def listen(messages: Any, context: Any) -> ConsumeStatus:
            names.append((threading.current_thread().name, producer.max_offset(queue())))
            called.set()
            return ConsumeStatus.CONSUME_SUCCESS

        with self.blocking_producer() as producer, self.blocking_consumer(listener=listen, await_termination_s=0.0) as consumer:
            self.take_queues()
            self.assertTrue(called.wait(HANG_S))
            self.assertRaises(ClientError, list, consumer)
            consumer.suspend()
            consumer.resume()
            self.assertEqual(len(consumer.fetch_subscribe_queues(TOPIC)), 4)
            consumer.unsubscribe(TOPIC)
        self.assertTrue(names[0][0].startswith("pymq-callback"), names)
        self.assertEqual(names[0][1], 1)


class LitePullConsumerTests(BlockingCase):
    """Asked for messages."""

    def lite(self, **more: Any) -> blocking.LitePullConsumer:
        """One from the first message on, not started."""
        return blocking.LitePullConsumer("cg", **self.settings(consume_from_where="CONSUME_FROM_FIRST_OFFSET", **more))

    def test_polling(self) -> None:
        """Batches, offsets and commits; listeners have threads of their own."""
        self.put(b"a", b"b", b"c")
        told: list[Any] = []
        called = threading.Event()

        def listen(queues: list[Any]) -> None:
            told.append((threading.current_thread().name, len(queues)))
            called.set()

        with self.lite(queue_listener=listen) as consumer:
            consumer.subscribe(TOPIC)
            consumer.register_topic_message_queue_change_listener(TOPIC, lambda topic, queues: None)
            self.take_queues()
            self.assertTrue(called.wait(HANG_S))
            self.assertEqual(consumer.queues, consumer.fetch_message_queues(TOPIC))
            self.assertEqual([message.body for message in consumer.poll()], [b"a", b"b", b"c"])
            consumer.seek(queue(), 2)
            self.assertEqual([message.body for message in consumer.poll(0)], [b"c"])
            consumer.commit()
            self.assertEqual(consumer.committed(queue()), 3)
        self.assertEqual((told[0][0][:13], told[0][1]), ("pymq-callback", 4))

    def test_iteration(self) -> None:
        """Until none came for a while; or until another thread shuts the consumer down."""
        self.put(b"a", b"b")
        got: list[Any] = [None]
        consumer = self.lite()
        consumer.assign([queue()])
        consumer.start()
        self.take_queues()
        self.assertEqual([message.body for message in consumer.messages(timeout_s=0)], [b"a", b"b"])
        looping = threading.Thread(target=lambda: got.__setitem__(0, list(consumer)))
        looping.start()
        consumer.shutdown()
        looping.join(HANG_S)
        self.assertEqual((got, self.cluster.broker.offsets["cg", TOPIC, 0]), ([[]], 2))


class PullConsumerTests(BlockingCase):
    """By hand."""

    def test_pull_and_commit(self) -> None:
        """What was pulled, and where to go on."""
        self.put(b"a", b"b")
        consumer = blocking.PullConsumer("cg", **self.settings())
        consumer.register_topic(TOPIC)
        with consumer:
            self.assertEqual(consumer.fetch_subscribe_queues(TOPIC), consumer.fetch_queues_in_balance(TOPIC))
            result = consumer.pull(queue(), "*", 0)
            self.assertEqual([message.body for message in result.messages], [b"a", b"b"])
            consumer.update_consume_offset(queue(), result.next_offset)
            consumer.persist()
            self.assertEqual(consumer.fetch_consume_offset(queue(), from_store=True), 2)


class PopConsumerTests(BlockingCase):
    """By hand, with receipts."""

    def test_pop_and_acknowledge(self) -> None:
        """One at once, one put off, the rest together."""
        (broker,) = let_pop(self.cluster)
        self.put(b"a", b"b", b"c")
        with blocking.PopConsumer("cg", **self.settings()) as consumer:
            self.assertEqual(len(consumer.fetch_subscribe_queues(TOPIC)), 4)
            messages = consumer.pop(TOPIC, max_count=3, invisible_s=20, wait_s=0)
            self.assertEqual([message.body for message in messages], [b"a", b"b", b"c"])
            consumer.change_invisible_time(messages[0], 30)
            consumer.ack(messages[0])
            consumer.ack_all(messages[1:])
        self.assertEqual(broker.hidden, {})
