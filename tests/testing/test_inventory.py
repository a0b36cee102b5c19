"""What the kit tells of a broker's messages and groups."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from pymq.testing import RocketMQTestMixin


class InventoryTests(RocketMQTestMixin, TestCase):
    """Of a broker in this process, with messages that the kit sends."""

    timeout = 30

    async def test_in_the_order_of_their_arrival(self) -> None:
        """However they are spread over the queues; more of them than one read of the store gives."""
        await self.rocketmq.create_topic("orders", queues=3)
        for number in range(100):
            await self.rocketmq.send("orders", str(number))
        found = await self.rocketmq.arrived("orders")
        self.assertEqual([message.text for message in found], [str(number) for number in range(100)])
        self.assertEqual({message.queue_id for message in found}, {0, 1, 2})

    async def test_pages(self) -> None:
        """A part of what there is."""
        for number in range(10):
            await self.rocketmq.send("orders", str(number))
        found = await self.rocketmq.arrived("orders", skip=4, most=3)
        self.assertEqual([message.text for message in found], ["4", "5", "6"])

    async def test_bodies_that_are_no_text(self) -> None:
        """Come as bytes alone."""
        await self.rocketmq.send("orders", b"\xff\x00", properties={"city": "Graz"}, queue_id=2)
        (message,) = await self.rocketmq.arrived("orders")
        self.assertEqual((message.body, message.text, message.queue_id), (b"\xff\x00", None, 2))
        self.assertEqual(message.properties["city"], "Graz")

    async def test_delayed_by_when_they_are_due(self) -> None:
        """Of all levels, with the topic they will go to."""
        for level in (18, 3, 5):
            await self.rocketmq.send("orders", f"level {level}", delay_level=level)
        delayed = (await self.rocketmq.waiting()).delayed
        self.assertEqual([message.text for message in delayed], ["level 3", "level 5", "level 18"])
        self.assertEqual({message.topic for message in delayed}, {"orders"})
        waits = [(message.due_ms or 0) - message.store_timestamp for message in delayed]
        self.assertEqual(waits, [10_000, 60_000, 7_200_000])
        self.assertEqual(len((await self.rocketmq.waiting(most=2)).delayed), 2)

    async def test_progress(self) -> None:
        """What a group has taken, and what it has not."""
        await self.rocketmq.create_topic("orders", queues=1)
        for number in range(3):
            await self.rocketmq.send("orders", str(number))
        self.assertEqual(await self.rocketmq.lag("readers"), 0)
        await self.rocketmq.receive("orders", 2, group="readers")
        progress = await self.rocketmq.progress("readers")
        self.assertEqual((progress.lag, await self.rocketmq.lag("readers")), (1, 1))
        (queue,) = progress.queues
        self.assertEqual((queue.topic, queue.queue_id, queue.consumer_offset, queue.broker_offset), ("orders", 0, 2, 3))
