"""Shares of queues are those of Java's strategies."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.client.allocate import (
    AllocateAverage,
    AllocateAverageByCircle,
    AllocateByConfig,
    AllocateByConsistentHash,
    AllocateByMachineRoom,
    allocator_of,
)
from pymq.errors import ConfigError
from pymq.interfaces import IQueueAllocator
from tests.client.cases import queue

counts = st.integers(0, 40), st.integers(1, 12)


def shares(allocator: Any, queue_count: int, member_count: int) -> list[list[int]]:
    """Each member's share of numbered queues."""
    members = [f"c{n:02d}" for n in range(member_count)]
    return [allocator.allocate("g", me, list(range(queue_count)), members) for me in members]


def java_average(queue_count: int, member_count: int) -> list[list[int]]:
    """The arithmetic of AllocateMessageQueueAveragely, step by step."""
    result = []
    for index in range(member_count):
        mod = queue_count % member_count
        if queue_count <= member_count:
            average = 1
        else:
            average = queue_count // member_count + (1 if mod > 0 and index < mod else 0)
        start = index * average if mod > 0 and index < mod else index * average + mod
        result.append([start + i for i in range(max(0, min(average, queue_count - start)))])
    return result


class AllocateTests(SynchronousTestCase):
    """The strategies one by one."""

    @given(*counts)
    def test_average_is_java_s(self, queue_count: int, member_count: int) -> None:
        """Runs of neighbours, the first members one more."""
        self.assertEqual(shares(AllocateAverage(), queue_count, member_count), java_average(queue_count, member_count))

    def test_average_by_example(self) -> None:
        """Eight queues for three members."""
        self.assertEqual(shares(AllocateAverage(), 8, 3), [[0, 1, 2], [3, 4, 5], [6, 7]])

    def test_circle_by_example(self) -> None:
        """Dealt out one by one."""
        self.assertEqual(shares(AllocateAverageByCircle(), 8, 3), [[0, 3, 6], [1, 4, 7], [2, 5]])

    @given(*counts)
    def test_every_queue_has_one_owner(self, queue_count: int, member_count: int) -> None:
        """Nothing is lost and nothing is owned twice."""
        for allocator in (AllocateAverage(), AllocateAverageByCircle()):
            owned = [one for share in shares(allocator, queue_count, member_count) for one in share]
            self.assertEqual(sorted(owned), list(range(queue_count)))

    def test_a_stranger_gets_nothing(self) -> None:
        """Who is not among the consumers has no share (Java: check)."""
        queues = [queue(n) for n in range(4)]
        for allocator in (AllocateAverage(), AllocateAverageByCircle(), AllocateByConsistentHash(), AllocateByMachineRoom([])):
            self.assertEqual(allocator.allocate("g", "me", queues, ["other"]), [])

    def test_config_gives_what_it_was_given(self) -> None:
        """Whoever else is there."""
        allocator = AllocateByConfig([queue(3)])
        self.assertEqual(allocator.allocate("g", "me", [queue(0)], ["me"]), [queue(3)])

    def test_machine_room_takes_near_brokers_only(self) -> None:
        """`ROOM@broker` names; the rest goes to the first members, one each."""
        near = [queue(n, broker_name="east@a") for n in range(5)]
        far = [queue(n, broker_name="west@a") for n in range(5)] + [queue(0, broker_name="east")]
        allocator = AllocateByMachineRoom(["east"])
        self.assertEqual(allocator.allocate("g", "c0", near + far, ["c0", "c1"]), [near[0], near[1], near[4]])
        self.assertEqual(allocator.allocate("g", "c1", near + far, ["c0", "c1"]), [near[2], near[3]])

    def test_consistent_hash_goes_round_the_ring(self) -> None:
        """The next point at or after the queue's hash, else the first, with Java's texts and hash."""

        def ring_hash(text: str) -> int:
            return int(hashlib.md5(text.encode()).hexdigest()[:8], 16)

        members, queues = ["c0", "c1", "c2"], [queue(n) for n in range(16)]
        points = sorted((ring_hash(f"{member}-{n}"), member) for member in members for n in range(10))
        expected: dict[str, list[Any]] = {member: [] for member in members}
        for one in queues:
            place = ring_hash(f"MessageQueue [topic={one.topic}, brokerName={one.broker_name}, queueId={one.queue_id}]")
            expected[next((member for point, member in points if point >= place), points[0][1])].append(one)
        for member in members:
            self.assertEqual(AllocateByConsistentHash().allocate("g", member, queues, members), expected[member])

    def test_all_are_allocators(self) -> None:
        """Each provides the interface."""
        for allocator in (
            AllocateAverage(),
            AllocateAverageByCircle(),
            AllocateByConfig([]),
            AllocateByMachineRoom([]),
            AllocateByConsistentHash(),
        ):
            self.assertTrue(verifyObject(IQueueAllocator, allocator))
            self.assertIs(allocator_of(allocator), allocator)

    def test_strategies_by_name(self) -> None:
        """Java's names; an unknown one is refused with the known ones."""
        self.assertEqual(allocator_of("AVG_BY_CIRCLE").name, "AVG_BY_CIRCLE")
        for nonsense in ("AVERAGE", 7):
            self.assertIn("AVG", str(self.assertRaises(ConfigError, allocator_of, nonsense)))
