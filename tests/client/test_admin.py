"""The admin client, against real brokers and a real name server in memory."""

from __future__ import annotations

import msgspec

from pymq.client import Admin, LitePullConsumer, SubscriptionGroupConfig, TopicConfig
from pymq.client.groupadmin import LATEST
from pymq.errors import BrokerRefused, ClientError, ConnectFailed, NoNameServer, NoRoute, NotStarted
from pymq.message.ids import decode_offset_message_id
from pymq.wire.codes import RequestCode
from pymq.wire.headers.topics import DeleteTopicRequestHeader
from tests.client.admincase import BROKER_A, BROKER_B, GROUP, TOPIC, AdminCase, queue


class TopicTests(AdminCase):
    """Topics."""

    def test_creating_and_changing(self) -> None:
        """At both brokers, or at one; a name that cannot be is refused."""
        route = self.result(self.admin.topic_route(TOPIC))
        self.assertEqual(
            [(data.broker_name, data.read_queue_nums) for data in route.queue_datas], [("broker-a", 2), ("broker-b", 2)]
        )
        config = self.result(self.admin.topic_configs("broker-b"))[TOPIC]
        self.result(self.admin.update_topic(msgspec.structs.replace(config, perm=4, write_queue_nums=1), "broker-b"))
        for broker, expected in (("broker-a", (6, 2)), (BROKER_B, (4, 1))):
            changed = self.result(self.admin.topic_configs(broker))[TOPIC]
            self.assertEqual((changed.perm, changed.write_queue_nums), expected)
        self.failure(self.admin.update_topic(TopicConfig("bad name")), ClientError)

    def test_attributes(self) -> None:
        """Are kept with the topic."""
        self.result(self.admin.update_topic(TopicConfig("deals", attributes={"message.type": "TRANSACTION"}), "broker-a"))
        self.assertEqual(self.result(self.admin.topic_configs("broker-a"))["deals"].attributes, {"message.type": "TRANSACTION"})

    def test_names(self) -> None:
        """All, or those of a cluster."""
        self.assertIn(TOPIC, self.result(self.admin.topics()))
        self.assertIn(TOPIC, self.result(self.admin.topics("DefaultCluster")))
        self.assertNotIn(TOPIC, self.result(self.admin.topics("no-such-cluster")))

    def test_deleting(self) -> None:
        """The route goes, and the order configuration; a second time is harmless."""
        self.result(self.admin.update_order_conf(TOPIC, {"broker-a": 2}))
        for _ in range(2):
            self.result(self.admin.delete_topic(TOPIC))
        self.assertNotIn(TOPIC, self.result(self.admin.topics()))
        self.assertEqual(self.result(self.admin.order_conf(TOPIC)), {})
        self.assertNotIn(TOPIC, self.result(self.admin.topic_configs("broker-a")))
        self.failure(self.admin.topic_route(TOPIC), NoRoute)
        self.failure(self.admin.topic_stats(TOPIC), NoRoute)

    def test_statistics(self) -> None:
        """Of every queue at every broker."""
        self.send(6)
        stats = self.result(self.admin.topic_stats(TOPIC))
        self.assertEqual(list(stats.queues), [queue(n, name) for name in ("broker-a", "broker-b") for n in range(2)])
        self.assertEqual(stats.message_count, 6)

    def test_who_consumes(self) -> None:
        """The groups with offsets."""
        self.assertEqual(self.result(self.admin.topic_groups(TOPIC)), [])
        self.consume()
        self.assertEqual(self.result(self.admin.topic_groups(TOPIC)), [GROUP])

    def test_clusters(self) -> None:
        """Where it is."""
        self.assertEqual(self.result(self.admin.topic_clusters(TOPIC)), ["DefaultCluster"])
        self.failure(self.admin.topic_clusters("unknown"), NoRoute)

    def test_topics_of_the_system(self) -> None:
        """They are a broker's own."""
        names = self.result(self.admin.system_topics("broker-a"))
        self.assertIn("TBW102", names)
        self.assertNotIn(TOPIC, names)

    def test_units_of_a_queue(self) -> None:
        """Where its messages are in the log; a group's subscription, if it is wanted; none where nothing is."""
        sent = self.send(8)
        first = min((one for one in sent if one.queue == queue()), key=lambda one: one.queue_offset)
        body = self.result(self.admin.query_consume_queue(queue(), 0, 1))
        assert body is not None
        (unit,) = body.queue_data
        self.assertEqual((body.min_queue_index, body.max_queue_index, body.subscription_data), (0, 2, None))
        self.assertEqual(unit.physic_offset, decode_offset_message_id(first.offset_msg_id)[2])
        self.consume()
        body = self.result(self.admin.query_consume_queue(queue(), 0, 8, GROUP))
        assert body is not None and body.subscription_data is not None
        self.assertEqual((len(body.queue_data), body.subscription_data.topic), (2, TOPIC))
        self.assertIsNone(self.result(self.admin.query_consume_queue(queue(), 2)))
        self.failure(self.admin.query_consume_queue(queue(9), 0), BrokerRefused)

    def test_the_namespace_is_not_seen(self) -> None:
        """On the way in or out."""
        admin = Admin(**self.cluster.client_settings(namespace="shop"))
        self.begin(admin)
        self.result(admin.update_topic(TopicConfig(TOPIC), "broker-a"))
        self.cluster.tick(0.1)
        self.assertIn("shop%" + TOPIC, self.result(self.admin.topics()))
        self.assertEqual({one.topic for one in self.result(admin.topic_stats(TOPIC)).queues}, {TOPIC})
        self.result(admin.update_group(SubscriptionGroupConfig(GROUP, retry_max_times=3)))
        self.assertEqual(self.result(self.admin.group_configs("broker-b"))["shop%" + GROUP].retry_max_times, 3)


class GroupTests(AdminCase):
    """Consumer groups."""

    def test_configurations(self) -> None:
        """Made, changed, and deleted with their offsets."""
        self.result(self.admin.update_group(SubscriptionGroupConfig(GROUP, retry_max_times=3), "DefaultCluster"))
        for broker in ("broker-a", "broker-b"):
            self.assertEqual(self.result(self.admin.group_configs(broker))[GROUP].retry_max_times, 3)
        self.result(self.admin.update_consumer_offset(GROUP, queue(), 1))
        self.assertEqual(self.result(self.admin.consumer_offset(GROUP, queue())), 1)
        self.result(self.admin.delete_group(GROUP, with_offsets=True))
        self.assertNotIn(GROUP, self.result(self.admin.group_configs("broker-a")))
        self.assertEqual(self.result(self.admin.topic_groups(TOPIC)), [])
        self.failure(self.admin.update_group(SubscriptionGroupConfig("bad name")), ClientError)

    def test_progress(self) -> None:
        """Offsets and lag, queue by queue; a group that nobody knows is told so."""
        self.send(4)
        self.assertEqual(len(self.consume()), 4)
        self.cluster.tick(1.0, 15)
        progress = self.result(self.admin.consume_stats(GROUP, TOPIC))
        self.assertEqual((progress.lag, sum(one.consumer_offset for one in progress.queues.values())), (0, 4))
        self.result(self.admin.update_consumer_offset(GROUP, queue(), 0))
        behind = self.result(self.admin.consume_stats(GROUP))
        self.assertEqual((behind.lag, behind.queues[queue()].lag), (1, 1))
        self.assertTrue(any(one.topic.startswith("%RETRY%") for one in behind.queues))
        self.assertIn("ever connected", str(self.failure(self.admin.consume_stats("nobody"), NoRoute)))

    def test_progress_of_all_groups_of_a_broker(self) -> None:
        """Each with the queues that it has there; or with those of ordered topics."""
        self.send(4)
        self.result(self.admin.update_group(SubscriptionGroupConfig(GROUP)))
        self.result(self.admin.update_consumer_offset(GROUP, queue(1, "broker-b"), 0))
        progress = self.result(self.admin.broker_consume_stats("broker-b"))[GROUP]
        self.assertEqual((list(progress.queues), progress.lag), ([queue(0, "broker-b"), queue(1, "broker-b")], 2))
        self.assertEqual(self.result(self.admin.broker_consume_stats("broker-a"))[GROUP].queues, {})
        ordered = self.result(self.admin.broker_consume_stats(BROKER_B, only_ordered=True))
        self.assertEqual(ordered[GROUP].queues, {})

    def test_resetting_offsets_of_members(self) -> None:
        """They are told, and consume again."""
        self.send(4)
        got = self.consume()
        table = self.result(self.admin.reset_offsets(GROUP, TOPIC, 0))
        self.assertEqual(set(table.values()), {0})
        self.cluster.tick(1.0, 5)
        self.assertEqual(len(got), 8)

    def test_resetting_offsets_of_nobody(self) -> None:
        """The brokers' are set: to a time, or to the end; without force never forward."""
        self.send(4)
        self.result(self.admin.update_consumer_offset(GROUP, queue(), 0))
        kept = self.result(self.admin.reset_offsets(GROUP, TOPIC, LATEST, force=False))
        self.assertEqual(kept[queue()], 0)
        ends = self.result(self.admin.reset_offsets(GROUP, TOPIC))
        self.assertEqual((len(ends), sum(ends.values())), (4, 4))
        self.assertEqual({one: self.result(self.admin.consumer_offset(GROUP, one)) for one in ends}, ends)
        begins = self.result(self.admin.reset_offsets(GROUP, TOPIC, 0, force=False))
        self.assertEqual(set(begins.values()), {0})
        self.failure(self.admin.reset_offsets(GROUP, "unknown"), NoRoute)

    def test_resetting_offsets_that_are_not_there(self) -> None:
        """Members are online, but have committed nothing yet: the brokers would refuse that."""
        self.send(4)
        consumer = LitePullConsumer(GROUP, auto_commit=False, **self.cluster.client_settings())
        consumer.subscribe(TOPIC)
        self.begin(consumer)
        self.cluster.tick(0.1, 20)
        for _ in range(4):
            self.result(consumer.poll(0))
        self.assertEqual(set(self.result(self.admin.reset_offsets(GROUP, TOPIC, 0)).values()), {0})
        self.cluster.tick(0.1, 20)
        self.assertEqual(sum(len(self.result(consumer.poll(0))) for _ in range(4)), 4)

    def test_resetting_where_no_topic_is(self) -> None:
        """The broker's refusal is the error."""
        self.result(self.admin.update_topic(TopicConfig("half"), "broker-a"))
        self.cluster.tick(0.1)
        self.result(self.admin._api.ask(BROKER_A, RequestCode.DELETE_TOPIC_IN_BROKER, DeleteTopicRequestHeader(topic="half")))
        self.failure(self.admin.reset_offsets("fresh", "half"), BrokerRefused)

    def test_cloning_offsets(self) -> None:
        """To another group: of one topic, or of all."""
        self.send(4)
        self.consume()
        self.cluster.tick(1.0, 15)
        for group, topic in (("copies", TOPIC), ("all-copies", None)):
            self.result(self.admin.clone_offsets(GROUP, group, topic))
            queues = self.result(self.admin.topic_stats(TOPIC)).queues
            self.assertEqual(sum(self.result(self.admin.consumer_offset(group, one)) for one in queues), 4)

    def test_cloning_offsets_of_a_topic_that_is_subscribed_to_no_more(self) -> None:
        """While the group is online that has to be wished."""
        self.create("old")
        old = msgspec.structs.replace(queue(), topic="old")
        self.consume()
        self.result(self.admin.update_consumer_offset(GROUP, old, 1))
        for topic, offline, expected in (("old", False, 0), (None, False, 0), ("old", True, 1)):
            self.result(self.admin.clone_offsets(GROUP, "copies", topic, offline=offline))
            self.assertEqual(self.result(self.admin.consumer_offset("copies", old)), expected)
        self.assertIn("needs a topic", str(self.failure(self.admin.clone_offsets(GROUP, "copies", offline=True), ClientError)))


class ClusterTests(AdminCase):
    """Brokers and name servers."""

    def test_the_cluster(self) -> None:
        """Its brokers with their addresses; what is not in it is told with what is."""
        info = self.result(self.admin.cluster_info())
        self.assertEqual(info.broker_addr_table["broker-b"].broker_addrs, {0: BROKER_B})
        self.assertEqual(set(info.cluster_addr_table["DefaultCluster"]), {"broker-a", "broker-b"})
        error = self.failure(self.admin.broker_config("broker-c"), ClientError)
        self.assertIn("broker-a, broker-b", str(error))
        self.failure(self.admin.broker_config("DefaultCluster"), ClientError)
        self.failure(self.admin.broker_config("10.0.1.9:10911"), ConnectFailed)

    def test_broker_settings(self) -> None:
        """Read, and changed while they run."""
        self.assertIn("brokerVersion", self.result(self.admin.broker_runtime_info("broker-a")))
        self.result(self.admin.update_broker_config({"fileReservedTime": "48"}, "broker-b"))
        configs = [self.result(self.admin.broker_config(broker)) for broker in (BROKER_A, BROKER_B)]
        self.assertEqual([config["fileReservedTime"] for config in configs], ["72", "48"])
        self.failure(self.admin.update_broker_config({}), ClientError)

    def test_counters(self) -> None:
        """Of a topic, for example; what nobody counts is refused."""
        self.send(8)
        self.cluster.tick(1.0, 61)
        stats = self.result(self.admin.broker_stats("broker-a", "TOPIC_PUT_NUMS", TOPIC))
        self.assertEqual(stats.stats_minute.sum, 4)
        self.failure(self.admin.broker_stats("broker-a", "TOPIC_PUT_NUMS", "unknown"), BrokerRefused)

    def test_cleaning(self) -> None:
        """Is done at all, or where it is wanted."""
        self.result(self.admin.clean_unused_topics())
        self.result(self.admin.clean_expired_queues("DefaultCluster"))
        self.result(self.admin.delete_expired_log(BROKER_A))


class LifeTests(AdminCase):
    """The client itself."""

    def test_brokers_are_not_told_of_it(self) -> None:
        """It is in no group; several may run at once."""
        other = Admin(**self.cluster.client_settings())
        self.begin(other)
        self.cluster.tick(1.0, 35)
        self.assertEqual(self.result(other.topics()), self.result(self.admin.topics()))
        self.failure(self.admin.producer_connections(self.admin.group, TOPIC), BrokerRefused)

    def test_before_and_after(self) -> None:
        """It must run; what it asks when it is shut down comes to an end."""
        admin = Admin(**self.cluster.client_settings())
        self.failure(admin.topics(), NotStarted)
        self.begin(admin)
        waiting = admin.broker_config("10.0.1.9:10911")
        self.result(admin.shutdown())
        self.failure(waiting, NotStarted)

    def test_without_a_name_server(self) -> None:
        """The error says what to do."""
        admin = Admin(**{**self.cluster.client_settings(), "namesrv_addr": "10.0.0.9:9876"})
        self.begin(admin)
        self.assertIn("is one running there?", str(self.failure(admin.cluster_info(), NoNameServer)))
