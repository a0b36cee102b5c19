"""The broker's settings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.config import BrokerConfig, check_name_servers, check_role
from pymq.errors import ConfigError
from pymq.settings import read_settings


class BrokerConfigTests(SynchronousTestCase):
    """Apache's keys and defaults, and what a broker refuses to start with."""

    def refused(self, **properties: str) -> str:
        """The sentence with which these settings are refused."""
        return str(self.assertRaises(ConfigError, read_settings, BrokerConfig, properties))

    def test_the_file_that_apache_ships_is_read(self) -> None:
        """distribution/conf/broker.conf, as far as it is the broker's."""
        read = read_settings(
            BrokerConfig,
            {"brokerClusterName": "DefaultCluster", "brokerName": "broker-a", "brokerId": "0", "brokerIP1": "1.2.3.4"},
        )
        self.assertEqual((read.broker_name, read.broker_id, read.broker_ip1), ("broker-a", 0, "1.2.3.4"))

    def test_ports_leave_room_for_their_neighbours(self) -> None:
        """The VIP port lies two below, the replication port one above."""
        self.assertIn("listenPort=2", self.refused(listenPort="2"))
        self.assertIn("listenPort=65535", self.refused(listenPort="65535"))
        self.assertEqual(BrokerConfig(listen_port=0).listen_port, 0)

    def test_name_servers_are_taken_apart(self) -> None:
        """The port stands behind the last colon; empty parts do not count."""
        self.assertEqual(check_name_servers("a:1; b:2;"), (("a", 1), ("b", 2)))
        self.assertEqual(check_name_servers("[::1]:9876"), (("::1", 9876),))
        for text in ("a", "a:", ":1", "a:x", "a:0", "a:70000"):
            self.assertRaises(ConfigError, check_name_servers, text)

    def test_the_role_decides_the_id(self) -> None:
        """Masters are 0; a slave above."""
        self.assertEqual(check_role("ASYNC_MASTER", 5), 0)
        self.assertEqual(check_role("SYNC_MASTER", 0), 0)
        self.assertEqual(check_role("SLAVE", 1), 1)
        self.assertRaises(ConfigError, check_role, "SLAVE", 0)

    def test_sql92_is_switched_on(self) -> None:
        """By Apache's word for it."""
        self.assertFalse(BrokerConfig().enable_property_filter)
        self.assertTrue(read_settings(BrokerConfig, {"enablePropertyFilter": "true"}).enable_property_filter)
