"""Asking name servers, one after the other."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.nameservers import NameServers
from pymq.errors import BrokerRefused, ConnectFailed, ConnectionClosed, NoNameServer
from pymq.remoting.dispatcher import ProcessorTable
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.routes import GetRouteInfoRequestHeader
from tests.client.cases import TOPIC, ClientCase, running
from tests.client.fakecluster import NAME_SERVER

DEAD = "10.0.0.9:9876"
ROUTE = 105


class NameServersTests(ClientCase):
    """Which one is asked."""

    def name_servers(self, *addresses: str) -> NameServers:
        """The name servers of a client."""
        self.remoting = self.cluster.make_remoting(self.clock, ProcessorTable())
        return NameServers(self.remoting, addresses)

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

    def test_all_are_told(self) -> None:
        """What they do not tell each other; the first that does not do it is the error."""
        header = GetRouteInfoRequestHeader(topic=TOPIC)
        answers = self.result(self.name_servers(NAME_SERVER, NAME_SERVER).ask_all(ROUTE, header, 3))
        self.assertEqual((len(answers), self.asked()), (2, [NAME_SERVER, NAME_SERVER]))
        self.failure(self.name_servers(DEAD, NAME_SERVER).ask_all(ROUTE, header, 3), ConnectFailed)
        self.failure(self.name_servers().ask_all(ROUTE, header, 3), NoNameServer)
        self.cluster.refuse(ROUTE, 1)
        self.failure(self.name_servers(NAME_SERVER).ask_all(ROUTE, header, 3), BrokerRefused)

    def test_updates(self) -> None:
        """Others replace them; the same in another order, or none, change nothing."""
        servers = self.name_servers(DEAD, NAME_SERVER)
        self.assertFalse(servers.update([NAME_SERVER, DEAD]))
        self.assertFalse(servers.update([]))
        self.assertTrue(servers.update([NAME_SERVER]))
        self.assertEqual(servers.addresses, (NAME_SERVER,))
        self.assertEqual(self.remoting.closed_addresses, [DEAD])

    def test_questions_at_once_all_reach_the_one_that_answers(self) -> None:
        """A dead one is passed over once, not once for each question."""
        servers = self.name_servers(DEAD, NAME_SERVER)
        gates: list[Deferred[Any]] = []

        def held(address: str, request: RemotingCommand) -> Any:
            if address == DEAD:
                gates.append(Deferred())
                return gates[-1]
            return None

        self.cluster.rules.append(held)
        asked = [running(servers.route(TOPIC, 3)) for _ in range(2)]
        self.tick(3.0)
        for one in asked:
            self.assertIsNotNone(self.successResultOf(one))
        self.assertEqual(self.asked(), [DEAD, DEAD, NAME_SERVER, NAME_SERVER])
        self.cluster.asked.clear()
        self.result(servers.route(TOPIC, 3))
        self.assertEqual(self.asked(), [NAME_SERVER])

    def test_the_turn_goes_round(self) -> None:
        """From the last one to the first."""
        servers = self.name_servers(NAME_SERVER, DEAD)
        self.result(servers.route(TOPIC, 3))
        self.cluster.down.add(NAME_SERVER)
        self.failure(servers.route(TOPIC, 3), NoNameServer)
        self.cluster.down.clear()
        self.cluster.asked.clear()
        self.assertIsNotNone(self.result(servers.route(TOPIC, 3)))
        self.assertEqual(self.asked(), [NAME_SERVER])

    def test_others_are_asked_what_the_gone_one_was_being_asked(self) -> None:
        """An update in the middle of a question."""
        servers = self.name_servers(DEAD)
        gate: Deferred[Any] = Deferred()
        self.cluster.rules.append(lambda address, request: gate if address == DEAD else None)  # type: ignore[arg-type,return-value]
        asked = running(servers.route(TOPIC, 3))
        self.assertTrue(servers.update([NAME_SERVER]))
        gate.errback(ConnectionClosed("the connection is closed by us"))
        self.assertIsNotNone(self.successResultOf(asked))
