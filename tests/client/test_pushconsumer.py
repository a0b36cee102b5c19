"""The push consumer as its users see it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.balanced import ROUTE_CHASE_S
from pymq.client.messageselector import MessageSelector
from pymq.client.pushconsumer import PushConsumer
from pymq.client.results import ConsumeStatus
from pymq.errors import BrokerRefused, ClientError, ConfigError, NotStarted
from pymq.message.message import Message
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.heartbeat import decode_heartbeat
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue

RETRY = "%RETRY%cg"


class PushConsumerTests(ClientCase):
    """On one broker, with a listener that keeps bodies."""

    def setUp(self) -> None:
        """Nothing consumed yet."""
        super().setUp()
        self.bodies: list[bytes] = []

    def listener(self, messages: Any, context: Any) -> Any:
        """Keeps the bodies."""
        self.bodies += [message.body for message in messages]

    def put(self, *bodies: bytes, queue_id: int = 0, tag: str = "A") -> None:
        """Store messages."""
        for body in bodies:
            self.cluster.broker.put(TOPIC, queue_id, body, f"TAGS\x01{tag}")

    def mine(self, consumer: PushConsumer) -> list[int]:
        """The queues of the topic that a consumer has."""
        return [one.queue_id for one in consumer.queues if one.topic == TOPIC]

    def test_from_the_first_message_on(self) -> None:
        """What is there, and what comes."""
        self.put(b"1", b"2")
        self.push_consumer(self.listener)
        self.put(b"3", queue_id=3)
        self.assertEqual(self.bodies, [b"1", b"2", b"3"])

    def test_what_operators_are_told_of_the_last_minute(self) -> None:
        """By topic: messages a second pulled, consumed and failed, whether consumed at once or in order; then nothing more."""
        for orderly in (False, True):
            good = ConsumeStatus.SUCCESS if orderly else ConsumeStatus.CONSUME_SUCCESS
            verdicts = [ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT if orderly else ConsumeStatus.RECONSUME_LATER]

            def listener(*_: Any, verdicts: Any = verdicts, good: Any = good) -> Any:
                return verdicts.pop() if verdicts else good

            where = "CONSUME_FROM_LAST_OFFSET"
            consumer = self.push_consumer(listener, f"stats{orderly:d}", orderly=orderly, consume_from_where=where)
            self.tick(10, 2)
            self.put(b"1", b"2", b"3", b"4")
            self.tick(1, 10)
            status = consumer.running_info().status_table[TOPIC]
            self.assertEqual(status.consume_failed_msgs, 0, "the hour has no sample yet")
            self.assertGreater(status.pull_tps, 0)
            self.assertEqual(round(status.consume_failed_tps / status.consume_ok_tps, 3), 0.25 if orderly else 0.333)
            self.tick(10, 60)
            self.assertEqual(consumer.running_info().status_table[TOPIC].consume_failed_msgs, 1)
            stats = consumer.instance.stats
            self.result(consumer.shutdown())
            self.assertEqual(stats.status_of(consumer.group, TOPIC), type(status)())

    def test_from_the_last_message_on(self) -> None:
        """Only what comes."""
        self.put(b"1")
        self.push_consumer(self.listener, consume_from_where="CONSUME_FROM_LAST_OFFSET")
        self.put(b"2")
        self.assertEqual(self.bodies, [b"2"])

    def test_offsets_survive_a_restart(self) -> None:
        """They are committed at the shutdown."""
        self.put(b"1")
        self.result(self.push_consumer(self.listener).shutdown())
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 1)
        self.put(b"2")
        self.push_consumer(self.listener)
        self.assertEqual(self.bodies, [b"1", b"2"])

    def test_offsets_are_committed_meanwhile(self) -> None:
        """Every five seconds, so that a crash costs little."""
        self.push_consumer(self.listener)
        self.put(b"1")
        self.tick(1.0, 16)
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 1)

    def test_tags(self) -> None:
        """Those that were asked for."""
        self.put(b"1")
        self.put(b"2", tag="C")
        self.push_consumer(self.listener, expression="A || B")
        self.assertEqual(self.bodies, [b"1"])

    def test_two_members_share(self) -> None:
        """On joining, leaving, and in between."""
        first = self.push_consumer(self.listener)
        self.assertEqual(self.mine(first), [0, 1, 2, 3])
        second = self.push_consumer(self.listener)
        for remoting in self.cluster.remotings:
            self.notify(remoting)
        self.assertEqual(sorted(self.mine(first) + self.mine(second)), [0, 1, 2, 3])
        self.assertEqual((len(self.mine(first)), len(self.mine(second))), (2, 2))
        self.result(first.shutdown())
        self.notify(self.cluster.remotings[1])
        self.assertEqual(self.mine(second), [0, 1, 2, 3])

    def notify(self, remoting: Any) -> None:
        """As a broker does when its list of members changed."""
        remoting.ask_client(RemotingCommand(code=int(Code.NOTIFY_CONSUMER_IDS_CHANGED), ext_fields={"consumerGroup": "cg"}))

    def test_a_failed_message_comes_again_under_its_own_topic(self) -> None:
        """By way of the retry topic, whose route is found soon after the first heartbeat."""
        seen: list[tuple[str, int]] = []

        def fails_once(messages: Any, context: Any) -> Any:
            seen.append((messages[0].topic, messages[0].reconsume_times))
            return ConsumeStatus.RECONSUME_LATER if len(seen) == 1 else None

        self.put(b"1")
        self.push_consumer(fails_once)
        self.tick(ROUTE_CHASE_S[0])
        self.tick(1.0)
        self.assertEqual(seen, [(TOPIC, 0), (TOPIC, 1)])

    def test_in_order(self) -> None:
        """Under the broker's locks, the retry queue's too; they are given back."""
        consumer = self.push_consumer(self.listener, orderly=True)
        self.put(b"1", b"2", b"3")
        self.assertEqual(self.bodies, [b"1", b"2", b"3"])
        self.assertEqual(len(self.cluster.broker.locks), 5)
        self.result(consumer.shutdown())
        self.assertEqual(self.cluster.broker.locks, {})

    def test_broadcast(self) -> None:
        """Each member gets all, and keeps its own offsets."""
        documents = [MemoryDocuments(), MemoryDocuments()]
        settings: dict[str, Any] = {"message_model": "BROADCASTING"}
        consumers = [
            self.push_consumer(self.listener, instance_name=name, documents=one, **settings) for name, one in zip("ab", documents)
        ]
        self.put(b"1")
        self.assertEqual(self.bodies, [b"1", b"1"])
        self.result(consumers[0].shutdown())
        self.push_consumer(self.listener, instance_name="a", documents=documents[0], **settings)
        self.put(b"2")
        self.assertEqual(self.bodies, [b"1", b"1", b"2", b"2"])
        self.assertEqual((self.cluster.broker.offsets, RETRY in consumers[1].subscribed_topics()), ({}, False))

    def test_broadcast_offsets_in_a_folder(self) -> None:
        """Where Java keeps them, or where it is told."""
        folder = self.mktemp()
        settings: dict[str, Any] = {"message_model": "BROADCASTING", "offset_store_folder": folder}
        self.put(b"1")
        self.result(self.push_consumer(self.listener, **settings).shutdown())
        self.push_consumer(self.listener, **settings)
        self.assertEqual(self.bodies, [b"1"])

    def test_suspend_and_resume(self) -> None:
        """What waits at the broker is answered once more; then nothing comes until it is resumed."""
        consumer = self.push_consumer(self.listener, pull_interval_s=0.5)
        consumer.suspend()
        self.put(b"1")
        self.tick(1.0, 3)
        self.put(b"2")
        self.tick(1.0, 3)
        self.assertEqual(self.bodies, [b"1"])
        consumer.resume()
        self.tick(1.0, 2)
        self.assertEqual(self.bodies, [b"1", b"2"])

    def test_subscribing_while_it_runs(self) -> None:
        """Brokers hear of it at once, and its queues are taken up."""
        consumer = self.push_consumer(self.listener)
        self.cluster.create_topic("other")
        consumer.subscribe("other")
        self.tick(0.1)
        self.assertIn(queue(0, topic="other"), consumer.queues)
        consumer.unsubscribe(TOPIC)
        self.tick(0.1)
        self.assertEqual(self.mine(consumer), [])
        heard = decode_heartbeat(self.cluster.of(Code.HEART_BEAT)[-1].command.body).consumer_data_set[0]
        self.assertEqual({one.topic for one in heard.subscription_data_set}, {"other", RETRY})

    def test_a_topic_that_comes_later(self) -> None:
        """Is found soon, by one who waits for it since the start."""
        consumer = self.make(PushConsumer, "cg")
        consumer.subscribe("later")
        consumer.listen(self.listener)
        self.result(consumer.start())
        self.cluster.create_topic("later")
        self.tick(0.5, 3)
        self.assertIn(queue(0, topic="later"), consumer.queues)

    def test_the_heartbeat_says_what_it_is(self) -> None:
        """In Java's words."""
        self.push_consumer(self.listener, expression="A")
        data = decode_heartbeat(self.cluster.of(Code.HEART_BEAT)[-1].command.body).consumer_data_set[0]
        self.assertEqual((data.group_name, data.consume_type, data.message_model), ("cg", "CONSUME_PASSIVELY", "CLUSTERING"))
        self.assertEqual(data.consume_from_where, "CONSUME_FROM_FIRST_OFFSET")

    def test_what_no_broker_serves_fails_the_start(self) -> None:
        """Such as SQL where it is not enabled."""
        consumer = self.make(PushConsumer, "cg")
        consumer.subscribe(TOPIC, MessageSelector.by_sql("a > 1"))
        consumer.listen(self.listener)
        self.failure(consumer.start(), BrokerRefused)

    def test_what_cannot_be(self) -> None:
        """Each with its own words."""
        consumer = self.make(PushConsumer, "cg")
        self.assertIn("listen()", str(self.failure(consumer.start(), ClientError)))
        consumer = self.make(PushConsumer, "cg")
        self.assertRaises(ClientError, consumer.subscribe, "bad topic")
        self.assertRaises(ClientError, consumer.subscribe, TOPIC, "||")
        self.assertRaises(ClientError, consumer.listen, 7)
        self.assertRaises(NotStarted, consumer.suspend)
        self.assertRaises(ConfigError, PushConsumer, "cg", **self.settings(allocate_strategy="BEST"))
        self.assertEqual(consumer.queues, [])

    def test_the_listener_is_set_before_the_start(self) -> None:
        """Not while it runs."""
        consumer = self.push_consumer(self.listener)
        self.assertRaises(NotStarted, consumer.listen, self.listener)

    def test_a_broker_that_was_restarted(self) -> None:
        """Hears of us at once and serves us again."""
        self.push_consumer(self.listener)
        self.cluster.broker.members.clear()
        self.cluster.refuse(Code.PULL_MESSAGE, 24, count=1)
        self.put(b"1")
        self.assertIn("cg", self.cluster.broker.members)
        self.put(b"2")
        self.tick(0.5)
        self.assertEqual(self.bodies, [b"1", b"2"])

    def test_shutdown_waits_for_the_listener(self) -> None:
        """Within limits; then the offset is committed."""
        waiting: Deferred[Any] = Deferred()
        self.put(b"1")
        consumer = self.push_consumer(lambda *_: waiting)
        stopping = consumer.shutdown()
        self.assertNoResult(stopping)
        waiting.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 1)

    def test_shutdown_from_the_listener(self) -> None:
        """May be called there; nothing breaks, nothing more is consumed, and what was consumed does not come again."""

        def last(messages: Any, context: Any) -> None:
            self.listener(messages, context)
            if len(self.bodies) == 1:
                consumer.shutdown()

        for orderly in (False, True):
            self.bodies.clear()
            self.cluster.broker.queues.clear()
            self.cluster.broker.offsets.clear()
            consumer = self.push_consumer(last, orderly=orderly)
            self.put(b"1")
            self.put(b"2")
            self.tick(1.0, 5)
            self.assertEqual((self.bodies, self.cluster.broker.offsets["cg", TOPIC, 0]), ([b"1"], 1))

    def test_shutdown_with_a_dead_broker(self) -> None:
        """Ends all the same."""
        consumer = self.push_consumer(self.listener)
        self.cluster.down.add(self.cluster.broker.address)
        stopping = consumer.shutdown()
        self.tick(1.0, 5)
        self.successResultOf(stopping)

    def test_queues_of_a_topic(self) -> None:
        """As the name server says."""
        consumer = self.push_consumer(self.listener)
        self.assertEqual(len(self.result(consumer.fetch_subscribe_queues(TOPIC))), 4)

    def test_with_a_producer(self) -> None:
        """The whole way."""
        self.push_consumer(self.listener)
        self.result(self.producer().send(Message(TOPIC, b"hello")))
        self.assertEqual(self.bodies, [b"hello"])
