"""Every name server is told, whatever the others do."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pymq.interfaces import IChannel, IRequestProcessor
from pymq.remoting.client import RemotingClient
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.server import RemotingServerFactory
from pymq.services.nameservers import RemoteNameServers
from pymq.testing.connections import MemoryNetwork
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.routes import RegisterBrokerRequestHeader, UnRegisterBrokerRequestHeader

HEADER = RegisterBrokerRequestHeader(
    broker_name="broker-a", broker_addr="10.0.0.1:10911", cluster_name="C", ha_server_addr="10.0.0.1:10912", broker_id=1
)
LEAVING = UnRegisterBrokerRequestHeader(broker_name="broker-a", broker_addr="10.0.0.1:10911", cluster_name="C", broker_id=1)


@implementer(IRequestProcessor)
class Registry:
    """A name server that takes registrations, or refuses them."""

    codes = frozenset([103, 104])

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.seen: list[RemotingCommand] = []
        self.channel: Any = None

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Remember and answer."""
        self.seen.append(request)
        self.channel = channel
        return request.reply(self.code, ext_fields={"masterAddr": "10.0.0.5:10911"})


class RemoteNameServersTests(SynchronousTestCase):
    """Three addresses: one takes us, one refuses, at one nobody listens."""

    def setUp(self) -> None:
        """Put them together."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.network = MemoryNetwork(accepts=True)
        self.taking, self.refusing = Registry(), Registry(1)
        for host, registry in (("10.0.1.1", self.taking), ("10.0.1.2", self.refusing)):
            table = ProcessorTable()
            table.register(registry)
            self.network.listen(host, 9876, RemotingServerFactory(Dispatcher(table), clock=self.clock))
        self.client = RemotingClient(clock=self.clock, connect=self.network.connect)
        self.name_servers = RemoteNameServers(self.client, ["10.0.1.1:9876", "10.0.1.2:9876", "10.0.1.3:9876"], timeout_s=6)
        self.forgotten = 0
        self.name_servers.on_forgotten(self.count)

    def count(self) -> None:
        """A name server forgot us."""
        self.forgotten += 1

    def register(self) -> Any:
        """Register and let the answers come."""
        registered = self.name_servers.register(HEADER, b"body")
        self.network.flush()
        return self.successResultOf(registered)

    def test_register(self) -> None:
        """Those that accepted come back with what they said."""
        ((address, header),) = self.register()
        self.assertEqual((address, header.master_addr), ("10.0.1.1:9876", "10.0.0.5:10911"))
        (request,) = self.taking.seen
        self.assertEqual((request.code, request.body), (103, b"body"))
        self.assertEqual(RegisterBrokerRequestHeader.from_fields(request.ext_fields), HEADER)

    def test_lost_connection_is_told(self) -> None:
        """Once for each connection that had made us known; not for one that had not."""
        self.register()
        self.register()
        self.refusing.channel.close()
        self.network.flush()
        self.assertEqual(self.forgotten, 0)
        self.taking.channel.close()
        self.network.flush()
        self.assertEqual(self.forgotten, 1)

    def test_unregister(self) -> None:
        """All are told; the ends of connections are of no interest any more."""
        self.register()
        done = self.name_servers.unregister(LEAVING)
        self.network.flush()
        self.successResultOf(done)
        self.assertEqual([request.code for request in self.taking.seen], [103, 104])
        self.client.close()
        self.network.flush()
        self.assertEqual(self.forgotten, 0)

    def test_silent_name_server(self) -> None:
        """Costs its timeout, nothing else."""
        self.network.accepts = False
        registered = self.name_servers.register(HEADER, b"")
        self.clock.pump([1] * 7)
        self.assertEqual(self.successResultOf(registered), [])

    def test_other_name_servers(self) -> None:
        """Are told from now on; whether they are others is said."""
        self.register()
        self.assertFalse(self.name_servers.update(["10.0.1.1:9876", "10.0.1.2:9876", "10.0.1.3:9876"]))
        self.assertTrue(self.name_servers.update(["10.0.1.2:9876"]))
        self.assertEqual(self.name_servers.addresses, ("10.0.1.2:9876",))
        self.refusing.code = 0
        self.assertEqual([address for address, _ in self.register()], ["10.0.1.2:9876"])
        self.assertEqual(len(self.taking.seen), 1)
        # What the one that was left out forgets is no matter.
        self.taking.channel.close()
        self.network.flush()
        self.assertEqual(self.forgotten, 0)
