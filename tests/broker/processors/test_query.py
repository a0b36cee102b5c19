"""Tests of pymq.broker.processors.query."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors import query
from pymq.broker.processors.query import QueryMessageProcessor
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.message.record import iter_records
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_MS
from tests.broker.processors.parts import Parts, send_header


class QueryMessageProcessorTests(SynchronousTestCase):
    """Messages by key and by place."""

    def setUp(self) -> None:
        """Three messages with keys, sent as a client does."""
        self.parts = Parts({"max_msgs_num_batch": 2, "default_query_max_num": 2})
        self.processor = QueryMessageProcessor(store_config=self.parts.store_config, store=self.parts.store)
        sends = self.parts.send_processor()
        for number, text in enumerate(("UNIQ_KEY\x01U0\x02KEYS\x01a b", "KEYS\x01b", "KEYS\x01b c")):
            header = send_header(properties=text)
            sends.process(self.parts.channel, RemotingCommand(310, 1, ext_fields=header.to_fields(), body=b"%d" % number))

    def query(self, key: str, **changes: Any) -> RemotingCommand:
        """Ask by key."""
        fields = {"topic": "T", "key": key, "maxNum": "64", "beginTimestamp": "0", "endTimestamp": str(NOW_MS + 1), **changes}
        return self.processor.process(self.parts.channel, RemotingCommand(12, 1, ext_fields=fields))

    def bodies(self, answer: RemotingCommand) -> list[bytes]:
        """The bodies of the messages in an answer."""
        return [message.raw_body for message in iter_records(answer.body)]

    def test_it_is_a_processor(self) -> None:
        """For the codes 12 and 33."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {12, 33})

    def test_by_each_key(self) -> None:
        """Words of KEYS and the unique key; how far the index goes is said too."""
        self.assertEqual(self.bodies(self.query("a")), [b"0"])
        answer = self.query("U0", _UNIQUE_KEY_QUERY="true")
        self.assertEqual(self.bodies(answer), [b"0"])
        self.assertEqual(answer.ext_fields["indexLastUpdateTimestamp"], str(NOW_MS))
        self.assertEqual(int(answer.ext_fields["indexLastUpdatePhyoffset"]), self.parts.stored()[2].log_offset)

    def test_count_is_bounded(self) -> None:
        """By the client's wish and by maxMsgsNumBatch; the client's own id asks for defaultQueryMaxNum whatever it says."""
        self.assertEqual(len(self.bodies(self.query("b"))), 2)
        self.assertEqual(len(self.bodies(self.query("b", maxNum="1"))), 1)
        for none in ("0", "-1"):
            self.assertEqual(self.query("b", maxNum=none).code, 22)
        self.assertEqual(len(self.bodies(self.query("b", maxNum="1", _UNIQUE_KEY_QUERY="true"))), 2)

    def test_nothing_found(self) -> None:
        """22: other topic, other key, other time."""
        for answer in (self.query("x"), self.query("a", topic="N"), self.query("a", endTimestamp="5")):
            self.assertEqual((answer.code, answer.body), (22, b""))
            self.assertIn("can not find message", answer.remark or "")

    def test_answer_stays_below_the_frame_limit(self) -> None:
        """The first message always comes."""
        self.patch(query, "ANSWER_BYTES_MAX", 10)
        self.assertEqual(len(self.bodies(self.query("b"))), 1)

    def test_by_place(self) -> None:
        """One record, or 1 with the offset."""
        second = self.parts.stored()[1]
        request = RemotingCommand(33, 1, ext_fields={"offset": str(second.log_offset)})
        self.assertEqual(self.bodies(self.processor.process(self.parts.channel, request)), [b"1"])
        for offset in (1, -1, 10**9):
            request = RemotingCommand(33, 1, ext_fields={"offset": str(offset)})
            error = self.assertRaises(RequestError, self.processor.process, self.parts.channel, request)
            self.assertEqual((error.code, error.remark), (1, f"can not find message by the offset, {offset}"))
