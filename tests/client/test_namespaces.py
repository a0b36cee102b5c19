"""Clients in a namespace: brokers see wrapped names in every request, users never do."""

from __future__ import annotations

from typing import Any

from pymq.client.producer import Producer
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.client.transactions import LocalTransactionState, TransactionProducer
from pymq.message.message import Message, StoredMessage
from pymq.message.topics import AUTO_CREATE_TOPIC, CLIENT_INNER_PRODUCER_GROUP
from pymq.testing.channels import FakeChannel
from pymq.wire.codes import RequestCode as Code
from pymq.wire.headers.transactions import CheckTransactionStateRequestHeader
from tests.client.cases import TOPIC, ClientCase, queue

WRAPPED = f"shop%{TOPIC}"
RETRY = "%RETRY%shop%cg"
#: Fields of requests that name a topic, as a client's requests have them.
TOPIC_FIELDS = ("topic", "b", "originTopic")
GROUP_FIELDS = ("consumerGroup", "a", "group", "producerGroup")
#: The client's own, which are in no namespace.
SYSTEM = (AUTO_CREATE_TOPIC, CLIENT_INNER_PRODUCER_GROUP)


class NamespaceCase(ClientCase):
    """A topic that exists within the namespace and not outside."""

    def setUp(self) -> None:
        """The topic."""
        super().setUp()
        self.cluster.broker.topics.discard(TOPIC)
        self.cluster.create_topic(WRAPPED)
        self.addCleanup(self.check_every_request)

    def settings(self, **more: Any) -> dict[str, Any]:
        """Everybody is in the namespace."""
        return {"namespace": "shop", **super().settings(**more)}

    def check_every_request(self) -> None:
        """Whatever names a topic or a group of ours names the namespace too."""
        for asked in self.cluster.asked:
            for name in (*TOPIC_FIELDS, *GROUP_FIELDS):
                value = asked.fields.get(name, AUTO_CREATE_TOPIC)
                self.assertTrue("shop%" in value or value in SYSTEM, f"{asked.command}: {name}={value}")


class ProducerTests(NamespaceCase):
    """Sending and asking."""

    def test_a_send(self) -> None:
        """The message and the result keep the plain topic; the namespace is noted in the stored message."""
        producer, message = self.producer(), Message(TOPIC, b"1", keys="k")
        result = self.result(producer.send(message))
        self.assertEqual((message.topic, result.queue.topic, producer.group), (TOPIC, TOPIC, "shop%pg"))
        self.assertNotIn("INSTANCE_ID", message.properties)
        (stored,) = self.cluster.broker.stored(WRAPPED)
        self.assertEqual(stored.properties["INSTANCE_ID"], "shop")

    def test_to_chosen_queues(self) -> None:
        """Given ones, in either form, and those that a selector takes from plain ones."""
        producer, seen = self.producer(), []
        queues = self.result(producer.fetch_publish_queues(TOPIC))
        self.assertEqual(queues, [queue(n) for n in range(4)])

        def select(offered: Any, message: Message, argument: Any) -> Any:
            seen.append((offered[0].topic, message.topic))
            return offered[argument]

        for given in ({"queue": queues[2]}, {"queue": queue(2, WRAPPED)}, {"selector": select, "argument": 2}):
            self.assertEqual(self.result(producer.send(Message(TOPIC, b"1"), **given)).queue, queue(2))
        self.result(producer.send_oneway(Message(TOPIC, b"1"), queue=queue(2)))
        self.assertEqual(self.result(producer.send_batch([Message(TOPIC, b"1")] * 2, queue=queue(2))).queue, queue(2))
        self.assertEqual((seen, len(self.cluster.broker.stored(WRAPPED))), ([(TOPIC, TOPIC)], 6))

    def test_questions(self) -> None:
        """Offsets, messages by id and key, new topics."""
        producer = self.producer()
        sent = self.result(producer.send(Message(TOPIC, b"1", keys="k"), queue=queue(1)))
        self.assertEqual(self.result(producer.max_offset(queue(1))), 1)
        self.assertEqual(self.result(producer.min_offset(queue(1))), 0)
        self.assertEqual(self.result(producer.search_offset(queue(1), 0)), 1)
        self.assertEqual(self.result(producer.earliest_store_time(queue(1))), -1)
        self.assertEqual(self.result(producer.view_message(sent.offset_msg_id)).topic, TOPIC)
        for found in (producer.query_message(TOPIC, "k"), producer.query_message_by_unique_id(TOPIC, sent.msg_id)):
            self.assertEqual([message.topic for message in self.result(found).messages], [TOPIC])
        self.result(producer.create_topic("TBW102", "new"))
        self.assertIn("shop%new", self.cluster.broker.topics)

    def test_a_transaction(self) -> None:
        """Its half message, its end, the question of a broker and the answer."""
        checked: list[str] = []

        def check(message: StoredMessage) -> LocalTransactionState:
            checked.append(message.topic)
            return LocalTransactionState.COMMIT_MESSAGE

        producer = self.make(TransactionProducer, "pg", execute=lambda *_: None, check=check)
        self.result(producer.start())
        result = self.result(producer.send_in_transaction(Message(TOPIC, b"1")))
        (half,) = self.cluster.broker.stored(WRAPPED)
        self.assertEqual((result.queue.topic, half.properties["PGROUP"]), (TOPIC, "shop%pg"))
        channel = FakeChannel()
        header = CheckTransactionStateRequestHeader(tran_state_table_offset=0, commit_log_offset=0, msg_id=half.msg_id)
        producer.check_transaction(channel, header, half)
        (answer,) = channel.sent
        self.assertEqual((checked, (answer.ext_fields or {})["topic"]), ([TOPIC], WRAPPED))
        self.assertEqual(self.cluster.of(Code.END_TRANSACTION)[0].fields["topic"], WRAPPED)


class ConsumerTests(NamespaceCase):
    """Listening and pulling."""

    def setUp(self) -> None:
        """Nothing consumed yet."""
        super().setUp()
        self.seen: list[tuple[str, str, int]] = []
        self.status: ConsumeStatus | None = None

    def listener(self, messages: Any, context: ConsumeContext) -> ConsumeStatus | None:
        """Keeps what it is shown."""
        self.seen += [(message.topic, context.queue.topic, message.reconsume_times) for message in messages]
        return self.status if messages[0].reconsume_times == 0 else None

    def test_listeners(self) -> None:
        """See plain topics, at once and in order; queues are plain too, and the group's members know each other by one name."""
        for orderly in (False, True):
            consumer = self.push_consumer(self.listener, f"cg{orderly:d}", orderly=orderly)
            self.cluster.broker.put(WRAPPED, 0, b"1")
            self.assertEqual(self.seen[-1], (TOPIC, TOPIC, 0))
            self.assertEqual([one for one in consumer.queues if one.topic == TOPIC], [queue(n) for n in range(4)])
            self.assertEqual(list(self.cluster.broker.members[f"shop%cg{orderly:d}"]), [consumer.client_id])
            self.result(consumer.shutdown())

    def test_retries(self) -> None:
        """Go through the retry topic of the group in its namespace, and come back under the plain topic."""
        self.status = ConsumeStatus.RECONSUME_LATER
        self.push_consumer(self.listener)
        self.tick(0.5, 4)
        self.cluster.broker.put(WRAPPED, 0, b"1")
        self.tick(0.5, 4)
        back = self.cluster.of(Code.CONSUMER_SEND_MSG_BACK)[0].fields
        self.assertEqual((back["originTopic"], back["group"]), (WRAPPED, "shop%cg"))
        self.assertEqual(self.seen[:2], [(TOPIC, TOPIC, 0), (TOPIC, "%RETRY%cg", 1)])

    def test_copies_for_the_retry_topic(self) -> None:
        """A broker that takes nothing back gets a copy, which names the topic as brokers know it."""
        self.status = ConsumeStatus.RECONSUME_LATER
        self.cluster.refuse(Code.CONSUMER_SEND_MSG_BACK, 1)
        self.push_consumer(self.listener)
        self.tick(0.5, 4)
        self.cluster.broker.put(WRAPPED, 0, b"1")
        copy = self.cluster.broker.stored(RETRY)[0]
        self.assertEqual(copy.properties["RETRY_TOPIC"], WRAPPED)

    def test_subscriptions(self) -> None:
        """Are of wrapped topics, and are taken back under the plain name."""
        consumer = self.push_consumer(self.listener)
        self.assertEqual(set(consumer.subscribed_topics()), {WRAPPED, RETRY})
        consumer.unsubscribe(TOPIC)
        self.assertEqual(set(consumer.subscribed_topics()), {RETRY})

    def test_pulling(self) -> None:
        """With plain queues, plain messages, and offsets that are the group's in its namespace."""
        consumer = self.pull_consumer()
        consumer.register_topic(TOPIC)
        self.cluster.broker.put(WRAPPED, 1, b"1")
        self.assertEqual(self.result(consumer.fetch_subscribe_queues(TOPIC)), [queue(n) for n in range(4)])
        self.assertEqual(self.result(consumer.fetch_queues_in_balance(TOPIC)), [queue(n) for n in range(4)])
        result = self.result(consumer.pull(queue(1), "*", 0))
        self.assertEqual([message.topic for message in result.messages], [TOPIC])
        self.result(consumer.update_consume_offset(queue(1), 1))
        self.result(consumer.persist())
        self.assertEqual(self.cluster.broker.offsets, {("shop%cg", WRAPPED, 1): 1})
        self.assertEqual(self.result(consumer.fetch_consume_offset(queue(1))), 1)

    def test_an_operators_message(self) -> None:
        """Handed over by a broker, it shows the plain topic."""
        consumer = self.push_consumer(self.listener)
        self.cluster.broker.put(WRAPPED, 0, b"1")
        self.seen.clear()
        (message,) = self.cluster.broker.stored(WRAPPED)
        self.assertEqual(self.result(consumer.consume_directly(message)).consume_result, "CR_SUCCESS")
        self.assertEqual(self.seen, [(TOPIC, TOPIC, 0)])


class NamespaceOfRequestsTests(ClientCase):
    """The namespace of 5.x: names stay, requests say more."""

    def test_every_request_names_it(self) -> None:
        """With and without an answer; without the setting none does."""
        producer = self.producer(namespace_v2="shop")
        self.result(producer.send(Message(TOPIC, b"1")))
        self.result(producer.send_oneway(Message(TOPIC, b"2")))
        self.assertEqual({(asked.fields.get("nsd"), asked.fields.get("ns")) for asked in self.cluster.asked}, {("true", "shop")})
        self.assertEqual({message.body for message in self.cluster.broker.stored(TOPIC)}, {b"1", b"2"})
        self.result(producer.shutdown())
        self.cluster.asked.clear()
        self.result(self.make(Producer, "other").start())
        self.assertFalse([asked for asked in self.cluster.asked if "ns" in asked.fields])

    def test_remoting_is_closed(self) -> None:
        """And swept, as any other."""
        producer = self.producer(namespace_v2="shop")
        self.tick(60, 3)
        self.result(producer.shutdown())
        (remoting,) = self.cluster.remotings
        self.assertTrue(remoting.is_closed and remoting.sweeps)
