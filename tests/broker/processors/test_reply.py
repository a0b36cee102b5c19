"""Tests of pymq.broker.processors.reply."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.clients import ClientChannelInfo
from pymq.broker.processors.reply import ReplyMessageProcessor
from pymq.errors import RequestTimeout, StoreReadOnly
from pymq.interfaces import IRequestProcessor
from pymq.message.ids import offset_message_id
from pymq.message.properties import decode_properties
from pymq.testing.channels import FakeChannel
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import ReplyMessageRequestHeader
from tests.broker.fixtures import NOW_MS
from tests.broker.processors.parts import STORE_HOST, Parts, send_header

TOPIC = "DefaultCluster_REPLY_TOPIC"
PROPERTIES = "CORRELATION_ID\x01K1\x02REPLY_TO_CLIENT\x01asking\x02TTL\x013000\x02MSG_TYPE\x01reply"
REGION = {"MSG_REGION": "DefaultRegion", "TRACE_ON": "true"}


class ReplyCase(SynchronousTestCase):
    """A broker, and a producer that asked and waits for its reply."""

    def setUp(self) -> None:
        """Everything anew."""
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Serve from these parts."""
        self.parts = parts
        self.processor = ReplyMessageProcessor(
            config=parts.config, store=parts.store, topics=parts.topics, producers=parts.producers, stats=parts.stats,
            flusher=parts.flusher, clock=parts.clock, store_host=STORE_HOST, choose_queue=lambda count: 0,
        )  # fmt: skip
        self.asking = FakeChannel(("10.9.9.9", 5))
        self.asking.answers[326] = lambda request: request.reply()
        parts.producers.register("askers", ClientChannelInfo(self.asking, "asking", 0, 409))

    def start(self, code: int = 325, body: bytes = b"yes", **changes: Any) -> Any:
        """Send a reply; what the processor gives."""
        header = send_header(code == 325, **{"topic": TOPIC, "properties": PROPERTIES, **changes})
        request = RemotingCommand(code, 7, ext_fields=header.to_fields(), body=body, version=409)
        return self.processor.process(self.parts.channel, request)

    def reply(self, **changes: Any) -> RemotingCommand:
        """The answer, which must be there now."""
        outcome = self.start(**changes)
        answer: RemotingCommand = outcome if isinstance(outcome, RemotingCommand) else self.successResultOf(outcome)
        return answer


class PassedOnTests(ReplyCase):
    """Replies that reach the client that asked."""

    def test_it_is_a_processor(self) -> None:
        """Of 324 and 325."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {324, 325})

    def test_the_reply_is_pushed(self) -> None:
        """With V1's names, both hosts, and the time."""
        for code in (324, 325):
            self.assertEqual(self.reply(code=code, sys_flag=1, flag=3).code, 0)
            push, timeout_s = self.asking.requests.pop()
            header = ReplyMessageRequestHeader.from_fields(push.ext_fields)
            self.assertEqual((push.code, push.body, push.is_oneway, timeout_s), (326, b"yes", False, 10.0))
            self.assertEqual((header.born_host, header.store_host), ("10.1.2.3:40001", "10.0.0.9:10911"))
            self.assertEqual((header.topic, header.sys_flag, header.flag, header.store_timestamp), (TOPIC, 1, 3, NOW_MS))
            expected = {**decode_properties(PROPERTIES), "PUSH_REPLY_TIME": str(NOW_MS)}
            self.assertEqual(decode_properties(header.properties or ""), expected)

    def test_the_reply_is_stored_too(self) -> None:
        """As it was sent; the answer says where."""
        answer = self.reply(sys_flag=1 | 0x300 | 0x8, reconsume_times=None)
        (stored,) = self.parts.stored(TOPIC)
        self.assertEqual((stored.raw_body, stored.sys_flag), (b"yes", 0x301))
        self.assertEqual(stored.properties, decode_properties(PROPERTIES))
        fields = {"msgId": offset_message_id(STORE_HOST, 0), "queueId": "0", "queueOffset": "0", **REGION}
        self.assertEqual((answer.code, answer.opaque, answer.remark, answer.ext_fields), (0, 7, None, fields))

    def test_a_broker_that_stores_no_replies(self) -> None:
        """It says 0, for clients must be able to read the answer."""
        self.use(Parts(store_reply_message_enable=False))
        answer = self.reply(queue_id=-1)
        self.assertEqual((answer.code, answer.ext_fields), (0, {"msgId": "0", "queueId": "0", "queueOffset": "0", **REGION}))
        self.assertEqual(self.parts.stored(TOPIC), [])

    def test_nothing_is_answered_before_the_client_did(self) -> None:
        """The replier waits; when it goes away the reply stays stored, and is on its way."""
        self.asking.answers.clear()
        waiting = self.start()
        self.assertNoResult(waiting)
        self.assertEqual(len(self.parts.stored(TOPIC)), 1)
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.assertEqual(self.asking.waiting, [])

    def test_synchronous_flush(self) -> None:
        """The answer waits for the disk as well; a failure there is logged and changes nothing."""
        self.parts.flusher.sync = True
        for outcome in (True, False, StoreReadOnly("full")):
            waiting = self.start()
            self.assertNoResult(waiting)
            self.parts.flusher.finish(outcome)
            self.assertEqual(self.successResultOf(waiting).code, 0)
        self.assertEqual(self.reply(properties=PROPERTIES + "\x02WAIT\x01false").code, 0)


class RefusedTests(ReplyCase):
    """Replies that do not reach anybody; they are stored all the same."""

    def assert_failed(self, answer: RemotingCommand, remark: str) -> None:
        """Code 1, with the place of what was stored."""
        self.assertEqual((answer.code, answer.remark), (1, remark))
        self.assertEqual((answer.ext_fields or {})["msgId"], offset_message_id(STORE_HOST, 0))
        self.assertEqual(len(self.parts.stored(TOPIC)), 1)

    def test_nobody_is_named(self) -> None:
        """Without REPLY_TO_CLIENT."""
        self.assert_failed(self.reply(properties="A\x01b"), "reply message properties[REPLY_TO_CLIENT] is null")

    def test_nobody_of_that_name_is_there(self) -> None:
        """It is gone, or has sent no heartbeat."""
        self.parts.producers.channel_closed(self.asking)
        self.assert_failed(self.reply(), "push reply message fail, channel of <asking> not found.")

    def test_the_client_refuses(self) -> None:
        """Whatever its code."""
        self.asking.answers[326] = lambda request: request.reply(1, "process reply message fail")
        self.assert_failed(self.reply(), "push reply message to askingfail.")

    def test_the_client_does_not_answer(self) -> None:
        """For ten seconds."""
        self.asking.answers[326] = RequestTimeout("10.9.9.9:5", 326, 10)
        self.assert_failed(self.reply(), "push reply message to askingfail.")

    def test_neither_pushed_nor_stored(self) -> None:
        """There is no place to tell."""
        self.use(Parts(store_reply_message_enable=False))
        answer = self.reply(properties="")
        self.assertEqual((answer.code, answer.ext_fields), (1, REGION))

    def test_the_checks_of_all_sends(self) -> None:
        """Neither pushed nor stored."""
        answer = self.reply(topic="N", default_topic="none")
        self.assertEqual((answer.code, answer.ext_fields, self.asking.requests), (17, REGION, []))

    def test_the_store_takes_nothing(self) -> None:
        """Too large, or closed: the client gets its reply."""
        self.assertEqual(self.reply(properties=PROPERTIES + "\x02A\x01" + "x" * 40_000).ext_fields, {
            "msgId": "0", "queueId": "0", "queueOffset": "0", **REGION,
        })  # fmt: skip
        self.parts.store.close()
        self.assertEqual(self.reply().code, 0)
