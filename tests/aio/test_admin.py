"""Looking after a cluster in coroutines."""

from __future__ import annotations

from pymq import aio
from pymq.aio import admin as module
from pymq.client import Admin
from pymq.client.adminbase import AdminBase
from pymq.errors import BrokerRefused, NoRoute
from tests.aio.cases import AioCase
from tests.client.cases import TOPIC, queue


def operations() -> set[str]:
    """What the client on Deferreds can do beyond what all clients can."""
    return {name for name in dir(Admin) if not name.startswith("_")} - {name for name in dir(AdminBase)}


class AdminTests(AioCase):
    """On a cluster that understands a few operations."""

    def test_every_operation_is_there(self) -> None:
        """None is forgotten."""
        self.assertEqual({name for name in vars(module.Admin) if not name.startswith("_")}, operations())

    def test_operations(self) -> None:
        """Their results, and their errors."""
        self.put(b"x")

        async def work() -> None:
            async with aio.Admin(**self.settings()) as admin:
                self.assertEqual((await admin.topic_route(TOPIC)).queue_datas[0].broker_name, "broker-a")
                await admin.update_consumer_offset("cg", queue(), 1)
                self.assertEqual((await admin.consumer_offset("cg", queue()), await admin.max_offset(queue())), (1, 1))
                with self.assertRaises(NoRoute):
                    await admin.topic_stats("unknown")
                with self.assertRaises(BrokerRefused):
                    await admin.topic_stats(TOPIC)

        self.run_loop(work())
