"""Looking after a cluster in threads."""

from __future__ import annotations

from pymq import blocking
from pymq.blocking import admin as module
from pymq.errors import NoRoute
from tests.aio.test_admin import operations
from tests.blocking.cases import BlockingCase
from tests.client.cases import TOPIC, queue


class AdminTests(BlockingCase):
    """On a cluster that understands a few operations."""

    def test_every_operation_is_there(self) -> None:
        """None is forgotten."""
        self.assertEqual({name for name in vars(module.Admin) if not name.startswith("_")}, operations())

    def test_operations(self) -> None:
        """Their results, and their errors."""
        self.put(b"x")
        with blocking.Admin(**self.settings()) as admin:
            self.assertEqual(admin.topic_route(TOPIC).queue_datas[0].broker_name, "broker-a")
            admin.update_consumer_offset("cg", queue(), 1)
            self.assertEqual((admin.consumer_offset("cg", queue()), admin.max_offset(queue())), (1, 1))
            self.assertRaises(NoRoute, admin.topic_stats, "unknown")
