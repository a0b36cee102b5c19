"""Tests of pymq.broker.halfqueue."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.halfqueue import HalfQueue, prepare
from pymq.broker.topics import TopicConfigManager
from pymq.message.topics import HALF_TOPIC, OP_HALF_TOPIC
from pymq.testing.builders import NOW_MS, STORE_HOST, draft
from pymq.testing.documents import MemoryDocuments
from tests.broker.fixtures import broker_config, open_store, started_clock


class HalfQueueTests(SynchronousTestCase):
    """Over a store on a disk in memory."""

    def setUp(self) -> None:
        self.clock = started_clock()
        self.config = broker_config()
        self.store = open_store(self.clock)
        self.topics = TopicConfigManager(self.config, MemoryDocuments(), clock=self.clock)
        self.half_queue = HalfQueue(store=self.store, topics=self.topics, clock=self.clock, store_host=STORE_HOST)

    def test_topics_are_made_at_their_first_use(self) -> None:
        """One queue that may be read and written; a topic that nobody knows would lose its queues when somebody cleans up."""
        self.assertFalse(prepare(draft(), self.topics, self.config))
        self.assertIsNone(self.topics.get(HALF_TOPIC))
        self.assertTrue(prepare(draft(more={"TRAN_MSG": "true"}), self.topics, self.config))
        made = self.topics.get(HALF_TOPIC)
        assert made is not None
        self.assertEqual((made.read_queue_nums, made.write_queue_nums, made.perm), (1, 1, 6))
        self.assertIsNone(self.topics.get(OP_HALF_TOPIC))

    def test_a_message_is_read_and_ended(self) -> None:
        """The op message is stored at the broker's time."""
        message = draft(more={"TRAN_MSG": "true"})
        prepare(message, self.topics, self.config)
        self.assertTrue(self.half_queue.put(message).status.is_stored)
        half = self.half_queue.read(message.log_offset)
        assert half is not None
        self.assertEqual((half.topic, half.queue_offset), (HALF_TOPIC, 0))
        self.clock.advance(1)
        result = self.half_queue.end(half)
        op = self.half_queue.read(result.log_offset)
        assert op is not None
        self.assertEqual((op.topic, op.body, op.born_timestamp), (OP_HALF_TOPIC, b"0", NOW_MS + 1000))
        self.assertIsNotNone(self.topics.get(OP_HALF_TOPIC))

    def test_nothing_stands_there(self) -> None:
        """Before the log, behind it, and in the middle of a record."""
        self.store.put([draft(), draft()])
        for offset in (-1, 1, 40, 10**12):
            self.assertIsNone(self.half_queue.read(offset))
