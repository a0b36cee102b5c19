"""Taking queues up and letting them go."""

from __future__ import annotations

from typing import Any

from pymq.client.allocate import AllocateAverage
from pymq.client.config import MessageModel
from pymq.client.offsets import RemoteBrokerOffsetStore
from pymq.client.processqueue import PULL_IDLE_MAX_MS, ProcessQueue
from pymq.client.rebalance import Rebalancer
from pymq.client.share import SharedOut, everything
from pymq.errors import BrokerRefused
from pymq.wire.bodies.heartbeat import build_subscription
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue

ME, OTHER = "10.0.0.7@test", "10.0.0.8@other"
ALL = [queue(n) for n in range(4)]


class RebalanceTests(ClientCase):
    """A member of a group, as its broker knows it."""

    def setUp(self) -> None:
        """Alone in the group at first."""
        super().setUp()
        self.shared = self.instance()
        self.offsets = RemoteBrokerOffsetStore("g", self.shared)
        self.subscriptions = {TOPIC: build_subscription(TOPIC, "*", sub_version=1)}
        self.told: list[tuple[str, int, int]] = []
        self.changes = 0
        self.first_offsets: dict[MessageQueue, Any] = {}
        self.cluster.broker.members["g"] = {ME}

    async def first_offset(self, which: MessageQueue) -> int:
        """As prepared, else 5."""
        offset = self.first_offsets.get(which, 5)
        if isinstance(offset, Exception):
            raise offset
        return int(offset)

    def taken(self, held: ProcessQueue, offset: int) -> None:
        """Noted."""
        self.told.append(("taken", held.queue.queue_id, offset))

    def let_go(self, held: ProcessQueue) -> None:
        """Noted."""
        self.told.append(("let go", held.queue.queue_id, self.offsets.read(held.queue)))

    def changed(self) -> None:
        """Counted."""
        self.changes += 1

    def make(self, model: MessageModel = MessageModel.CLUSTERING, *, is_orderly: bool = False) -> Rebalancer:
        """A rebalancer of that kind."""
        is_shared = model is MessageModel.CLUSTERING
        return Rebalancer(
            "g",
            self.shared,
            share=SharedOut("g", self.shared, AllocateAverage()) if is_shared else everything,
            locks_queues=is_orderly and is_shared,
            offsets=self.offsets,
            subscriptions=self.subscriptions,
            first_offset=self.first_offset,
            taken=self.taken,
            let_go=self.let_go,
            changed=self.changed,
        )

    def locks(self) -> dict[int, str]:
        """Who holds which queue at the broker."""
        return {held.queue_id: owner for (_, held), owner in sorted(self.cluster.broker.locks.items())}

    def test_alone_takes_all(self) -> None:
        """Each with its first offset; a second round changes nothing."""
        rebalancer = self.make()
        self.assertTrue(self.result(rebalancer.rebalance()))
        self.assertTrue(self.result(rebalancer.rebalance()))
        self.assertEqual(self.told, [("taken", n, 5) for n in range(4)])
        self.assertEqual((sorted(rebalancer.queues), self.changes), (ALL, 1))

    def test_a_second_member_gets_its_share(self) -> None:
        """Our offset of what we let go is committed, and not remembered."""
        rebalancer = self.make()
        self.result(rebalancer.rebalance())
        held = rebalancer.queues[queue(3)]
        self.offsets.update(queue(3), 9)
        self.cluster.broker.members["g"].add(OTHER)
        self.assertTrue(self.result(rebalancer.rebalance()))
        self.assertEqual(self.told[4:], [("let go", 2, -1), ("let go", 3, 9)])
        self.assertTrue(held.dropped)
        self.assertEqual((self.cluster.broker.offsets, self.offsets.read(queue(3))), ({("g", TOPIC, 3): 9}, -1))

    def test_one_who_is_not_in_the_list_has_nothing(self) -> None:
        """All members must come to the same shares."""
        rebalancer = self.make()
        self.result(rebalancer.rebalance())
        self.cluster.broker.members["g"] = {OTHER}
        self.result(rebalancer.rebalance())
        self.assertEqual(rebalancer.queues, {})

    def test_when_the_list_cannot_be_had_nothing_changes(self) -> None:
        """And it is tried again soon."""
        rebalancer = self.make()
        self.result(rebalancer.rebalance())
        self.cluster.refuse(Code.GET_CONSUMER_LIST_BY_GROUP, 1, count=1)
        self.assertFalse(self.result(rebalancer.rebalance()))
        self.assertEqual(len(rebalancer.queues), 4)

    def test_a_queue_whose_offset_cannot_be_had_waits(self) -> None:
        """Rather than begin at a wrong place; the others are taken up."""
        self.first_offsets[queue(1)] = BrokerRefused(1, "busy", "a")
        rebalancer = self.make()
        self.assertFalse(self.result(rebalancer.rebalance()))
        self.assertEqual(sorted(rebalancer.queues), [queue(0), queue(2), queue(3)])
        self.first_offsets.clear()
        self.assertTrue(self.result(rebalancer.rebalance()))
        self.assertEqual(sorted(rebalancer.queues), ALL)

    def test_broadcasting_takes_all_without_asking(self) -> None:
        """Whoever else is there."""
        self.cluster.broker.members["g"] = {OTHER}
        rebalancer = self.make(MessageModel.BROADCASTING)
        self.result(rebalancer.rebalance())
        self.assertEqual((sorted(rebalancer.queues), self.cluster.of(Code.GET_CONSUMER_LIST_BY_GROUP)), (ALL, []))

    def test_topics_without_a_route_are_no_reason_to_hurry(self) -> None:
        """Their route will come."""
        self.subscriptions["unknown"] = build_subscription("unknown", "*", sub_version=1)
        self.assertTrue(self.result(self.make().rebalance()))

    def test_an_unsubscribed_topic_is_let_go(self) -> None:
        """With all its queues."""
        rebalancer = self.make()
        self.result(rebalancer.rebalance())
        self.subscriptions.clear()
        self.assertTrue(self.result(rebalancer.rebalance()))
        self.assertEqual(rebalancer.queues, {})

    def test_a_queue_that_was_not_pulled_for_long_is_taken_anew(self) -> None:
        """Something went wrong with its pulling."""
        rebalancer = self.make()
        self.result(rebalancer.rebalance())
        old = rebalancer.queues[queue(0)]
        for held in rebalancer.queues.values():
            held.last_pull_ms += 0 if held is old else PULL_IDLE_MAX_MS
        self.tick(PULL_IDLE_MAX_MS / 1000 + 1)
        self.result(rebalancer.rebalance())
        self.assertIsNot(rebalancer.queues[queue(0)], old)
        self.assertEqual(self.told[4:], [("let go", 0, -1), ("taken", 0, 5)])

    def test_forgetting_and_closing(self) -> None:
        """A forgotten queue is taken up again; after closing nothing is."""
        rebalancer = self.make()
        self.result(rebalancer.rebalance())
        rebalancer.forget(rebalancer.queues[queue(0)])
        self.result(rebalancer.rebalance())
        self.assertEqual(len(rebalancer.queues), 4)
        self.result(rebalancer.close())
        self.assertTrue(self.result(rebalancer.rebalance()))
        self.assertEqual(rebalancer.queues, {})

    def test_a_round_that_ends_late_takes_nothing_up(self) -> None:
        """The consumer stopped while it was asking."""
        rebalancer = self.make()

        async def stopping(which: MessageQueue) -> int:
            rebalancer.take_no_more()
            return 5

        rebalancer._first_offset = stopping
        self.result(rebalancer.rebalance())
        self.assertEqual((rebalancer.queues, self.told), ({}, []))

    def test_ordered_queues_need_the_broker_s_lock(self) -> None:
        """What another holds is tried again soon, what is ours is locked."""
        self.cluster.broker.locks["g", queue(2)] = OTHER
        rebalancer = self.make(is_orderly=True)
        self.assertFalse(self.result(rebalancer.rebalance()))
        self.assertEqual(sorted(rebalancer.queues), [queue(0), queue(1), queue(3)])
        self.assertTrue(all(held.locked for held in rebalancer.queues.values()))
        self.assertEqual(self.locks(), {0: ME, 1: ME, 2: OTHER, 3: ME})

    def test_an_ordered_queue_is_let_go_between_two_calls(self) -> None:
        """Then it is unlocked; until then the next owner waits."""
        rebalancer = self.make(is_orderly=True)
        self.result(rebalancer.rebalance())
        held = rebalancer.queues[queue(3)]
        held.in_listener = True
        self.cluster.broker.members["g"].add(OTHER)
        self.assertFalse(self.result(rebalancer.rebalance()))
        self.assertEqual((held.leaving, held.dropped, self.locks()), (True, False, {0: ME, 1: ME, 3: ME}))
        held.in_listener = False
        self.assertTrue(self.result(rebalancer.rebalance()))
        self.assertEqual((held.dropped, self.locks()), (True, {0: ME, 1: ME}))

    def test_a_queue_that_stays_after_all_is_told(self) -> None:
        """The other member left again."""
        rebalancer = self.make(is_orderly=True)
        self.result(rebalancer.rebalance())
        held = rebalancer.queues[queue(3)]
        held.in_listener = True
        self.cluster.broker.members["g"].add(OTHER)
        self.result(rebalancer.rebalance())
        self.cluster.broker.members["g"].remove(OTHER)
        self.result(rebalancer.rebalance())
        self.assertEqual((held.leaving, rebalancer.queues[queue(3)]), (False, held))

    def test_renewing_locks(self) -> None:
        """Refused queues rest; a broker that is silent changes nothing."""
        rebalancer = self.make(is_orderly=True)
        self.result(rebalancer.rebalance())
        self.tick(5.0)
        self.cluster.broker.locks["g", queue(1)] = OTHER
        self.result(rebalancer.lock_all())
        self.assertEqual([rebalancer.queues[one].locked for one in ALL], [True, False, True, True])
        self.assertEqual(rebalancer.queues[queue(0)].last_lock_ms, self.shared.now_ms())
        self.cluster.down.add(self.cluster.broker.address)
        self.result(rebalancer.lock_all())
        self.assertTrue(rebalancer.queues[queue(0)].locked)

    def test_one_lock(self) -> None:
        """Given or not."""
        rebalancer = self.make(is_orderly=True)
        self.result(rebalancer.rebalance())
        held = rebalancer.queues[queue(0)]
        held.locked = False
        self.assertTrue(self.result(rebalancer.lock_one(held)))
        self.assertTrue(held.locked)
        self.cluster.broker.locks["g", queue(0)] = OTHER
        self.assertFalse(self.result(rebalancer.lock_one(held)))

    def test_closing_gives_the_locks_back(self) -> None:
        """So that the next owner need not wait a minute; a dead broker is no hindrance."""
        rebalancer = self.make(is_orderly=True)
        self.result(rebalancer.rebalance())
        self.result(rebalancer.close())
        self.assertEqual(self.locks(), {})
        again = self.make(is_orderly=True)
        self.result(again.rebalance())
        self.cluster.down.add(self.cluster.broker.address)
        self.result(again.close())
