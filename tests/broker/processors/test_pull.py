"""Tests of pymq.broker.processors.pull."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker import holds as holds_module
from pymq.broker.filters import is_tag_type
from pymq.broker.processors.pull import ANSWERS, answer_code, tag_filter_of
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.message.record import iter_records
from pymq.message.results import GetResult, GetStatus
from pymq.message.tags import java_hash
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from pymq.wire.bodies.topics import SubscriptionGroupConfig
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import draft, member, subscribe
from tests.broker.processors.parts import Parts, pull_header

COMMIT, SUSPEND, OWN = 1, 2, 4


class PullCase(SynchronousTestCase):
    """A broker with three messages in queue 0 of T, tagged A, B, A."""

    def setUp(self) -> None:
        """Everything anew."""
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Serve from these parts."""
        self.parts = parts
        parts.store.put([draft(tag="A", body=b"1"), draft(tag="B", body=b"2"), draft(tag="A", body=b"3")])
        self.processor = parts.pull_processor()

    def pull(self, code: int = 11, **changes: Any) -> Any:
        """Pull; the answer, or a Deferred of it."""
        return self.processor.process(self.parts.channel, RemotingCommand(code, 7, ext_fields=pull_header(**changes).to_fields()))

    def assert_refused(self, code: int, word: str, **changes: Any) -> None:
        """The pull is refused and the reason holds `word`."""
        error = self.assertRaises(RequestError, self.pull, **changes)
        self.assertEqual(error.code, code)
        self.assertIn(word, error.remark)

    def assert_answer(self, answer: RemotingCommand, code: int, remark: str, next_offset: int) -> None:
        """The answer's code, the store's word for it, and where to go on."""
        self.assertEqual((answer.code, answer.remark), (code, remark))
        self.assertEqual(answer.ext_fields["nextBeginOffset"], str(next_offset))


class FoundTests(PullCase):
    """Pulls that find messages."""

    def test_it_is_a_processor(self) -> None:
        """For the codes 11 and 361, the one that 5.x lite consumers use whatever the server is."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {11, 361})

    def test_body_is_the_stored_records(self) -> None:
        """And the header says where to go on and what there is."""
        answer = self.pull(361, queue_offset=1)
        self.assertEqual([message.raw_body for message in iter_records(answer.body)], [b"2", b"3"])
        self.assert_answer(answer, 0, "FOUND", 3)
        expected = {"suggestWhichBrokerId": "0", "nextBeginOffset": "3", "minOffset": "0", "maxOffset": "3"}
        self.assertEqual(answer.ext_fields, expected)

    def behind(self) -> tuple[int, int]:
        """How far the group was behind at its last pull of the queue: bytes, and milliseconds."""
        key = "0@T@G"
        return self.parts.stats.fall_size.item(key).value, self.parts.stats.fall_time.item(key).value

    def test_how_far_behind_the_group_is(self) -> None:
        """Is noted at each pull that looked at messages, whether it gave them or not; at a queue's end it is not behind."""
        size_bytes = self.parts.store.describe()["log_max_offset"] // 3
        self.parts.clock.advance(2)
        self.pull(361, max_msg_nums=1)
        self.assertEqual(self.behind(), (3 * size_bytes, 2000))
        self.pull(361, queue_offset=1, subscription="Z")
        self.assertEqual(self.behind(), (size_bytes, 2000))
        self.parts.store.put([draft("Other", body=b"x")])
        self.pull(361, queue_offset=3)
        self.assertEqual(self.behind(), (0, 0))

    def test_filter_by_tag(self) -> None:
        """Of the pull's own subscription; several tags, spaces around them."""
        answer = self.pull(subscription="B || C ")
        self.assertEqual([message.raw_body for message in iter_records(answer.body)], [b"2"])
        self.assert_answer(answer, 0, "FOUND", 3)

    def test_filter_of_the_heartbeat(self) -> None:
        """When the pull brings none."""
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [subscribe(expression="B")], False)
        answer = self.pull(sys_flag=0, sub_version=1, subscription=None)
        self.assertEqual([message.raw_body for message in iter_records(answer.body)], [b"2"])

    def test_offset_is_committed(self) -> None:
        """When the flag says that it is valid, and not at a slave."""
        self.pull(sys_flag=OWN, commit_offset=2)
        self.assertEqual(self.parts.offsets.query("G", "T", 0), -1)
        self.pull(sys_flag=OWN | COMMIT, commit_offset=2)
        self.assertEqual(self.parts.offsets.query("G", "T", 0), 2)
        self.use(Parts({"broker_role": "SLAVE"}))
        self.pull(sys_flag=OWN | COMMIT, commit_offset=2)
        self.assertEqual(self.parts.offsets.query("G", "T", 0), -1)

    def test_pulls_are_counted(self) -> None:
        """By group and topic, and misses for the whole store."""
        size = len(self.pull().body)
        self.pull(queue_offset=3)
        store = self.parts.stats.store
        self.assertEqual((store.found_times, store.miss_times, store.transferred), (1, 1, 3))
        self.parts.clock.advance(60)
        self.parts.stats.sample(self.parts.clock.seconds())
        self.assertEqual(self.parts.stats.view("GROUP_GET_NUMS", "T@G").stats_minute.sum, 3)
        self.assertEqual(self.parts.stats.view("GROUP_GET_SIZE", "T@G").stats_minute.sum, size)
        self.assertEqual(self.parts.stats.view("GROUP_GET_LATENCY", "0@T@G").stats_minute.sum, 0)

    def test_slaves_are_suggested_to_slow_readers(self) -> None:
        """When they may be read from; else everybody reads at the master."""
        self.use(Parts(slave_read_enable=True))
        self.parts.groups.update(SubscriptionGroupConfig(group_name="G", broker_id=2, which_broker_when_consume_slowly=3))
        self.assertEqual(self.pull().ext_fields["suggestWhichBrokerId"], "2")
        get = self.parts.store.get

        def slow_get(*arguments: Any) -> GetResult:
            result: GetResult = get(*arguments)
            result.is_behind = True
            return result

        self.parts.store.get = slow_get
        self.assertEqual(self.pull().ext_fields["suggestWhichBrokerId"], "3")


class RefusedTests(PullCase):
    """The checks, in the order of remoting.md 3.3."""

    def test_fields_are_missing(self) -> None:
        """The answer names what is missing."""
        request = RemotingCommand(11, 7, ext_fields={"topic": "T"})
        error = self.assertRaises(RequestError, self.processor.process, self.parts.channel, request)
        self.assertIn("PullMessageRequestHeader", error.remark)

    def test_fields_that_are_not_needed(self) -> None:
        """Without an offset to commit, a time to wait and a version a pull is served; then nothing is committed."""
        fields = {"consumerGroup": "G", "topic": "T", "queueId": "0", "queueOffset": "0", "maxMsgNums": "1", "sysFlag": "5"}
        answer = self.processor.process(self.parts.channel, RemotingCommand(11, 7, ext_fields=fields))
        self.assertEqual(answer.code, 0)  # type: ignore[union-attr]  # nothing asks it to wait
        self.assertEqual(self.parts.offsets.query("G", "T", 0), -1)

    def test_broker_is_not_readable(self) -> None:
        """16."""
        self.use(Parts(broker_permission=2))
        self.assert_refused(16, "broker")

    def test_unknown_group(self) -> None:
        """26, unless groups are made at their first use."""
        self.assertEqual(self.pull(consumer_group="NEW").code, 0)
        self.use(Parts(auto_create_subscription_group=False))
        self.assert_refused(26, "NEW", consumer_group="NEW")

    def test_group_may_not_consume(self) -> None:
        """16."""
        self.parts.groups.update(SubscriptionGroupConfig(group_name="G", consume_enable=False))
        self.assert_refused(16, "G")

    def test_unknown_or_unreadable_topic(self) -> None:
        """17, and 16."""
        self.assert_refused(17, "topic[N] not exist", topic="N")
        self.parts.make_topic("W", perm=2)
        self.assert_refused(16, "W", topic="W")

    def test_queue_out_of_range(self) -> None:
        """Below 0, or not among those to read from."""
        self.assert_refused(1, "queueId[4]", queue_id=4)
        self.assert_refused(1, "queueId[-1]", queue_id=-1)

    def test_subscription_cannot_be_parsed(self) -> None:
        """23."""
        self.assert_refused(23, "||", subscription="||")

    def test_no_heartbeat_and_no_subscription(self) -> None:
        """24: the client sends a heartbeat then."""
        self.assert_refused(24, "heartbeat", sys_flag=0)

    def test_topic_is_not_subscribed(self) -> None:
        """24 as well."""
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [subscribe("OTHER")], False)
        self.assert_refused(24, "does not subscribe", sys_flag=0)

    def test_broadcast_is_forbidden(self) -> None:
        """16 for a group that may not consume so."""
        self.parts.groups.update(SubscriptionGroupConfig(group_name="G", consume_broadcast_enable=False))
        self.parts.consumers.register("G", member(), "C", "BROADCASTING", "X", [subscribe()], False)
        self.assert_refused(16, "broadcast", sys_flag=0)

    def test_newer_subscription_than_the_heartbeats(self) -> None:
        """25: the next heartbeat brings it."""
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [subscribe(version=5)], False)
        self.assert_refused(25, "5", sys_flag=0, sub_version=6)

    def test_sql_subscriptions(self) -> None:
        """1 with Java's words, whether the pull or the heartbeat says it."""
        self.assert_refused(1, "filter message by SQL92", subscription="a > 1", expression_type="SQL92")
        sql = SubscriptionData("T", "a > 1", expression_type="SQL92")
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [sql], False)
        self.assert_refused(1, "filter message by SQL92", sys_flag=0)


class SqlTests(PullCase):
    """Pulls that filter by properties."""

    def setUp(self) -> None:
        """A broker that allows it, for a group that subscribes to one tag by SQL92."""
        self.use(Parts(enable_property_filter=True))
        subscription = build_subscription("T", "TAGS = 'B'", "SQL92", sub_version=5)
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [subscription], False)

    def registered(self, **changes: Any) -> Any:
        """A pull that leaves the filter to the heartbeat."""
        return self.pull(**{"sys_flag": 0, "sub_version": 5, "subscription": None, "expression_type": "SQL92", **changes})

    def test_filter_of_the_heartbeat(self) -> None:
        """Only what passes is delivered; where nothing does, the client is told to go on behind it."""
        answer = self.registered()
        self.assertEqual([message.raw_body for message in iter_records(answer.body)], [b"2"])
        self.assert_answer(answer, 0, "FOUND", 3)
        self.assert_answer(self.registered(queue_offset=2), 20, "NO_MATCHED_MESSAGE", 3)

    def test_filter_of_the_pull(self) -> None:
        """Its own text; one that cannot be parsed is refused."""
        answer = self.pull(subscription="TAGS IN ('A')", expression_type="SQL92")
        self.assertEqual([message.raw_body for message in iter_records(answer.body)], [b"1", b"3"])
        self.assert_refused(23, "at its end", subscription="TAGS =", expression_type="SQL92")

    def test_filters_that_are_missing_or_old(self) -> None:
        """27 when the heartbeat's could not be parsed, 28 when the filter is older than the subscription."""
        wrong = build_subscription("T", "TAGS =", "SQL92", sub_version=6)
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [wrong], False)
        self.assertEqual(self.assertRaises(RequestError, self.registered, sub_version=6).code, 27)
        self.setUp()
        newer = build_subscription("T", "TAGS = 'A'", "SQL92", sub_version=6)
        group = self.parts.consumers.group("G")
        assert group is not None
        group.subscribe([newer])
        self.assertEqual(self.assertRaises(RequestError, self.registered, sub_version=6).code, 28)

    def test_only_a_message_that_passes_ends_the_wait(self) -> None:
        """Others are passed over."""
        waiting = self.registered(queue_offset=3, sys_flag=SUSPEND)
        self.parts.store.put([draft(tag="A")])
        self.assertNoResult(waiting)
        self.parts.store.put([draft(tag="B", body=b"5")])
        answer = self.successResultOf(waiting)
        self.assertEqual([message.raw_body for message in iter_records(answer.body)], [b"5"])
        self.assert_answer(answer, 0, "FOUND", 5)


class NothingFoundTests(PullCase):
    """What is answered at once although nothing is delivered."""

    def test_places_in_the_queue(self) -> None:
        """The store's words become codes; offsets out of range are moved."""
        self.assert_answer(self.pull(queue_offset=3), 19, "OFFSET_OVERFLOW_ONE", 3)
        self.assert_answer(self.pull(queue_offset=9), 21, "OFFSET_OVERFLOW_BADLY", 3)
        self.assert_answer(self.pull(queue_offset=-1), 21, "OFFSET_TOO_SMALL", 0)
        self.assertEqual(self.pull(queue_id=1).code, 19)
        self.assertEqual(self.pull(queue_id=1, queue_offset=5).code, 21)
        self.assert_answer(self.pull(subscription="C"), 20, "NO_MATCHED_MESSAGE", 3)

    def test_moved_offsets_are_not_held(self) -> None:
        """The client must learn of them now."""
        self.assertEqual(self.pull(queue_offset=9, sys_flag=OWN | SUSPEND).code, 21)

    def test_every_status_has_an_answer(self) -> None:
        """By table, or by whether the reader was further already."""
        for status in GetStatus:
            self.assertEqual(answer_code(status, 5), ANSWERS.get(status, 21))
            self.assertEqual(answer_code(status, 0), ANSWERS.get(status, 19))


class HeldTests(PullCase):
    """Long polling."""

    def test_message_ends_the_wait(self) -> None:
        """It is delivered at once, and no offset is committed again."""
        waiting = self.pull(queue_offset=3, sys_flag=OWN | SUSPEND | COMMIT, commit_offset=3)
        self.assertNoResult(waiting)
        self.assertEqual(self.parts.offsets.query("G", "T", 0), 3)
        self.parts.offsets.commit("G", "T", 0, 1)
        self.parts.store.put([draft(body=b"4")])
        answer = self.successResultOf(waiting)
        self.assert_answer(answer, 0, "FOUND", 4)
        self.assertEqual([message.raw_body for message in iter_records(answer.body)], [b"4"])
        self.assertEqual(self.parts.offsets.query("G", "T", 0), 1)
        self.assertEqual(self.parts.holds.count, 0)

    def test_messages_of_other_tags_do_not(self) -> None:
        """The pull waits on, and reads behind them later."""
        waiting = self.pull(queue_offset=3, sys_flag=OWN | SUSPEND, subscription="A")
        self.parts.store.put([draft(tag="B")])
        self.assertNoResult(waiting)
        self.parts.store.put([draft(tag="A", body=b"5")])
        self.assert_answer(self.successResultOf(waiting), 0, "FOUND", 5)

    def test_deadline_ends_the_wait(self) -> None:
        """With 19, after the time that the client gave."""
        waiting = self.pull(queue_offset=3, sys_flag=OWN | SUSPEND, suspend_timeout_millis=15_000)
        self.parts.clock.advance(14)
        self.parts.holds.check(self.parts.clock.seconds())
        self.assertNoResult(waiting)
        self.parts.clock.advance(1)
        self.parts.holds.check(self.parts.clock.seconds())
        self.assert_answer(self.successResultOf(waiting), 19, "OFFSET_OVERFLOW_ONE", 3)

    def test_short_polling(self) -> None:
        """longPollingEnable=false: for shortPollingTimeMills, whatever the client says."""
        self.use(Parts(long_polling_enable=False, short_polling_time_mills=1000))
        waiting = self.pull(queue_offset=3, sys_flag=OWN | SUSPEND, suspend_timeout_millis=15_000)
        self.parts.clock.advance(1)
        self.parts.holds.check(self.parts.clock.seconds())
        self.assertEqual(self.successResultOf(waiting).code, 19)

    def test_closed_channel_takes_the_hold_out(self) -> None:
        """The dispatcher cancels."""
        waiting = self.pull(queue_offset=3, sys_flag=OWN | SUSPEND)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.parts.holds.count, 0)

    def test_everything_is_checked_again(self) -> None:
        """The topic may be gone meanwhile."""
        waiting = self.pull(queue_offset=3, sys_flag=OWN | SUSPEND)
        self.parts.topics.delete("T")
        self.parts.store.put([draft()])
        self.assertEqual(self.failureResultOf(waiting, RequestError).value.code, 17)

    def test_too_many_held(self) -> None:
        """2, after which clients pause."""
        self.patch(holds_module, "HELD_PULLS_MAX", 0)
        self.assert_refused(2, "holds", queue_offset=3, sys_flag=OWN | SUSPEND)


class FilterTests(SynchronousTestCase):
    """What a subscription lets through."""

    def test_tag_filter(self) -> None:
        """None for all: the star, nothing, class filters, and subscriptions that name no hash."""
        for subscription in (subscribe(), SubscriptionData("T", ""), SubscriptionData("T", "A", class_filter_mode=True)):
            self.assertIsNone(tag_filter_of(subscription))
        self.assertIsNone(tag_filter_of(SubscriptionData("T", "A")))
        self.assertEqual(tag_filter_of(subscribe(expression="A || B")), {java_hash("A"), java_hash("B")})

    def test_tag_type(self) -> None:
        """Is what clients without SQL say, or nothing."""
        self.assertEqual([is_tag_type(word) for word in (None, "", "TAG", "SQL92", "tag")], [True, True, True, False, False])
