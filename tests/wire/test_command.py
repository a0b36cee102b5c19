"""Commands: requests, responses, and what each takes from the other."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.codes import LanguageCode, RequestCode, ResponseCode
from pymq.wire.command import PROTOCOL_VERSION, RemotingCommand, SerializeType
from pymq.wire.headers.offsets import GetMaxOffsetRequestHeader, GetMaxOffsetResponseHeader


class RemotingCommandTests(SynchronousTestCase):
    """RemotingCommand."""

    def test_a_request_carries_its_header_as_text(self) -> None:
        """Code, fields and body; no flags; our language and version."""
        command = RemotingCommand.request(RequestCode.GET_MAX_OFFSET, GetMaxOffsetRequestHeader(topic="T", queue_id=3), b"x")
        self.assertEqual(
            (command.code, command.flag, command.ext_fields, command.body), (30, 0, {"topic": "T", "queueId": "3"}, b"x")
        )
        self.assertEqual((command.language, command.version), (LanguageCode.PYTHON, PROTOCOL_VERSION))
        self.assertFalse(command.is_response or command.is_oneway)

    def test_a_request_without_header_has_no_fields(self) -> None:
        """Null and empty are different on the wire."""
        self.assertIsNone(RemotingCommand.request(RequestCode.HEART_BEAT).ext_fields)

    def test_oneway_is_bit_one(self) -> None:
        """And no response."""
        command = RemotingCommand.request(15, oneway=True)
        self.assertEqual((command.flag, command.is_oneway, command.is_response), (2, True, False))

    def test_bit_zero_alone_makes_a_response(self) -> None:
        """Whatever the other bits are."""
        self.assertEqual([RemotingCommand(code=0, flag=flag).is_response for flag in range(4)], [False, True, False, True])

    def test_a_reply_mirrors_opaque_and_serialisation(self) -> None:
        """ali-ons reads JSON alone, so the kind of header must be the request's."""
        request = RemotingCommand(code=30, opaque=7, serialize_type=SerializeType.ROCKETMQ, version=317, language=LanguageCode.GO)
        reply = request.reply(header=GetMaxOffsetResponseHeader(offset=9), body=b"b", ext_fields={"TRACE_ON": "true"})
        self.assertEqual((reply.opaque, reply.flag, reply.code), (7, 1, ResponseCode.SUCCESS))
        self.assertEqual(reply.serialize_type, SerializeType.ROCKETMQ)
        self.assertEqual(reply.ext_fields, {"offset": "9", "TRACE_ON": "true"})
        self.assertEqual((reply.language, reply.version, reply.remark), (LanguageCode.PYTHON, 409, None))

    def test_a_bare_reply_has_no_fields(self) -> None:
        """Java leaves extFields out when there is no header."""
        reply = RemotingCommand(code=34).reply(ResponseCode.SYSTEM_ERROR, "why")
        self.assertEqual((reply.code, reply.remark, reply.ext_fields), (1, "why", None))

    def test_names_depend_on_the_direction(self) -> None:
        """The same number is a request's and a response's."""
        self.assertEqual(RemotingCommand(code=17).name, "UPDATE_AND_CREATE_TOPIC")
        self.assertEqual(RemotingCommand(code=17, flag=1).name, "TOPIC_NOT_EXIST")

    def test_repr_is_short(self) -> None:
        """A log line must not hold four megabytes of body."""
        text = repr(RemotingCommand(code=310, opaque=5, body=b"z" * 4_000_000, remark="r"))
        self.assertLess(len(text), 200)
        self.assertIn("SEND_MESSAGE_V2 opaque=5", text)
        self.assertIn("body[4000000]", text)
