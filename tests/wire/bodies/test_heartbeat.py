"""Heartbeats, as each client writes them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.heartbeat import (
    CheckClientRequestBody,
    ConsumerData,
    HeartbeatData,
    ProducerData,
    SubscriptionData,
    build_subscription,
    decode_heartbeat,
)
from pymq.wire.javajson import JavaJSONError
from tests.wire.cuts import mutations, outcomes, prefixes

#: A heartbeat of Java 4.9.8 (remoting.md 3.4).
GOLDEN = (
    b'{"clientID":"10.0.0.1@123","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":'
    b'"CONSUME_PASSIVELY","groupName":"g1","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":'
    b'[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1795246947949,"tagsSet":["TagA","TagB"],'
    b'"topic":"T1"}],"unitMode":false}],"producerDataSet":[{"groupName":"CLIENT_INNER_PRODUCER"}]}'
)
SUBSCRIPTION = SubscriptionData("T1", "TagA || TagB", frozenset({"TagA", "TagB"}), frozenset({2598919, 2598920}), 1795246947949)


class HeartbeatTests(SynchronousTestCase):
    """decode_heartbeat."""

    def test_enums_may_come_as_ordinals(self) -> None:
        """The C++ client numbers them as Java does, and sends subVersion as text."""
        body = (
            b'{"clientID":"c","consumerDataSet":[{"consumeFromWhere":0,"consumeType":1,"messageModel":1,"groupName":"g",'
            b'"subscriptionDataSet":[{"topic":"T","subString":"*","subVersion":"7"}]},'
            b'{"consumeFromWhere":99,"consumeType":0,"messageModel":0,"groupName":"h"}],"producerDataSet":[]}'
        )
        first, second = decode_heartbeat(body).consumer_data_set
        self.assertEqual(
            (first.consume_from_where, first.consume_type, first.message_model),
            ("CONSUME_FROM_LAST_OFFSET", "CONSUME_PASSIVELY", "CLUSTERING"),
        )
        self.assertEqual(first.subscription_data_set[0].sub_version, 7)
        self.assertEqual(
            (second.consume_from_where, second.consume_type, second.message_model), ("99", "CONSUME_ACTIVELY", "BROADCASTING")
        )

    def test_java(self) -> None:
        """The heartbeat of the reference, and its parts written again."""
        read = decode_heartbeat(GOLDEN)
        self.assertEqual(
            read,
            HeartbeatData(
                "10.0.0.1@123",
                (ProducerData("CLIENT_INNER_PRODUCER"),),
                (ConsumerData("g1", subscription_data_set=(SUBSCRIPTION,)),),
            ),
        )
        written = javajson.encode(read)
        self.assertEqual(written.replace(b'"heartbeatFingerprint":0,', b"").replace(b',"withoutSub":false', b""), GOLDEN)

    def test_java_5(self) -> None:
        """Two more members, and a way to consume that 4.9 does not know."""
        read = decode_heartbeat(
            b'{"clientID":"c","consumerDataSet":[{"consumeType":"CONSUME_POP","groupName":"g"}],"heartbeatFingerprint":-12,"withoutSub":true}'
        )
        self.assertEqual((read.heartbeat_fingerprint, read.without_sub), (-12, True))
        self.assertEqual(read.consumer_data_set[0].consume_type, "CONSUME_POP")

    def test_go(self) -> None:
        """Hashes as text, nanoseconds, a word that no release knows."""
        read = decode_heartbeat(
            b'{"clientID":"c","producerDataSet":[],"consumerDataSet":[{"groupName":"g","consumeType":"CONSUME_PASSIVELY",'
            b'"messageModel":"CLUSTERING","consumeFromWhere":"UNKNOWN","unitMode":false,"subscriptionDataSet":[{"classFilterMode":'
            b'false,"topic":"T","subString":"a","tagsSet":["a"],"codeSet":["97","-5"],"subVersion":1600000000000000000,'
            b'"expressionType":"TAG"}]}]}'
        )
        consumer = read.consumer_data_set[0]
        self.assertEqual(consumer.consume_from_where, "UNKNOWN")
        self.assertEqual(consumer.subscription_data_set[0].code_set, {97, -5})
        self.assertEqual(consumer.subscription_data_set[0].sub_version, 1_600_000_000_000_000_000)

    def test_ali_ons(self) -> None:
        """No expressionType."""
        read = decode_heartbeat(
            b'{"clientID":"c","producerDataSet":[],"consumerDataSet":[{"consumeType":"CONSUME_PASSIVELY","groupName":"g","messageModel":'
            b'"CLUSTERING","consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","subscriptionDataSet":[{"topic":"T","subString":"*",'
            b'"tagsSet":[],"codeSet":[],"subVersion":1,"classFilterMode":false}],"unitMode":false}]}'
        )
        self.assertEqual(read.consumer_data_set[0].subscription_data_set, (SubscriptionData("T", sub_version=1),))

    def test_nulls(self) -> None:
        """Collections and texts that are null are as if they were not there."""
        read = decode_heartbeat(
            b'{"clientID":"c","producerDataSet":null,"consumerDataSet":[{"groupName":"g","consumeFromWhere":null,'
            b'"subscriptionDataSet":[{"topic":"T","subString":"*","tagsSet":null,"codeSet":null,"expressionType":null}]}]}'
        )
        self.assertEqual((read.producer_data_set, read.consumer_data_set[0].consume_from_where), ((), "CONSUME_FROM_LAST_OFFSET"))
        self.assertEqual(read.consumer_data_set[0].subscription_data_set, (SubscriptionData("T"),))
        self.assertEqual(decode_heartbeat(b'{"clientID":"c","consumerDataSet":null}'), HeartbeatData("c"))

    def test_a_heartbeat_needs_its_client(self) -> None:
        """Without one there is nobody to register."""
        for body in (b"", b"{}", b'{"clientID":""}', b'{"clientID":null}', b"[]"):
            with self.assertRaises(JavaJSONError, msg=body):
                decode_heartbeat(body)

    def test_every_cut_and_change_is_read_or_refused(self) -> None:
        """Never another error."""
        self.assertEqual(outcomes(decode_heartbeat, prefixes(GOLDEN), JavaJSONError), (0, len(GOLDEN)))
        outcomes(decode_heartbeat, mutations(GOLDEN), JavaJSONError)

    def test_check_client(self) -> None:
        """The body of CHECK_CLIENT_CONFIG."""
        body = CheckClientRequestBody("c", "g", SUBSCRIPTION)
        self.assertEqual(javajson.decode_as(javajson.encode(body), CheckClientRequestBody), body)


class BuildSubscriptionTests(SynchronousTestCase):
    """build_subscription."""

    def test_tags(self) -> None:
        """Trimmed, hashed as Java does."""
        self.assertEqual(build_subscription("T1", "TagA || TagB", sub_version=1795246947949), SUBSCRIPTION)
        self.assertEqual(build_subscription("T", " a||| |a|| ", sub_version=1).tags_set, {"a", "| |a"})

    def test_all(self) -> None:
        """No expression, an empty one and a star are one."""
        expected = SubscriptionData("T", "*", sub_version=5)
        for expression in (None, "", "*"):
            self.assertEqual(build_subscription("T", expression, sub_version=5), expected)

    def test_sql(self) -> None:
        """The expression is kept, no tags are made."""
        self.assertEqual(
            build_subscription("T", "a > 1", "SQL92", sub_version=1),
            SubscriptionData("T", "a > 1", sub_version=1, expression_type="SQL92"),
        )

    def test_expressions_that_mean_nothing(self) -> None:
        """Only separators; no SQL."""
        self.assertRaises(ValueError, build_subscription, "T", " || ", sub_version=1)
        self.assertRaises(ValueError, build_subscription, "T", "", "SQL92", sub_version=1)

    def test_hashes(self) -> None:
        """String.hashCode: signed 32 bits over UTF-16 units."""
        for tag, value in (
            ("a", 97),
            ("TagA", 2598919),
            ("polygenelubricants", -(2**31)),
            ("é😀", 233 * 961 + 0xD83D * 31 + 0xDE00),
        ):
            self.assertEqual(build_subscription("T", tag, sub_version=1).code_set, {value}, tag)

    @settings(deadline=None)
    @given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=6), max_size=4))
    def test_round_trip(self, tags: list[str]) -> None:
        """Through a heartbeat, whatever the tags hold."""
        try:
            subscription = build_subscription("T", "||".join(tags), sub_version=3)
        except ValueError:
            return
        heartbeat = HeartbeatData("c", (), (ConsumerData("g", subscription_data_set=(subscription,)),))
        self.assertEqual(decode_heartbeat(javajson.encode(heartbeat)), heartbeat)
