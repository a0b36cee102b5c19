"""Requests, their replies, and what is in them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.client import request as requests
from pymq.client.request import PendingReplies, ask, pushed_reply, reply_message
from pymq.errors import BrokerRefused, DecodeError, InvalidMessage, NoReply, NotStarted, TooManyRequests
from pymq.message.compression import compress
from pymq.message.flags import COMPRESSED, COMPRESSION_ZLIB
from pymq.message.message import Message, StoredMessage
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import ReplyMessageRequestHeader
from tests.client.cases import TOPIC, ClientCase, stored

REPLY = ReplyMessageRequestHeader(
    producer_group="repliers", topic="DefaultCluster_REPLY_TOPIC", default_topic="TBW102", default_topic_queue_nums=4,
    queue_id=0, sys_flag=0, born_timestamp=1, flag=2, properties="CORRELATION_ID\x01K1\x02A\x01b", reconsume_times=0,
    unit_mode=False, born_host="10.0.0.8:5", store_host="[2001:db8::1]:10911", store_timestamp=3,
)  # fmt: skip


class RequestTests(ClientCase):
    """A producer asks; the test is broker and consumer."""

    def setUp(self) -> None:
        """A producer that runs."""
        super().setUp()
        self.asking = self.producer()

    def sent(self) -> StoredMessage:
        """The request as a consumer gets it."""
        message = self.cluster.broker.stored(TOPIC)[-1]
        message.properties["CLUSTER"] = "DefaultCluster"
        return message  # type: ignore[no-any-return]

    def push(self, reply: Message) -> int:
        """The broker passes a reply on; the client's answer."""
        fields = {**REPLY.to_fields(), "properties": reply.properties_text()}
        command = RemotingCommand(code=int(Code.PUSH_REPLY_MESSAGE_TO_CLIENT), ext_fields=fields, body=reply.body)
        answer: RemotingCommand = self.cluster.remotings[0].ask_client(command)
        return answer.code

    def test_the_reply_comes_back(self) -> None:
        """To its own request, whatever else was asked."""
        first = self.asking.request(Message(TOPIC, b"one?"))
        one = self.sent()
        second = self.asking.request(Message(TOPIC, b"two?"))
        two = next(message for message in self.cluster.broker.stored(TOPIC) if message.body == b"two?")
        two.properties["CLUSTER"] = "DefaultCluster"
        self.assertEqual(self.push(reply_message(two, b"two!")), 0)
        self.assertEqual(self.push(reply_message(one, b"one!")), 0)
        self.assertEqual((self.result(first).body, self.result(second).body), (b"one!", b"two!"))
        self.assertEqual(len(self.asking.instance.replies), 0)

    def test_what_a_request_says(self) -> None:
        """An id, who asks, and for how long; the user's message stays as it was."""
        message = Message(TOPIC, b"?", tags="T")
        waiting = self.asking.request(message, 2.5)
        properties = self.sent().properties
        self.assertEqual((properties["REPLY_TO_CLIENT"], properties["TTL"]), (self.asking.client_id, "2500"))
        self.assertEqual((len(properties["CORRELATION_ID"]), properties["TAGS"]), (36, "T"))
        self.assertNotIn("CORRELATION_ID", message.properties)
        self.tick(2.5)
        self.failure(waiting, NoReply)

    def test_the_broker_knows_the_client_before_the_request(self) -> None:
        """Also a broker that was not used before."""
        self.cluster.asked.clear()
        self.asking.instance.broker_versions.clear()
        waiting = self.asking.request(Message(TOPIC, b"?"))
        codes = [asked.command.code for asked in self.cluster.asked]
        self.assertLess(codes.index(Code.HEART_BEAT), codes.index(Code.SEND_MESSAGE_V2))
        self.tick(3)
        self.failure(waiting, NoReply)

    def test_a_request_that_cannot_be_sent(self) -> None:
        """Its own error, and nobody waits."""
        self.cluster.refuse(Code.SEND_MESSAGE_V2, 13)
        self.failure(self.asking.request(Message(TOPIC, b"?")), BrokerRefused)
        self.failure(self.asking.request(Message(TOPIC, b"")), InvalidMessage)
        self.assertEqual(len(self.asking.instance.replies), 0)

    def test_a_shutdown_ends_it(self) -> None:
        """With NotStarted."""
        waiting = self.asking.request(Message(TOPIC, b"?"))
        self.result(self.asking.shutdown())
        self.failure(waiting, NotStarted)


class AskTests(SynchronousTestCase):
    """The waiting itself."""

    def ask(self, replies: PendingReplies, send: Any) -> Deferred[StoredMessage]:
        """A request that `send` sends."""
        self.clock = Clock()
        message = Message(TOPIC, b"?")
        return Deferred.fromCoroutine(ask(message, 3, client_id="me", replies=replies, clock=self.clock, send=send))

    def test_a_reply_that_overtakes_the_answer_to_the_send(self) -> None:
        """It counts, even if that answer is bad news."""
        for outcome in (None, BrokerRefused(1, "late", "a:1")):
            replies, seen, sending = PendingReplies(), [], Deferred[None]()

            def send(request: Message, seen: Any = seen, sending: Any = sending) -> Any:
                seen.append(request)
                return sending

            waiting = self.ask(replies, send)
            replies.arrived(stored(0, b"!", properties=dict(seen[0].properties)))
            if outcome is None:
                sending.callback(None)
            else:
                sending.errback(outcome)
            self.assertEqual(self.successResultOf(waiting).body, b"!")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_left_behind(self) -> None:
        """Neither on the clock nor in the table."""
        for send in (lambda _: fail(ValueError()), lambda _: succeed(None)):
            replies = PendingReplies()
            waiting = self.ask(replies, send)
            self.clock.advance(3)
            self.failureResultOf(waiting, ValueError, NoReply)
            self.assertEqual((len(replies), self.clock.getDelayedCalls()), (0, []))

    def test_too_many(self) -> None:
        """A bound with a name."""
        self.patch(requests, "REQUESTS_MAX", 1)
        replies = PendingReplies()
        replies.expect("a")
        self.assertRaises(TooManyRequests, replies.expect, "b")

    def test_a_reply_for_nobody(self) -> None:
        """Says so."""
        self.assertFalse(PendingReplies().arrived(stored(0)))


class ReplyTests(SynchronousTestCase):
    """The reply, as it is made and as it comes."""

    def test_making_one(self) -> None:
        """To the cluster's reply topic, with what the request said."""
        asked = {"CORRELATION_ID": "K", "REPLY_TO_CLIENT": "me", "TTL": "3000"}
        reply = reply_message(stored(0, properties={"CLUSTER": "c", "TAGS": "T", **asked}), b"!")
        self.assertEqual((reply.topic, reply.body), ("c_REPLY_TOPIC", b"!"))
        self.assertEqual(reply.properties, {"MSG_TYPE": "reply", "WAIT": "true", **asked})

    def test_replying_to_what_is_no_request(self) -> None:
        """Without a cluster there is nowhere to reply to; without an id the broker will say what is missing."""
        self.assertRaises(InvalidMessage, reply_message, stored(0), b"!")
        self.assertNotIn("REPLY_TO_CLIENT", reply_message(stored(0, properties={"CLUSTER": "c"}), b"!").properties)

    def test_reading_one(self) -> None:
        """With hosts, times and properties."""
        reply = pushed_reply(REPLY, b"!", 9)
        self.assertEqual((reply.born_host, reply.store_host), (("10.0.0.8", 5), ("2001:db8::1", 10911)))
        self.assertEqual((reply.born_timestamp, reply.store_timestamp, reply.flag, reply.body), (1, 3, 2, b"!"))
        self.assertEqual(reply.properties, {"CORRELATION_ID": "K1", "A": "b", "ARRIVE_TIME": "9"})

    def test_compressed_ones(self) -> None:
        """Are decompressed, or refused at once."""
        fields = {**REPLY.to_fields(), "sysFlag": str(COMPRESSED | COMPRESSION_ZLIB)}
        header = ReplyMessageRequestHeader.from_fields(fields)
        self.assertEqual(pushed_reply(header, compress(b"!" * 99, COMPRESSION_ZLIB, 5), 9).body, b"!" * 99)
        self.assertRaises(DecodeError, pushed_reply, header, b"nonsense", 9)
