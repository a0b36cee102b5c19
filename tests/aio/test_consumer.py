"""Consuming in coroutines."""

from __future__ import annotations

import asyncio
from typing import Any

from pymq import aio
from pymq.client.results import ConsumeStatus, PullStatus
from pymq.errors import ClientError
from pymq.wire.codes import RequestCode as Code
from tests.aio.cases import AioCase
from tests.client.cases import TOPIC, queue


class IterationTests(AioCase):
    """`async for` over a consumer."""

    def committed(self) -> int | None:
        """The group's offset of the first queue, as the broker has it."""
        return self.cluster.broker.offsets.get(("cg", TOPIC, 0))

    def test_messages_come_in_order(self) -> None:
        """The loop ends with the consumer, and its offsets are committed."""
        self.put(b"a", b"b", b"c")
        got = []

        async def work() -> None:
            async with self.aio_consumer() as consumer:
                await self.take_queues()
                async for message in consumer:
                    got.append(message.body)
                    if message.body == b"c":
                        consumer.ack(message)
                        break

        self.run_loop(work())
        self.assertEqual((got, self.committed()), ([b"a", b"b", b"c"], 3))

    def test_what_the_loop_did_not_finish_comes_again(self) -> None:
        """The message at the break is not committed, and not sent back either."""
        self.put(b"a", b"b", b"c")

        async def work() -> None:
            async with self.aio_consumer() as consumer:
                await self.take_queues()
                async for message in consumer:
                    if message.body == b"b":
                        break

        self.run_loop(work())
        self.assertEqual((self.committed(), self.cluster.of(Code.CONSUMER_SEND_MSG_BACK)), (1, []))

    def test_rejected_messages_are_sent_back(self) -> None:
        """As a listener that asks for them later."""
        self.put(b"a")

        async def work() -> None:
            async with self.aio_consumer() as consumer:
                await self.take_queues()
                async for message in consumer:
                    consumer.reject(message)
                    break

        self.run_loop(work())
        self.assertEqual((self.committed(), len(self.cluster.of(Code.CONSUMER_SEND_MSG_BACK))), (1, 1))

    def test_a_shutdown_ends_the_loop(self) -> None:
        """From another task."""

        async def work() -> list[Any]:
            consumer = self.aio_consumer()
            await consumer.start()

            async def loop() -> list[Any]:
                return [message async for message in consumer]

            looping = asyncio.create_task(loop())
            await self.take_queues()
            await consumer.shutdown()
            return await looping

        self.assertEqual(self.run_loop(work()), [])

    def test_in_order(self) -> None:
        """The second message of a queue comes after the first is done."""
        self.put(b"a", b"b")

        async def work() -> list[bytes]:
            async with self.aio_consumer(orderly=True) as consumer:
                await self.take_queues()
                walk = aiter(consumer)
                first = await anext(walk)
                second = asyncio.create_task(anext(walk))
                await self.take_queues()
                return [first.body, (await second).body]

        self.assertEqual(self.run_loop(work()), [b"a", b"b"])


class ListenerTests(AioCase):
    """A listener that is a coroutine function."""

    def test_its_verdict_counts(self) -> None:
        """When it is finished."""
        self.put(b"a")
        go_on = asyncio.Event()

        async def listen(messages: Any, context: Any) -> ConsumeStatus:
            await go_on.wait()
            return ConsumeStatus.CONSUME_SUCCESS

        async def work() -> None:
            async with self.aio_consumer(listener=listen) as consumer:
                await self.take_queues()
                self.assertRaises(ClientError, aiter, consumer)
                go_on.set()
                await self.take_queues()

        self.run_loop(work())
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 1)

    def test_subscriptions(self) -> None:
        """Changed, paused and asked for while it runs."""

        async def work() -> None:
            async with self.aio_consumer(listener=lambda messages, context: None) as consumer:
                await self.take_queues()
                consumer.suspend()
                consumer.resume()
                consumer.unsubscribe(TOPIC)
                self.assertEqual(len(await consumer.fetch_subscribe_queues(TOPIC)), 4)

        self.run_loop(work())


class PullConsumerTests(AioCase):
    """By hand."""

    def test_pull_and_commit(self) -> None:
        """What was pulled, and where to go on."""
        self.put(b"a", b"b")

        async def work() -> None:
            consumer = aio.PullConsumer("cg", **self.settings())
            consumer.register_topic(TOPIC)
            async with consumer:
                self.assertEqual(await consumer.fetch_subscribe_queues(TOPIC), await consumer.fetch_queues_in_balance(TOPIC))
                result = await consumer.pull(queue(), "*", 0)
                self.assertEqual((result.status, [message.body for message in result.messages]), (PullStatus.FOUND, [b"a", b"b"]))
                await consumer.update_consume_offset(queue(), result.next_offset)
                await consumer.persist()
                self.assertEqual(await consumer.fetch_consume_offset(queue(), from_store=True), 2)

        self.run_loop(work())
