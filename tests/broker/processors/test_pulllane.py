"""Tests of pymq.broker.processors.pulllane: how it writes. What it answers is tested in test_lanes_equal."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.testing.channels import FakeChannel
from pymq.wire import header_json
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import draft
from tests.broker.processors.parts import Parts, pull_header


class PartsChannel(FakeChannel):
    """Keeps the very objects that were written."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Any] = []

    def write_parts(self, parts: Any) -> None:
        """Keep them."""
        self.parts += parts


class PullLaneTests(SynchronousTestCase):
    """Plain pulls."""

    def setUp(self) -> None:
        """A lane over two messages, and a known group."""
        self.parts = Parts()
        self.parts.store.put([draft(body=b"1"), draft(body=b"2")])
        self.parts.groups.find("G")
        self.lane = self.parts.pull_lane()
        self.channel = PartsChannel()

    def pull(self, **changes: Any) -> bool:
        """Offer one pull; whether the lane took it."""
        header = header_json.encode(RemotingCommand(11, 3, ext_fields=pull_header(**changes).to_fields()))
        return self.lane.take(self.channel, 0, header, b"")

    def test_records_are_written_as_they_lie(self) -> None:
        """One part for the head and one for each record, none of them copied."""
        self.assertTrue(self.pull())
        head, *records = self.channel.parts
        stored = self.parts.store.get("T", 0, 0, 32, None).records
        self.assertIsInstance(head, bytes)
        self.assertEqual([type(record) for record in records], [memoryview, memoryview])
        self.assertEqual([record.obj is one.obj for record, one in zip(records, stored)], [True, True])

    def test_nothing_found_leaves_nothing_behind(self) -> None:
        """No answer, no offset, no count: the general path does it all."""
        self.assertFalse(self.pull(queue_offset=2, sys_flag=7, commit_offset=1))
        self.assertFalse(self.pull(consumer_group="NEW"))
        self.assertEqual((self.channel.parts, dict(self.parts.offsets.table), self.parts.holds.count), ([], {}, 0))
        self.assertEqual((self.parts.stats.store.found_times, self.parts.stats.store.miss_times), (0, 0))
        self.assertIsNone(self.parts.groups.get("NEW"))

    def test_a_pull_that_came_late_is_for_the_general_path(self) -> None:
        """Which refuses it."""
        self.parts.fast_failure.tick()
        self.parts.clock.advance(5)
        self.assertTrue(self.pull())
        self.parts.clock.advance(0.1)
        self.assertFalse(self.pull())
        self.parts.fast_failure.tick()
        self.parts.clock.advance(0)
        self.assertTrue(self.pull())

    def test_how_far_behind_a_group_is(self) -> None:
        """Is noted for each queue: bytes to the log's end, and the age of the last message given."""
        self.parts.clock.advance(3)
        self.assertTrue(self.pull(max_msg_nums=1))
        stats, size_bytes = self.parts.stats, self.parts.store.describe()["log_max_offset"]
        self.assertEqual((stats.fall_size.item("0@T@G").value, stats.fall_time.item("0@T@G").value), (size_bytes, 3000))
        self.assertTrue(self.pull(queue_offset=1))
        self.assertEqual(stats.fall_size.item("0@T@G").value, size_bytes // 2)
