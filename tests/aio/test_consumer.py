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
from tests.client.fakepop import let_pop


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


class LitePullConsumerTests(AioCase):
    """Asked for messages."""

    def lite(self, **more: Any) -> aio.LitePullConsumer:
        """One that subscribes, from the first message on, not started."""
        consumer = aio.LitePullConsumer("cg", **self.settings(consume_from_where="CONSUME_FROM_FIRST_OFFSET", **more))
        consumer.subscribe(TOPIC)
        return consumer

    def test_polling(self) -> None:
        """Batches, offsets and commits."""
        self.put(b"a", b"b", b"c")
        told: list[Any] = []

        async def listen(queues: list[Any]) -> None:
            told.append(len(queues))

        async def work() -> None:
            async with self.lite(queue_listener=listen) as consumer:
                consumer.register_topic_message_queue_change_listener(TOPIC, lambda topic, queues: None)
                await self.take_queues()
                self.assertEqual(consumer.queues, await consumer.fetch_message_queues(TOPIC))
                self.assertEqual([message.body for message in await consumer.poll()], [b"a", b"b", b"c"])
                consumer.pause(consumer.queues)
                await consumer.seek(queue(), 1)
                self.assertEqual(await consumer.poll(0), [])
                consumer.resume(consumer.queues)
                self.tick(1.0)
                self.assertEqual([message.body for message in await consumer.poll(0, 1)], [b"b"])
                await consumer.commit()
                self.assertEqual(await consumer.committed(queue()), 2)

        self.run_loop(work())
        self.assertEqual((told, self.cluster.broker.offsets["cg", TOPIC, 0]), ([4], 2))

    def test_iteration(self) -> None:
        """One by one; what the loop did not finish comes again unless it is committed. A shutdown ends it."""
        self.put(b"a", b"b", b"c")

        async def work() -> list[bytes]:
            consumer = self.lite()
            got = []
            async with consumer:
                await self.take_queues()
                async for message in consumer:
                    got.append(message.body)
                    if message.body == b"b":
                        await consumer.commit()
                        break

                async def rest() -> None:
                    got.extend([message.body async for message in consumer])

                looping = asyncio.create_task(rest())
                await self.take_queues()
            await looping
            return got

        self.assertEqual(self.run_loop(work()), [b"a", b"b", b"c"])
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 3)

    def test_a_cancelled_task_takes_nothing(self) -> None:
        """Neither while it waits, nor when messages came in the moment of the cancellation."""

        async def work() -> list[bytes]:
            async with self.lite() as consumer:
                await self.take_queues()
                for body in (b"", b"a"):
                    polling = asyncio.create_task(consumer.poll(60))
                    await asyncio.sleep(0)
                    if body:
                        self.put(body)
                    polling.cancel()
                    self.assertEqual(await asyncio.gather(polling, return_exceptions=True), [Cancelled()])
                return [message.body for message in await consumer.poll(0)]

        self.assertEqual(self.run_loop(work()), [b"a"])

    def test_assigned(self) -> None:
        """Only these."""
        self.put(b"a")
        self.put(b"b", queue_id=1)

        async def work() -> list[bytes]:
            consumer = aio.LitePullConsumer("cg", **self.settings(consume_from_where="CONSUME_FROM_FIRST_OFFSET"))
            async with consumer:
                consumer.assign([queue(1)])
                await self.take_queues()
                return [message.body for message in await consumer.poll(0)]

        self.assertEqual(self.run_loop(work()), [b"b"])


class Cancelled:
    """Equal to a cancellation."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, asyncio.CancelledError)


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


class PopConsumerTests(AioCase):
    """By hand, with receipts."""

    def test_pop_and_acknowledge(self) -> None:
        """One at once, one put off, the rest together."""
        (broker,) = let_pop(self.cluster)
        self.put(b"a", b"b", b"c")

        async def work() -> None:
            async with aio.PopConsumer("cg", **self.settings()) as consumer:
                self.assertEqual(len(await consumer.fetch_subscribe_queues(TOPIC)), 4)
                messages = await consumer.pop(TOPIC, max_count=3, invisible_s=20, wait_s=0)
                self.assertEqual([message.body for message in messages], [b"a", b"b", b"c"])
                await consumer.change_invisible_time(messages[0], 30)
                await consumer.ack(messages[0])
                await consumer.ack_all(messages[1:])

        self.run_loop(work())
        self.assertEqual(broker.hidden, {})
