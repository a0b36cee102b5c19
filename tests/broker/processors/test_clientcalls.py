"""Tests of pymq.broker.processors.clientcalls."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.clients import ClientChannelInfo
from pymq.broker.processors.clientcalls import CLIENT_CALL_TIMEOUT_S, ClientCallProcessor
from pymq.errors import RequestError, RequestTimeout, TooManyRequests
from pymq.interfaces import IRequestProcessor
from pymq.message.ids import offset_message_id
from pymq.message.record import decode_record
from pymq.testing.channels import FakeChannel
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand, SerializeType
from tests.broker.fixtures import draft, subscribe
from tests.broker.processors.parts import STORE_HOST, Parts

FIELDS = {"consumerGroup": "g", "clientId": "c", "jstackEnable": "false"}


class ClientCallProcessorTests(SynchronousTestCase):
    """Codes 307 and 309."""

    def setUp(self) -> None:
        """One consumer, on `client`; a tool asks."""
        parts = Parts()
        self.store, self.consumers = parts.store, parts.consumers
        self.processor = ClientCallProcessor(config=parts.config, store=parts.store, consumers=parts.consumers)
        self.client = FakeChannel()
        self.register(409)
        self.request = RemotingCommand(
            code=RequestCode.GET_CONSUMER_RUNNING_INFO, opaque=77, ext_fields=FIELDS, serialize_type=SerializeType.ROCKETMQ
        )

    def register(self, version: int) -> None:
        """The consumer's heartbeat."""
        info = ClientChannelInfo(self.client, "c", 0, version)
        self.consumers.register("g", info, "CONSUME_PASSIVELY", "CLUSTERING", "", [subscribe()], False)

    def ask(self) -> object:
        """The Deferred of the answer."""
        return self.processor.process(FakeChannel(), self.request)

    def test_it_is_a_processor(self) -> None:
        """Of two codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {307, 309})

    def test_question_and_answer_are_passed_on_word_for_word(self) -> None:
        """Fields and body to the consumer; code, remark, fields and body back, under the tool's opaque and kind of header."""
        self.client.answers[307] = lambda request: request.reply(5, "busy", body=b'{"properties":{}}', ext_fields={"a": "b"})
        answer = self.successResultOf(self.ask())
        ((passed_on, timeout_s),) = self.client.requests
        self.assertEqual((passed_on.ext_fields, passed_on.body, timeout_s), (FIELDS, b"", CLIENT_CALL_TIMEOUT_S))
        self.assertEqual(
            (answer.code, answer.remark, answer.body, answer.ext_fields), (5, "busy", b'{"properties":{}}', {"a": "b"})
        )
        self.assertEqual((answer.opaque, answer.serialize_type, answer.is_response), (77, SerializeType.ROCKETMQ, True))

    def test_consumer_that_is_not_there(self) -> None:
        """Neither the group nor the client."""
        for fields in ({**FIELDS, "consumerGroup": "x"}, {**FIELDS, "clientId": "x"}):
            self.request = RemotingCommand(code=307, ext_fields=fields)
            error = self.assertRaises(RequestError, self.ask)
            self.assertEqual(error.code, 1)
            self.assertIn("not online", error.remark)

    def test_consumer_that_is_too_old(self) -> None:
        """It would not know the question; V3_1_8_SNAPSHOT would."""
        self.register(61)
        self.assertIn("too low", self.assertRaises(RequestError, self.ask).remark)
        self.register(62)
        self.assertNoResult(self.ask())

    def test_consumer_that_does_not_answer(self) -> None:
        """ali-ons never does: 207 after ten seconds."""
        self.client.answers[307] = RequestTimeout("10.1.2.3:40001", 307, 10)
        failure = self.failureResultOf(self.ask(), RequestError)
        self.assertEqual(failure.value.code, 207)
        self.assertIn("<g> <c> Timeout", failure.value.remark)

    def test_consumer_that_cannot_be_asked(self) -> None:
        """It goes away, or too much was asked already."""
        asked = self.ask()
        self.client.lose()
        self.assertEqual(self.failureResultOf(asked, RequestError).value.code, 1)
        self.client = FakeChannel()
        self.consumers.unregister("g", self.client)
        self.setUp()
        self.client.answers[307] = TooManyRequests("too many")
        self.assertIn("too many", self.failureResultOf(self.ask(), RequestError).value.remark)

    def test_tool_that_goes_away_gives_the_question_up(self) -> None:
        """The dispatcher cancels the Deferred; the consumer's channel waits no more."""
        asked = self.ask()
        asked.cancel()
        self.assertEqual(self.client.waiting, [])
        self.failureResultOf(asked, CancelledError)

    def consume_directly(self, msg_id: str | None) -> None:
        """The next question is 309."""
        fields = {"consumerGroup": "g", "clientId": "c", **({"msgId": msg_id} if msg_id else {})}
        self.request = RemotingCommand(code=RequestCode.CONSUME_MESSAGE_DIRECTLY, opaque=78, ext_fields=fields)

    def test_message_to_be_consumed_goes_along(self) -> None:
        """As it is stored, and with the name of the broker."""
        (result,) = self.store.put([draft(body=b"look at me")])
        self.consume_directly(offset_message_id(STORE_HOST, result.log_offset))
        self.client.answers[309] = lambda request: request.reply(0, None, body=b'{"consumeResult":"CR_SUCCESS"}')
        answer = self.successResultOf(self.ask())
        ((passed_on, timeout_s),) = self.client.requests
        self.assertEqual(passed_on.ext_fields, {**(self.request.ext_fields or {}), "brokerName": "broker-a"})
        self.assertEqual((decode_record(passed_on.body).body, timeout_s), (b"look at me", CLIENT_CALL_TIMEOUT_S))
        self.assertEqual((answer.code, answer.opaque, answer.body), (0, 78, b'{"consumeResult":"CR_SUCCESS"}'))

    def test_message_that_is_not_there(self) -> None:
        """No id, no hex, no such place: the consumer is not asked."""
        for msg_id in (None, "xyz", offset_message_id(STORE_HOST, 4711), offset_message_id(STORE_HOST, -1)):
            self.consume_directly(msg_id)
            self.assertEqual(self.assertRaises(RequestError, self.ask).code, 1)
        self.assertEqual(self.client.requests, [])

    def test_message_for_nobody(self) -> None:
        """Without a client id nobody is meant."""
        (result,) = self.store.put([draft()])
        fields = {"consumerGroup": "g", "msgId": offset_message_id(STORE_HOST, result.log_offset)}
        self.request = RemotingCommand(code=309, ext_fields=fields)
        self.assertIn("<g> <> not online", self.assertRaises(RequestError, self.ask).remark)
