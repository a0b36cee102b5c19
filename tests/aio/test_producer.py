"""Sending in coroutines."""

from __future__ import annotations

import asyncio

from pymq import aio
from pymq.client.transactions import LocalTransactionState
from pymq.errors import InvalidMessage, NoRoute
from pymq.message import flags
from pymq.message.message import Message
from pymq.wire.codes import RequestCode as Code
from tests.aio.cases import AioCase
from tests.client.cases import TOPIC, queue


class ProducerTests(AioCase):
    """All ways to send."""

    def test_sends(self) -> None:
        """One, to a queue, one-way, a batch, and many at once."""

        async def work() -> None:
            async with self.aio_producer() as producer:
                result = await producer.send(Message(TOPIC, b"a", tags="A"))
                self.assertEqual(result.queue.topic, TOPIC)
                self.assertEqual((await producer.send(Message(TOPIC, b"b"), queue=queue(2))).queue, queue(2))
                await producer.send_oneway(Message(TOPIC, b"c"))
                await producer.send_batch([Message(TOPIC, b"d"), Message(TOPIC, b"e")])
                await asyncio.gather(*(producer.send(Message(TOPIC, b"f")) for _ in range(10)))
                self.assertEqual(len(await producer.fetch_publish_queues(TOPIC)), 4)

        self.run_loop(work())
        bodies = sorted(message.body for message in self.cluster.broker.stored(TOPIC))
        self.assertEqual(bodies, [b"a", b"b", b"c", b"d", b"e"] + [b"f"] * 10)

    def test_errors_are_raised(self) -> None:
        """Those of the client on Deferreds."""

        async def work() -> None:
            async with self.aio_producer(create_topic_key="nowhere") as producer:
                with self.assertRaises(NoRoute):
                    await producer.send(Message("unknown", b"x"))
                with self.assertRaises(InvalidMessage):
                    await producer.send(Message(TOPIC, b"x" * 5_000_000))

        self.run_loop(work())


class TransactionProducerTests(AioCase):
    """Local transactions in coroutines."""

    def test_commit(self) -> None:
        """What the coroutine function says is told to the broker."""
        executed = []

        async def execute(message: Message, argument: str) -> LocalTransactionState:
            await asyncio.sleep(0)
            executed.append((message.body, argument))
            return LocalTransactionState.COMMIT_MESSAGE

        async def work() -> None:
            producer = aio.TransactionProducer("pg", execute=execute, check=lambda message: None, **self.settings())
            async with producer:
                result = await producer.send_in_transaction(Message(TOPIC, b"x"), "order")
                self.assertIs(result.local_state, LocalTransactionState.COMMIT_MESSAGE)

        self.run_loop(work())
        self.assertEqual(executed, [(b"x", "order")])
        told = self.cluster.of(Code.END_TRANSACTION)
        self.assertEqual([asked.fields["commitOrRollback"] for asked in told], [str(flags.TRANSACTION_COMMIT)])
