"""Tests of pymq.broker.processors.send."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.send import PUT_ANSWERS, check_properties_size, check_stored, delay_level, flush_error
from pymq.errors import RequestError, StoreReadOnly
from pymq.interfaces import IRequestProcessor
from pymq.message.batch import encode_batch
from pymq.message.ids import offset_message_id
from pymq.message.results import PutResult, PutStatus
from pymq.testing.channels import FakeChannel
from pymq.wire.bodies.topics import SubscriptionGroupConfig
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_MS
from tests.broker.processors.parts import STORE_HOST, Parts, send_header, settled

REGION = {"MSG_REGION": "DefaultRegion", "TRACE_ON": "true"}


class SendCase(SynchronousTestCase):
    """A broker and its send processor."""

    def setUp(self) -> None:
        """Everything anew."""
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Serve from these parts."""
        self.parts = parts
        self.processor = parts.send_processor()

    def send(self, code: int = 310, body: bytes = b"hello", version: int = 409, **changes: Any) -> Any:
        """Send one message or batch; the answer."""
        header = send_header(code != 10, **changes)
        request = RemotingCommand(code, 7, ext_fields=header.to_fields(), body=body, version=version)
        return settled(self.processor.process(self.parts.channel, request))

    def assert_refused(self, answer: RemotingCommand, code: int, word: str) -> None:
        """The send was refused, the reason holds `word`, and nothing was stored."""
        self.assertEqual(answer.code, code)
        self.assertIn(word, answer.remark or "")
        self.assertEqual(answer.ext_fields, REGION)
        self.assertEqual(self.parts.store.describe()["log_max_offset"], 0)


class StoredTests(SendCase):
    """Sends that are stored."""

    def test_a_half_message(self) -> None:
        """Stored in the system's topic, whose offset the answer tells with the queue that was asked for. A delay is dropped."""
        for number in range(2):
            answer = self.send(queue_id=3, sys_flag=4, properties="TRAN_MSG\x01true\x02PGROUP\x01PG\x02DELAY\x013")
            fields = answer.ext_fields
            self.assertEqual((answer.code, fields["queueId"], fields["queueOffset"]), (0, "3", str(number)))
        half = self.parts.stored("RMQ_SYS_TRANS_HALF_TOPIC")[1]
        self.assertEqual(half.properties, {
            "TRAN_MSG": "true", "PGROUP": "PG", "CLUSTER": "DefaultCluster", "REAL_TOPIC": "T", "REAL_QID": "3",
        })  # fmt: skip
        self.assertEqual((half.queue_id, half.sys_flag, fields["msgId"]), (0, 0, half.offset_msg_id))
        self.assertEqual(self.parts.stored(queue_id=3), [])
        self.assertIsNotNone(self.parts.topics.get("RMQ_SYS_TRANS_HALF_TOPIC"))

    def test_it_is_a_processor(self) -> None:
        """For the codes 10, 310 and 320."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {10, 310, 320})

    def test_answer_says_where_the_message_is(self) -> None:
        """Offset message id, queue and queue offset, and the two fields that Java reads unasked."""
        self.send()
        answer = self.send()
        stored = self.parts.stored()[1]
        fields = {"msgId": offset_message_id(STORE_HOST, stored.log_offset), "queueId": "0", "queueOffset": "1"}
        self.assertEqual((answer.code, answer.opaque, answer.remark), (0, 7, None))
        self.assertEqual(list(answer.ext_fields.items()), list({**fields, **REGION}.items()))

    def test_record_holds_what_was_sent(self) -> None:
        """With our address, the sender's, and properties without WAIT but with CLUSTER."""
        self.send(queue_id=2, flag=5, reconsume_times=3, sys_flag=1, properties="TAGS\x01A\x02WAIT\x01true\x02UNIQ_KEY\x01U")
        (stored,) = self.parts.stored(queue_id=2)
        self.assertEqual((stored.raw_body, stored.flag, stored.reconsume_times, stored.sys_flag), (b"hello", 5, 3, 1))
        self.assertEqual(stored.properties, {"TAGS": "A", "UNIQ_KEY": "U", "CLUSTER": "DefaultCluster"})
        self.assertEqual((stored.born_timestamp, stored.store_timestamp), (NOW_MS - 5, NOW_MS))
        self.assertEqual((stored.born_host, stored.store_host), (("10.1.2.3", 40001), ("10.0.0.9", 10911)))

    def test_long_names_and_letters(self) -> None:
        """Code 10 has V1's names; both store the same."""
        self.send(10)
        self.send(310)
        first, second = self.parts.stored()
        self.assertEqual((first.properties, first.raw_body), (second.properties, second.raw_body))

    def test_ipv6_sender(self) -> None:
        """The record says by its flag that the address is long."""
        self.parts.channel = FakeChannel(("2001:db8::1", 4))
        self.send()
        self.assertEqual(self.parts.stored()[0].born_host, ("2001:db8::1", 4))

    def test_broker_chooses_the_queue(self) -> None:
        """When the sender does not."""
        self.assertEqual(self.send(queue_id=-1).ext_fields["queueId"], "1")

    def test_empty_body_and_no_properties(self) -> None:
        """Are a message too."""
        self.send(body=b"", properties=None)
        self.assertEqual(self.parts.stored()[0].properties, {"CLUSTER": "DefaultCluster"})

    def test_sends_are_counted(self) -> None:
        """By topic, and for the whole store."""
        self.send()
        self.send()
        self.assertEqual(self.parts.stats.store.put_times, 2)
        self.parts.clock.advance(60)
        self.parts.stats.sample(self.parts.clock.seconds())
        self.assertEqual(self.parts.stats.view("TOPIC_PUT_NUMS", "T").stats_minute.sum, 2)

    def test_trace_switch_and_region(self) -> None:
        """Come from the settings."""
        self.use(Parts(trace_on=False, region_id="R2"))
        fields = self.send().ext_fields
        self.assertEqual((fields["MSG_REGION"], fields["TRACE_ON"]), ("R2", "false"))

    def test_unknown_topic_is_made(self) -> None:
        """After TBW102, with as many queues as the sender wishes."""
        self.assertEqual(self.send(topic="N", default_topic_queue_nums=3).code, 0)
        self.assertEqual(self.parts.topics.get("N").write_queue_nums, 3)

    def test_unit_topic_is_marked(self) -> None:
        """A sender in unit mode makes a unit topic."""
        self.send(topic="N", unit_mode=True)
        self.assertEqual(self.parts.topics.get("N").topic_sys_flag, 1)

    def test_retry_topic_takes_a_message_back(self) -> None:
        """As long as it was not retried too often."""
        self.assertEqual(self.send(topic="%RETRY%G", reconsume_times=15, properties="DELAY\x010").code, 0)
        self.assertEqual(self.parts.stored("%RETRY%G")[0].reconsume_times, 15)


class SavedTopicTests(SendCase):
    """A message that makes its topic is answered when a crash would leave it the topic."""

    def setUp(self) -> None:
        """Saving takes until the test says so."""
        super().setUp()
        self.parts.saver.is_slow = True

    def test_the_message_is_stored_and_the_answer_waits(self) -> None:
        """Also that of a second one which comes before the save; others are not held up."""
        first, second = self.send(topic="N"), self.send(topic="N")
        self.assertEqual(len(self.parts.stored("N")), 2)
        self.assertEqual(self.send(topic="T").code, 0)
        self.parts.saver.finish()
        self.assertEqual([self.successResultOf(answer).code for answer in (first, second)], [0, 0])
        self.assertEqual(self.send(topic="N").code, 0)

    def test_waits_for_the_disk_too(self) -> None:
        """With SYNC_FLUSH both must be durable, in whichever order they become so."""
        self.parts.flusher.sync = True
        for topic, finish in (("N", (self.parts.saver, self.parts.flusher)), ("M", (self.parts.flusher, self.parts.saver))):
            answer = self.send(topic=topic)
            finish[0].finish()
            self.assertNoResult(answer)
            finish[1].finish()
            self.assertEqual(self.successResultOf(answer).code, 0)

    def test_dead_letter_topic(self) -> None:
        """Likewise, though it is not the one that was sent to."""
        self.parts.topics.create_on_send("%RETRY%G", "TBW102", 1, 0)
        self.parts.topics.save()
        answer = self.send(topic="%RETRY%G", reconsume_times=16)
        self.assertNoResult(answer)
        self.parts.saver.finish()
        self.assertEqual(self.successResultOf(answer).code, 0)

    def test_save_that_fails(self) -> None:
        """The sender is told why, with the fields that clients look for."""
        answer = self.send(topic="N")
        self.parts.saver.finish(OSError(28, "No space left on device"))
        refused = self.successResultOf(answer)
        self.assertEqual((refused.code, refused.ext_fields), (1, REGION))
        self.assertIn("No space left", refused.remark)


class RefusedTests(SendCase):
    """The checks, in the order of remoting.md 3.2."""

    def test_fields_are_missing(self) -> None:
        """The answer names what is missing."""
        answer = self.processor.process(self.parts.channel, RemotingCommand(310, 7, ext_fields={"a": "PG"}))
        self.assert_refused(answer, 1, "SendMessageRequestHeaderV2")

    def test_too_early(self) -> None:
        """startAcceptSendRequestTimeStamp lies ahead."""
        self.use(Parts(start_accept_send_request_time_stamp=NOW_MS + 1))
        self.assert_refused(self.send(), 1, "until")
        self.parts.clock.advance(1)
        self.assertEqual(self.send().code, 0)

    def test_read_only_broker_and_ordered_topic(self) -> None:
        """16; other topics of such a broker are still served (4.9)."""
        self.use(Parts(broker_permission=4))
        self.parts.make_topic("O", order=True)
        self.assert_refused(self.send(topic="O"), 16, "may not be written")
        self.assertEqual(self.send().code, 0)

    def test_bad_topic_names(self) -> None:
        """Blank, foreign characters, too long."""
        for name in (" ", "a.b", "x" * 128):
            self.assert_refused(self.send(topic=name), 1, "topic")

    def test_topics_that_clients_may_not_send_to(self) -> None:
        """Such as that of delayed messages."""
        self.assert_refused(self.send(topic="SCHEDULE_TOPIC_XXXX"), 16, "SCHEDULE_TOPIC_XXXX")

    def test_topic_unknown_and_not_made(self) -> None:
        """17, so that the producer tries another broker."""
        self.use(Parts(auto_create_topic_enable=False))
        self.assert_refused(self.send(topic="N"), 17, "topic[N] not exist")

    def test_queue_beyond_the_last(self) -> None:
        """Neither readable nor writable."""
        self.parts.make_topic("T", read_queue_nums=6, write_queue_nums=2)
        self.assertEqual(self.send(queue_id=5).code, 0)
        self.use(Parts())
        self.assert_refused(self.send(queue_id=4), 1, "queueId[4]")

    def test_retry_topic_of_an_unknown_group(self) -> None:
        """26."""
        self.use(Parts(auto_create_subscription_group=False))
        self.assert_refused(self.send(topic="%RETRY%G"), 26, "G")

    def test_transactional_messages(self) -> None:
        """Refused when the settings say so; a flag without the property would be stored where nobody finds it."""
        self.assert_refused(self.send(sys_flag=4), 13, "TRAN_MSG")
        self.use(Parts(reject_transaction_message=True))
        self.assert_refused(self.send(properties="TRAN_MSG\x01true"), 16, "transactional")

    def test_delay_that_is_no_level(self) -> None:
        """Named in the answer; Python would take more for a number than Java does."""
        for text in ("x", " 3", "1_0", "99999999999"):
            self.assert_refused(self.send(properties=f"DELAY\x01{text}"), 13, "DELAY")

    def test_properties_beyond_a_record(self) -> None:
        """Counted in bytes, with what the broker adds."""
        self.assert_refused(self.send(properties="a\x01" + "ä" * 16380), 13, "properties")

    def test_body_beyond_the_limit(self) -> None:
        """maxMessageSize."""
        self.use(Parts({"max_message_size": 10}))
        self.assert_refused(self.send(body=b"x" * 11), 13, "MESSAGE_ILLEGAL")
        self.assertEqual(self.parts.stats.store.put_failed_times, 1)

    def test_closed_store(self) -> None:
        """14 while the broker stops."""
        self.parts.store.close()
        answer = self.send()
        self.assertEqual((answer.code, answer.ext_fields), (14, REGION))


class DelayedTests(SendCase):
    """Messages for later (store.md 6.1)."""

    def test_message_waits(self) -> None:
        """In the queue of its level; the answer names the place that was asked for, and the id of what is stored."""
        answer = self.send(queue_id=2, properties="TAGS\x01A\x02DELAY\x013\x02WAIT\x01true\x02UNIQ_KEY\x01U")
        (stored,) = self.parts.stored("SCHEDULE_TOPIC_XXXX", 2)
        self.assertEqual(self.parts.stored("T", 2), [])
        self.assertEqual((answer.code, answer.ext_fields["queueId"]), (0, "2"))
        self.assertEqual(answer.ext_fields["msgId"], offset_message_id(STORE_HOST, stored.log_offset))
        own = {"TAGS": "A", "UNIQ_KEY": "U", "CLUSTER": "DefaultCluster", "WAIT": "true"}
        self.assertEqual(stored.properties, {**own, "DELAY": "3", "REAL_TOPIC": "T", "REAL_QID": "2"})

    def test_level_above_the_last(self) -> None:
        """Is the last one of the settings."""
        self.use(Parts({"message_delay_level": "1s 2s"}))
        self.send(properties="DELAY\x0118")
        self.assertEqual(self.parts.stored("SCHEDULE_TOPIC_XXXX", 1)[0].properties["DELAY"], "2")

    def test_no_delay(self) -> None:
        """A level of 0 or less, and a batch with a level of 0."""
        for level in ("0", "-1"):
            self.send(properties=f"DELAY\x01{level}")
        self.send(320, encode_batch([(0, b"one", "")]), batch=True, properties="DELAY\x010")
        self.assertEqual(len(self.parts.stored()), 3)

    def test_it_is_counted_where_it_waits(self) -> None:
        """And in its topic when it is delivered."""
        self.send(properties="DELAY\x011")
        self.parts.clock.advance(60)
        self.parts.stats.sample(self.parts.clock.seconds())
        self.assertEqual(self.parts.stats.view("TOPIC_PUT_NUMS", "SCHEDULE_TOPIC_XXXX").stats_minute.sum, 1)

    def test_sender_waits_for_the_disk(self) -> None:
        """As for any other message."""
        self.parts.flusher.sync = True
        waiting = self.send(properties="DELAY\x011")
        self.assertNoResult(waiting)
        self.parts.flusher.finish()
        self.assertEqual(self.successResultOf(waiting).code, 0)


class DeadLetterTests(SendCase):
    """Messages that a consumer sends to its retry topic once too often."""

    def letters(self) -> int:
        """How many there are."""
        return len(self.parts.stored("%DLQ%G"))

    def test_too_often(self) -> None:
        """It is not delayed, whatever it asks for, and the topic is made."""
        properties = "RETRY_TOPIC\x01T\x02DELAY\x0119\x02UNIQ_KEY\x01U"
        answer = self.send(topic="%RETRY%G", queue_id=0, reconsume_times=16, properties=properties)
        self.assertEqual(answer.code, 0)
        (letter,) = self.parts.stored("%DLQ%G")
        self.assertEqual((letter.queue_id, letter.reconsume_times, letter.properties["RETRY_TOPIC"]), (0, 16, "T"))
        self.assertEqual(letter.properties["DELAY"], "0")
        self.assertEqual(self.parts.topics.get("%DLQ%G").perm, 6)

    def test_not_yet(self) -> None:
        """It waits for the retry topic."""
        self.send(topic="%RETRY%G", reconsume_times=15, properties="DELAY\x0118")
        self.assertEqual(self.letters(), 0)
        self.assertEqual(self.parts.stored("SCHEDULE_TOPIC_XXXX", 17)[0].properties["REAL_TOPIC"], "%RETRY%G")

    def test_client_says_how_often(self) -> None:
        """From its version 121 on, else the group does."""
        self.send(topic="%RETRY%G", reconsume_times=2, max_reconsume_times=2, version=120)
        self.assertEqual(self.letters(), 0)
        self.send(topic="%RETRY%G", reconsume_times=2, max_reconsume_times=2)
        self.assertEqual(self.letters(), 1)

    def test_group_says_how_often(self) -> None:
        """The limit without a client's own."""
        self.parts.groups.update(SubscriptionGroupConfig(group_name="G", retry_max_times=1))
        self.send(topic="%RETRY%G", reconsume_times=1)
        self.assertEqual(self.letters(), 1)


class BatchTests(SendCase):
    """Several messages in one request."""

    def test_messages_lie_side_by_side(self) -> None:
        """Each with its own body, flag and properties, and the batch's behind them; the answer has all ids."""
        body = encode_batch([(1, b"one", "TAGS\x01A\x02WAIT\x01true"), (2, b"two", "")])
        answer = self.send(320, body, batch=True, queue_id=3, properties="WAIT\x01true")
        first, second = self.parts.stored(queue_id=3)
        ids = [offset_message_id(STORE_HOST, message.log_offset) for message in (first, second)]
        self.assertEqual((answer.code, answer.ext_fields["msgId"], answer.ext_fields["queueOffset"]), (0, ",".join(ids), "0"))
        self.assertEqual((first.raw_body, first.flag, second.raw_body, second.flag), (b"one", 1, b"two", 2))
        self.assertEqual(first.properties, {"TAGS": "A", "WAIT": "true", "CLUSTER": "DefaultCluster"})
        self.assertEqual(second.properties, {"WAIT": "true", "CLUSTER": "DefaultCluster"})
        self.assertEqual(self.parts.stats.store.put_times, 2)

    def test_only_the_header_makes_a_batch(self) -> None:
        """Code 320 without the field is one message, 310 with it is a batch."""
        body = encode_batch([(0, b"one", "")])
        self.send(320, body)
        self.send(310, body, batch=True)
        self.assertEqual([message.raw_body for message in self.parts.stored()], [body, b"one"])

    def test_what_a_batch_cannot_be(self) -> None:
        """Delayed, transactional, empty, broken, for a retry topic, too large."""
        body = encode_batch([(0, b"one", "")])
        for changes, word in (
            ({"properties": "DELAY\x011"}, "delayed"),
            ({"properties": "TRAN_MSG\x01true"}, "transactional"),
            ({"sys_flag": 8}, "transactional"),
            ({"topic": "%RETRY%G"}, "retry"),
        ):
            self.assert_refused(self.send(320, body, batch=True, **changes), 13, word)
        self.assert_refused(self.send(320, b"", batch=True), 13, "empty")
        self.assert_refused(self.send(320, body[:-1], batch=True), 13, "cannot be read")
        self.use(Parts({"max_message_size": 20}))
        self.assert_refused(self.send(320, body, batch=True), 13, "batch of")

    def test_one_item_beyond_a_record_refuses_all(self) -> None:
        """Nothing of the batch is stored."""
        body = encode_batch([(0, b"one", ""), (0, b"two", "a\x01" + "x" * 32000)])
        self.assert_refused(self.send(320, body, batch=True, properties="b\x01" + "y" * 1000), 13, "properties")


class DurableTests(SendCase):
    """SYNC_FLUSH: the answer waits for the disk."""

    def setUp(self) -> None:
        """A broker that flushes before it answers."""
        super().setUp()
        self.parts.flusher.sync = True

    def test_answer_waits(self) -> None:
        """Until everything up to the end of the record is on the disk."""
        waiting = self.send()
        self.assertNoResult(waiting)
        stored = self.parts.stored()[0]
        self.assertEqual([offset for offset, _ in self.parts.flusher.waiting], [stored.log_offset + stored.size])
        self.parts.flusher.finish()
        self.assertEqual(self.successResultOf(waiting).code, 0)

    def test_flush_takes_too_long(self) -> None:
        """The message is stored, and the answer says where, with a doubt."""
        waiting = self.send()
        self.parts.flusher.finish(False)
        answer = self.successResultOf(waiting)
        self.assertEqual((answer.code, answer.ext_fields["queueOffset"]), (10, "0"))

    def test_disk_fails(self) -> None:
        """Nobody may believe the message safe."""
        waiting = self.send()
        self.parts.flusher.finish(StoreReadOnly("input/output error"))
        answer = self.successResultOf(waiting)
        self.assertEqual(answer.code, 14)
        self.assertIn("input/output error", answer.remark or "")

    def test_sender_does_not_want_to_wait(self) -> None:
        """WAIT=false is answered at once, a batch by its own properties."""
        self.assertEqual(self.send(properties="WAIT\x01false").code, 0)
        body = encode_batch([(0, b"one", "WAIT\x01true")])
        self.assertEqual(self.send(320, body, batch=True, properties="WAIT\x01false").code, 0)

    def test_batch_waits_for_its_last_record(self) -> None:
        """One wait for all."""
        waiting = self.send(320, encode_batch([(0, b"one", ""), (0, b"two", "")]), batch=True)
        last = self.parts.stored()[1]
        self.assertEqual([offset for offset, _ in self.parts.flusher.waiting], [last.log_offset + last.size])
        self.parts.flusher.finish()
        self.successResultOf(waiting)

    def test_closed_channel_gives_up(self) -> None:
        """The dispatcher cancels; the flush may end later."""
        waiting = self.send()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.parts.flusher.finish()


class RuleTests(SynchronousTestCase):
    """The small rules that the lane shares."""

    def test_answers_of_refused_puts(self) -> None:
        """By table; what is not in it is a system error that names the status."""
        for status in PutStatus:
            results = [PutResult(status, reason="because")]
            if status.is_stored:
                self.assertEqual(check_stored(results), PUT_ANSWERS[status])
                continue
            error = self.assertRaises(RequestError, check_stored, results)
            self.assertEqual(error.code, PUT_ANSWERS.get(status, 1))
            self.assertIn(f"{status.name} because", error.remark)

    def test_delay_level(self) -> None:
        """A number, or a refusal."""
        self.assertEqual(delay_level("3"), 3)
        self.assertRaises(RequestError, delay_level, "three")

    def test_properties_size(self) -> None:
        """Up to what two signed bytes can say."""
        check_properties_size(32767)
        self.assertRaises(RequestError, check_properties_size, 32768)

    def test_other_failures_are_no_flush_errors(self) -> None:
        """A mistake of ours goes on to the dispatcher, who logs it."""
        self.assertRaises(ValueError, flush_error, Failure(ValueError("mistake")))
