"""What name servers keep, and give."""

from __future__ import annotations

from pymq.client import Admin
from pymq.client.topicadmin import ORDER_TOPIC_CONFIG
from pymq.errors import BrokerRefused, ClientError, ConnectFailed, NoRoute
from pymq.testing.cluster import NAMESRV_ADDR
from pymq.wire.codes import ResponseCode
from tests.client.admincase import TOPIC, AdminCase

DEAD = "10.0.0.9:9876"


class NameServerTests(AdminCase):
    """One name server, and one that is not there."""

    def test_write_permission(self) -> None:
        """Taken away, and given back."""
        self.assertGreater(self.result(self.admin.wipe_write_perm("broker-a")), 0)
        self.assertEqual(self.perms(), {"broker-a": 4, "broker-b": 6})
        self.assertGreater(self.result(self.admin.add_write_perm("broker-a")), 0)
        self.assertEqual(self.perms(), {"broker-a": 6, "broker-b": 6})

    def perms(self) -> dict[str, int]:
        """What the route says may be done."""
        return {data.broker_name: data.perm for data in self.result(self.admin.topic_route(TOPIC)).queue_datas}

    def test_forgetting_a_topic(self) -> None:
        """At the brokers of a cluster, or at all; brokers keep it, and may register it again."""
        self.result(self.admin.delete_topic_in_name_server(TOPIC, "elsewhere"))
        self.assertEqual(self.perms(), {"broker-a": 6, "broker-b": 6})
        for cluster, name_servers in (("DefaultCluster", ()), (None, [NAMESRV_ADDR])):
            self.result(self.admin.delete_topic_in_name_server(TOPIC, cluster, name_servers))
            self.failure(self.admin.topic_route(TOPIC), NoRoute)
            config = self.result(self.admin.topic_configs("broker-b"))[TOPIC]
            self.result(self.admin.update_topic(config))
            self.cluster.tick(0.1)
            self.assertEqual(self.perms(), {"broker-a": 6, "broker-b": 6})
        self.failure(self.admin.delete_topic_in_name_server(TOPIC, None, [DEAD, NAMESRV_ADDR]), ConnectFailed)
        self.assertNotIn(TOPIC, self.result(self.admin.topics()))

    def test_forgetting_a_topic_of_the_namespace(self) -> None:
        """As every other operation."""
        admin = Admin(**self.cluster.client_settings(namespace="shop"))
        self.begin(admin)
        self.create("shop%" + TOPIC)
        self.result(admin.delete_topic_in_name_server(TOPIC))
        topics = self.result(self.admin.topics())
        self.assertEqual((TOPIC in topics, "shop%" + TOPIC in topics), (True, False))

    def test_values_of_name_servers(self) -> None:
        """Set, read, listed and forgotten."""
        self.assertIsNone(self.result(self.admin.kv_config("space", "key")))
        self.assertEqual(self.result(self.admin.kv_configs("space")), {})
        self.result(self.admin.put_kv_config("space", "key", "value"))
        self.assertEqual(self.result(self.admin.kv_config("space", "key")), "value")
        self.assertEqual(self.result(self.admin.kv_configs("space")), {"key": "value"})
        self.result(self.admin.delete_kv_config("space", "key"))
        self.assertIsNone(self.result(self.admin.kv_config("space", "key")))

    def test_order_configuration(self) -> None:
        """In the form that routes have it."""
        self.result(self.admin.update_order_conf(TOPIC, {"broker-b": 4, "broker-a": 2}))
        self.assertEqual(self.result(self.admin.order_conf(TOPIC)), {"broker-a": 2, "broker-b": 4})
        self.assertEqual(self.result(self.admin.kv_config(ORDER_TOPIC_CONFIG, TOPIC)), "broker-a:2;broker-b:4")
        self.failure(self.admin.update_order_conf(TOPIC, {}), ClientError)

    def test_settings(self) -> None:
        """Read, and changed while they run; what cannot be changed so is refused."""
        self.assertEqual(self.admin.name_server_address_list(), (NAMESRV_ADDR,))
        before = self.result(self.admin.name_server_configs())
        self.assertEqual((list(before), before[NAMESRV_ADDR]["orderMessageEnable"]), ([NAMESRV_ADDR], "false"))
        self.result(self.admin.update_order_conf(TOPIC, {"broker-a": 2}))
        self.assertIsNone(self.result(self.admin.topic_route(TOPIC)).order_topic_conf)
        self.result(self.admin.update_name_server_config({"orderMessageEnable": "true"}))
        self.assertEqual(self.result(self.admin.topic_route(TOPIC)).order_topic_conf, "broker-a:2")
        self.assertEqual(self.result(self.admin.name_server_configs([NAMESRV_ADDR]))[NAMESRV_ADDR]["orderMessageEnable"], "true")
        refused = self.failure(self.admin.update_name_server_config({"kvConfigPath": "elsewhere"}), BrokerRefused)
        self.assertEqual(refused.code, ResponseCode.NO_PERMISSION)
        self.failure(self.admin.update_name_server_config({}), ClientError)

    def test_settings_of_several(self) -> None:
        """What one cannot be told the others are told all the same."""
        settings = {"orderMessageEnable": "true"}
        self.failure(self.admin.update_name_server_config(settings, [DEAD, NAMESRV_ADDR]), ConnectFailed)
        self.assertEqual(self.result(self.admin.name_server_configs())[NAMESRV_ADDR]["orderMessageEnable"], "true")
        self.failure(self.admin.name_server_configs([NAMESRV_ADDR, DEAD]), ConnectFailed)
