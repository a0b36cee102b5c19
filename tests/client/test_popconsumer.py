"""The pop consumer as its users see it."""

from __future__ import annotations

from typing import Any

from pymq.client.messageselector import MessageSelector
from pymq.client.popconsumer import PopConsumer
from pymq.errors import (
    BrokerRefused,
    ClientError,
    ConfigError,
    ConnectFailed,
    ConnectionClosed,
    DecodeError,
    NoRoute,
    NotStarted,
    NotSupported,
    RequestError,
)
from pymq.wire.bodies.heartbeat import decode_heartbeat
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue, stored
from tests.client.fakepop import let_pop


class PopConsumerTests(ClientCase):
    """On two brokers."""

    broker_count = 2

    def setUp(self) -> None:
        """Both let pop."""
        super().setUp()
        self.brokers = let_pop(self.cluster)

    def check_all_is_over(self) -> None:
        """The brokers forget what they hold, as it is not what is tested."""
        for broker in self.brokers:
            broker.forget_waiting()
            for key in list(broker.hidden):
                broker.show(key)
        super().check_all_is_over()

    def consumer(self, group: str = "cg", **more: Any) -> PopConsumer:
        """One that runs."""
        consumer = self.make(PopConsumer, group, **more)
        self.result(consumer.start())
        return consumer

    def put(self, *bodies: bytes, broker: int = 0, topic: str = TOPIC) -> None:
        """Store messages."""
        for body in bodies:
            self.brokers[broker].put(topic, 1, body, "TAGS\x01A")

    def bodies(self, popping: Any) -> list[bytes]:
        """What a pop brought, which must be there now."""
        return [message.body for message in self.result(popping)]

    def test_a_topic(self) -> None:
        """Whichever broker has messages; those that are acknowledged do not come again."""
        consumer = self.consumer()
        for broker in (0, 1, 1, 0):
            self.put(b"here", broker=broker)
            (message,) = self.result(consumer.pop(TOPIC, invisible_s=10))
            self.assertEqual((message.body, message.broker_name), (b"here", self.brokers[broker].name))
            self.result(consumer.ack(message))
        self.tick(10)
        self.assertEqual(self.bodies(consumer.pop(TOPIC, wait_s=0)), [])

    def test_each_broker_waits_in_its_turn(self) -> None:
        """The others are only asked."""
        consumer = self.consumer()
        for _ in range(2):
            waiting = consumer.pop(TOPIC, wait_s=5)
            self.assertNoResult(waiting)
            self.tick(5)
            self.assertEqual(self.successResultOf(waiting), ())
        asked = [(one.fields["bname"], one.fields["pollTime"]) for one in self.cluster.of(Code.POP_MESSAGE)]
        self.assertEqual(asked, [("broker-b", "0"), ("broker-a", "5000"), ("broker-a", "0"), ("broker-b", "5000")])

    def test_a_broker_that_fails(self) -> None:
        """Is passed over; only when it would have been the one to wait, its error is told."""
        self.put(b"1", b"2", broker=1)
        consumer = self.consumer()
        self.assertEqual(self.bodies(consumer.pop(TOPIC, max_count=1)), [b"1"])
        self.cluster.down.add(self.brokers[0].address)
        self.assertEqual(self.bodies(consumer.pop(TOPIC, max_count=1)), [b"2"])
        self.failure(consumer.pop(TOPIC, wait_s=0), ConnectFailed)

    def test_one_queue(self) -> None:
        """Of one broker."""
        self.put(b"1")
        consumer = self.consumer()
        self.assertEqual(self.bodies(consumer.pop(queue(0), wait_s=0)), [])
        self.assertEqual(self.bodies(consumer.pop(queue(1), wait_s=0)), [b"1"])

    def test_what_is_selected(self) -> None:
        """By tags or by SQL92, and so many."""
        self.put(b"1", b"2", b"3")
        consumer = self.consumer()
        self.assertEqual(self.bodies(consumer.pop(TOPIC, "A || B", max_count=2)), [b"1", b"2"])
        self.bodies(consumer.pop(TOPIC, MessageSelector.by_sql("a > 1"), max_count=2))
        last = self.cluster.of(Code.POP_MESSAGE)[-1].fields
        self.assertEqual((last["expType"], last["exp"], last["maxMsgNums"]), ("SQL92", "a > 1", "2"))

    def test_what_failed_and_what_takes_longer(self) -> None:
        """Comes again when it is said to."""
        self.put(b"1")
        consumer = self.consumer()
        (message,) = self.result(consumer.pop(TOPIC, invisible_s=10))
        self.result(consumer.change_invisible_time(message, 20))
        self.tick(19)
        self.assertEqual(self.bodies(consumer.pop(TOPIC, wait_s=0)), [])
        self.tick(1)
        (again,) = self.result(consumer.pop(TOPIC, wait_s=0))
        self.assertEqual((again.reconsume_times, again.topic), (1, TOPIC))
        self.result(consumer.ack_all([again]))

    def test_in_order(self) -> None:
        """A queue gives nothing before all that it gave is acknowledged; others do."""
        self.put(b"1", b"2", b"3")
        self.put(b"other", broker=1)
        consumer = self.consumer()
        first = self.result(consumer.pop(queue(1), max_count=2, order=True))
        self.assertEqual([message.body for message in first], [b"1", b"2"])
        self.result(consumer.ack(first[0]))
        self.assertEqual(self.bodies(consumer.pop(TOPIC, order=True)), [b"other"])
        self.assertEqual(self.bodies(consumer.pop(queue(1), wait_s=0, order=True)), [])
        self.result(consumer.ack_all(first[1:]))
        self.assertEqual(self.bodies(consumer.pop(queue(1), wait_s=0, order=True)), [b"3"])

    def test_what_failed_in_order(self) -> None:
        """Comes again with what is behind it, once nothing of it is hidden; late acknowledgements change nothing then."""
        self.put(b"1", b"2", b"3")
        consumer = self.consumer()

        def popped() -> list[tuple[bytes, int]]:
            popping = consumer.pop(queue(1), invisible_s=60, wait_s=0, order=True, max_count=2)
            return [(message.body, message.reconsume_times) for message in self.result(popping)]

        first = self.result(consumer.pop(queue(1), max_count=2, order=True))
        self.result(consumer.change_invisible_time(first[0], 1))
        self.tick(1)
        self.assertEqual(popped(), [])
        self.result(consumer.change_invisible_time(first[1], 2))
        self.tick(2)
        self.assertEqual(popped(), [(b"1", 1), (b"2", 1)])
        self.result(consumer.ack_all(first))
        self.assertEqual(popped(), [])
        self.tick(60)
        third = self.result(consumer.pop(queue(1), order=True))
        self.assertEqual([message.reconsume_times for message in third], [2, 2, 0])
        self.result(consumer.change_invisible_time(third[0], 30))
        self.result(consumer.ack_all(third))
        self.assertEqual(popped(), [])
        self.tick(60)
        self.assertEqual(popped(), [])

    def test_an_answer_in_order_that_is_lost(self) -> None:
        """What it had comes with the next pop of the same consumer at once, not counted; to others it stays hidden."""
        self.put(b"1", b"2", b"3")
        one, other = self.consumer(), self.consumer()
        broker, lost = self.cluster.broker, []

        def lose(address: str, request: RemotingCommand) -> Exception | None:
            if request.code != Code.POP_MESSAGE or lost:
                return None
            lost.append(broker.handle(request))
            return ConnectionClosed("with the answer")

        self.cluster.rules.append(lose)
        self.failure(one.pop(queue(1), max_count=2, order=True), ConnectionClosed)
        self.assertEqual(self.bodies(other.pop(queue(1), wait_s=0, order=True)), [])
        again = self.result(one.pop(queue(1), wait_s=0, max_count=2, order=True))
        self.assertEqual([(message.body, message.reconsume_times) for message in again], [(b"1", 0), (b"2", 0)])
        self.assertEqual(self.bodies(one.pop(queue(1), wait_s=0, order=True)), [])
        self.result(one.ack_all(again))
        self.assertEqual(self.bodies(other.pop(queue(1), wait_s=0, order=True)), [b"3"])
        names = [asked.fields["attemptId"] for asked in self.cluster.of(Code.POP_MESSAGE)]
        self.assertEqual((names[0] == names[2], len(set(names))), (True, 4))

    def test_peeking(self) -> None:
        """At what would come, retried messages too; nothing is hidden by it."""
        self.put(b"1", b"2")
        self.put(b"other", broker=1)
        consumer = self.consumer()
        self.assertEqual(self.bodies(consumer.peek(queue(1), max_count=1)), [b"1"])
        seen = [self.bodies(consumer.peek(TOPIC)) for _ in range(2)]
        self.assertEqual(sorted(seen), [[b"1", b"2"], [b"other"]])
        self.assertEqual(self.bodies(consumer.pop(queue(1), invisible_s=1)), [b"1", b"2"])
        self.assertEqual(self.bodies(consumer.peek(queue(1))), [])
        self.tick(1)
        (again, _) = self.result(consumer.peek(queue(-1)))
        self.assertEqual((again.topic, again.reconsume_times, again.broker_name), (TOPIC, 1, self.brokers[0].name))
        self.failure(consumer.ack(again), DecodeError)
        self.cluster.refuse(Code.PEEK_MESSAGE, 16)
        self.failure(consumer.peek(TOPIC), BrokerRefused)
        for count in (0, 33):
            self.failure(consumer.peek(TOPIC, max_count=count), ClientError)

    def test_where_a_new_group_begins(self) -> None:
        """As it was told."""
        self.result(self.consumer(consume_from_where="CONSUME_FROM_FIRST_OFFSET").pop(queue(1), wait_s=0))
        self.result(self.consumer("other").pop(queue(1), wait_s=0))
        self.assertEqual([one.fields["initMode"] for one in self.cluster.of(Code.POP_MESSAGE)], ["0", "1"])

    def test_operators_see_it(self) -> None:
        """In the group, with what it popped; it leaves when it is shut down."""
        consumer = self.consumer()
        self.result(consumer.pop(TOPIC, wait_s=0))
        (data,) = decode_heartbeat(self.cluster.of(Code.HEART_BEAT)[-1].command.body).consumer_data_set
        self.assertEqual((data.group_name, data.consume_type), ("cg", "CONSUME_POP"))
        self.assertEqual([one.topic for one in data.subscription_data_set], [TOPIC])
        info = consumer.running_info()
        self.assertEqual((info.properties["PROP_CONSUME_TYPE"], len(info.subscription_set)), ("CONSUME_POP", 1))
        self.failure(consumer.consume_directly(stored(0)), RequestError)
        self.assertEqual((self.result(consumer.rebalance()), consumer.offsets_of(TOPIC)), (True, {}))
        self.result(consumer.reset_offsets({queue(0): 1}))
        self.result(consumer.persist_offsets())
        self.result(consumer.shutdown())
        self.assertEqual(self.brokers[0].members, {"cg": set()})

    def test_in_a_namespace(self) -> None:
        """Brokers see its name, users do not."""
        self.cluster.create_topic("shop%" + TOPIC)
        self.put(b"1", topic="shop%" + TOPIC)
        consumer = self.consumer(namespace="shop")
        self.assertEqual([message.topic for message in self.result(consumer.peek(queue(1)))], [TOPIC])
        (message,) = self.result(consumer.pop(TOPIC, wait_s=0))
        self.assertEqual(message.topic, TOPIC)
        self.result(consumer.ack(message))
        self.assertEqual(self.brokers[0].hidden, {})

    def test_what_cannot_be(self) -> None:
        """Said by errors that name it."""
        consumer = self.consumer()
        self.failure(consumer.pop("nowhere"), NoRoute)
        for settings in ({"max_count": 0}, {"max_count": 33}, {"invisible_s": 0}, {"wait_s": -1}):
            self.failure(consumer.pop(TOPIC, **settings), ClientError)
        self.cluster.refuse(Code.POP_MESSAGE, 3)
        self.assertIn("Apache RocketMQ from 5.0", str(self.failure(consumer.pop(TOPIC), NotSupported)))
        self.failure(self.make(PopConsumer, "new").pop(TOPIC), NotStarted)
        self.assertRaises(ConfigError, self.make, PopConsumer, "new", pull_batch_size=3)
