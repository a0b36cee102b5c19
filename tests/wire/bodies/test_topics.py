"""Topics, groups and tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.topics import (
    DataVersion,
    GroupList,
    KVTable,
    SubscriptionGroupConfig,
    SubscriptionGroupWrapper,
    TopicConfig,
    TopicConfigSerializeWrapper,
    TopicList,
    TopicOffset,
    TopicStatsTable,
)

#: The body of GET_ALL_TOPIC_CONFIG in Java 4.9.8's form (remoting.md 3.12), and of the groups (store.md 1.5).
GOLDEN_TOPICS = (
    b'{"dataVersion":{"counter":3,"timestamp":1700000000000},"topicConfigTable":{"T1":{"order":false,"perm":6,"readQueueNums":8,'
    b'"topicFilterType":"SINGLE_TAG","topicName":"T1","topicSysFlag":0,"writeQueueNums":8}}}'
)
GOLDEN_GROUP = (
    b'{"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,"consumeFromMinEnable":true,"groupName":"g1",'
    b'"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,"whichBrokerWhenConsumeSlowly":1}'
)
GOLDEN_STATS = (
    b'{"offsetTable":{{"brokerName":"broker-a","queueId":1,"topic":"T1"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}}}'
)


class TopicTests(SynchronousTestCase):
    """Topics."""

    def test_all_topics(self) -> None:
        """Read, and written to the byte."""
        wrapper = TopicConfigSerializeWrapper({"T1": TopicConfig("T1", 8, 8)}, DataVersion(1700000000000, 3))
        self.assertEqual(javajson.decode_as(GOLDEN_TOPICS, TopicConfigSerializeWrapper), wrapper)
        self.assertEqual(javajson.encode(wrapper), GOLDEN_TOPICS)

    def test_defaults_of_a_bare_topic(self) -> None:
        """Java's."""
        topic = javajson.decode_as(b'{"topicName":"T"}', TopicConfig)
        self.assertEqual(
            (topic.read_queue_nums, topic.write_queue_nums, topic.perm, topic.topic_filter_type), (16, 16, 6, "SINGLE_TAG")
        )

    def test_attributes_of_5_are_kept(self) -> None:
        """And left out when there were none."""
        text = (
            b'{"attributes":{"+message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":1,'
            b'"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":1}'
        )
        self.assertEqual(javajson.encode(javajson.decode_as(text, TopicConfig)), text)
        self.assertNotIn(b"attributes", javajson.encode(TopicConfig("T")))

    def test_a_state_version_makes_another_version(self) -> None:
        """5.x's third number."""
        version = javajson.decode_as(b'{"counter":1,"stateVersion":2,"timestamp":3}', DataVersion)
        self.assertEqual(version, DataVersion(3, 1, 2))
        self.assertNotEqual(version, DataVersion(3, 1))

    def test_topic_list(self) -> None:
        """With and without the broker's address."""
        self.assertEqual(javajson.encode(TopicList(("T1", "T2"))), b'{"topicList":["T1","T2"]}')
        self.assertEqual(javajson.decode_as(b'{"brokerAddr":"a:1","topicList":["T"]}', TopicList), TopicList(("T",), "a:1"))

    def test_topic_stats(self) -> None:
        """Object keys, both ways."""
        table = TopicStatsTable({MessageQueue("T1", "broker-a", 1): TopicOffset()})  # type: ignore[dict-item]
        self.assertEqual(javajson.encode(table), GOLDEN_STATS)
        self.assertEqual(javajson.decode_as(GOLDEN_STATS, TopicStatsTable), table)


class GroupTests(SynchronousTestCase):
    """Groups and other tables."""

    def test_a_group(self) -> None:
        """Defaults are Java's; read and written to the byte."""
        self.assertEqual(javajson.encode(SubscriptionGroupConfig("g1")), GOLDEN_GROUP)
        self.assertEqual(javajson.decode_as(GOLDEN_GROUP, SubscriptionGroupConfig), SubscriptionGroupConfig("g1"))

    def test_members_of_5_are_kept(self) -> None:
        """A 5.x store opened by us and again by Java must not lose them."""
        text = (
            b'{"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,"consumeFromMinEnable":true,'
            b'"consumeMessageOrderly":true,"consumeTimeoutMinute":15,"groupName":"g","groupRetryPolicy":{"type":"CUSTOMIZED"},'
            b'"groupSysFlag":0,"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,'
            b'"subscriptionDataSet":[],"whichBrokerWhenConsumeSlowly":1}'
        )
        self.assertEqual(javajson.encode(javajson.decode_as(text, SubscriptionGroupConfig)), text)

    def test_all_groups(self) -> None:
        """With the version."""
        text = b'{"dataVersion":{"counter":0,"timestamp":1},"subscriptionGroupTable":{"g1":' + GOLDEN_GROUP + b"}}"
        self.assertEqual(javajson.encode(javajson.decode_as(text, SubscriptionGroupWrapper)), text)

    def test_small_tables(self) -> None:
        """Lists of groups, tables of text."""
        self.assertEqual(javajson.encode(GroupList(("g1",))), b'{"groupList":["g1"]}')
        self.assertEqual(javajson.encode(KVTable({"b": "2", "a": "1"})), b'{"table":{"a":"1","b":"2"}}')
