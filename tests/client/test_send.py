"""What goes out, and what happens when it does not arrive."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pymq.client.config import ProducerConfig
from pymq.client.hooks import SendMessageContext
from pymq.client.results import SendStatus
from pymq.client.retries import PAUSE_FIRST_S
from pymq.client.send import CONGESTION_PAUSE_S, Sender, check_message, property_text
from pymq.errors import BrokerRefused, ConnectFailed, InvalidMessage, RequestTimeout, TooManyRequests
from pymq.message import properties as names
from pymq.message.batch import decode_batch
from pymq.message.compression import decompress
from pymq.message.message import Message
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue
from tests.client.fakecluster import NAME_SERVER

SEND = Code.SEND_MESSAGE_V2


class Hook:
    """Notes both moments."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def send_message_before(self, context: SendMessageContext) -> None:
        """Noted."""
        self.told.append(("before", context.address))

    def send_message_after(self, context: SendMessageContext) -> None:
        """Noted."""
        self.told.append(("after", context.result.status if context.result else type(context.error)))


class SenderCase(ClientCase):
    """A sender on two brokers, its ids numbered."""

    broker_count = 2

    def setUp(self) -> None:
        """The sender."""
        super().setUp()
        self.shared = self.instance()
        self.ids = 0
        self.sender = self.with_settings()
        self.cluster.asked.clear()

    def next_id(self) -> str:
        """The next id."""
        self.ids += 1
        return f"ID{self.ids}"

    def with_settings(self, hooks: Any = (), **settings: Any) -> Sender:
        """A sender with other settings."""
        return Sender("pg", ProducerConfig(**settings), self.shared, self.next_id, hooks=hooks)

    def send(self, message: Message, sender: Sender | None = None, **more: Any) -> Any:
        """Prepare and send."""
        sender = sender or self.sender
        return sender.send(sender.prepare(message), **more)

    def tries(self) -> list[str]:
        """The addresses that were tried."""
        return [asked.address for asked in self.cluster.of(SEND)]


class PrepareTests(SenderCase):
    """From a message to what is sent."""

    def test_what_no_broker_takes_is_not_sent(self) -> None:
        """Each with its own words."""
        for message, words in (
            (Message("a b", b"x"), "illegal characters"),
            (Message("", b"x"), "blank"),
            (Message("SCHEDULE_TOPIC_XXXX", b"x"), "system"),
            (Message(TOPIC, b""), "empty"),
            (Message(TOPIC, b"x" * 11), "max_message_size"),
        ):
            self.assertIn(words, str(self.assertRaises(InvalidMessage, check_message, message, 10)))

    def test_properties_are_checked(self) -> None:
        """Separators in them, and their size, in bytes."""
        self.assertRaises(InvalidMessage, property_text, {"a": "\x02"})
        self.assertRaises(InvalidMessage, property_text, {"a": "é" * 16_384})
        self.assertEqual(property_text({"a": "b", "c": "d"}), "a\x01b\x02c\x01d")

    def test_the_unique_id_is_added_to_a_copy(self) -> None:
        """The user's message stays as it is; an id that is there is kept."""
        message = Message(TOPIC, b"x")
        prepared = self.sender.prepare(message)
        self.assertEqual((prepared.msg_id, names.UNIQ_KEY in message.properties), ("ID1", False))
        self.assertIn("UNIQ_KEY\x01ID1", prepared.properties)
        self.assertEqual(self.sender.prepare(Message(TOPIC, b"x", properties={names.UNIQ_KEY: "mine"})).msg_id, "mine")

    def test_large_bodies_are_compressed(self) -> None:
        """From the limit on, in zlib, and only when it helps."""
        self.assertEqual(self.sender.prepare(Message(TOPIC, b"x" * 4095)).sys_flag, 0)
        prepared = self.sender.prepare(Message(TOPIC, b"x" * 4096))
        self.assertEqual((prepared.sys_flag, len(prepared.body) < 100), (0x301, True))
        noise = os.urandom(5000)
        self.assertEqual(
            (self.sender.prepare(Message(TOPIC, noise)).sys_flag, self.sender.prepare(Message(TOPIC, noise)).body), (0, noise)
        )

    def test_the_kind_of_compression_is_told(self) -> None:
        """In the system flag, with each of Java's names for them; level and limit are settings."""
        body = bytes(range(256)) * 4
        for name, flag in (("LZ4", 0x101), ("ZSTD", 0x201), ("ZLIB", 0x301)):
            sender = self.with_settings(compress_type=name, compress_level=1, compress_msg_body_over_howmuch=1000)
            prepared = sender.prepare(Message(TOPIC, body))
            self.assertEqual((prepared.sys_flag, decompress(prepared.body, flag)), (flag, body))
            self.assertEqual(sender.prepare(Message(TOPIC, body[:999])).sys_flag, 0)

    def test_a_retry_message_moves_its_counters_to_the_header(self) -> None:
        """Java's RECONSUME_TIME and MAX_RECONSUME_TIMES."""
        message = Message("%RETRY%cg", b"x", properties={"RECONSUME_TIME": "3", "MAX_RECONSUME_TIMES": "9"})
        prepared = self.sender.prepare(message)
        self.assertEqual((prepared.reconsume_times, prepared.max_reconsume_times), (3, 9))
        self.assertNotIn("RECONSUME", prepared.properties)

    @given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.text("abc", max_size=3)), min_size=1, max_size=9))
    def test_a_batch_holds_its_messages(self, given_messages: list[tuple[bytes, str]]) -> None:
        """In order, each with its own properties and id."""
        prepared = self.sender.prepare_batch([Message(TOPIC, body, tags=tag) for body, tag in given_messages])
        items = decode_batch(prepared.body)
        self.assertEqual([item.body for item in items], [body for body, _ in given_messages])
        ids = [names.property_of(item.properties, names.UNIQ_KEY) for item in items]
        self.assertEqual(",".join(map(str, ids)), prepared.msg_id)

    def test_bad_batches(self) -> None:
        """Empty, mixed, delayed, of a retry topic, too large."""
        for messages in (
            [],
            [Message(TOPIC, b"x"), Message("other", b"x")],
            [Message(TOPIC, b"x"), Message(TOPIC, b"x", wait_store_ok=False)],
            [Message(TOPIC, b"x", delay_level=1)],
            [Message("%RETRY%cg", b"x")],
            [Message(TOPIC, b"x" * 3_000_000)] * 2,
        ):
            self.assertRaises(InvalidMessage, self.sender.prepare_batch, messages)


class SendTests(SenderCase):
    """Over the wire."""

    def test_a_result_says_where_the_message_is(self) -> None:
        """Ids, queue, offset, region."""
        result = self.result(self.send(Message(TOPIC, b"x")))
        self.assertEqual((result.status, result.msg_id, result.queue_offset), (SendStatus.SEND_OK, "ID1", 0))
        self.assertEqual((result.queue, result.region_id, result.trace_on), (queue(0), "DefaultRegion", True))
        self.assertEqual(len(result.offset_msg_id), 32)

    def test_the_header_is_java_s(self) -> None:
        """The letters of V2."""
        self.result(self.send(Message(TOPIC, b"x", tags="A", flag=5)))
        fields = self.cluster.of(SEND)[0].fields
        self.assertEqual({letter: fields[letter] for letter in "abcdefhkmn"}, {
            "a": "pg", "b": TOPIC, "c": "TBW102", "d": "4", "e": "0", "f": "0", "h": "5", "k": "false", "m": "false",
            "n": "broker-a",
        })  # fmt: skip

    def test_a_failed_try_goes_to_another_broker(self) -> None:
        """With the same id, so that a duplicate can be told."""
        self.cluster.down.add("10.0.0.2:10911")
        result = self.result(self.send(Message(TOPIC, b"x")))
        self.assertEqual((self.tries(), result.queue.broker_name), (["10.0.0.2:10911", "10.0.0.3:10911"], "broker-b"))
        self.assertEqual(len({one.fields["i"] for one in self.cluster.of(SEND)}), 1)

    def test_three_tries_and_no_more(self) -> None:
        """Then the last error. The first broker is tried again only after a pause."""
        self.cluster.down |= {"10.0.0.2:10911", "10.0.0.3:10911"}
        sending = Deferred.fromCoroutine(self.send(Message(TOPIC, b"x")))
        self.assertEqual(len(self.tries()), 2)
        self.tick(PAUSE_FIRST_S / 2 - 0.001)
        self.assertEqual(len(self.tries()), 2)
        self.tick(PAUSE_FIRST_S / 2 + 0.001)
        self.failureResultOf(sending, ConnectFailed)
        self.assertEqual(len(self.tries()), 3)

    def test_a_fault_that_passes_is_survived(self) -> None:
        """By the pauses between the tries."""
        self.cluster.down |= {"10.0.0.2:10911", "10.0.0.3:10911"}
        patient = self.with_settings(retry_times_when_send_failed=5)
        sending = Deferred.fromCoroutine(self.send(Message(TOPIC, b"x"), patient))
        self.tick(0.1, 5)
        self.assertNoResult(sending)
        self.cluster.down.clear()
        self.tick(0.1, 20)
        self.assertIs(self.successResultOf(sending).status, SendStatus.SEND_OK)

    def test_brokers_under_other_addresses(self) -> None:
        """Are found by the next try."""
        for broker in self.cluster.brokers:
            broker.address = broker.address.replace("10.0.0.", "10.0.1.")
        self.assertIs(self.result(self.send(Message(TOPIC, b"x"))).status, SendStatus.SEND_OK)
        self.assertEqual(self.tries(), ["10.0.0.2:10911", "10.0.1.3:10911"])

    def test_a_pause_beyond_the_time_limit_is_not_waited_for(self) -> None:
        """The error is the broker's, and comes at once."""
        self.cluster.rules.append(lambda address, request: ConnectFailed(address, "later", 9.0) if request.code == SEND else None)
        error = self.failure(self.send(Message(TOPIC, b"x")), ConnectFailed)
        self.assertEqual((error.reason, len(self.tries())), ("later", 2))

    def test_a_try_may_be_given_less_than_all_of_the_time(self) -> None:
        """A broker in a black hole then leaves time for another; the last try may take the rest."""

        def black_hole(address: str, request: RemotingCommand) -> Any:
            return Deferred() if request.code == SEND and address == "10.0.0.2:10911" else None

        self.cluster.rules.append(black_hole)
        hasty = self.with_settings(send_msg_max_timeout_per_request_s=1.0)
        sending = Deferred.fromCoroutine(self.send(Message(TOPIC, b"x"), hasty))
        self.tick(0.9)
        self.assertNoResult(sending)
        self.tick(0.1)
        self.assertEqual(self.successResultOf(sending).queue.broker_name, "broker-b")
        once = self.with_settings(send_msg_max_timeout_per_request_s=1.0, retry_times_when_send_failed=0)
        sending = Deferred.fromCoroutine(self.send(Message(TOPIC, b"x"), once))
        self.tick(2.9)
        self.assertNoResult(sending)
        self.tick(0.1)
        self.failureResultOf(sending, RequestTimeout)

    def test_the_name_servers_have_no_more_time_than_the_send(self) -> None:
        """For a topic whose route is not known."""
        self.cluster.rules.append(lambda address, request: Deferred() if address == NAME_SERVER else None)  # type: ignore[arg-type,return-value]
        sending = Deferred.fromCoroutine(self.send(Message("new", b"x"), timeout_s=0.5))
        self.tick(0.5)
        self.assertIn(NAME_SERVER, str(self.failureResultOf(sending, RequestTimeout).value))
        self.tick(3.0)

    def test_some_refusals_are_tried_elsewhere(self) -> None:
        """Those of remoting.md 3.2; others are final."""
        self.cluster.refuse(SEND, 14, count=1)
        self.assertIs(self.result(self.send(Message(TOPIC, b"x"))).status, SendStatus.SEND_OK)
        self.cluster.asked.clear()
        self.cluster.refuse(SEND, 13, count=1)
        error = self.failure(self.send(Message(TOPIC, b"x")), BrokerRefused)
        self.assertEqual((error.code, len(self.tries())), (13, 1))

    def test_the_time_limit_covers_all_tries(self) -> None:
        """A try that used it up is the last one."""
        self.cluster.rules.append(lambda address, request: Deferred() if request.code == SEND else None)  # type: ignore[arg-type,return-value]
        sending = Deferred.fromCoroutine(self.send(Message(TOPIC, b"x")))
        self.tick(2.9)
        self.assertNoResult(sending)
        self.tick(0.1)
        self.failureResultOf(sending, RequestTimeout)
        self.assertEqual(len(self.tries()), 1)

    def test_stored_but_not_safe(self) -> None:
        """Told as it is; sent again elsewhere on request."""

        def not_flushed(address: str, request: RemotingCommand) -> RemotingCommand | None:
            if request.code == SEND and address == "10.0.0.2:10911":
                return request.reply(10, ext_fields={"msgId": "F" * 32, "queueId": "0", "queueOffset": "7"})
            return None

        self.cluster.rules.append(not_flushed)
        self.assertIs(self.result(self.send(Message(TOPIC, b"x"))).status, SendStatus.FLUSH_DISK_TIMEOUT)
        careful = self.with_settings(retry_another_broker_when_not_store_ok=True)
        self.assertIs(self.result(self.send(Message(TOPIC, b"x"), careful)).status, SendStatus.SEND_OK)

    def test_a_congested_connection_is_given_a_pause(self) -> None:
        """Not counted as a failed try."""
        left = [2]

        def congested(address: str, request: RemotingCommand) -> Any:
            if request.code == SEND and left[0]:
                left[0] -= 1
                return TooManyRequests("full")
            return None

        self.cluster.rules.append(congested)
        sending = Deferred.fromCoroutine(self.send(Message(TOPIC, b"x")))
        self.tick(CONGESTION_PAUSE_S, 2)
        self.assertIs(self.successResultOf(sending).status, SendStatus.SEND_OK)
        self.assertEqual(set(self.tries()), {"10.0.0.2:10911"})

    def test_sends_under_way_are_bounded(self) -> None:
        """The next one fails at once."""
        sender = self.with_settings(sends_in_flight_max=1, retry_times_when_send_failed=0)
        self.cluster.rules.append(lambda address, request: Deferred() if request.code == SEND else None)  # type: ignore[arg-type,return-value]
        first = Deferred.fromCoroutine(self.send(Message(TOPIC, b"x"), sender))
        self.assertEqual(sender.in_flight, 1)
        error = self.failure(self.send(Message(TOPIC, b"x"), sender), TooManyRequests)
        self.assertIn("sends_in_flight_max", str(error))
        self.tick(3.0)
        self.failureResultOf(first, RequestTimeout)
        self.assertEqual(sender.in_flight, 0)

    def test_slow_brokers_are_left_alone_on_request(self) -> None:
        """A failure takes the broker out of the choice."""
        sender = self.with_settings(send_latency_fault_enable=True)
        self.cluster.down.add("10.0.0.2:10911")
        self.result(self.send(Message(TOPIC, b"x"), sender))
        self.cluster.asked.clear()
        for _ in range(8):
            self.result(self.send(Message(TOPIC, b"x"), sender))
        self.assertEqual(set(self.tries()), {"10.0.0.3:10911"})

    def test_to_a_queue_only_once(self) -> None:
        """The user chose it, so no other will do."""
        prepared = self.sender.prepare(Message(TOPIC, b"x"))
        self.assertEqual(self.result(self.sender.send_to_queue(queue(3), prepared)).queue, queue(3))
        self.cluster.refuse(SEND, 14, count=1)
        self.failure(self.sender.send_to_queue(queue(3), prepared), BrokerRefused)
        self.failure(self.sender.send_to_queue(queue(3, topic="other"), prepared), InvalidMessage)
        self.assertEqual(len(self.tries()), 2)

    def test_one_way(self) -> None:
        """In turn, or to a queue, with the flag that says so."""
        prepared = self.sender.prepare(Message(TOPIC, b"x"))
        self.result(self.sender.send_oneway(prepared))
        self.result(self.sender.send_oneway(prepared, queue(2)))
        asked = self.cluster.of(SEND)
        self.assertEqual([one.command.is_oneway for one in asked], [True, True])
        self.assertEqual([one.fields["e"] for one in asked], ["0", "2"])

    def test_hooks_see_each_try(self) -> None:
        """Before and after, failed or not, one-way too."""
        hook = Hook()
        sender = self.with_settings(hooks=[hook])
        self.cluster.down.add("10.0.0.2:10911")
        self.result(self.send(Message(TOPIC, b"x"), sender))
        self.assertEqual(hook.told, [
            ("before", "10.0.0.2:10911"), ("after", ConnectFailed), ("before", "10.0.0.3:10911"), ("after", SendStatus.SEND_OK),
        ])  # fmt: skip
        hook.told.clear()
        self.failure(sender.send_oneway(sender.prepare(Message(TOPIC, b"x")), queue(0)), ConnectFailed)
        self.result(sender.send_oneway(sender.prepare(Message(TOPIC, b"x")), queue(0, broker_name="broker-b")))
        self.assertEqual([what for what, _ in hook.told], ["before", "after"] * 2)

    def test_a_batch_arrives_as_messages(self) -> None:
        """Under code 320, with an id for each."""
        prepared = self.sender.prepare_batch([Message(TOPIC, b"%d" % n) for n in range(3)])
        result = self.result(self.sender.send(prepared))
        self.assertEqual((result.msg_id, len(result.offset_msg_id.split(","))), ("ID1,ID2,ID3", 3))
        self.assertEqual([one.body for one in self.cluster.broker.stored(TOPIC)], [b"0", b"1", b"2"])
        self.assertEqual(self.cluster.of(Code.SEND_BATCH_MESSAGE)[0].fields["m"], "true")
