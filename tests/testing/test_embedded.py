"""The broker in the test's own process, with the real client: what time, faults and restarts do to it."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from pymq.client import (
    ConsumeFromWhere,
    ConsumeStatus,
    LocalTransactionState,
    Message,
    Producer,
    PushConsumer,
    StoredMessage,
    TransactionProducer,
)
from pymq.client.registry import InstanceRegistry
from pymq.errors import BrokerRefused, ConfigError, PyMQError
from pymq.testing import CommandError, EmbeddedRocketMQ, NotYet, RocketMQTestMixin

HOUR_S = 3600
TWO_HOURS_LEVEL = 18
SENDS_MAX = 100


class EmbeddedRocketMQTests(RocketMQTestMixin, TestCase):
    """Each with a broker, and with clients that are shut down before it."""

    timeout = 60

    async def producer(self, **settings: Any) -> Producer:
        """A producer that runs."""
        producer = Producer("senders", namesrv_addr=self.rocketmq.name_server, registry=InstanceRegistry(), **settings)
        self.addCleanup(producer.shutdown)
        await producer.start()
        return producer

    async def consumer(self, topic: str, listener: Any, **settings: Any) -> PushConsumer:
        """A push consumer of the group "readers" that runs."""
        consumer = PushConsumer(
            "readers",
            namesrv_addr=self.rocketmq.name_server,
            registry=InstanceRegistry(),
            consume_from_where=ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET,
            # A group's first retry makes its retry topic: look for that more often than every 20 s.
            poll_name_server_interval_s=0.1,
            rebalance_interval_s=0.1,
            **settings,
        )
        consumer.subscribe(topic)
        consumer.listen(listener)
        self.addCleanup(consumer.shutdown)
        await consumer.start()
        return consumer

    async def test_a_client_finds_a_topic_at_once(self) -> None:
        """The name server knows it when create_topic is done."""
        await self.rocketmq.create_topic("orders", queues=2)
        producer = await self.producer()
        result = await producer.send(Message("orders", b"one", tags="A", keys=["k1"]))
        (message,) = await self.rocketmq.arrived("orders", 1)
        self.assertEqual((message.body, message.text, message.tags, message.keys), (b"one", "one", "A", ("k1",)))
        self.assertEqual(message.msg_id, result.msg_id)

    async def test_a_delay_takes_no_time(self) -> None:
        """Two hours, for a consumer that waits."""
        await self.rocketmq.create_topic("orders", queues=1)
        came: Deferred[StoredMessage] = Deferred()
        await self.consumer("orders", lambda messages, context: came.callback(messages[0]))
        producer = await self.producer()
        await producer.send(Message("orders", b"later", delay_level=TWO_HOURS_LEVEL))
        (delayed,) = (await self.rocketmq.waiting()).delayed
        self.assertEqual((delayed.topic, delayed.body), ("orders", b"later"))
        await self.rocketmq.advance(2 * HOUR_S)
        message = await came
        self.assertEqual(message.body, b"later")
        self.assertGreaterEqual(message.store_timestamp - message.born_timestamp, 2 * HOUR_S * 1000)
        self.assertEqual((await self.rocketmq.waiting()).delayed, ())

    async def test_retries_take_no_time(self) -> None:
        """All of them, from one to the next, until the message is dead."""
        await self.rocketmq.create_topic("orders", queues=1)
        tries: list[int] = []

        def fail(messages: list[StoredMessage], context: Any) -> ConsumeStatus:
            tries.append(messages[0].reconsume_times)
            return ConsumeStatus.RECONSUME_LATER

        await self.consumer("orders", fail, max_reconsume_times=3)
        await self.rocketmq.send("orders", "hopeless")
        for number in range(1, 4):
            await self.rocketmq.arrived("SCHEDULE_TOPIC_XXXX", number, timeout_s=30)
            await self.rocketmq.advance()
        (letter,) = await self.rocketmq.arrived("%DLQ%readers", 1, timeout_s=30)
        self.assertEqual((letter.text, tries), ("hopeless", [0, 1, 2, 3]))
        self.assertEqual((await self.rocketmq.waiting()).dead_letters, (letter,))

    async def test_a_transaction_is_checked_at_once(self) -> None:
        """The broker asks after its interval, and the answer lets the message come."""
        await self.rocketmq.create_topic("orders")
        producer = TransactionProducer(
            "payers",
            execute=lambda message, argument: LocalTransactionState.UNKNOW,
            check=lambda message: LocalTransactionState.COMMIT_MESSAGE,
            namesrv_addr=self.rocketmq.name_server,
            registry=InstanceRegistry(),
        )
        self.addCleanup(producer.shutdown)
        await producer.start()
        await producer.send_in_transaction(Message("orders", b"paid"))
        (half,) = (await self.rocketmq.waiting()).half
        self.assertEqual((half.topic, half.body), ("orders", b"paid"))
        await self.rocketmq.advance(2 * 60)
        (message,) = await self.rocketmq.arrived("orders", 1)
        self.assertEqual(message.body, b"paid")
        self.assertEqual((await self.rocketmq.waiting()).half, ())

    async def test_nobody_is_taken_for_gone(self) -> None:
        """A skip of a day is no silence of a client: its messages still come."""
        await self.rocketmq.create_topic("orders", queues=1)
        came: Deferred[None] = Deferred()
        await self.consumer("orders", lambda messages, context: came.callback(None))
        await self.rocketmq.advance(24 * HOUR_S)
        await self.rocketmq.send("orders", "one")
        await came

    async def test_a_refusal_is_the_senders_error(self) -> None:
        """With the code and the remark of the fault, so many times, and no longer; the kit's own messages pass."""
        await self.rocketmq.create_topic("orders")
        producer = await self.producer()
        await self.rocketmq.fault("refuse", "send", topic="orders", times=1, code="SYSTEM_BUSY", remark="go away")
        refused = await self.failure_of(producer.send(Message("orders", b"no")), BrokerRefused)
        self.assertIn("go away", str(refused))
        await producer.send(Message("orders", b"yes"))
        self.assertEqual([message.body for message in await self.rocketmq.arrived("orders")], [b"yes"])
        self.assertEqual(await self.rocketmq.faults(), [])

    async def test_a_lost_answer_makes_a_duplicate(self) -> None:
        """The first is stored and not told of, so the client sends again."""
        await self.rocketmq.create_topic("orders")
        producer = await self.producer()
        await self.rocketmq.fault("dropAnswer", "send", times=1)
        await self.failure_of(producer.send(Message("orders", b"one"), timeout_s=1), Exception)
        await producer.send(Message("orders", b"one"))
        self.assertEqual(len(await self.rocketmq.arrived("orders")), 2)

    async def test_a_killed_broker_comes_back_with_its_messages(self) -> None:
        """On its port, and its clients find it again; until then they are refused."""
        await self.rocketmq.create_topic("orders")
        producer = await self.producer()
        await producer.send(Message("orders", b"before"))
        await self.rocketmq.kill()
        await self.failure_of(producer.send(Message("orders", b"meanwhile")), Exception)
        await self.failure_of(self.rocketmq.arrived("orders"), CommandError)
        await self.rocketmq.restart()
        await self.insist(producer, Message("orders", b"after"))
        self.assertEqual({message.text for message in await self.rocketmq.arrived("orders")}, {"before", "after"})

    async def test_a_paused_broker_says_nothing(self) -> None:
        """A send waits, and is answered after the pause."""
        await self.rocketmq.create_topic("orders")
        producer = await self.producer(send_msg_timeout_s=30)
        await producer.send(Message("orders", b"first"))
        await self.rocketmq.pause()
        sent = producer.send(Message("orders", b"second"))
        await self.failure_of(self.rocketmq.arrived("orders", 2, timeout_s=0.05), NotYet)
        await self.rocketmq.resume()
        await sent
        self.assertEqual(len(await self.rocketmq.arrived("orders")), 2)

    async def test_clients_survive_a_cut(self) -> None:
        """Their connections are gone, and they make new ones."""
        await self.rocketmq.create_topic("orders")
        producer = await self.producer()
        await producer.send(Message("orders", b"first"))
        self.assertGreaterEqual(await self.rocketmq.disconnect(), 2)
        await self.insist(producer, Message("orders", b"second"))
        self.assertEqual(len(await self.rocketmq.arrived("orders")), 2)

    async def test_a_reset_leaves_nothing(self) -> None:
        """Topics, messages, offsets, delayed ones, faults and skipped time; the ports stay."""
        await self.rocketmq.create_topic("orders")
        await self.rocketmq.send("orders", "one")
        await self.rocketmq.receive("orders")
        await self.rocketmq.send("orders", "later", delay_level=TWO_HOURS_LEVEL)
        await self.rocketmq.fault("drop")
        await self.rocketmq.advance(HOUR_S)
        where = self.rocketmq.name_server, self.rocketmq.broker
        await self.rocketmq.reset()
        self.assertEqual((self.rocketmq.name_server, self.rocketmq.broker), where)
        self.assertEqual(await self.rocketmq.arrived("orders"), [])
        self.assertEqual((await self.rocketmq.progress("pymq_testing")).queues, ())
        self.assertEqual((await self.rocketmq.waiting()).delayed, ())
        self.assertEqual(await self.rocketmq.faults(), [])
        self.assertEqual((await self.rocketmq.status()).skipped_s, 0)
        await self.rocketmq.create_topic("orders")
        producer = await self.producer()
        await producer.send(Message("orders", b"anew"))
        self.assertEqual([message.queue_offset for message in await self.rocketmq.arrived("orders", 1)], [0])

    async def test_settings_that_cannot_be(self) -> None:
        """Say so, with the nearest that can."""
        self.assertIn("brokerName", str(self.assertRaises(ConfigError, EmbeddedRocketMQ, brokerNam="x")))
        self.assertIn("disk", str(self.assertRaises(ConfigError, EmbeddedRocketMQ, storePathRootDir="/tmp")))

    async def test_two_side_by_side(self) -> None:
        """They know nothing of each other."""
        async with EmbeddedRocketMQ() as other:
            await other.create_topic("orders")
            await other.send("orders", "one")
            self.assertEqual(await self.rocketmq.arrived("orders"), [])

    async def insist(self, producer: Producer, message: Message) -> None:
        """Send until it goes through: a client waits a little before it connects again."""
        for _ in range(SENDS_MAX):
            try:
                await producer.send(message)
                return
            except PyMQError:
                await deferLater(reactor, 0.1)
        self.fail(f"not sent in {SENDS_MAX} tries")

    async def failure_of(self, work: Any, kind: type[Exception]) -> Exception:
        """The error that it fails with."""
        try:
            await work
        except kind as error:
            return error
        self.fail(f"no {kind.__name__}")
