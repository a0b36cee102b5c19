"""Tests of pymq.broker.clients."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import clients as module
from pymq.broker.clients import Members, ProducerManager
from pymq.errors import RequestError
from pymq.testing.channels import FakeChannel
from tests.broker.fixtures import NOW_MS, member, started_clock


class MembersTests(SynchronousTestCase):
    """The members of one group."""

    def test_channel_is_what_makes_a_member(self) -> None:
        """Two connections of one client id are two; a second heartbeat of one is none more."""
        members, first, second = Members("g"), member("c"), member("c")
        self.assertTrue(members.put(first, NOW_MS))
        self.assertTrue(members.put(second, NOW_MS))
        self.assertFalse(members.put(first, NOW_MS + 1))
        self.assertEqual(len(members), 2)
        self.assertEqual(members.get(first.channel).last_update_ms, NOW_MS + 1)

    def test_heartbeat_renews_what_a_client_says_of_itself(self) -> None:
        """The last one counts."""
        members, channel = Members("g"), FakeChannel()
        members.put(member("old", channel), NOW_MS)
        members.put(member("new", channel), NOW_MS)
        self.assertEqual((members.find("old"), members.find("new").channel), (None, channel))

    def test_members_can_leave_while_they_are_walked(self) -> None:
        """Notifying may close channels."""
        members = Members("g")
        for name in "ab":
            members.put(member(name), NOW_MS)
        for info in members:
            members.remove(info.channel)
        self.assertEqual(len(members), 0)

    def test_members_have_a_bound(self) -> None:
        """One more is refused; a known one can still be heard."""
        self.patch(module, "CHANNELS_PER_GROUP_MAX", 1)
        members, first = Members("g"), member("a")
        members.put(first, NOW_MS)
        self.assertIn("has 1 members", self.assertRaises(RequestError, members.put, member("b"), NOW_MS).remark)
        self.assertFalse(members.put(first, NOW_MS))


class ProducerManagerTests(SynchronousTestCase):
    """The connected producers."""

    def setUp(self) -> None:
        """Nobody is connected."""
        self.clock = started_clock()
        self.producers = ProducerManager(clock=self.clock)

    def test_group_has_its_producers(self) -> None:
        """Until they leave; an empty group is no group."""
        info = member("c")
        self.producers.register("g", info)
        self.assertEqual([found.client_id for found in self.producers.group("g")], ["c"])
        self.producers.unregister("g", info.channel)
        self.assertIsNone(self.producers.group("g"))
        self.assertEqual(dict(self.producers.table), {})

    def test_leaving_twice_or_an_unknown_group_does_nothing(self) -> None:
        """A client may say goodbye after its connection was taken for lost."""
        info = member("c")
        self.producers.register("g", info)
        self.producers.unregister("x", info.channel)
        self.producers.unregister("g", FakeChannel())
        self.producers.unregister("g", info.channel)
        self.producers.unregister("g", info.channel)
        self.assertIsNone(self.producers.group("g"))

    def test_closed_channel_leaves_every_group_at_once(self) -> None:
        """And other channels stay."""
        gone, stays = member("a"), member("b")
        for group in ("g", "h"):
            self.producers.register(group, gone)
        self.producers.register("g", stays)
        self.producers.channel_closed(gone.channel)
        self.producers.channel_closed(gone.channel)
        self.assertEqual([info.client_id for info in self.producers.group("g")], ["b"])
        self.assertIsNone(self.producers.group("h"))

    def test_client_is_found_by_its_id_as_long_as_it_is_in_a_group(self) -> None:
        """Leaving one of two groups does not lose it."""
        info = member("c")
        self.producers.register("g", info)
        self.producers.register("CLIENT_INNER_PRODUCER", info)
        self.producers.unregister("g", info.channel)
        self.assertIs(self.producers.channel_of_client("c"), info.channel)
        self.producers.unregister("CLIENT_INNER_PRODUCER", info.channel)
        self.assertIsNone(self.producers.channel_of_client("c"))

    def test_client_that_came_again_is_found_on_its_new_channel(self) -> None:
        """The old one's end does not take the new one away."""
        old, new = member("c"), member("c")
        self.producers.register("g", old)
        self.producers.register("g", new)
        self.producers.channel_closed(old.channel)
        self.assertIs(self.producers.channel_of_client("c"), new.channel)

    def test_silent_producer_expires(self) -> None:
        """After more than two minutes without a heartbeat; its channel is given to be closed, once."""
        silent, lively = member("a"), member("b")
        for group in ("g", "h"):
            self.producers.register(group, silent)
        self.producers.register("g", lively)
        self.clock.advance(60)
        self.producers.register("g", lively)
        self.assertEqual(self.producers.expire(NOW_MS + 120_000), [])
        self.assertEqual(self.producers.expire(NOW_MS + 120_001), [silent.channel])
        self.assertEqual([info.client_id for info in self.producers.group("g")], ["b"])

    def test_channels_are_picked_in_turn(self) -> None:
        """Each one comes, closed ones do not."""
        members = [member(name) for name in "abc"]
        for info in members:
            self.producers.register("g", info)
        picked = [self.producers.pick_channel("g") for _ in range(6)]
        self.assertEqual([picked.count(info.channel) for info in members], [2, 2, 2])
        members[0].channel.close()
        self.assertNotIn(members[0].channel, [self.producers.pick_channel("g") for _ in range(4)])

    def test_no_channel_is_picked_where_none_is_open(self) -> None:
        """An unknown group, and one of closed channels."""
        info = member("a")
        self.producers.register("g", info)
        info.channel.close()
        self.assertEqual((self.producers.pick_channel("g"), self.producers.pick_channel("x")), (None, None))

    def test_groups_have_a_bound(self) -> None:
        """One more is refused."""
        self.patch(module, "PRODUCER_GROUPS_MAX", 1)
        info = member("a")
        self.producers.register("g", info)
        self.producers.register("g", info)
        self.assertRaises(RequestError, self.producers.register, "h", info)
