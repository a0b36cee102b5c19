"""The name server's tables."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import RequestError
from pymq.interfaces import IChannel
from pymq.namesrv import routes
from pymq.namesrv.routes import BrokerIdentity, RouteInfoManager
from pymq.testing.channels import FakeChannel
from pymq.wire.bodies.routes import BrokerData, QueueData
from pymq.wire.bodies.topics import DataVersion, TopicConfig

MASTER = BrokerIdentity(cluster="c", name="broker-a", broker_id=0, address="10.0.0.1:10911")
SLAVE = BrokerIdentity(cluster="c", name="broker-a", broker_id=1, address="10.0.0.2:10911")
OTHER = BrokerIdentity(cluster="c", name="broker-b", broker_id=0, address="10.0.0.3:10911")
V1, V2 = DataVersion(1, 1), DataVersion(1, 2)


def topic_table(*topics: TopicConfig) -> dict[str, TopicConfig]:
    """Topics by name."""
    return {topic.topic_name: topic for topic in topics}


class RouteTestCase(SynchronousTestCase):
    """Tables over a clock, and a way to register in one line."""

    def setUp(self) -> None:
        """Empty tables."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.routes = RouteInfoManager(clock=self.clock)

    def register(
        self,
        broker: BrokerIdentity = MASTER,
        *topics: TopicConfig,
        version: DataVersion = V1,
        channel: IChannel | None = None,
        **more: object,
    ) -> FakeChannel:
        """Register, over a channel of its own unless one is given; the channel."""
        channel = channel or FakeChannel()
        self.result = self.routes.register(
            broker, channel, topics=topic_table(*topics), data_version=version, ha_address=f"ha-{broker.address}", **more
        )  # type: ignore[arg-type]
        return channel  # type: ignore[return-value]

    def addresses(self, topic: str = "T") -> Mapping[str, dict[int, str]]:
        """The addresses in a topic's route by broker name; empty without a route."""
        route = self.routes.route(topic)
        return {broker.broker_name: broker.broker_addrs for broker in route.broker_datas} if route else {}

    def queues(self, topic: str = "T") -> list[QueueData]:
        """The queues in a topic's route."""
        route = self.routes.route(topic)
        return list(route.queue_datas) if route else []


class RegistrationTests(RouteTestCase):
    """register."""

    def test_a_master_s_topics_get_routes(self) -> None:
        """Queues and addresses."""
        self.register(MASTER, TopicConfig("T", 4, 8, 6, topic_sys_flag=1))
        self.assertEqual(self.queues(), [QueueData("broker-a", 4, 8, 6, 1)])
        route = self.routes.route("T")
        self.assertEqual(route and route.broker_datas, (BrokerData("c", "broker-a", {0: "10.0.0.1:10911"}),))
        self.assertIsNone(self.routes.route("unknown"))

    def test_there_is_room_for_so_many(self) -> None:
        """Who is known may come again; what is refused leaves no trace."""
        self.patch(routes, "BROKERS_MAX", 1)
        self.patch(routes, "TOPICS_MAX", 2)
        self.register(MASTER, TopicConfig("T"), TopicConfig("U"))
        self.register(MASTER, TopicConfig("T"), TopicConfig("U"), version=V2)
        self.assertRaises(RequestError, self.register, OTHER)
        self.assertRaises(RequestError, self.register, MASTER, TopicConfig("V"))
        self.assertRaises(RequestError, self.routes.register_topic, "V", [QueueData("broker-a", 4, 4, 6, 0)])
        self.assertEqual(self.addresses(), {"broker-a": {0: MASTER.address}})
        self.assertIsNone(self.routes.route("V"))

    def test_a_slave_s_topics_do_not_count(self) -> None:
        """Its address does."""
        self.register(SLAVE, TopicConfig("T"))
        self.assertIsNone(self.routes.route("T"))
        self.register(MASTER, TopicConfig("T"))
        self.assertEqual(self.addresses(), {"broker-a": {0: "10.0.0.1:10911", 1: "10.0.0.2:10911"}})

    def test_a_slave_learns_of_its_master(self) -> None:
        """Once it is known; a master learns nothing."""
        self.register(SLAVE)
        self.assertIsNone(self.result)
        self.register(MASTER)
        self.assertIsNone(self.result)
        self.register(SLAVE)
        self.assertEqual(self.result, ("10.0.0.1:10911", "ha-10.0.0.1:10911"))

    def test_a_registration_only_adds(self) -> None:
        """Java brokers send the changed topic alone after mqadmin's updateTopic."""
        self.register(MASTER, TopicConfig("T"), TopicConfig("U"))
        self.register(MASTER, TopicConfig("U", 1, 1), version=V2)
        self.assertEqual(self.routes.topics(), ["T", "U"])
        self.assertEqual(self.queues("U"), [QueueData("broker-a", 1, 1, 6)])

    def test_an_unchanged_version_is_not_news(self) -> None:
        """What an admin changed here meanwhile stays until the version differs."""
        self.register(MASTER, TopicConfig("T"))
        self.routes.wipe_write_perm("broker-a")
        self.register(MASTER, TopicConfig("T"))
        self.assertEqual(self.queues()[0].perm, 4)
        self.register(MASTER, TopicConfig("T"), version=V2)
        self.assertEqual(self.queues()[0].perm, 6)

    def test_a_new_address_is_news_whatever_its_version(self) -> None:
        """A broker that moved to another machine with its store."""
        self.register(MASTER, TopicConfig("T"))
        self.routes.delete_topic("T")
        moved = BrokerIdentity(cluster="c", name="broker-a", broker_id=0, address="10.0.0.9:10911")
        self.register(moved, TopicConfig("T"))
        self.assertEqual(self.addresses(), {"broker-a": {0: "10.0.0.9:10911"}})

    def test_a_slave_that_becomes_master_leaves_its_old_id(self) -> None:
        """One address has one id in a broker name; its topics count from then on."""
        self.register(MASTER)
        channel = self.register(SLAVE)
        promoted = BrokerIdentity(cluster="c", name="broker-a", broker_id=0, address=SLAVE.address)
        self.register(promoted, TopicConfig("T"), channel=channel, version=V2)
        self.assertEqual(self.addresses(), {"broker-a": {0: "10.0.0.2:10911"}})

    def test_filter_servers_are_listed_by_address(self) -> None:
        """Until the broker reports none."""
        self.register(MASTER, TopicConfig("T"), filter_servers=("f:1",))
        route = self.routes.route("T")
        self.assertEqual(route and route.filter_server_table, {"10.0.0.1:10911": ["f:1"]})
        self.register(MASTER, TopicConfig("T"))
        route = self.routes.route("T")
        self.assertEqual(route and route.filter_server_table, {})

    def test_the_generation_tells_of_changes_alone(self) -> None:
        """The registration every 30 seconds is none."""
        self.register(MASTER, TopicConfig("T"))
        before = self.routes.generation
        self.register(MASTER, TopicConfig("T"))
        self.register(MASTER, TopicConfig("T"), version=V2)
        self.assertEqual(self.routes.generation, before)
        for change in (
            lambda: self.register(MASTER, TopicConfig("U"), version=DataVersion(9)),
            lambda: self.register(SLAVE),
            lambda: self.register(SLAVE, filter_servers=("f:1",)),
            lambda: self.routes.wipe_write_perm("broker-a"),
            lambda: self.routes.delete_topic("U"),
            lambda: self.routes.unregister(SLAVE),
        ):
            before = self.routes.generation
            change()
            self.assertGreater(self.routes.generation, before)

    def test_topics_registered_one_by_one(self) -> None:
        """Only at brokers that are known."""
        self.register(MASTER)
        self.routes.register_topic("T", [QueueData("broker-a", 1, 1, 6), QueueData("stranger", 1, 1, 6)])
        self.assertEqual(self.queues(), [QueueData("broker-a", 1, 1, 6)])
        self.routes.register_topic("U", [])
        self.assertEqual(self.routes.topics(), ["T"])


class DepartureTests(RouteTestCase):
    """unregister, channel_closed, expire."""

    def test_a_master_that_leaves_alone_takes_its_topics_along(self) -> None:
        """And its cluster, with the last name in it."""
        self.register(MASTER, TopicConfig("T"))
        self.routes.unregister(MASTER)
        self.assertIsNone(self.routes.route("T"))
        self.assertEqual((self.routes.topics(), self.routes.cluster_info().cluster_addr_table), ([], {}))

    def test_a_slave_keeps_the_topics_readable(self) -> None:
        """The route still has its address when the master is gone."""
        channel = self.register(MASTER, TopicConfig("T"))
        self.register(SLAVE)
        self.routes.channel_closed(channel)
        self.assertEqual(self.addresses(), {"broker-a": {1: "10.0.0.2:10911"}})

    def test_another_broker_keeps_its_queues(self) -> None:
        """Of the same topic."""
        self.register(MASTER, TopicConfig("T"))
        self.register(OTHER, TopicConfig("T", 2, 2))
        self.routes.unregister(MASTER)
        self.assertEqual(self.queues(), [QueueData("broker-b", 2, 2, 6)])
        self.assertEqual(self.routes.cluster_info().cluster_addr_table, {"c": {"broker-b"}})

    def test_a_late_farewell_of_an_old_address(self) -> None:
        """Does not take the new one along."""
        self.register(MASTER, TopicConfig("T"))
        moved = BrokerIdentity(cluster="c", name="broker-a", broker_id=0, address="10.0.0.9:10911")
        self.register(moved, TopicConfig("T"))
        self.routes.unregister(MASTER)
        self.assertEqual(self.addresses(), {"broker-a": {0: "10.0.0.9:10911"}})

    def test_an_unknown_broker_may_leave(self) -> None:
        """Twice is the same."""
        self.routes.unregister(MASTER)
        self.assertEqual(self.routes.topics(), [])

    def test_the_channel_is_the_lifeline(self) -> None:
        """Every address that came over it is dropped at once; others stay."""
        shared = self.register(MASTER, TopicConfig("T"))
        self.register(OTHER, TopicConfig("T"), channel=shared)
        self.register(SLAVE)
        self.assertEqual(sorted(self.routes.channel_closed(shared)), [MASTER.address, OTHER.address])
        self.assertEqual(self.addresses(), {"broker-a": {1: "10.0.0.2:10911"}})
        self.assertEqual(self.routes.channel_closed(shared), [])

    def test_the_old_channel_of_a_broker_that_came_back_means_nothing(self) -> None:
        """Its close may be seen after the new registration."""
        old = self.register(MASTER, TopicConfig("T"))
        self.register(MASTER, TopicConfig("T"))
        self.assertEqual(self.routes.channel_closed(old), [])
        self.assertEqual(self.addresses(), {"broker-a": {0: "10.0.0.1:10911"}})

    def test_silence_of_two_minutes(self) -> None:
        """Not a moment earlier."""
        channel = self.register(MASTER, TopicConfig("T"))
        self.clock.advance(120)
        self.assertEqual(self.routes.expire(), [])
        self.clock.advance(0.001)
        self.assertEqual(self.routes.expire(), [channel])
        self.assertIsNone(self.routes.route("T"))
        self.assertEqual(self.routes.expire(), [])

    def test_a_sign_of_life_starts_the_time_anew(self) -> None:
        """A registration, or a touch; one of a stranger is nothing."""
        self.register(MASTER, TopicConfig("T"))
        for sign in (lambda: self.register(MASTER), lambda: self.routes.touch(MASTER.address)):
            self.clock.advance(100)
            sign()
        self.routes.touch("stranger:1")
        self.clock.advance(100)
        self.assertEqual(self.routes.expire(), [])

    def test_a_broker_may_name_its_own_time(self) -> None:
        """5.x does."""
        channel = self.register(MASTER, TopicConfig("T"), expiry_ms=10_000)
        self.clock.advance(10.5)
        self.assertEqual(self.routes.expire(), [channel])

    def test_a_channel_is_closed_once(self) -> None:
        """Though several brokers were silent on it."""
        channel = self.register(MASTER)
        self.register(OTHER, channel=channel)
        self.clock.advance(121)
        self.assertEqual(self.routes.expire(), [channel])

    def test_versions_are_forgotten_with_the_broker(self) -> None:
        """So that it is asked to register again."""
        self.register(MASTER)
        self.assertEqual((self.routes.data_version_of(MASTER.address), self.routes.is_changed(MASTER.address, V1)), (V1, False))
        self.assertTrue(self.routes.is_changed(MASTER.address, V2))
        self.routes.unregister(MASTER)
        self.assertEqual((self.routes.data_version_of(MASTER.address), self.routes.is_changed(MASTER.address, V1)), (None, True))


class AdministrationTests(RouteTestCase):
    """Permissions, deletion, lists."""

    def setUp(self) -> None:
        """Two brokers in one cluster, one in another."""
        super().setUp()
        self.register(MASTER, TopicConfig("T"), TopicConfig("U", perm=7))
        self.register(OTHER, TopicConfig("T"))
        self.far = BrokerIdentity(cluster="d", name="broker-c", broker_id=0, address="10.0.0.4:10911")
        self.register(self.far, TopicConfig("T"), TopicConfig("V"))

    def test_write_permission_is_wiped_and_added(self) -> None:
        """At one broker, for all its topics; adding gives read and write, whatever was there."""
        self.assertEqual(self.routes.wipe_write_perm("broker-a"), 2)
        self.assertEqual(([q.perm for q in self.queues("T")], [q.perm for q in self.queues("U")]), ([4, 6, 6], [5]))
        self.assertEqual(self.routes.add_write_perm("broker-a"), 2)
        self.assertEqual([q.perm for q in self.queues("U")], [6])
        self.assertEqual(self.routes.wipe_write_perm("stranger"), 0)

    def test_deletion(self) -> None:
        """Of a topic in one cluster, then everywhere."""
        self.routes.delete_topic("T", "c")
        self.assertEqual([q.broker_name for q in self.queues("T")], ["broker-c"])
        self.routes.delete_topic("T", "nowhere")
        self.assertEqual([q.broker_name for q in self.queues("T")], ["broker-c"])
        self.routes.delete_topic("T")
        self.routes.delete_topic("T")
        self.assertEqual(self.routes.topics(), ["U", "V"])
        self.routes.delete_topic("V", "d")
        self.assertEqual(self.routes.topics(), ["U"])

    def test_lists(self) -> None:
        """By cluster; the names of clusters and brokers, with one address."""
        self.assertEqual(self.routes.topics_of_cluster("d"), ["T", "V"])
        self.assertEqual(self.routes.topics_of_cluster("nowhere"), [])
        names, address = self.routes.system_topics()
        self.assertEqual(names, ["broker-a", "broker-b", "broker-c", "c", "d"])
        self.assertEqual(address, MASTER.address)
        self.assertEqual(RouteInfoManager(clock=self.clock).system_topics(), ([], None))

    def test_units(self) -> None:
        """The bits of the system flag."""
        flags = {f"unit{flag}": TopicConfig(f"unit{flag}", topic_sys_flag=flag) for flag in range(4)}
        self.register(MASTER, *flags.values(), version=V2)
        self.assertEqual(self.routes.unit_topics(), ["unit1", "unit3"])
        self.assertEqual(self.routes.unit_subscription_topics(), ["unit2", "unit3"])
        self.assertEqual(self.routes.unit_subscription_topics_without_unit(), ["unit2"])

    def test_cluster_info_is_a_copy(self) -> None:
        """Who keeps it does not see later changes."""
        info = self.routes.cluster_info()
        self.routes.unregister(OTHER)
        self.assertEqual(info.cluster_addr_table, {"c": {"broker-a", "broker-b"}, "d": {"broker-c"}})
        self.assertEqual(info.broker_addr_table["broker-b"].broker_addrs, {0: OTHER.address})

    def test_addresses_of_a_name(self) -> None:
        """By id."""
        self.register(SLAVE)
        self.assertEqual(self.routes.broker_addresses("broker-a"), {0: MASTER.address, 1: SLAVE.address})
        self.assertEqual(self.routes.broker_addresses("stranger"), {})

    def test_a_route_carries_the_order_it_is_given(self) -> None:
        """The key-value configuration is not its business."""
        route = self.routes.route("T", "broker-a:4")
        self.assertEqual(route and route.order_topic_conf, "broker-a:4")
