"""Tests of pymq.broker.processors.heartbeat."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.clients import ProducerManager
from pymq.broker.consumers import ConsumerManager
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.notifier import ConsumerIdsNotifier
from pymq.broker.processors.heartbeat import ClientManageProcessor
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.testing.channels import FakeChannel
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.topics import SubscriptionGroupConfig, TopicConfig
from pymq.wire.codes import LanguageCode, RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import UnregisterClientRequestHeader
from tests.broker.fixtures import broker_config, started_clock

#: The body of a heartbeat as Java 4.9.8 writes it (remoting.md 3.4).
JAVA = (
    b'{"clientID":"10.0.0.1@123","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY",'
    b'"groupName":"g1","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919,2598920],'
    b'"expressionType":"TAG","subString":"TagA || TagB","subVersion":1795246947949,"tagsSet":["TagA","TagB"],"topic":"T1"}],'
    b'"unitMode":false}],"producerDataSet":[{"groupName":"CLIENT_INNER_PRODUCER"}]}'
)


class ClientManageProcessorTests(SynchronousTestCase):
    """Codes 34, 35 and 46."""

    def setUp(self) -> None:
        """A broker without clients, and one channel."""
        self.build()
        self.channel = FakeChannel()

    def build(self, **changes: object) -> None:
        """The processor over fresh tables."""
        config, clock = broker_config(**changes), started_clock()
        self.topics = TopicConfigManager(config, MemoryDocuments(), clock=clock)
        self.groups = SubscriptionGroupManager(config, MemoryDocuments(), clock=clock)
        self.producers = ProducerManager(clock=clock)
        self.consumers = ConsumerManager(clock=clock, on_members_changed=ConsumerIdsNotifier(config=config))
        self.processor = ClientManageProcessor(
            config=config, topics=self.topics, groups=self.groups, producers=self.producers, consumers=self.consumers
        )

    def heartbeat(self, body: bytes = JAVA, channel: FakeChannel | None = None) -> RemotingCommand:
        """What a heartbeat is answered."""
        request = RemotingCommand(code=RequestCode.HEART_BEAT, body=body, language=LanguageCode.JAVA, version=409, opaque=7)
        return self.processor.process(channel or self.channel, request)

    def told(self, channel: FakeChannel) -> list[dict[str, str]]:
        """The fields of what a channel was told of its groups."""
        return [dict(sent.ext_fields) for sent in channel.sent if sent.code == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED]

    def test_it_is_a_processor(self) -> None:
        """Of three codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {34, 35, 46})

    def test_heartbeat_is_answered_with_success_and_our_version(self) -> None:
        """The Java client looks at the version before it uses SQL92; no extra fields, else 5.x would use its second form."""
        answer = self.heartbeat()
        self.assertEqual((answer.code, answer.opaque, answer.version, answer.ext_fields), (0, 7, 409, None))

    def test_heartbeat_enters_consumer_and_producer(self) -> None:
        """With what the header and the body say of them."""
        self.heartbeat()
        group = self.consumers.group("g1")
        info = group.find("10.0.0.1@123")
        self.assertEqual((info.channel, info.language, info.version), (self.channel, LanguageCode.JAVA, 409))
        self.assertEqual((group.consume_type, group.message_model), ("CONSUME_PASSIVELY", "CLUSTERING"))
        self.assertEqual(group.find_subscription("T1").code_set, {2598919, 2598920})
        self.assertIs(self.producers.channel_of_client("10.0.0.1@123"), self.channel)

    def test_heartbeat_makes_group_and_retry_topic(self) -> None:
        """The retry topic is told to the registrar the moment it is made: clients look for it soon."""
        told: list[list[TopicConfig]] = []
        self.topics.on_change(told.append)
        self.heartbeat()
        self.heartbeat()
        self.assertEqual(self.groups.get("g1"), SubscriptionGroupConfig("g1"))
        self.assertEqual(told, [[TopicConfig("%RETRY%g1", 1, 1, 6)]])

    def test_retry_topic_follows_the_groups_settings(self) -> None:
        """Its queues are the group's, its flag says that a unit subscribes."""
        self.groups.update(SubscriptionGroupConfig("g1", retry_queue_nums=3))
        self.heartbeat(JAVA.replace(b'"unitMode":false', b'"unitMode":true'))
        self.assertEqual(self.topics.get("%RETRY%g1"), TopicConfig("%RETRY%g1", 3, 3, 6, topic_sys_flag=2))

    def test_group_that_may_not_be_made_is_entered_without_a_retry_topic(self) -> None:
        """As 4.9 does; its pulls are refused later."""
        self.build(auto_create_subscription_group=False)
        self.heartbeat()
        self.assertIsNotNone(self.consumers.group("g1"))
        self.assertIsNone(self.topics.get("%RETRY%g1"))

    def test_join_is_told_to_all_members(self) -> None:
        """The newcomer and those who were there."""
        second = FakeChannel()
        self.heartbeat()
        self.heartbeat(JAVA.replace(b"10.0.0.1", b"10.0.0.2"), second)
        self.heartbeat()
        self.assertEqual(self.told(self.channel), [{"consumerGroup": "g1"}] * 2)
        self.assertEqual(self.told(second), [{"consumerGroup": "g1"}])

    def test_group_can_forbid_telling(self) -> None:
        """By its own notifyConsumerIdsChangedEnable."""
        self.groups.update(SubscriptionGroupConfig("g1", notify_consumer_ids_changed_enable=False))
        self.heartbeat()
        self.heartbeat(JAVA, FakeChannel())
        self.unregister(consumer_group="g1")
        self.assertEqual(self.told(self.channel), [])

    def test_heartbeats_of_other_clients_are_read(self) -> None:
        """Go sends hashes as text and nanoseconds, ali-ons no type of expression, C++ nulls, and any of them unknown words."""
        body = (
            b'{"clientID":"c","producerDataSet":[],"consumerDataSet":[{"groupName":"g","consumeType":"CONSUME_PASSIVELY",'
            b'"messageModel":"CLUSTERING","consumeFromWhere":"UNKNOWN","unitMode":false,"subscriptionDataSet":[{"topic":"T","subString":"A",'
            b'"tagsSet":["A"],"codeSet":["65"],"subVersion":1700000000000000000}]}]}'
        )
        self.assertEqual(self.heartbeat(body).code, 0)
        subscription = self.consumers.find_subscription("g", "T")
        self.assertEqual((subscription.code_set, subscription.expression_type), ({65}, "TAG"))

    def test_heartbeat_that_cannot_be_read_is_refused(self) -> None:
        """With a remark that says why."""
        for body in (b"", b"{", b"[]", b'{"consumerDataSet":[]}', b'{"clientID":"c","consumerDataSet":[{"groupName":[]}]}'):
            error = self.assertRaises(RequestError, self.heartbeat, body)
            self.assertEqual(error.code, 1)
            self.assertIn("heartbeat cannot be read", error.remark)

    def test_group_with_an_impossible_name_is_refused(self) -> None:
        """Its retry topic would be a folder's name."""
        error = self.assertRaises(RequestError, self.heartbeat, JAVA.replace(b'"g1"', b'"../g1"'))
        self.assertIn("illegal characters", error.remark)
        self.assertEqual(dict(self.consumers.table), {})

    def test_heartbeat_over_a_closed_channel_enters_nobody(self) -> None:
        """It would stay for two minutes."""
        self.channel.close()
        self.assertEqual(self.heartbeat().code, 0)
        self.assertEqual((dict(self.consumers.table), dict(self.producers.table)), ({}, {}))

    def unregister(self, **fields: str) -> RemotingCommand:
        """What a goodbye is answered."""
        header = UnregisterClientRequestHeader(client_id="10.0.0.1@123", **fields)
        return self.processor.process(self.channel, RemotingCommand.request(RequestCode.UNREGISTER_CLIENT, header))

    def test_goodbye_leaves_the_named_groups_only(self) -> None:
        """First the one kind, then the other."""
        self.heartbeat()
        self.assertEqual(self.unregister(producer_group="CLIENT_INNER_PRODUCER").code, 0)
        self.assertIsNone(self.producers.group("CLIENT_INNER_PRODUCER"))
        self.assertIsNotNone(self.consumers.group("g1"))
        self.assertEqual(self.unregister(consumer_group="g1").code, 0)
        self.assertIsNone(self.consumers.group("g1"))

    def test_goodbye_is_told_to_those_who_stay(self) -> None:
        """They take over its queues."""
        stays = FakeChannel()
        self.heartbeat()
        self.heartbeat(JAVA, stays)
        self.unregister(consumer_group="g1")
        self.assertEqual(len(self.told(stays)), 2)

    def test_goodbye_to_unknown_groups_makes_none(self) -> None:
        """And succeeds."""
        self.assertEqual(self.unregister(consumer_group="x", producer_group="y").code, 0)
        self.assertIsNone(self.groups.get("x"))

    def test_goodbye_without_a_client_is_refused(self) -> None:
        """The remark names the field."""
        request = RemotingCommand.request(RequestCode.UNREGISTER_CLIENT)
        self.assertIn("clientID", self.assertRaises(RequestError, self.processor.process, self.channel, request).remark)

    def check(self, body: bytes) -> RemotingCommand:
        """What CHECK_CLIENT_CONFIG is answered."""
        return self.processor.process(self.channel, RemotingCommand.request(RequestCode.CHECK_CLIENT_CONFIG, body=body))

    def test_subscription_by_tags_can_be_served(self) -> None:
        """Always."""
        body = b'{"clientId":"c","group":"g","subscriptionData":{"topic":"T","subString":"A","expressionType":"TAG"}}'
        self.assertEqual(self.check(body).code, 0)
        self.assertEqual(self.check(b'{"clientId":"c","group":"g"}').code, 0)

    def test_subscription_by_sql_cannot(self) -> None:
        """While enablePropertyFilter is off; the client does not start then."""
        body = b'{"clientId":"c","group":"g","subscriptionData":{"topic":"T","subString":"a > 1","expressionType":"SQL92"}}'
        error = self.assertRaises(RequestError, self.check, body)
        self.assertEqual((error.code, error.remark), (1, "The broker does not support consumer to filter message by SQL92"))

    def test_subscription_by_sql_is_parsed(self) -> None:
        """Where enablePropertyFilter is on; the remark says what is wrong, and where."""
        self.build(enable_property_filter=True)
        body = b'{"clientId":"c","group":"g","subscriptionData":{"topic":"T","subString":"%s","expressionType":"%s"}}'
        self.assertEqual(self.check(body % (b"a > 1", b"SQL92")).code, 0)
        error = self.assertRaises(RequestError, self.check, body % (b"a > 'x'", b"SQL92"))
        self.assertEqual(error.code, 23)
        self.assertIn("at character 5", error.remark)
        self.assertEqual(self.assertRaises(RequestError, self.check, body % (b"a > 1", b"JMS")).code, 23)

    def test_check_that_cannot_be_read_is_refused(self) -> None:
        """With a remark that names the request."""
        self.assertIn("CHECK_CLIENT_CONFIG", self.assertRaises(RequestError, self.check, b"{").remark)
