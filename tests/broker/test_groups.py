"""Tests of pymq.broker.groups."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import groups as module
from pymq.broker.groups import SubscriptionGroupManager
from pymq.errors import RequestError, StoreDamaged
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.topics import DataVersion, SubscriptionGroupConfig
from tests.broker.fixtures import NOW_MS, broker_config, started_clock


class SubscriptionGroupManagerTests(SynchronousTestCase):
    """The table of subscription groups."""

    def setUp(self) -> None:
        """A manager with the defaults."""
        self.documents = MemoryDocuments()
        self.groups = self.build()

    def build(self, **changes: object) -> SubscriptionGroupManager:
        """A manager over the same documents."""
        return SubscriptionGroupManager(broker_config(**changes), self.documents, clock=started_clock())

    def test_built_in_groups_are_there(self) -> None:
        """The seven that Apache makes at start (remoting.md 5.2)."""
        self.assertEqual(
            set(self.groups.table),
            {
                "TOOLS_CONSUMER", "FILTERSRV_CONSUMER", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY",
                "CID_ONSAPI_PULL", "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER",
            },
        )  # fmt: skip

    def test_unknown_group_is_made_at_its_first_use(self) -> None:
        """With the defaults and a new version."""
        made = self.groups.find("g1")
        self.assertEqual(made, SubscriptionGroupConfig("g1"))
        self.assertIs(self.groups.find("g1"), made)
        self.assertEqual(self.groups.data_version, DataVersion(NOW_MS, 1))
        self.assertTrue(self.groups.has_changed)

    def test_unknown_group_is_not_made_where_that_is_forbidden(self) -> None:
        """Groups of the system are made nevertheless."""
        groups = self.build(auto_create_subscription_group=False)
        self.assertIsNone(groups.find("g1"))
        self.assertIsNotNone(groups.find("CID_RMQ_SYS_TRANS"))

    def test_get_makes_nothing(self) -> None:
        """Looking is not using."""
        self.assertIsNone(self.groups.get("g1"))
        self.assertFalse(self.groups.has_changed)

    def test_groups_survive_a_restart(self) -> None:
        """With the members that only 5.x knows, too."""
        self.groups.update(SubscriptionGroupConfig("g1", retry_max_times=3, consume_timeout_minute=5, attributes={"k": "v"}))
        self.groups.save()
        again = self.build()
        again.load()
        self.assertEqual((again.table, again.data_version), (self.groups.table, self.groups.data_version))

    def test_document_has_the_shape_of_apache(self) -> None:
        """Members as in store.md 1.5."""
        self.groups.find("G")
        self.groups.save()
        self.assertEqual(
            self.documents.load("subscriptionGroup.json")["subscriptionGroupTable"]["G"],
            {
                "brokerId": 0, "consumeBroadcastEnable": True, "consumeEnable": True, "consumeFromMinEnable": True,
                "groupName": "G", "notifyConsumerIdsChangedEnable": True, "retryMaxTimes": 16, "retryQueueNums": 1,
                "whichBrokerWhenConsumeSlowly": 1,
            },
        )  # fmt: skip

    def test_delete_says_whether_the_group_was_there(self) -> None:
        """An unknown group is no change."""
        self.groups.find("g1")
        self.assertEqual((self.groups.delete("g1"), self.groups.delete("g1"), self.groups.get("g1")), (True, False, None))
        self.assertEqual(self.groups.data_version.counter, 2)

    def test_save_writes_the_whole_table(self) -> None:
        """Built-in groups too."""
        self.groups.find("G")
        self.groups.save()
        self.assertIn("TOOLS_CONSUMER", self.documents.load("subscriptionGroup.json")["subscriptionGroupTable"])

    def test_load_refuses_a_document_of_another_shape(self) -> None:
        """Rather than to forget the groups."""
        self.documents.save("subscriptionGroup.json", {"subscriptionGroupTable": []})
        self.assertRaises(StoreDamaged, self.groups.load)

    def test_names_have_rules(self) -> None:
        """A group's retry topic carries its name to the disk."""
        for name in ("", " ", "a/b", "a@b", "x" * 256):
            self.assertRaises(RequestError, self.groups.find, name)

    def test_groups_have_a_bound(self) -> None:
        """The one above it is refused with a remark; those that exist can still be changed."""
        self.patch(module, "GROUPS_MAX", len(self.groups.table))
        self.assertIn("the most is 7", self.assertRaises(RequestError, self.groups.find, "g1").remark)
        self.groups.update(SubscriptionGroupConfig("TOOLS_CONSUMER", retry_max_times=1))
