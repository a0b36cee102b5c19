"""One pop, and what is said of its messages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.config import ConsumeFromWhere
from pymq.client.popping import ALL_QUEUES, PATIENCE_S, PopClient
from pymq.client.results import PopResult, PopStatus
from pymq.errors import BrokerRefused, DecodeError, NotSupported, RequestTimeout
from pymq.message.message import StoredMessage
from pymq.wire.bodies.heartbeat import build_subscription
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.pop import PopMessageResponseHeader
from tests.client.cases import TOPIC, ClientCase, queue, running
from tests.client.fakecluster import START_S
from tests.client.fakepop import let_pop

POP_MS = START_S * 1000


class PopCase(ClientCase):
    """A broker that lets pop, and one client of it."""

    def setUp(self) -> None:
        """Nothing is stored yet."""
        super().setUp()
        (self.broker,) = let_pop(self.cluster)
        self.addCleanup(self.broker.forget_waiting)
        self.client = PopClient("g", self.instance(), ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET)
        self.addCleanup(self.show_all)

    def show_all(self) -> None:
        """Nothing hidden is left on the clock."""
        for key in list(self.broker.hidden):
            self.broker.show(key)

    def pop(self, which: MessageQueue | None = None, expression: str = "*", **more: Any) -> PopResult:
        """Pop now."""
        settings = {"count_max": 32, "invisible_s": 30.0, "wait_s": 0.0, **more}
        subscription = build_subscription(TOPIC, expression, sub_version=1)
        return self.result(self.client.pop(which or queue(ALL_QUEUES), subscription, **settings))

    def put(self, *bodies: bytes, queue_id: int = 0, tag: str = "A") -> None:
        """Store messages."""
        for body in bodies:
            self.broker.put(TOPIC, queue_id, body, f"TAGS\x01{tag}")

    def receipts(self, messages: Any) -> list[str]:
        """Those of messages."""
        return [message.properties["POP_CK"] for message in messages]


class PoppingTests(PopCase):
    """What is asked, and what the answer means."""

    def test_the_request(self) -> None:
        """As Java's, but for the time: that is left to the broker, whose clock counts."""
        self.pop(wait_s=0.0, count_max=7)
        (asked,) = self.cluster.of(Code.POP_MESSAGE)
        self.assertEqual(
            asked.fields,
            {
                "consumerGroup": "g",
                "topic": TOPIC,
                "queueId": "-1",
                "maxMsgNums": "7",
                "invisibleTime": "30000",
                "pollTime": "0",
                "bornTime": "0",
                "initMode": "0",
                "expType": "TAG",
                "exp": "*",
                "order": "false",
                "bname": "broker-a",
            },
        )

    def test_a_new_group_may_begin_at_the_end(self) -> None:
        """Also where a time was meant, which cannot be told."""
        for begin in (ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, ConsumeFromWhere.CONSUME_FROM_TIMESTAMP):
            self.client = PopClient("g", self.shared_instance(), begin)
            self.pop()
        self.assertEqual([asked.fields["initMode"] for asked in self.cluster.of(Code.POP_MESSAGE)], ["1", "1"])

    def shared_instance(self) -> Any:
        """One more."""
        return self.instance(client_id=f"10.0.0.7@{len(self.cluster.remotings)}")

    def test_messages_and_their_receipts(self) -> None:
        """Of two queues, each with its own place."""
        self.put(b"1", b"2")
        self.put(b"3", queue_id=2)
        result = self.pop()
        self.assertEqual((result.status, [message.body for message in result.messages]), (PopStatus.FOUND, [b"1", b"2", b"3"]))
        self.assertEqual(
            self.receipts(result.messages),
            [
                f"0 {POP_MS} 30000 3 0 broker-a 0 0",
                f"0 {POP_MS} 30000 3 0 broker-a 0 1",
                f"0 {POP_MS} 30000 3 0 broker-a 2 0",
            ],
        )
        self.assertEqual({message.broker_name for message in result.messages}, {"broker-a"})
        self.assertEqual({message.properties["1ST_POP_TIME"] for message in result.messages}, {str(POP_MS)})

    def test_messages_that_come_again(self) -> None:
        """From both retry topics: with the topic that was asked for, and the receipt that the broker gave them."""
        for self.broker.v2, flag in ((False, "1"), (True, "2")):
            self.put(b"1")
            self.pop()
            self.tick(30.0)
            (message,) = self.pop().messages
            self.assertEqual((message.topic, message.reconsume_times, message.body), (TOPIC, 1, b"1"))
            self.assertEqual(self.receipts([message])[0].split(" ")[4], flag)
            self.result(self.client.ack(message))
            self.assertEqual(self.broker.hidden, {})

    def test_nothing_there(self) -> None:
        """At once, or after the wait."""
        self.assertEqual(self.pop().status, PopStatus.POLLING_NOT_FOUND)
        subscription = build_subscription(TOPIC, "*", sub_version=1)
        waiting = running(self.client.pop(queue(-1), subscription, count_max=1, invisible_s=5, wait_s=15))
        self.tick(14.9)
        self.assertNoResult(waiting)
        self.tick(0.1)
        self.assertEqual(self.successResultOf(waiting).status, PopStatus.POLLING_NOT_FOUND)

    def test_what_comes_wakes_who_waits(self) -> None:
        """At once."""
        subscription = build_subscription(TOPIC, "*", sub_version=1)
        waiting = running(self.client.pop(queue(-1), subscription, count_max=1, invisible_s=5, wait_s=15))
        self.put(b"1", queue_id=3)
        self.assertEqual([message.body for message in self.successResultOf(waiting).messages], [b"1"])

    def test_a_broker_that_is_silent(self) -> None:
        """Is waited for somewhat longer than it was to wait itself."""
        self.cluster.rules.append(lambda _, request: self.silence() if request.code == Code.POP_MESSAGE else None)
        subscription = build_subscription(TOPIC, "*", sub_version=1)
        waiting = running(self.client.pop(queue(-1), subscription, count_max=1, invisible_s=5, wait_s=15))
        self.tick(15 + PATIENCE_S - 0.1)
        self.assertNoResult(waiting)
        self.tick(0.1)
        self.failureResultOf(waiting, RequestTimeout)

    def silence(self) -> Any:
        """No answer ever."""
        return Deferred(lambda _: None)

    def test_what_was_not_asked_for_is_passed_over(self) -> None:
        """Brokers filter by hash, and may be wrong: the stranger is acknowledged, so that it does not come again."""
        self.put(b"1")
        self.put(b"2", tag="C")
        self.assertEqual([message.body for message in self.pop(expression="A || B").messages], [b"1"])
        self.assertEqual([asked.fields["offset"] for asked in self.cluster.of(Code.ACK_MESSAGE)], ["1"])

    def test_other_answers(self) -> None:
        """Too many who wait; what is no answer to a pop; a broker that is too old."""
        for code, error in ((16, BrokerRefused), (3, NotSupported)):
            self.cluster.rules[:] = []
            self.cluster.refuse(Code.POP_MESSAGE, code)
            subscription = build_subscription(TOPIC, "*", sub_version=1)
            self.failure(self.client.pop(queue(-1), subscription, count_max=1, invisible_s=5, wait_s=0), error)
        self.cluster.rules[:] = []
        self.cluster.refuse(Code.POP_MESSAGE, 209)
        self.assertEqual(self.pop().status, PopStatus.POLLING_FULL)

    def answer_with(self, **texts: Any) -> None:
        """The next answer has the two messages of queue 0, and these texts."""

        def rule(_: str, request: RemotingCommand) -> RemotingCommand | None:
            if request.code != Code.POP_MESSAGE:
                return None
            header = PopMessageResponseHeader(pop_time=POP_MS, invisible_time=30_000, revive_queue_id=5, **texts)
            return request.reply(header=header, body=b"".join(self.broker.queues[TOPIC, 0]))

        self.cluster.rules[:] = [rule]

    def test_brokers_without_the_texts(self) -> None:
        """Old ones: each queue was read from its first message on."""
        self.put(b"1", b"2")
        self.answer_with()
        self.assertEqual(
            self.receipts(self.pop().messages),
            [f"0 {POP_MS} 30000 5 0 broker-a 0 0", f"0 {POP_MS} 30000 5 0 broker-a 0 1"],
        )

    def test_texts_that_do_not_go_with_the_messages(self) -> None:
        """Too few offsets, or none."""
        self.put(b"1", b"2")
        subscription = build_subscription(TOPIC, "*", sub_version=1)
        for text in ("0 0 7", "0 0 x,y"):
            self.answer_with(start_offset_info="0 0 0", msg_offset_info=text)
            self.failure(self.client.pop(queue(-1), subscription, count_max=2, invisible_s=5, wait_s=0), DecodeError)

    def test_receipts_of_other_pops_do_not_count(self) -> None:
        """A message that was sent with the properties of a popped one gets its own."""
        self.broker.put(TOPIC, 0, b"1", "POP_CK\x010 17 30000 3 1 broker-x 9 9")
        self.broker.put(TOPIC, 0, b"2", "POP_CK\x01nonsense")
        self.assertEqual(
            self.receipts(self.pop().messages),
            [f"0 {POP_MS} 30000 3 0 broker-a 0 0", f"0 {POP_MS} 30000 3 0 broker-a 0 1"],
        )


class SayingTests(PopCase):
    """Acknowledging, and putting off."""

    def popped(self, count: int) -> list[StoredMessage]:
        """So many messages, hidden for thirty seconds."""
        self.put(*(b"%d" % n for n in range(count)))
        return list(self.pop().messages)

    def test_acknowledged_messages_do_not_come_again(self) -> None:
        """One by one."""
        first = self.popped(2)[0]
        self.result(self.client.ack(first))
        self.tick(30.0)
        self.assertEqual([message.body for message in self.pop().messages], [b"1"])
        (asked,) = self.cluster.of(Code.ACK_MESSAGE)
        self.assertEqual(
            asked.fields,
            {
                "consumerGroup": "g",
                "topic": TOPIC,
                "queueId": "0",
                "offset": "0",
                "extraInfo": f"0 {POP_MS} 30000 3 0 broker-a 0 0",
                "bname": "broker-a",
            },
        )

    def test_many_at_a_time(self) -> None:
        """With one request, also for those that came again."""
        self.popped(1)
        self.tick(30.0)
        self.put(b"1", b"2", queue_id=1)
        messages = list(self.pop().messages)
        self.assertEqual(len(messages), 3)
        self.result(self.client.ack_all(messages))
        self.assertEqual((self.broker.hidden, len(self.cluster.of(Code.BATCH_ACK_MESSAGE))), ({}, 1))

    def test_put_off(self) -> None:
        """The message has another receipt then, and the one before is worth nothing."""
        (message,) = self.popped(1)
        before = message.properties["POP_CK"]
        self.tick(2.0)
        self.result(self.client.change_invisible_time(message, 60))
        self.assertEqual(self.receipts([message]), [f"0 {POP_MS + 2000} 60000 3 0 broker-a 0 0"])
        old = StoredMessage(topic=TOPIC, queue_id=0, properties={"POP_CK": before})
        self.result(self.client.ack(old))
        self.assertEqual(len(self.broker.hidden), 1)
        self.tick(59.0)
        self.assertEqual(self.pop().messages, ())
        self.result(self.client.ack(message))
        self.assertEqual(self.broker.hidden, {})

    def test_messages_that_were_not_popped(self) -> None:
        """Have no receipt."""
        message = StoredMessage(topic=TOPIC, queue_id=0)
        for say in (self.client.ack(message), self.client.ack_all([message]), self.client.change_invisible_time(message, 1)):
            self.assertIn("no receipt", str(self.failure(say, DecodeError)))

    def test_refusals(self) -> None:
        """Are raised."""
        (message,) = self.popped(1)
        for code in (Code.ACK_MESSAGE, Code.BATCH_ACK_MESSAGE, Code.CHANGE_MESSAGE_INVISIBLETIME):
            self.cluster.refuse(code, 208)
        for say in (self.client.ack(message), self.client.ack_all([message]), self.client.change_invisible_time(message, 1)):
            self.assertEqual(self.failure(say, BrokerRefused).code, 208)
