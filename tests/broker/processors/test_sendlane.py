"""Tests of pymq.broker.processors.sendlane: turns. What it answers and stores is tested in test_lanes_equal."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors import sendlane
from pymq.errors import StoreReadOnly
from pymq.testing.channels import FakeChannel
from pymq.wire import header_json
from pymq.wire.bodies.topics import TopicConfig
from pymq.wire.command import RemotingCommand
from tests.broker.processors.parts import Parts, send_header


class RecordingStore:
    """Remembers how many drafts each put had, and may fail."""

    def __init__(self, store: Any) -> None:
        self.puts: list[int] = []
        self.error: Exception | None = None
        self._store = store

    def put(self, drafts: list[Any]) -> Any:
        """Remember, fail or store."""
        self.puts.append(len(drafts))
        if self.error is not None:
            raise self.error
        return self._store.put(drafts)


class SendLaneTests(SynchronousTestCase):
    """Plain sends, many at a time."""

    def setUp(self) -> None:
        """A lane over a store that remembers its puts."""
        self.parts = Parts()
        self.store = self.parts.store = RecordingStore(self.parts.store)
        self.lane = self.parts.send_lane()
        self.addCleanup(lambda: self.assertEqual(self.parts.clock.getDelayedCalls(), []))

    def send(self, channel: FakeChannel, opaque: int = 1, body: bytes = b"hello", **changes: Any) -> bool:
        """Offer one message; whether the lane took it."""
        command = RemotingCommand(310, opaque, ext_fields=send_header(**changes).to_fields())
        return self.lane.take(channel, 0, header_json.encode(command), body)

    def end_turn(self) -> None:
        """Let the reactor go round once."""
        self.parts.clock.advance(0)

    def test_a_lone_message_is_answered_at_once(self) -> None:
        """Where one sender has one message in flight, there is nobody to wait for; with company, turns are taken again."""
        channel = FakeChannel()
        self.send(channel, 1)
        self.end_turn()
        self.parts.clock.advance(2 * sendlane.LONE_S)
        self.send(channel, 2)
        self.assertEqual(self.store.puts, [1, 1])
        self.send(channel, 3)
        self.send(channel, 4)
        self.assertEqual(len(self.store.puts), 2)
        self.end_turn()
        self.assertEqual(self.store.puts, [1, 1, 2])

    def test_one_put_and_one_write_for_each_channel(self) -> None:
        """All sends of a turn go into the log together."""
        one, two = FakeChannel(), FakeChannel(("10.1.2.4", 5))
        for opaque in range(3):
            self.assertTrue(self.send(one, opaque))
            self.assertTrue(self.send(two, opaque + 10))
        self.assertEqual((self.store.puts, one.written), ([], []))
        self.end_turn()
        self.assertEqual((self.store.puts, len(one.written), len(two.written)), ([6], 1, 1))
        self.assertEqual([answer.opaque for answer in one.written_commands()], [0, 1, 2])
        self.assertEqual([answer.ext_fields["queueOffset"] for answer in two.written_commands()], ["1", "3", "5"])

    def test_turn_is_finished_before_other_requests(self) -> None:
        """By whoever serves them; the reactor's own call finds nothing then, and the next turn begins anew."""
        channel = FakeChannel()
        self.send(channel)
        self.lane.finish_turn()
        self.lane.finish_turn()
        self.send(channel)
        self.assertEqual(self.store.puts, [1])
        self.end_turn()
        self.assertEqual((self.store.puts, len(channel.written)), ([1, 1], 2))
        self.send(channel)
        self.end_turn()
        self.assertEqual(self.store.puts, [1, 1, 1])

    def test_full_turn_is_finished_at_once(self) -> None:
        """By number or by bytes."""
        self.patch(sendlane, "TURN_MESSAGES_MAX", 3)
        channel = FakeChannel()
        for _ in range(4):
            self.send(channel)
        self.assertEqual(self.store.puts, [3])
        self.end_turn()
        self.patch(sendlane, "TURN_BYTES_MAX", 100)
        for _ in range(2):
            self.send(channel, body=b"x" * 50)
        self.assertEqual(self.store.puts, [3, 1, 2])
        self.end_turn()

    def test_refused_frame_leaves_nothing_behind(self) -> None:
        """Neither a draft nor a turn."""
        self.assertFalse(self.send(FakeChannel(), topic="NONE"))
        self.assertFalse(self.lane.take(FakeChannel(), 0, b'{"code":310,', b""))
        self.assertFalse(self.lane.take(FakeChannel(), 1, b"\x01\x36", b""))
        self.assertEqual(self.parts.clock.getDelayedCalls(), [])

    def test_topic_that_is_being_saved(self) -> None:
        """Its messages go the general way, which waits; afterwards the lane takes them."""
        self.parts.topics.update(TopicConfig("N"))
        self.assertFalse(self.send(FakeChannel(), topic="N"))
        self.assertTrue(self.send(FakeChannel()))
        self.parts.topics.save()
        self.assertTrue(self.send(FakeChannel(), topic="N"))
        self.end_turn()

    def test_one_flush_for_a_turn(self) -> None:
        """SYNC_FLUSH: all wait for the end of the last record."""
        self.parts.flusher.sync = True
        channel = FakeChannel()
        for opaque in range(3):
            self.send(channel, opaque)
        self.end_turn()
        self.assertEqual([offset for offset, _ in self.parts.flusher.waiting], [self.store._store.describe()["log_max_offset"]])
        self.assertEqual(channel.written, [])
        self.parts.flusher.finish()
        self.assertEqual(len(channel.written), 1)
        self.assertEqual([answer.code for answer in channel.written_commands()], [0, 0, 0])

    def test_flush_failures(self) -> None:
        """A late disk answers 10 with the place, a broken one 14."""
        self.parts.flusher.sync = True
        for outcome, code in ((False, 10), (StoreReadOnly("input/output error"), 14)):
            channel = FakeChannel()
            self.send(channel)
            self.end_turn()
            self.parts.flusher.finish(outcome)
            answers = channel.written_commands() + channel.sent
            self.assertEqual([answer.code for answer in answers], [code])

    def test_mistake_of_the_flusher_is_logged(self) -> None:
        """It is nobody's answer."""
        self.parts.flusher.sync = True
        self.send(FakeChannel())
        self.end_turn()
        self.parts.flusher.finish(ValueError("mistake"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_mistake_of_the_store_is_answered(self) -> None:
        """Every sender of the turn is told, and the next turn is tried."""
        channel = FakeChannel()
        self.store.error = ValueError("mistake")
        self.send(channel, 5)
        self.send(channel, 6)
        self.end_turn()
        self.assertEqual([(answer.code, answer.opaque) for answer in channel.sent], [(1, 5), (1, 6)])
        self.assertEqual(channel.sent[0].remark, "ValueError: mistake")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.store.error = None
        self.send(channel)
        self.end_turn()
        self.assertEqual(len(channel.written), 1)

    def test_trace_switch_changes_the_answers(self) -> None:
        """It may change while the broker runs."""
        channel = FakeChannel()
        self.send(channel)
        self.end_turn()
        object.__setattr__(self.parts.config, "trace_on", False)
        self.send(channel)
        self.end_turn()
        self.assertEqual([answer.ext_fields["TRACE_ON"] for answer in channel.written_commands()], ["true", "false"])

    def test_a_turn_that_waited_too_long_is_refused(self) -> None:
        """Nothing of it is stored; who wants no answer gets none. The next turn is served."""
        channel = FakeChannel()
        self.parts.fast_failure.tick()
        self.send(channel, 5)
        self.send(channel, 6)
        self.lane.take(channel, 0, header_json.encode(RemotingCommand(310, 7, 2, ext_fields=send_header().to_fields())), b"x")
        self.parts.clock.advance(0.25)
        self.assertEqual((self.store.puts, [(answer.code, answer.opaque) for answer in channel.sent]), ([], [(2, 5), (2, 6)]))
        self.assertIn("[TIMEOUT_CLEAN_QUEUE]", channel.sent[0].remark)
        self.assertIn("period in queue: 250ms, size of queue: 3, waitTimeMillsInSendQueue: 200ms", channel.sent[0].remark)
        self.parts.fast_failure.tick()
        self.end_turn()
        self.send(channel)
        self.end_turn()
        self.assertEqual(self.store.puts, [1])

    def test_a_turn_that_was_read_late_is_refused(self) -> None:
        """Although it is handled at once, and the reactor has come round by then; a lone message too."""
        channel = FakeChannel()
        self.send(channel, 1)
        self.end_turn()
        self.parts.fast_failure.tick()
        for lone in (True, False):
            self.parts.clock.advance(0.5)
            self.send(channel, 2)
            self.parts.fast_failure.tick()
            self.end_turn()
            self.assertEqual(self.store.puts, [1], lone)
            self.lane._was_lone = False
        self.assertEqual([answer.code for answer in channel.sent], [2, 2])

    def test_a_slow_append_refuses_what_came_meanwhile(self) -> None:
        """And answers its own messages, which are stored."""
        channel, put = FakeChannel(), self.store.put

        def slow_put(drafts: list[Any]) -> Any:
            self.parts.clock.rightNow += 1.5
            return put(drafts)

        self.store.put = slow_put  # type: ignore[method-assign]
        self.parts.fast_failure.tick()
        self.send(channel, 1)
        self.end_turn()
        self.send(channel, 2)
        self.end_turn()
        self.assertEqual(([answer.code for answer in channel.written_commands()], self.store.puts), ([0], [1]))
        self.assertEqual(channel.sent[0].code, 2)
        self.assertIn("[PCBUSY_CLEAN_QUEUE]", channel.sent[0].remark)

    def test_so_many_may_wait_for_the_disk(self) -> None:
        """SYNC_FLUSH: a turn beyond them is refused, and the next is taken when they are answered, however that ends."""
        object.__setattr__(self.parts.config, "send_thread_pool_queue_capacity", 2)
        self.parts.flusher.sync = True
        for outcome in (True, False, StoreReadOnly("input/output error")):
            channel = FakeChannel()
            self.send(channel, 1)
            self.send(channel, 2)
            self.end_turn()
            self.send(channel, 3)
            self.end_turn()
            self.assertEqual([(answer.code, answer.opaque) for answer in channel.sent], [(2, 3)])
            self.assertIn("[OVERLOAD]system busy", channel.sent[0].remark)
            self.assertEqual(self.parts.fast_failure.sends_waiting, 2)
            self.parts.flusher.finish(outcome)
            self.assertEqual(self.parts.fast_failure.sends_waiting, 0)
        self.assertEqual(self.store.puts, [2, 2, 2])
