"""The lite pull consumer as its users see it."""

from __future__ import annotations

import math
from typing import Any

from pymq.client.config import ConsumeFromWhere
from pymq.client.litepullconsumer import LitePullConsumer
from pymq.client.messageselector import MessageSelector
from pymq.client.pullloops import BUSY_PAUSE_S, SUSPENDED_PAUSE_S
from pymq.errors import BrokerRefused, ClientError, ConfigError, NotStarted, RequestError
from pymq.message import flags
from pymq.message.topics import TRACE_TOPIC
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.heartbeat import decode_heartbeat
from pymq.wire.codes import RequestCode as Code
from pymq.wire.codes import ResponseCode as Answer
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue
from tests.client.fakecluster import FakeBroker

ALL = [queue(n) for n in range(4)]


class LiteCase(ClientCase):
    """A topic of four queues."""

    def lite(self, group: str = "cg", *, assigned: Any = None, expression: Any = "*", **more: Any) -> LitePullConsumer:
        """A consumer of the topic that runs, from the first message on, and has its queues."""
        more.setdefault("consume_from_where", "CONSUME_FROM_FIRST_OFFSET")
        consumer = self.make(LitePullConsumer, group, **more)
        if assigned is None:
            consumer.subscribe(TOPIC, expression)
        else:
            consumer.assign(assigned, expression)
        self.result(consumer.start())
        self.tick(0.01, 3)
        return consumer

    def put(self, count: int, queue_id: int = 0, tag: str = "A") -> None:
        """Store so many messages."""
        for _ in range(count):
            self.cluster.broker.put(TOPIC, queue_id, b"x", f"TAGS\x01{tag}")

    def poll(self, consumer: LitePullConsumer, timeout_s: float = 0, max_count: int | None = None) -> list[tuple[int, int]]:
        """(queue, offset) of the messages that are there now."""
        return [(one.queue_id, one.queue_offset) for one in self.result(consumer.poll(timeout_s, max_count))]

    def stored_offset(self, queue_id: int = 0, group: str = "cg") -> int | None:
        """The group's offset as the broker has it."""
        return self.cluster.broker.offsets.get((group, TOPIC, queue_id))


class PollTests(LiteCase):
    """Subscribed."""

    def test_messages_come_in_batches(self) -> None:
        """As large as a pull, or as is wanted; an empty list when there are none."""
        self.put(12)
        consumer = self.lite()
        self.assertEqual([len(self.poll(consumer)), len(self.poll(consumer, max_count=1))], [10, 1])
        self.assertEqual([self.poll(consumer), self.poll(consumer)], [[(0, 11)], []])

    def test_a_poll_waits_for_messages(self) -> None:
        """As long as it is told, else as it is set up."""
        consumer = self.lite()
        waiting, for_ever = consumer.poll(), consumer.poll(math.inf)
        self.tick(4.9)
        self.assertNoResult(waiting)
        self.tick(0.2)
        self.assertEqual(self.successResultOf(waiting), [])
        self.put(1)
        self.assertEqual(len(self.successResultOf(for_ever)), 1)

    def test_a_shutdown_ends_polls(self) -> None:
        """They fail as all that is under way."""
        consumer = self.lite()
        waiting = consumer.poll(math.inf)
        self.result(consumer.shutdown())
        self.failureResultOf(waiting, NotStarted)

    def test_what_cannot_be_polled(self) -> None:
        """Times and counts that make no sense, and nothing."""
        consumer = self.lite()
        self.failure(consumer.poll(-1), ClientError)
        self.failure(consumer.poll(0, 0), ClientError)
        consumer.unsubscribe(TOPIC)
        self.assertIn("subscribe(topic)", str(self.failure(consumer.poll(0), ClientError)))

    def test_tags_and_sql(self) -> None:
        """Go with each pull, for the broker need not know the group."""
        self.put(1, tag="A")
        self.put(1, tag="B")
        self.assertEqual(self.poll(self.lite(expression="B")), [(0, 1)])
        asked = self.cluster.of(Code.PULL_MESSAGE)[0].fields
        self.assertEqual(asked["subscription"], "B")
        self.assertEqual(int(asked["sysFlag"]) & flags.PULL_SUBSCRIPTION, flags.PULL_SUBSCRIPTION)
        with_sql = self.make(LitePullConsumer, "sql")
        with_sql.subscribe(TOPIC, MessageSelector.by_sql("a > 1"))
        self.failure(with_sql.start(), BrokerRefused)

    def test_members_share(self) -> None:
        """Each has half of the queues, and is told of it; of those that go, what is settled is committed."""
        told: list[Any] = []
        first = self.lite(queue_listener=told.append)
        for queue_id in range(4):
            self.put(2, queue_id)
        self.assertEqual(sorted(one for _ in range(4) for one in self.poll(first, max_count=1)), [(n, 0) for n in range(4)])
        self.assertEqual(self.poll(first, max_count=1), [(0, 1)])
        second = self.lite()
        self.tick(20.0)
        self.assertEqual((told, second.queues), ([ALL, ALL[:2]], ALL[2:]))
        self.assertEqual([self.stored_offset(queue_id) for queue_id in (2, 3)], [1, 1])

    def test_broadcast_offsets_are_local(self) -> None:
        """Each member has all queues."""
        documents = MemoryDocuments()
        for expected in ([(0, 0)], []):
            self.put(1 if expected else 0)
            consumer = self.lite("bg", message_model="BROADCASTING", documents=documents)
            self.assertEqual((consumer.queues, self.poll(consumer)), (ALL, expected))
            self.result(consumer.commit())
            self.result(consumer.shutdown())
        self.assertIsNone(self.stored_offset(group="bg"))

    def test_the_namespace_is_not_seen(self) -> None:
        """On topics, queues and messages."""
        self.cluster.create_topic("shop%" + TOPIC)
        self.cluster.broker.put("shop%" + TOPIC, 0, b"x")
        consumer = self.lite(namespace="shop")
        (message,) = self.result(consumer.poll(0))
        self.assertEqual((message.topic, consumer.queues), (TOPIC, ALL))
        self.result(consumer.commit({queue(): 1}))
        self.assertEqual(self.cluster.broker.offsets["shop%cg", "shop%" + TOPIC, 0], 1)

    def test_hooks_are_told_of_what_is_given(self) -> None:
        """Before and after, which is the same moment."""
        told: list[Any] = []

        class Hook:
            def consume_message_before(self, context: Any) -> None:
                told.append((context.queue, len(context.messages), context.status))

            consume_message_after = consume_message_before

        self.put(3)
        consumer = self.lite(hooks=[Hook()])
        self.assertEqual(told, [])
        self.poll(consumer)
        self.assertEqual([(one, count, status and status.name) for one, count, status in told], [
            (queue(), 3, None),
            (queue(), 3, "CONSUME_SUCCESS"),
        ])  # fmt: skip


class TraceTests(LiteCase):
    """What becomes of messages is told."""

    def test_what_is_given_is_traced(self) -> None:
        """Not what is pulled."""
        self.cluster.create_topic(TRACE_TOPIC)
        self.put(2)
        consumer = self.lite(enable_msg_trace=True)
        self.poll(consumer, max_count=1)
        self.result(consumer.shutdown())
        (trace,) = self.cluster.broker.stored(TRACE_TOPIC)
        self.assertEqual((trace.body.count(b"SubBefore"), trace.body.count(b"SubAfter")), (1, 1))


class BrakeTests(LiteCase):
    """Pulling ahead has bounds."""

    def pulls(self) -> int:
        """How many were asked for until now, of the first queue."""
        return sum(one.fields["queueId"] == "0" for one in self.cluster.of(Code.PULL_MESSAGE))

    def test_bounds(self) -> None:
        """Each stops the pulls, until polls have made room."""
        for bound in ("pull_threshold_for_queue", "pull_threshold_for_all", "consume_max_span"):
            self.cluster.asked.clear()
            self.put(20)
            consumer = self.lite(f"group-of-{bound}", assigned=[queue()], pull_batch_size=2, **{bound: 4})
            self.tick(0.05, 20)
            self.assertEqual(self.pulls(), 3, bound)
            for _ in range(4):
                self.poll(consumer)
            self.tick(0.05, 2)
            self.assertGreater(self.pulls(), 3, bound)
            self.result(consumer.shutdown())

    def test_paused_queues_rest(self) -> None:
        """What is in hand still comes; within a second after `resume` the rest."""
        consumer = self.lite(pull_batch_size=1)
        consumer.pause([queue(), queue(9)])
        self.put(2)
        self.assertEqual([self.poll(consumer), self.poll(consumer)], [[(0, 0)], []])
        consumer.resume([queue()])
        self.tick(SUSPENDED_PAUSE_S)
        self.assertEqual(self.poll(consumer), [(0, 1)])

    def test_a_rebalance_leaves_queues_paused(self) -> None:
        """Those that stay ours."""
        consumer = self.lite()
        consumer.pause(ALL)
        self.lite()
        self.tick(20.0)
        self.put(1, 0)
        self.put(1, 2)
        self.tick(1.0)
        self.assertEqual((consumer.queues, self.poll(consumer)), (ALL[:2], [(0, 0)]))
        self.put(1, 0)
        self.assertEqual(self.poll(consumer), [])

    def test_errors_and_busy_brokers(self) -> None:
        """The pull comes again after a pause."""
        self.put(1)
        self.cluster.refuse(Code.PULL_MESSAGE, Answer.SYSTEM_ERROR, count=1)
        self.cluster.refuse(Code.PULL_MESSAGE, Answer.FLOW_CONTROL, count=1)
        consumer = self.lite(assigned=[queue()], pull_time_delay_when_exception_s=2.0)
        self.assertEqual(self.poll(consumer), [])
        self.tick(2.0)
        self.tick(BUSY_PAUSE_S)
        self.assertEqual(self.poll(consumer), [(0, 0)])

    def test_an_offset_that_is_gone(self) -> None:
        """The consumer goes on where the broker says."""
        self.put(5)
        self.cluster.broker.offsets["cg", TOPIC, 0] = 1
        self.cluster.broker.min_offsets[TOPIC, 0] = 3
        consumer = self.lite()
        self.tick(0.05)
        self.assertEqual(self.poll(consumer), [(0, 3), (0, 4)])


class OffsetTests(LiteCase):
    """What is committed, and when."""

    def test_automatic_commits(self) -> None:
        """Every five seconds, what a later poll counts as consumed; nothing is said twice."""
        self.put(3)
        consumer = self.lite()
        self.poll(consumer, max_count=2)
        self.tick(5.0)
        self.assertEqual(self.stored_offset(), 0)
        self.poll(consumer)
        self.tick(5.0)
        self.assertEqual(self.stored_offset(), 2)

    def test_a_failed_commit_is_tried_again(self) -> None:
        """Others are made all the same."""
        self.put(1)
        consumer = self.lite()
        self.poll(consumer)
        self.poll(consumer)
        self.cluster.refuse(Code.UPDATE_CONSUMER_OFFSET, Answer.SYSTEM_ERROR, count=1)
        self.tick(5.0)
        self.assertEqual((self.stored_offset(0), self.stored_offset(1)), (None, 0))
        self.tick(5.0)
        self.assertEqual(self.stored_offset(0), 1)

    def test_commits_by_hand(self) -> None:
        """Count what was polled; an error is the caller's. Nothing is committed by itself."""
        self.put(3)
        consumer = self.lite(auto_commit=False)
        self.poll(consumer, max_count=2)
        self.poll(consumer, max_count=1)
        self.tick(5.0, 3)
        self.assertIsNone(self.stored_offset())
        self.result(consumer.commit())
        self.assertEqual((self.stored_offset(), self.result(consumer.committed(queue()))), (3, 3))
        self.result(consumer.commit({queue(1): 0}))
        self.assertEqual(self.stored_offset(1), 0)
        self.failure(consumer.commit({queue(9): 0}), ClientError)
        self.cluster.refuse(Code.UPDATE_CONSUMER_OFFSET, Answer.SYSTEM_ERROR, count=1)
        self.failure(consumer.commit({queue(1): 2}), BrokerRefused)

    def test_an_offset_by_hand_stands(self) -> None:
        """Until the position moves: neither automatic commits nor letting go of the queue undo it."""
        self.put(5)
        consumer = self.lite(assigned=[queue()])
        self.poll(consumer, max_count=4)
        self.result(consumer.commit({queue(): 3}))
        self.tick(5.0)
        self.assertEqual(self.stored_offset(), 3)
        consumer.assign([queue(1)])
        self.assertEqual((consumer.queues, self.stored_offset()), ([queue(1)], 3))

    def test_the_last_poll_does_not_count_at_the_shutdown(self) -> None:
        """Unless it was committed."""
        self.put(3)
        consumer = self.lite()
        self.poll(consumer, max_count=1)
        self.poll(consumer, max_count=1)
        self.result(consumer.shutdown())
        self.assertEqual(self.stored_offset(), 1)
        self.assertEqual(self.poll(self.lite()), [(0, 1), (0, 2)])

    def test_put_back(self) -> None:
        """The next poll gives it again."""
        self.put(2)
        consumer = self.lite()
        self.poll(consumer, max_count=1)
        consumer.put_back()
        self.assertEqual(self.poll(consumer), [(0, 0), (0, 1)])

    def test_seeking(self) -> None:
        """What is in hand is forgotten; what the queue does not have is refused."""
        self.put(5)
        consumer = self.lite()
        self.poll(consumer, max_count=1)
        self.result(consumer.seek(queue(), 3))
        self.assertEqual(self.poll(consumer), [(0, 3), (0, 4)])
        self.result(consumer.seek_to_begin(queue()))
        self.assertEqual(len(self.poll(consumer)), 5)
        self.result(consumer.seek_to_end(queue()))
        self.assertEqual(self.poll(consumer), [])
        self.result(consumer.commit())
        self.assertEqual(self.stored_offset(), 5)
        self.assertIn("offset 6", str(self.failure(consumer.seek(queue(), 6), ClientError)))
        self.assertIn("not ours", str(self.failure(consumer.seek(queue(9), 0), ClientError)))
        self.assertEqual(self.result(consumer.offset_for_timestamp(queue(), 1)), 1)

    def test_a_paused_queue_that_is_sought_stays_paused(self) -> None:
        """Seeking is no reason to pull."""
        self.put(1)
        consumer = self.lite()
        consumer.pause([queue()])
        self.result(consumer.seek_to_begin(queue()))
        self.assertEqual(self.poll(consumer), [])

    def test_where_a_new_group_begins(self) -> None:
        """As it is told."""
        self.put(3)
        consumer = self.lite(consume_from_where=ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET)
        self.assertEqual(self.poll(consumer), [])


class AssignTests(LiteCase):
    """Queues chosen by the user."""

    def test_only_these_are_read(self) -> None:
        """Also beside a member that has them all; the heartbeat names no subscription."""
        for queue_id in range(4):
            self.put(1, queue_id)
        self.lite()
        consumer = self.lite(assigned=[queue(1)])
        self.assertEqual((consumer.queues, self.poll(consumer), self.poll(consumer)), ([queue(1)], [(1, 0)], []))
        beats = [decode_heartbeat(one.command.body) for one in self.cluster.of(Code.HEART_BEAT)]
        data = next(beat for beat in reversed(beats) if beat.client_id == consumer.client_id).consumer_data_set[0]
        self.assertEqual((data.consume_type, data.subscription_data_set), ("CONSUME_ACTIVELY", ()))

    def test_other_queues_later(self) -> None:
        """Those that stay go on; offsets of those that go are committed."""
        consumer = self.lite(assigned=ALL[:2])
        for queue_id in range(3):
            self.put(1, queue_id)
        self.assertEqual(sorted(self.poll(consumer) + self.poll(consumer)), [(0, 0), (1, 0)])
        self.assertEqual(self.poll(consumer), [])
        consumer.assign(ALL[1:3])
        self.assertEqual((consumer.queues, self.poll(consumer), self.stored_offset()), (ALL[1:3], [(2, 0)], 1))

    def test_tags(self) -> None:
        """Are given with the queues."""
        self.put(1, tag="A")
        self.put(1, tag="B")
        self.assertEqual(self.poll(self.lite(assigned=[queue()], expression="B")), [(0, 1)])

    def test_seeking_before_the_queue_is_taken_up(self) -> None:
        """It begins there then."""
        self.put(3)
        self.cluster.refuse(Code.QUERY_CONSUMER_OFFSET, Answer.SYSTEM_ERROR, count=1)
        consumer = self.lite(assigned=[queue()])
        self.assertEqual(consumer.queues, [])
        self.result(consumer.seek(queue(), 2))
        self.tick(1.0)
        self.assertEqual(self.poll(consumer), [(0, 2)])

    def test_assigning_after_the_start(self) -> None:
        """To a consumer that read nothing before."""
        self.put(1)
        consumer = self.make(LitePullConsumer, "cg", consume_from_where="CONSUME_FROM_FIRST_OFFSET")
        self.result(consumer.start())
        consumer.assign(self.result(consumer.fetch_message_queues(TOPIC)))
        self.assertEqual((consumer.queues, self.poll(consumer)), (ALL, [(0, 0)]))

    def test_one_way_or_the_other(self) -> None:
        """Subscribing and assigning exclude each other."""
        consumer = self.make(LitePullConsumer, "cg")
        self.assertRaises(ClientError, consumer.assign, [])
        consumer.assign([queue()])
        self.assertRaises(ClientError, consumer.subscribe, TOPIC)
        other = self.make(LitePullConsumer, "cg")
        other.subscribe(TOPIC)
        self.assertRaises(ClientError, other.assign, [queue()])
        self.assertRaises(NotStarted, other.pause, [queue()])


class WatchTests(LiteCase):
    """Listeners for the queues of a topic."""

    def test_changes_are_told(self) -> None:
        """Of topics that are listened to, when they are others; a listener that fails ends nothing."""
        told: list[Any] = []

        def listen(topic: str, queues: list[Any]) -> None:
            told.append((topic, len(queues)))
            raise ValueError("no good")

        self.cluster.create_topic("other")
        consumer = self.make(LitePullConsumer, "cg", topic_metadata_check_interval_s=5.0)
        consumer.register_topic_message_queue_change_listener(TOPIC, listen)
        self.result(consumer.start())
        consumer.register_topic_message_queue_change_listener("other", listen)
        self.tick(5.0, 2)
        self.assertEqual(told, [])
        self.cluster.brokers.append(FakeBroker(self.clock, "broker-b", "10.0.0.9:10911"))
        self.cluster.brokers[-1].topics |= {TOPIC, "other"}
        self.tick(5.0, 2)
        self.assertEqual(sorted(told), [(TOPIC, 8), ("other", 8)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_a_topic_that_cannot_be_looked_at(self) -> None:
        """Is looked at again."""
        told: list[Any] = []
        consumer = self.make(LitePullConsumer, "cg")
        consumer.register_topic_message_queue_change_listener("later", lambda topic, queues: told.append(len(queues)))
        self.result(consumer.start())
        self.tick(30.0)
        self.cluster.create_topic("later")
        self.tick(30.0, 2)
        self.assertEqual(told, [])


class OperatorTests(LiteCase):
    """What brokers ask."""

    def ask(self, code: int, body: bytes = b"", **fields: str) -> Any:
        """A broker's request."""
        return self.cluster.remotings[0].ask_client(RemotingCommand(code=int(code), ext_fields=fields, body=body))

    def test_offsets_are_reset(self) -> None:
        """And what is in hand is forgotten."""
        self.put(5)
        consumer = self.lite()
        self.poll(consumer, max_count=1)
        table = b'{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"orders"}:3}}'
        self.ask(Code.RESET_CONSUMER_CLIENT_OFFSET, table, topic=TOPIC, group="cg", timestamp="0", isForce="true")
        self.tick(0.01)
        self.assertEqual((self.poll(consumer), self.stored_offset()), ([(0, 3), (0, 4)], 3))

    def test_what_it_does(self) -> None:
        """Its queues with their messages in hand; there is no listener to call."""
        self.put(3)
        self.lite()
        info = self.ask(Code.GET_CONSUMER_RUNNING_INFO, consumerGroup="cg", clientId="c").body
        self.assertIn(b'"PROP_CONSUME_TYPE":"CONSUME_ACTIVELY"', info)
        self.assertIn(b'"cachedMsgCount":3', info)
        direct = self.ask(Code.CONSUME_MESSAGE_DIRECTLY, self.cluster.broker.log[0], consumerGroup="cg")
        self.failureResultOf(direct, RequestError)

    def test_a_pull_must_not_time_out_while_it_is_held(self) -> None:
        """The settings are refused."""
        self.assertRaises(ConfigError, LitePullConsumer, "cg", pull_timeout_s=10.0, suspend_timeout_s=20.0, reactor=self.clock)
