"""Tests of pymq.broker.consumers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import consumers as module
from pymq.broker.clients import ClientChannelInfo
from pymq.broker.consumers import ConsumerManager
from pymq.broker.filters import ConsumerFilterManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from tests.broker.fixtures import NOW_MS, broker_config, member, started_clock, subscribe


class ConsumerManagerTests(SynchronousTestCase):
    """The consumer groups that are online."""

    def setUp(self) -> None:
        """Nobody is connected; `told` is what the groups were told."""
        self.clock = started_clock()
        self.told: list[tuple[str, list[IChannel]]] = []
        self.consumers = ConsumerManager(
            clock=self.clock, on_members_changed=lambda group, channels: self.told.append((group, channels))
        )

    def register(self, info: ClientChannelInfo, *subscriptions: SubscriptionData, group: str = "g", notify: bool = True) -> bool:
        """A heartbeat of an ordinary consumer, subscribed to T unless said otherwise."""
        return self.consumers.register(
            group, info, "CONSUME_PASSIVELY", "CLUSTERING", "CONSUME_FROM_LAST_OFFSET", subscriptions or (subscribe(),), notify
        )

    def test_newcomer_is_told_with_the_others(self) -> None:
        """All members rebalance, the new one too."""
        first, second = member("a"), member("b")
        self.assertTrue(self.register(first))
        self.assertTrue(self.register(second))
        self.assertEqual(self.told, [("g", [first.channel]), ("g", [first.channel, second.channel])])

    def test_filters_come_and_go_with_the_group(self) -> None:
        """Those of a group live until its last member left."""
        filters = ConsumerFilterManager(broker_config(), MemoryDocuments(), clock=self.clock)
        self.consumers = ConsumerManager(clock=self.clock, on_members_changed=lambda group, channels: None, filters=filters)
        first, second = member("a"), member("b")
        for info in (first, second):
            self.register(info, build_subscription("T", "a > 1", "SQL92", sub_version=1))
        lives = []
        for info in (first, second):
            self.consumers.unregister("g", info.channel)
            data = filters.get("T", "g")
            lives.append(data is not None and not data.is_dead)
        self.assertEqual(lives, [True, False])

    def test_repeated_heartbeat_tells_nobody(self) -> None:
        """Nothing changed."""
        info = member("a")
        self.register(info)
        self.assertFalse(self.register(info))
        self.assertEqual(len(self.told), 1)

    def test_nobody_is_told_where_the_group_does_not_want_it(self) -> None:
        """The change counts nevertheless."""
        self.assertTrue(self.register(member("a"), notify=False))
        self.assertEqual(self.told, [])

    def test_added_and_removed_topics_are_told(self) -> None:
        """The set of topics is the last heartbeat's."""
        info = member("a")
        self.register(info, subscribe("T1"))
        self.assertTrue(self.register(info, subscribe("T1"), subscribe("T2")))
        self.assertTrue(self.register(info, subscribe("T2")))
        self.assertEqual((list(self.consumers.group("g").subscriptions), len(self.told)), (["T2"], 3))

    def test_newer_subscription_replaces_and_is_not_told(self) -> None:
        """A greater version alone moves no queue."""
        info = member("a")
        self.register(info, subscribe("T", "A", 1))
        self.assertFalse(self.register(info, subscribe("T", "B", 2)))
        self.assertEqual((self.consumers.find_subscription("g", "T").sub_string, len(self.told)), ("B", 1))

    def test_subscription_of_the_same_or_an_older_version_is_ignored(self) -> None:
        """Two members may send theirs in any order."""
        info = member("a")
        self.register(info, subscribe("T", "A", 5))
        for version in (5, 4):
            self.register(info, subscribe("T", "B", version))
        self.assertEqual(self.consumers.find_subscription("g", "T").sub_string, "A")

    def test_last_heartbeat_decides_about_the_groups_settings(self) -> None:
        """Type, model and where from, as they were sent, unknown words too."""
        self.register(member("a"))
        self.consumers.register("g", member("b"), "CONSUME_POP", "BROADCASTING", "UNKNOWN", (), True)
        group = self.consumers.group("g")
        self.assertEqual(
            (group.consume_type, group.message_model, group.consume_from_where), ("CONSUME_POP", "BROADCASTING", "UNKNOWN")
        )

    def test_client_ids_come_once_each(self) -> None:
        """A client with two connections takes its share of queues once."""
        for name in ("a", "b", "a"):
            self.register(member(name))
        self.assertEqual(self.consumers.group("g").client_ids(), ["a", "b"])

    def test_subscriptions_are_found_by_group_and_topic(self) -> None:
        """Nothing is found of what is not there."""
        self.register(member("a"), subscribe("T1"))
        self.register(member("b"), subscribe("T1"), subscribe("T2"), group="h")
        self.assertEqual(self.consumers.groups_of_topic("T1"), {"g", "h"})
        self.assertEqual(self.consumers.groups_of_topic("T3"), set())
        for group, topic in (("g", "T2"), ("x", "T1")):
            self.assertIsNone(self.consumers.find_subscription(group, topic))
        self.assertEqual(self.consumers.group("h").find_subscription("T2").topic, "T2")

    def test_member_is_found_by_client_id(self) -> None:
        """For questions that are passed on to it."""
        info = member("a")
        self.register(info)
        group = self.consumers.group("g")
        self.assertEqual((group.find("a").channel, group.find("b")), (info.channel, None))

    def test_leaving_tells_those_who_stay(self) -> None:
        """The last one takes the group with it."""
        first, second = member("a"), member("b")
        self.register(first)
        self.register(second)
        self.told.clear()
        self.assertTrue(self.consumers.unregister("g", first.channel))
        self.assertFalse(self.consumers.unregister("g", first.channel))
        self.assertTrue(self.consumers.unregister("g", second.channel))
        self.assertEqual(self.told, [("g", [second.channel])])
        self.assertEqual((self.consumers.group("g"), dict(self.consumers.table)), (None, {}))

    def test_leaving_can_be_silent(self) -> None:
        """Where the group does not want to be told."""
        first, second = member("a"), member("b")
        self.register(first)
        self.register(second)
        self.told.clear()
        self.consumers.unregister("g", first.channel, notify=False)
        self.assertEqual(self.told, [])

    def test_closed_channel_leaves_every_group_at_once(self) -> None:
        """And the others of each group are told."""
        gone, stays = member("a"), member("b")
        for group in ("g", "h"):
            self.register(gone, group=group)
            self.register(stays, group=group)
        self.told.clear()
        self.consumers.channel_closed(gone.channel)
        self.consumers.channel_closed(gone.channel)
        self.assertEqual(sorted(group for group, _ in self.told), ["g", "h"])
        self.assertEqual(self.consumers.group("g").client_ids(), ["b"])

    def test_silent_consumer_expires(self) -> None:
        """After more than two minutes without a heartbeat; the others are told and its channel is given to be closed."""
        silent, lively = member("a"), member("b")
        self.register(silent)
        self.clock.advance(60)
        self.register(lively)
        self.told.clear()
        self.assertEqual(self.consumers.expire(NOW_MS + 120_000), [])
        self.assertEqual(self.consumers.expire(NOW_MS + 120_001), [silent.channel])
        self.assertEqual(self.told, [("g", [lively.channel])])

    def test_bounds_refuse_and_leave_no_trace(self) -> None:
        """Groups, members, and topics of one group."""
        self.patch(module, "SUBSCRIPTIONS_PER_GROUP_MAX", 1)
        self.assertRaises(RequestError, self.register, member("a"), subscribe("T1"), subscribe("T2"))
        self.assertIsNone(self.consumers.group("g"))
        self.patch(module, "CONSUMER_GROUPS_MAX", 1)
        self.register(member("a"))
        self.assertRaises(RequestError, self.register, member("b"), group="h")
        self.assertTrue(self.register(member("b")))
