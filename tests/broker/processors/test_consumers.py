"""Tests of pymq.broker.processors.consumers."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.consumers import ConsumerManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.consumers import ConsumerManageProcessor
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.testing.channels import FakeChannel
from pymq.testing.documents import MemoryDocuments
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import GetConsumerListByGroupRequestHeader
from pymq.wire.headers.offsets import QueryConsumerOffsetRequestHeader, UpdateConsumerOffsetRequestHeader
from tests.broker.fixtures import draft, member, open_store, started_clock, subscribe


class ConsumerManageProcessorTests(SynchronousTestCase):
    """Codes 38, 14 and 15."""

    def setUp(self) -> None:
        """An empty store, no consumers, no offsets."""
        self.clock = started_clock()
        self.store = open_store(self.clock)
        self.consumers = ConsumerManager(clock=self.clock, on_members_changed=lambda group, channels: None)
        self.offsets = ConsumerOffsetManager(MemoryDocuments())
        self.processor = ConsumerManageProcessor(consumers=self.consumers, offsets=self.offsets, store=self.store)

    def ask(self, code: int, header: object) -> RemotingCommand:
        """What a request is answered."""
        return self.processor.process(FakeChannel(), RemotingCommand.request(code, header))

    def query(self, **fields: object) -> RemotingCommand:
        """What QUERY_CONSUMER_OFFSET is answered."""
        header = QueryConsumerOffsetRequestHeader(consumer_group="g", topic="T", queue_id=0, **fields)
        return self.ask(RequestCode.QUERY_CONSUMER_OFFSET, header)

    def update(self, offset: int) -> RemotingCommand:
        """What UPDATE_CONSUMER_OFFSET is answered."""
        header = UpdateConsumerOffsetRequestHeader(consumer_group="g", topic="T", queue_id=0, commit_offset=offset)
        return self.ask(RequestCode.UPDATE_CONSUMER_OFFSET, header)

    def test_it_is_a_processor(self) -> None:
        """Of three codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {38, 14, 15})

    def test_list_has_every_member(self) -> None:
        """As compact JSON, which every client reads."""
        for name in ("b@2", "a@1"):
            self.consumers.register("g", member(name), "CONSUME_PASSIVELY", "CLUSTERING", "", [subscribe()], False)
        answer = self.ask(RequestCode.GET_CONSUMER_LIST_BY_GROUP, GetConsumerListByGroupRequestHeader(consumer_group="g"))
        self.assertEqual((answer.code, answer.body), (0, b'{"consumerIdList":["b@2","a@1"]}'))
        self.assertEqual(json.loads(answer.body), {"consumerIdList": ["b@2", "a@1"]})

    def test_list_of_an_unknown_group_is_an_error(self) -> None:
        """Clients take it for an empty group."""
        header = GetConsumerListByGroupRequestHeader(consumer_group="g")
        error = self.assertRaises(RequestError, self.ask, RequestCode.GET_CONSUMER_LIST_BY_GROUP, header)
        self.assertEqual((error.code, error.remark), (1, "no consumer for this group, g"))

    def test_stored_offset_is_answered(self) -> None:
        """Also 0."""
        for offset in (7, 0):
            self.update(offset)
            answer = self.query()
            self.assertEqual((answer.code, answer.ext_fields), (0, {"offset": str(offset)}))

    def test_new_group_begins_at_zero_in_an_empty_queue(self) -> None:
        """An unknown one, too."""
        self.assertEqual(self.query().ext_fields, {"offset": "0"})

    def test_new_group_begins_at_zero_in_a_young_queue(self) -> None:
        """Its first message is still in memory; the C++ client would begin at the end otherwise."""
        self.store.put([draft() for _ in range(5)])
        self.assertEqual(self.query().ext_fields, {"offset": "0"})

    def test_new_group_in_an_old_queue_must_decide_by_itself(self) -> None:
        """When the first messages are far behind, 22 makes the client look at its consumeFromWhere."""
        store = open_store(self.clock, access_message_in_memory_max_ratio=0)
        processor = ConsumerManageProcessor(consumers=self.consumers, offsets=self.offsets, store=store)
        store.put([draft() for _ in range(5)])
        self.processor = processor
        error = self.assertRaises(RequestError, self.query)
        self.assertEqual((error.code, error.remark), (22, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"))

    def test_new_group_can_refuse_zero(self) -> None:
        """5.x's setZeroIfNotFound=false; true is the same as not said."""
        self.assertEqual(self.assertRaises(RequestError, self.query, set_zero_if_not_found=False).code, 22)
        self.assertEqual(self.query(set_zero_if_not_found=True).ext_fields, {"offset": "0"})

    def test_update_is_remembered(self) -> None:
        """And answered: Go and ali-ons do not send it one-way."""
        answer = self.update(5)
        self.assertEqual((answer.code, answer.ext_fields, self.offsets.query("g", "T", 0)), (0, None, 5))

    def test_update_of_no_offset_is_ignored(self) -> None:
        """ali-ons sends -1."""
        self.update(5)
        self.assertEqual(self.update(-1).code, 0)
        self.assertEqual((self.offsets.query("g", "T", 0), self.offsets.negative_count), (5, 1))

    def test_missing_field_is_named(self) -> None:
        """In the remark."""
        request = RemotingCommand(code=RequestCode.UPDATE_CONSUMER_OFFSET, ext_fields={"consumerGroup": "g", "topic": "T"})
        error = self.assertRaises(RequestError, self.processor.process, FakeChannel(), request)
        self.assertEqual(error.code, 1)
        self.assertIn("queueId", error.remark)


class OldQueueTests(SynchronousTestCase):
    """A queue whose first messages are gone."""

    def test_new_group_must_decide_by_itself(self) -> None:
        """There is no offset 0 to begin at."""

        class ShortenedStore:
            """A store whose queues begin at 3."""

            def min_offset(self, topic: str, queue_id: int) -> int:
                """Where they begin."""
                return 3

        consumers = ConsumerManager(clock=started_clock(), on_members_changed=lambda group, channels: None)
        processor = ConsumerManageProcessor(
            consumers=consumers, offsets=ConsumerOffsetManager(MemoryDocuments()), store=ShortenedStore()
        )
        header = QueryConsumerOffsetRequestHeader(consumer_group="g", topic="T", queue_id=0)
        request = RemotingCommand.request(RequestCode.QUERY_CONSUMER_OFFSET, header)
        self.assertEqual(self.assertRaises(RequestError, processor.process, FakeChannel(), request).code, 22)
