"""Asking name servers, one after the other."""

from __future__ import annotations

from pymq.client.nameservers import NameServers
from pymq.errors import BrokerRefused, NoNameServer
from pymq.remoting.dispatcher import ProcessorTable
from tests.client.cases import TOPIC, ClientCase
from tests.client.fakecluster import NAME_SERVER

DEAD = "10.0.0.9:9876"
ROUTE = 105


class NameServersTests(ClientCase):
    """Which one is asked."""

    def name_servers(self, *addresses: str) -> NameServers:
        """The name servers of a client."""
        return NameServers(self.cluster.make_remoting(self.clock, ProcessorTable()), addresses)

    def asked(self) -> list[str]:
        """Who was asked."""
        return [asked.address for asked in self.cluster.of(ROUTE)]

    def test_a_dead_one_is_passed_over_and_left_alone(self) -> None:
        """The next question goes to the one that answered."""
        servers = self.name_servers(DEAD, NAME_SERVER)
        self.assertIsNotNone(self.result(servers.route(TOPIC, 3)))
        self.assertIsNotNone(self.result(servers.route(TOPIC, 3)))
        self.assertEqual(self.asked(), [DEAD, NAME_SERVER, NAME_SERVER])

    def test_all_dead_says_so(self) -> None:
        """With each one's reason."""
        error = self.failure(self.name_servers(DEAD, "10.0.0.8:9876").route(TOPIC, 3), NoNameServer)
        self.assertIn(DEAD, str(error))
        self.assertIn("10.0.0.8:9876", str(error))

    def test_none_given_says_what_to_do(self) -> None:
        """Both ways to give one."""
        error = self.failure(self.name_servers().route(TOPIC, 3), NoNameServer)
        self.assertIn("NAMESRV_ADDR", str(error))

    def test_an_unknown_topic_is_no_error(self) -> None:
        """Code 17 means that there is no route, not that something is wrong."""
        self.assertIsNone(self.result(self.name_servers(NAME_SERVER).route("unknown", 3)))

    def test_another_refusal_is_one(self) -> None:
        """Such as a 5.x name server that is not ready."""
        self.cluster.refuse(ROUTE, 1)
        self.failure(self.name_servers(NAME_SERVER).route(TOPIC, 3), BrokerRefused)

    def test_updates(self) -> None:
        """Others replace them; the same in another order, or none, change nothing."""
        servers = self.name_servers(DEAD, NAME_SERVER)
        self.assertFalse(servers.update([NAME_SERVER, DEAD]))
        self.assertFalse(servers.update([]))
        self.assertTrue(servers.update([NAME_SERVER]))
        self.assertEqual(servers.addresses, (NAME_SERVER,))
