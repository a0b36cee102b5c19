"""Tests of pymq.broker.processors.sendback."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.sendback import SendBackProcessor
from pymq.interfaces import IRequestProcessor
from pymq.message.flags import COMPRESSED, TRANSACTION_COMMIT
from pymq.message.message import StoredMessage
from pymq.testing.builders import draft
from pymq.wire.bodies.topics import SubscriptionGroupConfig, TopicConfig
from pymq.wire.command import RemotingCommand
from tests.broker.processors.parts import Parts, answer_of

SCHEDULE = "SCHEDULE_TOPIC_XXXX"


class SendBackCase(SynchronousTestCase):
    """A broker whose topic T holds a message."""

    def setUp(self) -> None:
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Take this broker; it chooses the last queue where it must choose."""
        self.parts = parts
        self.processor = SendBackProcessor(
            config=parts.config,
            store_config=parts.store_config,
            store=parts.store,
            topics=parts.topics,
            groups=parts.groups,
            stats=parts.stats,
            when_saved=parts.saver.when_saved,
            choose_queue=lambda count: count - 1,
        )
        self.log_offset = self.put()

    def put(self, **fields: Any) -> int:
        """Store a message in T; its log offset."""
        (result,) = self.parts.store.put([draft("T", b"hello", **{"tags": "A", "keys": "k", **fields})])
        return int(result.log_offset)

    def send_back(self, log_offset: int | None = None, version: int = 401, **changes: Any) -> Any:
        """The answer to a consumer of group G."""
        fields = {"offset": self.log_offset if log_offset is None else log_offset, "group": "G", "delayLevel": 0, **changes}
        text = {name: str(value) for name, value in fields.items()}
        return answer_of(self.processor, self.parts.channel, RemotingCommand(36, 7, ext_fields=text, version=version))

    def waiting(self, level: int) -> StoredMessage:
        """The one message that waits in a level."""
        (message,) = self.parts.stored(SCHEDULE, level - 1)
        return message

    def dead(self) -> list[StoredMessage]:
        """The dead letters."""
        return self.parts.stored("%DLQ%G")


class RetryTests(SendBackCase):
    """Messages that come again."""

    def test_it_is_a_processor(self) -> None:
        """For code 36."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {36})

    def test_copy_waits_for_the_retry_topic(self) -> None:
        """With its first topic and id, counted, in the third level."""
        answer = self.send_back()
        self.assertEqual((answer.code, answer.opaque), (0, 7))
        (original,), copy = self.parts.stored(), self.waiting(3)
        self.assertEqual(
            copy.properties,
            {
                "TAGS": "A",
                "KEYS": "k",
                "RETRY_TOPIC": "T",
                "ORIGIN_MESSAGE_ID": original.offset_msg_id,
                "WAIT": "false",
                "DELAY": "3",
                "REAL_TOPIC": "%RETRY%G",
                "REAL_QID": "0",
            },
        )
        self.assertEqual((copy.raw_body, copy.reconsume_times), (b"hello", 1))

    def test_answer_waits_for_the_topic(self) -> None:
        """The retry topic, or that of dead letters, must outlive a crash before the consumer may forget its message."""
        self.parts.saver.is_slow = True
        for changes in ({}, {"delayLevel": -1}):
            answer = self.send_back(**changes)
            self.assertNoResult(answer)
            self.parts.saver.finish()
            self.assertEqual(self.successResultOf(answer).code, 0)
            self.assertEqual(self.send_back(**changes).code, 0)

    def test_everything_else_is_copied(self) -> None:
        """Flags, times and addresses, those of IPv6 too."""
        v6 = bytes(range(16)) + b"\0\0\x10\x10"
        log_offset = self.put(flag=5, sys_flag=COMPRESSED | TRANSACTION_COMMIT, born_host=v6, born_timestamp=77)
        self.send_back(log_offset)
        copy, original = self.waiting(3), self.parts.stored()[1]
        for name in ("flag", "sys_flag", "born_timestamp", "born_host_bytes", "store_host_bytes", "raw_body"):
            self.assertEqual(getattr(copy, name), getattr(original, name), name)

    def test_delay_grows(self) -> None:
        """With each time; the first topic and id stay."""
        more = {"RETRY_TOPIC": "First", "ORIGIN_MESSAGE_ID": "ID", "DELAY": "4", "REAL_TOPIC": "%RETRY%G", "REAL_QID": "9"}
        self.send_back(self.put(reconsume_times=2, more=more))
        copy = self.waiting(5)
        self.assertEqual((copy.reconsume_times, copy.properties["RETRY_TOPIC"]), (3, "First"))
        self.assertEqual((copy.properties["ORIGIN_MESSAGE_ID"], copy.properties["REAL_QID"]), ("ID", "0"))

    def test_delay_above_the_last_level(self) -> None:
        """Is the last one's."""
        self.use(Parts({"message_delay_level": "1s 2s"}))
        self.send_back()
        self.assertEqual(self.waiting(2).properties["DELAY"], "2")

    def test_consumer_chooses_the_level(self) -> None:
        """Any above 0."""
        self.send_back(delayLevel=1)
        self.assertEqual(self.waiting(1).reconsume_times, 1)

    def test_retry_topic_is_made(self) -> None:
        """With the group's queues, one of which is chosen; marked for a consumer in unit mode."""
        self.parts.groups.update(SubscriptionGroupConfig(group_name="G", retry_queue_nums=3))
        self.send_back(unitMode="true")
        topic = self.parts.topics.get("%RETRY%G")
        self.assertEqual((topic.read_queue_nums, topic.write_queue_nums, topic.perm, topic.topic_sys_flag), (3, 3, 6, 2))
        self.assertEqual(self.waiting(3).properties["REAL_QID"], "2")

    def test_group_without_retries(self) -> None:
        """Is answered well, and nothing is stored."""
        self.parts.groups.update(SubscriptionGroupConfig(group_name="G", retry_queue_nums=0))
        end = self.parts.store.describe()["log_max_offset"]
        self.assertEqual(self.send_back().code, 0)
        self.assertEqual(self.parts.store.describe()["log_max_offset"], end)

    def test_it_is_counted(self) -> None:
        """Under the topic to which the message was sent first."""
        self.send_back(self.put(more={"RETRY_TOPIC": "First"}))
        self.parts.clock.advance(60)
        self.parts.stats.sample(self.parts.clock.seconds())
        self.assertEqual(self.parts.stats.view("SNDBCK_PUT_NUMS", "First@G").stats_minute.sum, 1)


class DeadLetterTests(SendBackCase):
    """Messages that do not come again."""

    def test_too_often(self) -> None:
        """After 16 retries; it is not delayed."""
        self.assertEqual(self.send_back(self.put(reconsume_times=15)).code, 0)
        self.assertEqual(self.dead(), [])
        self.send_back(self.put(reconsume_times=16))
        (letter,) = self.dead()
        self.assertEqual((letter.raw_body, letter.reconsume_times, letter.queue_id), (b"hello", 17, 0))
        self.assertEqual((letter.properties["DELAY"], letter.properties["RETRY_TOPIC"]), ("0", "T"))
        self.assertEqual(self.parts.topics.get("%DLQ%G").perm, 6)

    def test_group_says_how_often(self) -> None:
        """By its configuration."""
        self.parts.groups.update(SubscriptionGroupConfig(group_name="G", retry_max_times=0))
        self.send_back()
        self.assertEqual(len(self.dead()), 1)

    def test_consumer_says_how_often(self) -> None:
        """From its version 121 on."""
        self.send_back(maxReconsumeTimes=0, version=120)
        self.assertEqual(self.dead(), [])
        self.send_back(maxReconsumeTimes=0, version=121)
        self.assertEqual(len(self.dead()), 1)

    def test_consumer_gives_up(self) -> None:
        """A level below 0."""
        self.send_back(delayLevel=-1)
        self.assertEqual(len(self.dead()), 1)


class RefusedTests(SendBackCase):
    """Answers after which the consumer sends a copy."""

    def assert_refused(self, answer: Any, code: int, word: str) -> None:
        """Code and remark."""
        self.assertEqual(answer.code, code)
        self.assertIn(word, answer.remark)

    def test_unknown_group(self) -> None:
        """That may not be made."""
        self.use(Parts(auto_create_subscription_group=False))
        self.assert_refused(self.send_back(), 26, "G")

    def test_read_only_broker(self) -> None:
        """And a retry topic that may not be written to."""
        self.parts.topics.update(TopicConfig(topic_name="%RETRY%G", perm=4))
        self.assert_refused(self.send_back(), 16, "%RETRY%G")
        self.use(Parts(broker_permission=4))
        self.assert_refused(self.send_back(), 16, "broker-a")

    def test_no_message_there(self) -> None:
        """Beside one, behind the last, before the first."""
        for log_offset in (self.log_offset + 1, 10**9, -1):
            self.assert_refused(self.send_back(log_offset), 1, f"look message by offset failed, {log_offset}")

    def test_fields_are_missing(self) -> None:
        """The answer names the header."""
        answer = answer_of(self.processor, self.parts.channel, RemotingCommand(36, 7, ext_fields={"group": "G"}))
        self.assert_refused(answer, 1, "ConsumerSendMsgBackRequestHeader")

    def test_store_refuses(self) -> None:
        """The status is named."""
        log_offset = self.put(more={"p": "x" * 32_700})
        self.assert_refused(self.send_back(log_offset), 1, "MESSAGE_ILLEGAL")

    def test_closed_store(self) -> None:
        """While the broker stops."""
        self.parts.store.close()
        self.assert_refused(self.send_back(), 14, "store")
