"""Commands that the embedded broker's other tests do not try: their refusals, above all."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from pymq.testing import CommandError, NotYet, RocketMQTestMixin, commands
from pymq.testing.commands import COMMANDS
from pymq.testing.handlers import HANDLERS


class HandlerTests(RocketMQTestMixin, TestCase):
    """Of a broker in this process."""

    timeout = 30

    async def refused(self, work: Deferred[Any]) -> str:
        """What it says when it cannot."""
        try:
            await work
        except CommandError as error:
            return str(error)
        self.fail("it was done")

    async def test_every_command_has_one(self) -> None:
        """And `help` tells of each."""
        self.assertEqual(set(HANDLERS), set(COMMANDS.values()))
        self.assertEqual(set((await self.rocketmq.do(commands.Help())).commands), set(COMMANDS))

    async def test_topics(self) -> None:
        """Made, deleted, made anew; the broker's own are not to be touched."""
        await self.rocketmq.create_topic("orders")
        await self.rocketmq.send("orders", "one")
        await self.rocketmq.delete_topic("orders")
        self.assertEqual(await self.rocketmq.arrived("orders"), [])
        await self.rocketmq.create_topic("orders")
        self.assertEqual(await self.rocketmq.arrived("orders"), [])
        self.assertEqual(await self.rocketmq.new_topic("t"), "t-1")
        self.assertEqual(await self.rocketmq.new_topic("t"), "t-2")
        self.assertIn("system topic", await self.refused(self.rocketmq.create_topic("TBW102")))
        self.assertIn("illegal", await self.refused(self.rocketmq.create_topic("a b")))

    async def test_sends(self) -> None:
        """What a message must have, and what its broker refuses."""
        self.assertIn("exactly one", await self.refused(self.rocketmq.do(commands.Send(topic="orders"))))
        both = commands.Send(topic="orders", text="a", body=b"a")
        self.assertIn("exactly one", await self.refused(self.rocketmq.do(both)))
        self.assertIn("character", await self.refused(self.rocketmq.send("orders", "a", properties={"a": "\x02"})))
        self.assertIn("queue", await self.refused(self.rocketmq.send("orders", "a", queue_id=99)))
        sent = await self.rocketmq.send("orders", "a", tags="T", keys=["k", "l"])
        (message,) = await self.rocketmq.arrived("orders")
        self.assertEqual((message.msg_id, message.offset_msg_id), (sent.msg_id, sent.offset_msg_id))
        self.assertEqual((message.tags, message.keys), ("T", ("k", "l")))

    async def test_waits(self) -> None:
        """For a message that comes meanwhile, and for one that does not."""
        waiting = self.rocketmq.arrived("orders", 1)
        self.assertFalse(waiting.called)
        await self.rocketmq.send("orders", "one")
        self.assertEqual(len(await waiting), 1)
        work = self.rocketmq.receive("orders", 2, timeout_s=0.05)
        self.assertEqual(await self.refused(work), "1 of 2 messages are in orders")
        with self.assertRaises(NotYet) as caught:
            await self.rocketmq.arrived("order", 1, timeout_s=0.01)
        self.assertIn("no topic of that name", str(caught.exception))

    async def test_receive_goes_on_where_it_was(self) -> None:
        """Each group by itself."""
        for number in range(4):
            await self.rocketmq.send("orders", str(number))
        found = await self.rocketmq.receive("orders", 3) + await self.rocketmq.receive("orders", 1)
        self.assertEqual([message.text for message in found], ["0", "1", "2", "3"])
        self.assertEqual(len(await self.rocketmq.receive("orders", 4, group="others")), 4)

    async def test_advance_to_the_next(self) -> None:
        """And not beyond; there must be one."""
        await self.rocketmq.send("orders", "soon", delay_level=1)
        await self.rocketmq.send("orders", "later", delay_level=2)
        moved = await self.rocketmq.advance()
        self.assertLessEqual(moved.seconds, 1.01)
        self.assertEqual([message.text for message in await self.rocketmq.arrived("orders")], ["soon"])
        await self.rocketmq.advance()
        self.assertEqual(len(await self.rocketmq.arrived("orders")), 2)
        self.assertIn("none is delayed", await self.refused(self.rocketmq.advance()))
