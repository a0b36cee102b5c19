"""The name server's settings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import ConfigError
from pymq.namesrv.config import NamesrvConfig
from pymq.settings import lines_of, read_settings, unknown_keys


class NamesrvConfigTests(SynchronousTestCase):
    """NamesrvConfig."""

    def test_defaults_are_apache_s(self) -> None:
        """Those of 4.9.8."""
        config = NamesrvConfig()
        self.assertEqual((config.listen_port, config.order_message_enable), (9876, False))
        self.assertEqual(config.kv_config_path, "~/namesrv/kvConfig.json")
        self.assertEqual(config.config_store_path, "~/namesrv/namesrv.properties")

    def test_a_file_of_apache_s_is_read(self) -> None:
        """Every key of both lines is known."""
        properties = {
            "listenPort": "0",
            "rocketmqHome": "/opt/rocketmq",
            "kvConfigPath": "/data/kv.json",
            "configStorePath": "/data/namesrv.properties",
            "productEnvName": "center",
            "clusterTest": "false",
            "orderMessageEnable": "TRUE",
            "configBlackList": "a;b",
            "returnOrderTopicConfigToBroker": "true",
            "supportActingMaster": "false",
            "enableAllTopicList": "true",
            "needWaitForService": "false",
            "waitSecondsForService": "45",
            "deleteTopicWithBrokerRegistration": "false",
            "clientRequestThreadPoolNums": "8",
            "defaultThreadPoolNums": "16",
        }
        self.assertEqual(unknown_keys((NamesrvConfig,), properties), [])
        config = read_settings(NamesrvConfig, properties)
        self.assertEqual((config.listen_port, config.order_message_enable), (0, True))

    def test_what_is_not_served_is_refused(self) -> None:
        """Rather than taken and forgotten."""
        for key in ("clusterTest", "supportActingMaster", "enableControllerInNamesrv", "deleteTopicWithBrokerRegistration"):
            with self.assertRaisesRegex(ConfigError, key):
                read_settings(NamesrvConfig, {key: "true"})

    def test_ports_have_bounds(self) -> None:
        """65535 is the last one."""
        self.assertRaises(ConfigError, read_settings, NamesrvConfig, {"listenPort": "65536"})

    def test_settings_are_printed_as_lines(self) -> None:
        """As GET_NAMESRV_CONFIG answers them."""
        self.assertIn("orderMessageEnable=false\n", lines_of(NamesrvConfig()))
