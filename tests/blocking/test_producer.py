"""Sending, and waiting for it."""

from __future__ import annotations

import threading

from pymq import blocking
from pymq.client.transactions import LocalTransactionState
from pymq.errors import NoRoute
from pymq.message import flags
from pymq.message.message import Message
from pymq.wire.codes import RequestCode as Code
from tests.blocking.cases import BlockingCase
from tests.client.cases import TOPIC, queue


class ProducerTests(BlockingCase):
    """All ways to send."""

    def test_sends(self) -> None:
        """One, to a queue, one-way, a batch."""
        with self.blocking_producer() as producer:
            self.assertEqual(producer.send(Message(TOPIC, b"a")).queue.topic, TOPIC)
            self.assertEqual(producer.send(Message(TOPIC, b"b"), queue=queue(2)).queue, queue(2))
            producer.send_oneway(Message(TOPIC, b"c"))
            producer.send_batch([Message(TOPIC, b"d"), Message(TOPIC, b"e")])
            self.assertEqual(len(producer.fetch_publish_queues(TOPIC)), 4)
        self.assertEqual(sorted(message.body for message in self.cluster.broker.stored(TOPIC)), [b"a", b"b", b"c", b"d", b"e"])

    def test_errors_are_raised(self) -> None:
        """Those of the client on Deferreds."""
        with self.blocking_producer(create_topic_key="nowhere") as producer:
            self.assertRaises(NoRoute, producer.send, Message("unknown", b"x"))


class TransactionProducerTests(BlockingCase):
    """Local transactions that block."""

    def test_execute_runs_in_a_thread_of_its_own(self) -> None:
        """It may use the producer itself."""
        threads = []

        def execute(message: Message, argument: str) -> LocalTransactionState:
            threads.append(threading.current_thread().name)
            producer.send(Message(TOPIC, b"from within"))
            return LocalTransactionState.COMMIT_MESSAGE

        producer = blocking.TransactionProducer("pg", execute=execute, check=lambda message: None, **self.settings())
        with producer:
            result = producer.send_in_transaction(Message(TOPIC, b"x"), "order")
            self.assertIs(result.local_state, LocalTransactionState.COMMIT_MESSAGE)
        self.assertTrue(threads[0].startswith("pymq-callback"), threads)
        told = self.cluster.of(Code.END_TRANSACTION)
        self.assertEqual([asked.fields["commitOrRollback"] for asked in told], [str(flags.TRANSACTION_COMMIT)])
