"""What became of messages, at two brokers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client import (
    Admin,
    LitePullConsumer,
    LocalTransactionState,
    Message,
    MessageTrack,
    PushConsumer,
    QueueTimes,
    StoredMessage,
    TrackType,
    TransactionProducer,
)
from pymq.client.trackadmin import _times
from pymq.errors import BrokerRefused, DecodeError, NoRoute
from pymq.message.ids import encode_host, offset_message_id
from pymq.message.topics import TRANS_CHECK_MAX_TIME_TOPIC as ASIDE
from pymq.wire.bodies.offsets import QueueTimeSpan
from tests.client.admincase import GROUP, TOPIC, AdminCase, queue

NOW_MS = 1_700_000_100_000
FILTERED = TrackType.CONSUMED_BUT_FILTERED


class MessageTrackTests(AdminCase):
    """One message, many groups."""

    def message(self, tags: str | None = None) -> StoredMessage:
        """A stored message, in the first queue."""
        producer = self.cluster.producer(f"producers-{len(self.clients)}")
        sent = self.result(producer.send(Message(TOPIC, b"x", tags=tags), queue=queue()))
        return self.result(self.admin.view_message(sent.offset_msg_id))

    def track(self, message: StoredMessage, admin: Admin | None = None) -> dict[str, MessageTrack]:
        """What became of it, by group."""
        tracks = self.result((admin or self.admin).message_track(message))
        self.assertEqual([one.consumer_group for one in tracks], sorted(one.consumer_group for one in tracks))
        return {one.consumer_group: one for one in tracks}

    def types(self, message: StoredMessage) -> dict[str, TrackType]:
        """The same without errors."""
        return {group: track.track_type for group, track in self.track(message).items()}

    def pushed_to(self, group: str, tags: str = "*", result: Any = None, **settings: Any) -> None:
        """Have a push consumer that gives `result` to all it gets."""
        consumer = PushConsumer(group, **self.cluster.client_settings(consume_from_where="CONSUME_FROM_FIRST_OFFSET", **settings))
        consumer.subscribe(TOPIC, tags)
        consumer.listen(lambda messages, context: result)
        self.begin(consumer)
        self.cluster.tick(1.0, 15)

    def test_consumed_or_not(self) -> None:
        """As the offset says; nobody consumes what nobody knows."""
        message = self.message()
        self.assertEqual(self.types(message), {})
        self.pushed_to(GROUP)
        self.assertEqual(self.types(message), {GROUP: TrackType.CONSUMED})
        self.result(self.admin.update_consumer_offset(GROUP, queue(), 0))
        self.assertEqual(self.types(message), {GROUP: TrackType.NOT_CONSUME_YET})
        self.failure(self.admin.message_track(StoredMessage("unknown", b"")), NoRoute)

    def test_filtered(self) -> None:
        """It has another tag than the group wants, or none; the offset goes on all the same."""
        a, b, none = self.message("a"), self.message("b"), self.message()
        self.pushed_to(GROUP, "a || c")
        self.pushed_to("all")
        for message, expected in ((a, TrackType.CONSUMED), (b, FILTERED), (none, FILTERED)):
            self.assertEqual(self.types(message), {GROUP: expected, "all": TrackType.CONSUMED})

    def test_in_the_hands_of_a_listener(self) -> None:
        """A group that has committed nothing is online for all that; Java says that it is not."""
        message = self.message()
        self.pushed_to(GROUP, result=Deferred(), await_termination_s=0.0)
        self.assertEqual(self.types(message), {GROUP: TrackType.NOT_CONSUME_YET})

    def test_broadcast(self) -> None:
        """Every member has offsets of its own."""
        message = self.message()
        self.pushed_to(GROUP, message_model="BROADCASTING", offset_store_folder=self.mktemp())
        self.assertEqual(self.types(message), {GROUP: TrackType.CONSUME_BROADCASTING})

    def test_pulled_and_offline(self) -> None:
        """A group that pulls is only told to be so; one that is offline has the broker's words."""
        message = self.message()
        consumer = LitePullConsumer(GROUP, **self.cluster.client_settings())
        consumer.subscribe(TOPIC)
        self.begin(consumer)
        self.cluster.tick(1.0, 2)
        self.result(consumer.poll(0))
        self.result(consumer.commit())
        self.assertEqual(self.types(message), {GROUP: TrackType.PULL})
        self.result(consumer.shutdown())
        track = self.track(message)[GROUP]
        self.assertEqual(track.track_type, TrackType.NOT_ONLINE)
        self.assertIn("206", track.exception_desc or "")

    def test_unknown(self) -> None:
        """With the error: here the broker of the message has another address by now."""
        message = self.message()
        self.pushed_to(GROUP)
        message.store_host_bytes = encode_host("10.0.1.9", 10911)
        track = self.track(message)[GROUP]
        self.assertEqual(track.track_type, TrackType.UNKNOWN)
        self.assertIn("10.0.1.9:10911", track.exception_desc or "")

    def test_the_namespace_is_not_seen(self) -> None:
        """In topics, groups and subscriptions."""
        settings = self.cluster.client_settings(namespace="shop")
        admin = Admin(**settings)
        self.begin(admin)
        self.create("shop%" + TOPIC)
        self.pushed_to(GROUP, namespace="shop")
        producer = self.cluster.producer("makers", namespace="shop")
        sent = self.result(producer.send(Message(TOPIC, b"x", tags="a"), queue=queue()))
        self.cluster.tick(1.0, 10)
        message = self.result(admin.view_message(sent.offset_msg_id))
        self.assertEqual(self.track(message, admin)[GROUP].track_type, TrackType.CONSUMED)
        self.assertEqual(
            set(self.result(admin.consume_time_spans(GROUP, TOPIC))), set(self.result(admin.topic_stats(TOPIC)).queues)
        )


class HalfMessageTests(AdminCase):
    """Transactions that brokers gave up asking about."""

    broker_settings = {"transactionCheckMax": "1", "transactionTimeOut": "100", "transactionCheckInterval": "100"}

    def test_asking_again(self) -> None:
        """By the id of the message that was put aside; what is none is refused."""
        states = [LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE]
        producer = TransactionProducer(
            "makers", execute=lambda *_: None, check=lambda message: states.pop(0), **self.cluster.client_settings()
        )
        self.begin(producer)
        self.result(producer.send_in_transaction(Message(TOPIC, b"x")))
        self.cluster.tick(0.1, 50)
        (aside,) = [one for one in self.result(self.admin.topic_stats(ASIDE)).queues.items() if one[1].max_offset]
        found = self.result(self.admin.query_consume_queue(aside[0], 0))
        assert found is not None
        broker = self.cluster.brokers[0 if aside[0].broker_name == "broker-a" else 1]
        message_id = offset_message_id(encode_host(broker.host, 10911), found.queue_data[0].physic_offset)
        self.assertEqual((self.result(self.admin.topic_stats(TOPIC)).message_count, len(states)), (0, 1))
        self.result(self.admin.resume_check_half_message(message_id))
        self.cluster.tick(0.1, 50)
        self.assertEqual((self.result(self.admin.topic_stats(TOPIC)).message_count, states), (1, []))
        self.failure(self.admin.resume_check_half_message(message_id[:-1] + "1"), BrokerRefused)
        self.failure(self.admin.resume_check_half_message("nonsense"), DecodeError)


class TimeSpanTests(AdminCase):
    """How old the messages of queues are."""

    def test_spans(self) -> None:
        """Of every queue, with how long the group keeps a message waiting."""
        producer = self.cluster.producer()
        times = []
        for _ in range(3):
            times.append(int(self.cluster.reactor.seconds() * 1000))
            self.result(producer.send(Message(TOPIC, b"x"), queue=queue()))
            self.cluster.tick(1.0)
        self.result(self.admin.update_consumer_offset(GROUP, queue(), 1))
        spans = self.result(self.admin.consume_time_spans(GROUP, TOPIC))
        self.assertEqual(list(spans), [queue(n, name) for name in ("broker-a", "broker-b") for n in range(2)])
        self.assertEqual(spans[queue()], QueueTimes(times[0], times[2], times[0], 2000))
        self.assertEqual(spans[queue(1)], QueueTimes(-1, -1, -1, 0))
        never = self.result(self.admin.consume_time_spans("nobody", TOPIC))[queue()]
        self.assertEqual(never, QueueTimes(times[0], times[2], times[0], 3000))
        self.failure(self.admin.consume_time_spans(GROUP, "unknown"), NoRoute)

    def test_next_messages_that_are_not_found(self) -> None:
        """Apache's brokers count such delays from the time -1."""
        span = QueueTimeSpan(queue(), NOW_MS - 5000, NOW_MS - 1000, NOW_MS - 5000, NOW_MS + 1)
        self.assertEqual(_times(span).delay_ms, 5000)
        self.assertEqual(_times(QueueTimeSpan(queue(), -1, -1, -1, NOW_MS + 1)).delay_ms, 0)
        self.assertEqual(_times(QueueTimeSpan(queue(), NOW_MS - 5000, NOW_MS - 1000, NOW_MS - 5000, 4000)).delay_ms, 4000)
        self.assertEqual(_times(QueueTimeSpan(queue(), NOW_MS, NOW_MS, NOW_MS, 0)).delay_ms, 0)
