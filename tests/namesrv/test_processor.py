"""The name server's answers, request by request."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.errors import RequestError
from pymq.interfaces import IChannelListener, IRequestProcessor
from pymq.namesrv.config import NamesrvConfig
from pymq.namesrv.kvconfig import KVConfigManager
from pymq.namesrv.processor import NameServerProcessor
from pymq.namesrv.routes import RouteInfoManager
from pymq.testing.channels import FakeChannel
from pymq.testing.documents import MemoryDocuments
from pymq.wire import javajson
from pymq.wire.bodies.routes import QueueData, RegisterBrokerBody, TopicRouteData, encode_register_body, encode_route
from pymq.wire.bodies.topics import DataVersion, TopicConfig
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.wire.bodies.test_registration import blocks
from tests.wire.bodies.test_routes import GOLDEN_CLASSIC, GOLDEN_CLUSTER, GOLDEN_STANDARD

MASTER = {
    "brokerName": "broker-a", "brokerAddr": "127.0.0.1:10911", "clusterName": "DefaultCluster", "brokerId": "0",
    "haServerAddr": "127.0.0.1:10912",
}  # fmt: skip
SLAVE = MASTER | {"brokerAddr": "127.0.0.1:11911", "brokerId": "1", "haServerAddr": "127.0.0.1:11912"}
BODY = RegisterBrokerBody({"T1": TopicConfig("T1", 4, 4)}, DataVersion(1795246947901, 0))

#: Every code that the reference names for a name server (remoting.md 3.1).
ALL_CODES = {
    100, 101, 102, 103, 104, 105, 106, 205, 206, 216, 217, 219, 224, 304, 311, 312, 313, 318, 319, 322, 327, 901, 904,
}  # fmt: skip


class ProcessorTestCase(SynchronousTestCase):
    """A name server without a network."""

    def setUp(self) -> None:
        """Empty tables, settings of 4.9.8."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.documents = MemoryDocuments()
        self.stored: list[str] = []
        self.make(NamesrvConfig())

    def make(self, config: NamesrvConfig) -> None:
        """A processor with other settings."""
        self.routes = RouteInfoManager(clock=self.clock)
        self.kv_config = KVConfigManager(self.documents)
        self.processor = NameServerProcessor(
            self.routes, self.kv_config, config, clock=self.clock, store_config=self.stored.append
        )

    def ask(
        self,
        code: int,
        fields: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        version: int = 317,
        channel: FakeChannel | None = None,
    ) -> RemotingCommand:
        """One request and its answer, which must be a success."""
        request = RemotingCommand(code=code, ext_fields=fields, body=body, version=version, opaque=7)
        answer = self.processor.process(channel or FakeChannel(), request)
        self.assertEqual((answer.code, answer.opaque, answer.is_response), (0, 7, True))
        return answer

    def refused(self, code: int, *args: Any, **more: Any) -> tuple[int, str]:
        """The code and remark of a request that is refused."""
        error = self.assertRaises(RequestError, self.ask, code, *args, **more)
        return error.code, error.remark

    def register(
        self, fields: Mapping[str, str] = MASTER, body: RegisterBrokerBody = BODY, **more: Any
    ) -> tuple[FakeChannel, RemotingCommand]:
        """Register a broker as Java 4.9.8 does; its channel and the answer."""
        channel = FakeChannel()
        raw = encode_register_body(body, False)
        fields = {**fields, "compressed": "false", "bodyCrc32": str(zlib.crc32(raw) & 0x7FFFFFFF), **more}
        return channel, self.ask(Code.REGISTER_BROKER, fields, raw, version=409, channel=channel)

    def topics(self, code: int, fields: Mapping[str, str] | None = None) -> Any:
        """The list in the answer to one of the list codes."""
        return javajson.decode(self.ask(code, fields).body)["topicList"]


class ServedCodesTests(ProcessorTestCase):
    """The interface and its bounds."""

    def test_it_is_what_it_says(self) -> None:
        """A processor, and a listener of channels."""
        self.assertTrue(verifyObject(IRequestProcessor, self.processor))
        self.assertTrue(verifyObject(IChannelListener, self.processor))

    def test_all_codes_are_served(self) -> None:
        """Those of 4.9.8 and of 5.x."""
        self.assertEqual(self.processor.codes, ALL_CODES)

    def test_a_missing_field_is_named(self) -> None:
        """For every code that needs one."""
        free = {206, 106, 304, 311, 312, 313, 318, 319}
        for code in sorted(ALL_CODES - free):
            self.assertEqual(self.refused(code, {})[0], 1, code)


class RegistrationTests(ProcessorTestCase):
    """103, 104, 322, 904, 217."""

    def test_a_master_of_4_9(self) -> None:
        """Gets an empty header and no body; its topics have routes."""
        _, answer = self.register()
        self.assertEqual((answer.ext_fields, answer.body), ({}, b""))
        self.assertEqual(self.routes.topics(), ["T1"])

    def test_a_slave_learns_of_its_master(self) -> None:
        """Where it is, and where to fetch from."""
        self.register()
        _, answer = self.register(SLAVE)
        self.assertEqual(answer.ext_fields, {"masterAddr": "127.0.0.1:10911", "haServerAddr": "127.0.0.1:10912"})

    def test_the_order_configuration_goes_along(self) -> None:
        """Unless it is switched off."""
        self.kv_config.put("ORDER_TOPIC_CONFIG", "T1", "broker-a:4")
        self.assertEqual(self.register()[1].body, b'{"table":{"T1":"broker-a:4"}}')
        self.make(NamesrvConfig(return_order_topic_config_to_broker=False))
        self.assertEqual(self.register()[1].body, b"")

    def test_a_compressed_body(self) -> None:
        """The checksum covers the bytes as sent."""
        raw = encode_register_body(BODY, True)
        fields = {**MASTER, "compressed": "true", "bodyCrc32": str(zlib.crc32(raw) & 0x7FFFFFFF)}
        self.ask(Code.REGISTER_BROKER, fields, raw, version=409)
        self.assertEqual(self.routes.topics(), ["T1"])

    def test_a_broker_of_5(self) -> None:
        """Its tail of mappings, its own time of expiry, one topic alone at first."""
        raw = blocks(b'{"counter":1,"stateVersion":0,"timestamp":2}', 1, b'T1 4 4 6 SINGLE_TAG {"+k":"v"}', b"[]", 0)
        fields = {**MASTER, "compressed": "true", "heartbeatTimeoutMillis": "10000", "enableActingMaster": "false", "ns": "x"}
        channel = FakeChannel()
        self.ask(Code.REGISTER_BROKER, fields, raw, version=479, channel=channel)
        self.assertEqual(self.routes.topics(), ["T1"])
        self.clock.advance(11)
        self.processor.scan_silent_brokers()
        self.assertEqual((self.routes.topics(), channel.is_open), ([], False))

    def test_a_wrong_checksum(self) -> None:
        """Java's words; 0 is no checksum."""
        self.assertEqual(self.refused(Code.REGISTER_BROKER, {**MASTER, "bodyCrc32": "1"}, b"{}"), (1, "crc32 not match"))
        self.ask(Code.REGISTER_BROKER, {**MASTER, "bodyCrc32": "0"}, b"{}", version=409)

    def test_a_body_that_cannot_be_read(self) -> None:
        """The connection lives on, nothing is registered."""
        for fields, body in ((MASTER, b"garbage"), ({**MASTER, "compressed": "true"}, b"garbage")):
            code, remark = self.refused(Code.REGISTER_BROKER, fields, body, version=409)
            self.assertEqual(code, 1)
            self.assertIn("registration cannot be read", remark)
        self.assertEqual(self.routes.cluster_info().broker_addr_table, {})

    def test_no_body(self) -> None:
        """A broker without topics."""
        self.ask(Code.REGISTER_BROKER, MASTER, version=409)
        self.assertEqual(self.routes.broker_addresses("broker-a"), {0: "127.0.0.1:10911"})

    def test_a_closed_connection_drops_the_broker_at_once(self) -> None:
        """Other connections mean nothing."""
        channel, _ = self.register()
        self.processor.channel_opened(FakeChannel())
        self.processor.channel_closed(FakeChannel(), "closed by the peer")
        self.assertEqual(self.routes.topics(), ["T1"])
        self.processor.channel_closed(channel, "closed by the peer")
        self.assertEqual(self.routes.topics(), [])

    def test_a_silent_broker_is_dropped_and_its_connection_closed(self) -> None:
        """After two minutes."""
        channel, _ = self.register()
        self.clock.advance(119)
        self.processor.scan_silent_brokers()
        self.assertTrue(channel.is_open)
        self.clock.advance(2)
        self.processor.scan_silent_brokers()
        self.assertEqual((channel.is_open, self.routes.topics()), (False, []))

    def test_heartbeats_keep_a_broker(self) -> None:
        """904, with what 5.x sends in it."""
        self.register()
        self.clock.advance(100)
        fields = {"clusterName": "DefaultCluster", "brokerAddr": "127.0.0.1:10911", "brokerName": "broker-a", "brokerId": "0"}
        self.assertIsNone(self.ask(Code.BROKER_HEARTBEAT, fields).ext_fields)
        self.clock.advance(100)
        self.processor.scan_silent_brokers()
        self.assertEqual(self.routes.topics(), ["T1"])

    def test_leaving(self) -> None:
        """104."""
        self.register()
        answer = self.ask(Code.UNREGISTER_BROKER, MASTER)
        self.assertEqual((answer.ext_fields, answer.body), (None, b""))
        self.assertEqual(self.routes.cluster_info().broker_addr_table, {})

    def test_the_data_version(self) -> None:
        """322: whether to register again; an unchanged one is a sign of life."""
        version = b'{"counter":0,"timestamp":1795246947901}'
        answer = self.ask(Code.QUERY_DATA_VERSION, MASTER, version)
        self.assertEqual((answer.ext_fields, answer.body), ({"changed": "true"}, b""))
        self.register()
        self.clock.advance(100)
        answer = self.ask(Code.QUERY_DATA_VERSION, MASTER, version)
        self.assertEqual((answer.ext_fields, answer.body), ({"changed": "false"}, version))
        self.clock.advance(100)
        answer = self.ask(Code.QUERY_DATA_VERSION, MASTER, b'{"counter":1,"timestamp":1795246947901}')
        self.assertEqual((answer.ext_fields, answer.body), ({"changed": "true"}, version))
        self.processor.scan_silent_brokers()
        self.assertEqual(self.routes.topics(), ["T1"])
        self.assertEqual(self.refused(Code.QUERY_DATA_VERSION, MASTER, b"garbage")[0], 1)

    def test_a_topic_alone(self) -> None:
        """217, of 5.x."""
        self.register()
        route = TopicRouteData((QueueData("broker-a", 1, 1, 6),))
        self.ask(Code.REGISTER_TOPIC_IN_NAMESRV, {"topic": "T2"}, encode_route(route, standard_json=False))
        self.ask(Code.REGISTER_TOPIC_IN_NAMESRV, {"topic": "T3"})
        self.assertEqual(self.routes.topics(), ["T1", "T2"])
        self.assertEqual(self.refused(Code.REGISTER_TOPIC_IN_NAMESRV, {"topic": "T4"}, b"[")[0], 1)


class RouteTests(ProcessorTestCase):
    """105, 106, 901."""

    def setUp(self) -> None:
        """The brokers of the reference."""
        super().setUp()
        self.register()
        self.register(SLAVE)

    def route(self, topic: str = "T1", version: int = 317, **fields: str) -> bytes:
        """The body of a route."""
        return self.ask(Code.GET_ROUTEINFO_BY_TOPIC, {"topic": topic, **fields}, version=version).body

    def test_the_form_follows_the_version(self) -> None:
        """Bare broker ids for Go (317), ali-ons (121) and Java before 4.9.4; standard JSON from there on, or if asked for."""
        for version in (63, 121, 317, 400):
            self.assertEqual(self.route(version=version), GOLDEN_CLASSIC)
        for version in (401, 409, 479):
            self.assertEqual(self.route(version=version), GOLDEN_STANDARD)
        self.assertEqual(self.route(acceptStandardJsonOnly="true"), GOLDEN_STANDARD)
        self.assertEqual(self.route(acceptStandardJsonOnly="false"), GOLDEN_CLASSIC)

    def test_an_unknown_topic(self) -> None:
        """17 and Java's words, never an empty route."""
        code, remark = self.refused(Code.GET_ROUTEINFO_BY_TOPIC, {"topic": "T2"})
        self.assertEqual(code, 17)
        self.assertTrue(remark.startswith("No topic route info in name server for the topic: T2\nSee http"))

    def test_answers_are_kept_until_something_changes(self) -> None:
        """The same bytes object again, and new ones after each kind of change."""
        first = self.route()
        self.assertIs(self.route(), first)
        self.register()
        self.assertIs(self.route(), first)
        self.ask(Code.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": "broker-a"})
        self.assertIn(b'"perm":4', self.route())
        self.ask(Code.UNREGISTER_BROKER, SLAVE)
        self.assertNotIn(b"11911", self.route())
        self.ask(Code.DELETE_TOPIC_IN_NAMESRV, {"topic": "T1"})
        self.assertEqual(self.refused(Code.GET_ROUTEINFO_BY_TOPIC, {"topic": "T1"})[0], 17)
        self.register(body=RegisterBrokerBody(BODY.topic_config_table, DataVersion(1, 1)))
        self.assertIn(b'"perm":6', self.route())

    def test_the_order_of_a_topic(self) -> None:
        """Only where the setting says so, which may change while the name server runs."""
        order = {"namespace": "ORDER_TOPIC_CONFIG", "key": "T1", "value": "broker-a:4"}
        self.ask(Code.PUT_KV_CONFIG, order)
        self.assertEqual(self.route(), GOLDEN_CLASSIC)
        self.ask(Code.UPDATE_NAMESRV_CONFIG, None, b"orderMessageEnable=true")
        self.assertIn(b'"orderTopicConf":"broker-a:4"', self.route())
        self.ask(Code.PUT_KV_CONFIG, order | {"value": "broker-a:8"})
        self.assertIn(b'"orderTopicConf":"broker-a:8"', self.route())

    def test_waiting_after_the_start(self) -> None:
        """A setting of 5.x: routes are told when brokers had time to register."""
        self.make(NamesrvConfig(need_wait_for_service=True, wait_seconds_for_service=45))
        self.register()
        self.assertEqual(self.refused(Code.GET_ROUTEINFO_BY_TOPIC, {"topic": "T1"}), (1, "name server not ready"))
        self.clock.advance(45)
        self.route()

    def test_clusters(self) -> None:
        """106, with bare ids for everybody."""
        self.assertEqual(self.ask(Code.GET_BROKER_CLUSTER_INFO, version=479).body, GOLDEN_CLUSTER)

    def test_members(self) -> None:
        """901: of an unknown name, an empty group."""
        answer = self.ask(Code.GET_BROKER_MEMBER_GROUP, {"clusterName": "DefaultCluster", "brokerName": "broker-a"})
        self.assertEqual(
            answer.body,
            b'{"brokerMemberGroup":{"brokerAddrs":{0:"127.0.0.1:10911",1:"127.0.0.1:11911"},"brokerName":"broker-a",'
            b'"cluster":"DefaultCluster"}}',
        )
        answer = self.ask(Code.GET_BROKER_MEMBER_GROUP, {"clusterName": "c", "brokerName": "x"})
        self.assertEqual(answer.body, b'{"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"x","cluster":"c"}}')


class AdminTests(ProcessorTestCase):
    """Permissions, topics, key-value pairs, settings."""

    def setUp(self) -> None:
        """One broker."""
        super().setUp()
        self.register()

    def test_permissions(self) -> None:
        """205 and 327 count the topics."""
        self.assertEqual(self.ask(Code.WIPE_WRITE_PERM_OF_BROKER, {"brokerName": "broker-a"}).ext_fields, {"wipeTopicCount": "1"})
        self.assertEqual(self.ask(Code.ADD_WRITE_PERM_OF_BROKER, {"brokerName": "broker-a"}).ext_fields, {"addTopicCount": "1"})
        self.assertEqual(self.ask(Code.ADD_WRITE_PERM_OF_BROKER, {"brokerName": "x"}).ext_fields, {"addTopicCount": "0"})

    def test_lists(self) -> None:
        """206, 224, 304, 311 to 313."""
        flags = {name: TopicConfig(name, topic_sys_flag=flag) for name, flag in (("unit", 1), ("sub", 2))}
        self.register(body=RegisterBrokerBody(flags, DataVersion(2, 2)))
        self.assertEqual(self.ask(Code.GET_ALL_TOPIC_LIST_FROM_NAMESERVER).body, b'{"topicList":["T1","sub","unit"]}')
        self.assertEqual(self.topics(Code.GET_TOPICS_BY_CLUSTER, {"cluster": "DefaultCluster"}), ["T1", "sub", "unit"])
        self.assertEqual(
            self.ask(Code.GET_SYSTEM_TOPIC_LIST_FROM_NS).body,
            b'{"brokerAddr":"127.0.0.1:10911","topicList":["DefaultCluster","broker-a"]}',
        )
        self.assertEqual(self.topics(Code.GET_UNIT_TOPIC_LIST), ["unit"])
        self.assertEqual(self.topics(Code.GET_HAS_UNIT_SUB_TOPIC_LIST), ["sub"])
        self.assertEqual(self.topics(Code.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST), ["sub"])

    def test_lists_can_be_switched_off(self) -> None:
        """Java's word for it."""
        self.make(NamesrvConfig(enable_all_topic_list=False, enable_topic_list=False))
        for code, fields in ((206, None), (224, {"cluster": "c"}), (304, None), (311, None), (312, None), (313, None)):
            self.assertEqual(self.refused(code, fields), (1, "disable"))

    def test_deletion_is_always_a_success(self) -> None:
        """216: of an unknown topic too; within a cluster if one is named."""
        self.ask(Code.DELETE_TOPIC_IN_NAMESRV, {"topic": "x"})
        self.ask(Code.DELETE_TOPIC_IN_NAMESRV, {"topic": "T1", "clusterName": "elsewhere"})
        self.assertEqual(self.routes.topics(), ["T1"])
        self.ask(Code.DELETE_TOPIC_IN_NAMESRV, {"topic": "T1", "clusterName": "DefaultCluster"})
        self.assertEqual(self.routes.topics(), [])

    def test_key_value_pairs(self) -> None:
        """100, 101, 102, 219."""
        pair = {"namespace": "n", "key": "k"}
        self.assertEqual(self.refused(Code.GET_KV_CONFIG, pair), (22, "No config item, Namespace: n Key: k"))
        self.assertEqual(self.refused(Code.GET_KVLIST_BY_NAMESPACE, {"namespace": "n"}), (22, "No config item, Namespace: n"))
        self.ask(Code.PUT_KV_CONFIG, {**pair, "value": "v"})
        self.assertEqual(self.ask(Code.GET_KV_CONFIG, pair).ext_fields, {"value": "v"})
        self.assertEqual(self.ask(Code.GET_KVLIST_BY_NAMESPACE, {"namespace": "n"}).body, b'{"table":{"k":"v"}}')
        self.ask(Code.DELETE_KV_CONFIG, pair)
        self.ask(Code.DELETE_KV_CONFIG, pair)
        self.assertEqual(self.refused(Code.GET_KV_CONFIG, pair)[0], 22)

    def test_settings_are_told(self) -> None:
        """319: lines of properties."""
        self.assertIn(b"orderMessageEnable=false\n", self.ask(Code.GET_NAMESRV_CONFIG).body)

    def test_settings_are_changed_and_stored(self) -> None:
        """318: unknown keys are ignored."""
        self.ask(Code.UPDATE_NAMESRV_CONFIG, None, b"# a comment\nenableAllTopicList = false\nnobodyKnows=1\n")
        self.assertEqual(self.refused(Code.GET_ALL_TOPIC_LIST_FROM_NAMESERVER), (1, "disable"))
        self.assertEqual(len(self.stored), 1)
        self.assertIn("enableAllTopicList=false\n", self.stored[0])

    def test_settings_that_may_not_be_changed(self) -> None:
        """By Java's list, by the operator's, and though the list be emptied by a file."""
        self.make(NamesrvConfig(config_black_list="listenPort"))
        for key in ("configBlackList", "configStorePath", "kvConfigPath", "listenPort"):
            code, remark = self.refused(Code.UPDATE_NAMESRV_CONFIG, None, f"{key}=1\norderMessageEnable=true".encode())
            self.assertEqual((code, remark), (16, "Can not update config in black list."))
        self.assertIn(b"orderMessageEnable=false\n", self.ask(Code.GET_NAMESRV_CONFIG).body)
        self.assertEqual(self.stored, [])

    def test_settings_that_cannot_be_used(self) -> None:
        """The remark tells why; nothing is changed."""
        for body in (b"orderMessageEnable=maybe", b"clusterTest=true", b"\xff\xfe", b"a=\\uZZZZ"):
            self.assertEqual(self.refused(Code.UPDATE_NAMESRV_CONFIG, None, body)[0], 1)
        self.assertEqual(self.stored, [])
