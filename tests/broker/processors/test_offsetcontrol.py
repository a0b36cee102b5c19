"""Tests of pymq.broker.processors.offsetcontrol."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.clients import ClientChannelInfo
from pymq.broker.processors.offsetcontrol import STATUS_TIMEOUT_S, OffsetControlProcessor
from pymq.errors import RequestError, RequestTimeout
from pymq.interfaces import IRequestProcessor
from pymq.testing.channels import FakeChannel
from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue, by_queue, queue_key
from pymq.wire.bodies.offsets import ResetOffsetBody
from pymq.wire.codes import LanguageCode
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_MS, draft, subscribe
from tests.broker.processors.parts import Parts

GROUP = "G"


class ControlCase(SynchronousTestCase):
    """A topic of two queues; queue 0 has three messages, stored a second apart, of which the group has consumed two."""

    def setUp(self) -> None:
        """Everything anew."""
        self.parts = parts = Parts()
        self.processor = OffsetControlProcessor(
            config=parts.config, store=parts.store, topics=parts.topics, consumers=parts.consumers, offsets=parts.offsets
        )
        parts.make_topic("T", read_queue_nums=2, write_queue_nums=2)
        for _ in range(3):
            parts.store.put([draft()])
            parts.clock.advance(1)
        parts.offsets.commit(GROUP, "T", 0, 2)
        parts.offsets.commit(GROUP, "T", 1, 0)

    def join(self, client_id: str, language: int = LanguageCode.JAVA, version: int = 409, group: str = GROUP) -> FakeChannel:
        """A member's heartbeat; its channel."""
        channel = FakeChannel()
        info = ClientChannelInfo(channel, client_id, language, version)
        self.parts.consumers.register(group, info, "CONSUME_PASSIVELY", "CLUSTERING", "", [subscribe()], False)
        return channel

    def ask(self, code: int, language: int = LanguageCode.JAVA, **fields: Any) -> Any:
        """What the processor gives."""
        request = RemotingCommand(code, 9, ext_fields={name: str(value) for name, value in fields.items()}, language=language)
        return self.processor.process(FakeChannel(), request)

    def refusal(self, code: int, **fields: Any) -> tuple[int, str]:
        """Code and remark."""
        error = self.assertRaises(RequestError, self.ask, code, **fields)
        return error.code, error.remark or ""


class ResetTests(ControlCase):
    """INVOKE_BROKER_TO_RESET_OFFSET (222)."""

    def reset(self, timestamp: int, force: bool = True, **changes: Any) -> list[int]:
        """The offsets by queue id in the answer."""
        fields = {"topic": "T", "group": GROUP, "timestamp": timestamp, "isForce": str(force).lower(), **changes}
        answer = self.ask(222, **fields)
        table = by_queue(javajson.decode_as(answer.body, ResetOffsetBody).offset_table)
        return [table[MessageQueue("T", "broker-a", queue_id)] for queue_id in (0, 1)]

    def test_it_is_a_processor(self) -> None:
        """Of three codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {222, 223, 314})

    def test_by_time(self) -> None:
        """The message stored at that time, and the end of a queue without any."""
        self.join("c1")
        self.assertEqual(self.reset(NOW_MS + 1000), [1, 0])
        self.assertEqual(self.reset(0), [0, 0])

    def test_to_the_end(self) -> None:
        """-1 skips everything; without force nothing is skipped."""
        self.join("c1")
        self.assertEqual(self.reset(-1), [3, 0])
        self.assertEqual(self.reset(-1, force=False), [2, 0])
        self.assertEqual(self.reset(0, force=False), [0, 0])

    def test_members_are_told(self) -> None:
        """All of them, without an answer; what is committed stays until they commit."""
        channels = [self.join("c1"), self.join("c2", LanguageCode.PYTHON)]
        self.reset(0)
        for channel in channels:
            (told,) = channel.sent
            self.assertEqual((told.code, told.is_oneway), (220, True))
            self.assertEqual(told.ext_fields, {"topic": "T", "group": GROUP, "timestamp": "0", "isForce": "false"})
            self.assertEqual(
                told.body,
                b'{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:0,'
                b'{"brokerName":"broker-a","queueId":1,"topic":"T"}:0}}',
            )
        self.assertEqual(self.parts.offsets.query(GROUP, "T", 0), 2)

    def test_members_in_cpp_get_a_list(self) -> None:
        """By their own language; all of them when the tool says so (mqadmin -c)."""
        java, cpp = self.join("c1"), self.join("c2", LanguageCode.CPP)
        self.reset(0)
        listed = javajson.decode(cpp.sent[0].body)["offsetTable"]
        self.assertEqual(listed[0], {"brokerName": "broker-a", "offset": 0, "queueId": 0, "topic": "T"})
        self.assertIsInstance(javajson.decode(java.sent[0].body)["offsetTable"], dict)
        self.reset(0, language=LanguageCode.CPP)
        self.assertIsInstance(javajson.decode(java.sent[1].body)["offsetTable"], list)

    def test_refusals(self) -> None:
        """No topic, a group that has not consumed, nobody online, a client that is too old; in this order."""
        fields = {"topic": "T", "group": GROUP, "timestamp": 7}
        self.assertEqual(self.refusal(222, **{**fields, "topic": "N"})[0], 1)
        self.assertEqual(self.refusal(222, **{**fields, "group": "new"}), (1, "THe consumer group <new> not exist"))
        remark = "Consumer not online, so can not reset offset, Group: G Topic: T Timestamp: 7"
        self.assertEqual(self.refusal(222, **fields), (206, remark))
        old = self.join("c1", version=27)
        self.assertIn("does not support this feature", self.refusal(222, **fields)[1])
        self.assertEqual(old.sent, [])


class StatusTests(ControlCase):
    """INVOKE_BROKER_TO_GET_CONSUMER_STATUS (223)."""

    TABLE = b'{"consumerTable":{},"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:2}}'

    def member(self, client_id: str, answer: Any = None) -> FakeChannel:
        """One that tells its offsets, or answers otherwise."""
        channel = self.join(client_id)
        channel.answers[221] = answer or (lambda request: request.reply(body=self.TABLE))
        return channel

    def tables(self, **changes: Any) -> Any:
        """The tables by client id in the answer."""
        answer = self.successResultOf(self.ask(223, topic="T", group=GROUP, **changes))
        return javajson.decode(answer.body)["consumerTable"]

    def test_all_members_are_asked(self) -> None:
        """And what they say is put together."""
        channels = [self.member("c1"), self.member("c2")]
        key = queue_key(MessageQueue("T", "broker-a", 0))
        self.assertEqual(self.tables(), {"c1": {key: 2}, "c2": {key: 2}})
        for channel in channels:
            ((asked, timeout_s),) = channel.requests
            self.assertEqual((asked.code, asked.ext_fields), (221, {"topic": "T", "group": GROUP}))
            self.assertEqual(timeout_s, STATUS_TIMEOUT_S)

    def test_one_member_is_asked(self) -> None:
        """The one whose client id is given."""
        first, second = self.member("c1"), self.member("c2")
        self.assertEqual(list(self.tables(clientAddr="c2")), ["c2"])
        self.assertEqual((first.requests, len(second.requests)), ([], 1))
        self.assertEqual(self.tables(clientAddr="c3"), {})

    def test_members_that_do_not_tell_are_left_out(self) -> None:
        """One is silent, one refuses, one says nothing, one talks nonsense."""
        self.member("c1")
        self.member("c2", RequestTimeout("10.1.2.3:40001", 221, 5))
        self.member("c3", lambda request: request.reply(1, "no"))
        self.member("c4", lambda request: request.reply())
        self.member("c5", lambda request: request.reply(body=b"nonsense"))
        self.assertEqual(list(self.tables()), ["c1"])

    def test_refusals(self) -> None:
        """Nobody there, or one that is too old."""
        remark = "No Any Consumer online in the consumer group: [G]"
        self.assertEqual(self.refusal(223, topic="T", group=GROUP), (1, remark))
        self.join("c1", version=27)
        self.assertIn("does not support this feature", self.refusal(223, topic="T", group=GROUP)[1])

    def test_a_tool_that_goes_away(self) -> None:
        """The members' channels wait no more; the answer goes nowhere."""
        channel = self.join("c1")
        asked = self.ask(223, topic="T", group=GROUP)
        asked.cancel()
        self.successResultOf(asked)
        self.assertEqual(channel.waiting, [])


class CloneTests(ControlCase):
    """CLONE_GROUP_OFFSET (314)."""

    def clone(self, **changes: Any) -> dict[str, dict[int, int]]:
        """Do it; the offsets of the group H by topic."""
        answer = self.ask(314, srcGroup=GROUP, destGroup="H", **changes)
        self.assertEqual(answer.code, 0)
        offsets = self.parts.offsets
        return {topic: offsets.query_all("H", topic) for topic in offsets.topics_of("H")}

    def test_one_topic(self) -> None:
        """All its queues."""
        self.assertEqual(self.clone(topic="T"), {"T": {0: 2, 1: 0}})

    def test_all_topics(self) -> None:
        """Where the source has offsets, if they exist."""
        self.parts.make_topic("U")
        self.parts.offsets.commit(GROUP, "U", 0, 5)
        self.parts.offsets.commit(GROUP, "gone", 0, 5)
        self.assertEqual(self.clone(), {"T": {0: 2, 1: 0}, "U": {0: 5}})

    def test_a_source_that_is_online(self) -> None:
        """Topics to which it does not subscribe are left out, unless that does not matter."""
        self.join("c1")
        self.parts.make_topic("U")
        self.parts.offsets.commit(GROUP, "U", 0, 5)
        self.assertEqual(self.clone(), {"T": {0: 2, 1: 0}})
        self.assertEqual(self.clone(topic="U", offline="true"), {"T": {0: 2, 1: 0}, "U": {0: 5}})

    def test_a_topic_that_is_not_there(self) -> None:
        """Nothing happens, and it is no error."""
        self.assertEqual(self.clone(topic="N"), {})
