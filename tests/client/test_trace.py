"""Traces: what they say, and how they travel."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.client import trace
from pymq.client.hooks import ConsumeMessageContext, EndTransactionContext, SendMessageContext
from pymq.client.results import ConsumeStatus, LocalTransactionState, SendResult, SendStatus
from pymq.client.trace import (
    ConsumeTraceHook,
    EndTransactionTraceHook,
    SendTraceHook,
    TraceDispatcher,
    encode_record,
    make_dispatcher,
)
from pymq.client.transactions import TransactionProducer
from pymq.message.message import Message
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue, stored
from tests.client.fakecluster import START_S

TRACES = "RMQ_SYS_TRACE_TOPIC"
NOW_MS = START_S * 1000


class Kept:
    """Stands where a dispatcher stands."""

    topic = TRACES

    def __init__(self) -> None:
        self.records: list[tuple[list[str], str, tuple[str, ...]]] = []

    def append(self, record: str, msg_id: str, keys: Any = ()) -> None:
        """Keep it, taken apart."""
        assert record.endswith("\x02")
        self.records.append((record[:-1].split("\x01"), msg_id, tuple(keys)))


class Ticking:
    """A clock that shows half a second more at each look."""

    def __init__(self) -> None:
        self.now_s = START_S - 0.5

    def seconds(self) -> float:
        """Half a second later."""
        self.now_s += 0.5
        return self.now_s


class RecordTests(SynchronousTestCase):
    """What Java's TraceDataEncoder would write."""

    def setUp(self) -> None:
        """A dispatcher that keeps."""
        self.kept: Any = Kept()

    def after_send(self, *messages: Message, **changes: Any) -> None:
        """One send, told to the hook."""
        fields = {
            "status": SendStatus.SEND_OK,
            "msg_id": "ID1,ID2",
            "offset_msg_id": "O1,O2",
            "queue": queue(),
            "queue_offset": 0,
        }
        result = SendResult(**{**fields, "region_id": "R", "trace_on": True, **changes})  # type: ignore[arg-type]
        context = SendMessageContext("pg", messages, queue(topic=messages[0].topic), "10.0.0.2:10911")
        hook = SendTraceHook(self.kept, Ticking())
        hook.send_message_before(context)
        context.result = result
        hook.send_message_after(context)

    def test_a_send(self) -> None:
        """Fourteen fields; `null` where there is nothing."""
        self.after_send(Message(TOPIC, b"12345", tags="T", keys="k1 k2"), Message(TOPIC, b"1", delay_level=3))
        self.assertEqual(self.kept.records, [
            (["Pub", str(NOW_MS), "R", "pg", TOPIC, "ID1", "T", "k1 k2", "10.0.0.2:10911", "5", "500", "0", "O1", "true"],
             "ID1", ("k1", "k2")),
            (["Pub", str(NOW_MS), "R", "pg", TOPIC, "ID2", "null", "null", "10.0.0.2:10911", "1", "500", "3", "O2", "true"],
             "ID2", ()),
        ])  # fmt: skip

    def test_other_sends(self) -> None:
        """A half message, and one that is stored but not safe."""
        self.after_send(Message(TOPIC, b"1", properties={"TRAN_MSG": "true"}), status=SendStatus.FLUSH_DISK_TIMEOUT)
        fields = self.kept.records[0][0]
        self.assertEqual((fields[11], fields[13]), ("1", "false"))

    def test_sends_that_are_not_told_of(self) -> None:
        """Where the broker wants no traces; traces themselves; failures."""
        self.after_send(Message(TOPIC, b"1"), trace_on=False)
        self.after_send(Message(TOPIC, b"1"), region_id=None)
        self.after_send(Message(TRACES, b"1"))
        hook = SendTraceHook(self.kept, Ticking())
        context = SendMessageContext("pg", [Message(TOPIC, b"1")], queue(), "a:1")
        hook.send_message_after(context)
        hook.send_message_before(context)
        hook.send_message_after(context)
        self.assertEqual(self.kept.records, [])

    def consumed(self, status: ConsumeStatus | None, error: Exception | None = None) -> list[list[str]]:
        """One call of a listener with three messages, of which one is not to be traced; the records."""
        self.kept.records.clear()
        messages = [
            stored(0, properties={"UNIQ_KEY": "ID1", "KEYS": "k1", "MSG_REGION": "R"}, reconsume_times=2),
            stored(1, properties={"UNIQ_KEY": "ID2"}),
            stored(2, properties={"UNIQ_KEY": "ID3", "TRACE_ON": "false"}),
        ]
        hook = ConsumeTraceHook(self.kept, Ticking(), lambda: "REQ")
        context = ConsumeMessageContext("cg", messages, queue())
        hook.consume_message_before(context)
        context.status, context.error = status, error
        hook.consume_message_after(context)
        return [fields for fields, _, _ in self.kept.records]

    def test_a_consumption(self) -> None:
        """Before it and after it, bound by one number; the time is shared by the messages."""
        self.assertEqual(self.consumed(ConsumeStatus.CONSUME_SUCCESS), [
            ["SubBefore", str(NOW_MS), "R", "cg", "REQ", "ID1", "2", "k1"],
            ["SubBefore", str(NOW_MS), "null", "cg", "REQ", "ID2", "0", "null"],
            ["SubAfter", "REQ", "ID1", "166", "true", "k1", "0", str(NOW_MS + 500), "cg"],
            ["SubAfter", "REQ", "ID2", "166", "true", "null", "0", str(NOW_MS + 500), "cg"],
        ])  # fmt: skip
        self.assertEqual([(msg_id, keys) for _, msg_id, keys in self.kept.records[:2]], [("ID1", ("k1",)), ("ID2", ())])

    def test_how_a_consumption_ended(self) -> None:
        """Well, with an exception, or with a bad verdict; nothing when it has not ended."""
        later = ConsumeStatus.RECONSUME_LATER
        for status, error, expected in ((later, ValueError(), ("false", "2")), (later, None, ("false", "4"))):
            fields = self.consumed(status, error)[2]
            self.assertEqual((fields[4], fields[6]), expected)
        self.assertEqual(len(self.consumed(None)), 2)

    def test_the_end_of_a_transaction(self) -> None:
        """Thirteen fields, as the producer tells it or as a check asks for it."""
        hook = EndTransactionTraceHook(self.kept, Ticking())
        message = Message(TOPIC, b"1", tags="T", keys="k1 k2")
        commit, rollback = LocalTransactionState.COMMIT_MESSAGE, LocalTransactionState.ROLLBACK_MESSAGE
        hook.end_transaction(EndTransactionContext("shop%pg", message, "10.0.0.2:10911", "ID1", "ID1", commit))
        checked = stored(0, properties={"MSG_REGION": "R"})
        hook.end_transaction(EndTransactionContext("pg", checked, "a:1", "ID2", None, rollback, from_transaction_check=True))
        self.assertEqual(self.kept.records, [
            (["EndTransaction", str(NOW_MS), "DefaultRegion", "pg", TOPIC, "ID1", "T", "k1 k2", "10.0.0.2:10911", "2", "ID1",
              "COMMIT_MESSAGE", "false"], "ID1", ("k1", "k2")),
            (["EndTransaction", str(NOW_MS + 500), "R", "pg", TOPIC, "ID2", "null", "null", "a:1", "2", "null",
              "ROLLBACK_MESSAGE", "true"], "ID2", ()),
        ])  # fmt: skip

    def test_separators_in_values(self) -> None:
        """Cannot shift the fields."""
        self.assertEqual(encode_record("a\x01b\x02", None, True, 7), "a b \x01null\x01true\x017\x02")


class DispatcherTests(ClientCase):
    """Gathering and sending."""

    def setUp(self) -> None:
        """A dispatcher on an instance."""
        super().setUp()
        self.cluster.create_topic(TRACES)
        self.on = self.instance()
        self.ids = iter(range(1000))
        self.dispatcher = self.make_one()

    def make_one(self, topic: str = "") -> TraceDispatcher:
        """A dispatcher."""
        return make_dispatcher("pg", "PRODUCE", topic, self.on, self.on.tasks, lambda: f"ID{next(self.ids)}")

    def traces(self, topic: str = TRACES) -> list[Any]:
        """The messages in the trace topic."""
        return self.cluster.broker.stored(topic)

    def test_records_travel_together(self) -> None:
        """After half a second, in one message with all ids and keys."""
        self.dispatcher.append("a\x02", "ID1", ("k1", "k2"))
        self.tick(0.3)
        self.dispatcher.append("b\x02", "ID2", ("k1",))
        self.assertEqual(self.traces(), [])
        self.tick(0.3)
        (message,) = self.traces()
        self.assertEqual((message.body, message.keys), (b"a\x02b\x02", ("ID1", "k1", "k2", "ID2")))
        group = self.cluster.of(Code.SEND_MESSAGE_V2)[0].fields["a"]
        self.assertEqual(group, "_INNER_TRACE_PRODUCER-pg-PRODUCE-1")
        self.dispatcher.append("c\x02", "ID3")
        self.tick(0.5)
        self.assertEqual(len(self.traces()), 2)

    def test_large_ones_do_not_wait(self) -> None:
        """Neither bytes nor keys may become too many for one message."""
        self.patch(trace, "MESSAGE_BYTES_MAX", 10)
        self.patch(trace, "KEYS_BYTES_MAX", 20)
        self.dispatcher.append("a" * 8, "ID1")
        self.dispatcher.append("b" * 8, "ID2")
        self.assertEqual([message.body for message in self.traces()], [b"a" * 8])
        self.dispatcher.append("c", "ID3", ["k" * 12])
        self.assertEqual([message.body for message in self.traces()], [b"a" * 8, b"b" * 8])
        self.dispatcher.append("d", "ID4", ["k" * 30])
        self.tick(0.5)
        self.assertEqual([message.keys for message in self.traces()][2:], [("ID3", "k" * 12), ("ID4",)])

    def test_a_topic_of_ones_own(self) -> None:
        """In place of the system's."""
        dispatcher = self.make_one("my-traces")
        dispatcher.append("a", "ID1")
        dispatcher.flush()
        self.assertEqual(len(self.traces("my-traces")), 1)
        dispatcher.flush()
        self.assertEqual(len(self.traces("my-traces")), 1)
        self.result(dispatcher.close())

    def test_what_cannot_be_sent_is_given_up(self) -> None:
        """It is logged, and the route looked at anew."""
        self.cluster.refuse(Code.SEND_MESSAGE_V2, 1)
        self.cluster.asked.clear()
        self.dispatcher.append("a", "ID1")
        self.tick(0.5, 3)
        self.assertEqual(len(self.cluster.of(Code.SEND_MESSAGE_V2)), 3)
        topics = [asked.fields["topic"] for asked in self.cluster.of(Code.GET_ROUTEINFO_BY_TOPIC)]
        self.assertEqual(topics, [TRACES, TRACES])

    def test_a_slow_topic(self) -> None:
        """So many messages may be under way; more are dropped and counted."""
        self.patch(trace, "MESSAGES_IN_FLIGHT_MAX", 1)
        held: list[Deferred[Any]] = []
        self.patch(self.on.api, "send_message", lambda *_: held.append(Deferred()) or held[-1])
        self.dispatcher.append("a", "ID1")
        self.tick(0.5)
        self.dispatcher.append("b", "ID2")
        self.assertEqual(self.dispatcher.dropped_count, 1)
        closing = Deferred.fromCoroutine(self.dispatcher.close())
        self.assertNoResult(closing)
        self.tick(3)
        self.successResultOf(closing)

    def test_the_end_waits_for_the_last_ones(self) -> None:
        """What was gathered is sent before."""
        self.dispatcher.append("a", "ID1")
        self.result(self.dispatcher.close())
        self.assertEqual(len(self.traces()), 1)


class MemberTests(ClientCase):
    """Producers and consumers with the setting."""

    def test_a_message_is_followed(self) -> None:
        """Sent by a producer, consumed by a consumer; a shutdown loses nothing."""
        self.cluster.create_topic(TRACES)
        producer = self.producer(enable_msg_trace=True)
        result = self.result(producer.send(Message(TOPIC, b"hello", keys="k1"), queue=queue()))
        consumer = self.push_consumer(lambda *_: None, enable_msg_trace=True)
        self.assertIn(TRACES, list(producer.publish_topics()))
        self.result(producer.shutdown())
        self.result(consumer.shutdown())
        messages = self.cluster.broker.stored(TRACES)
        self.assertEqual([message.keys for message in messages], [(result.msg_id, "k1")] * 2)
        kinds = [record.split("\x01")[0] for message in messages for record in message.body.decode().split("\x02")[:-1]]
        self.assertEqual(sorted(kinds), ["Pub", "SubAfter", "SubBefore"])

    def kinds(self) -> list[str]:
        """The kinds of all records."""
        texts = [message.body.decode() for message in self.cluster.broker.stored(TRACES)]
        return sorted(record.split("\x01")[0] for text in texts for record in text.split("\x02")[:-1])

    def test_a_transaction_is_followed(self) -> None:
        """Its half message and its end."""
        self.cluster.create_topic(TRACES)
        commit = LocalTransactionState.COMMIT_MESSAGE
        producer = self.make(TransactionProducer, "pg", execute=lambda *_: commit, check=lambda _: commit, enable_msg_trace=True)
        self.result(producer.start())
        self.result(producer.send_in_transaction(Message(TOPIC, b"hello")))
        self.result(producer.shutdown())
        self.assertEqual(self.kinds(), ["EndTransaction", "Pub"])

    def test_what_is_pulled_is_followed(self) -> None:
        """As consumed well; a pull that finds nothing tells nothing."""
        self.cluster.create_topic(TRACES)
        self.cluster.broker.put(TOPIC, 0, b"1")
        consumer = self.pull_consumer(enable_msg_trace=True)
        self.result(consumer.pull(queue(), "*", 0))
        self.result(consumer.pull(queue(), "*", 1))
        self.result(consumer.shutdown())
        self.assertEqual(self.kinds(), ["SubAfter", "SubBefore"])

    def test_without_it_nothing_is_told(self) -> None:
        """That is the default."""
        producer = self.producer()
        self.result(producer.send(Message(TOPIC, b"hello")))
        self.result(producer.shutdown())
        self.assertEqual(self.cluster.broker.stored(TRACES), [])
