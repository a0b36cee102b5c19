"""The foreman: what it takes at the start, what it gives back, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.config import BrokerConfig
from pymq.client import Message, SendStatus
from pymq.errors import BrokerRefused
from pymq.namesrv.config import NamesrvConfig
from pymq.remoting import addressserver
from pymq.remoting.client import RemotingClient, connect_by
from pymq.services.broker import BrokerController
from pymq.services.listening import CannotListen
from pymq.services.namesrv import NamesrvController
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.testing.cluster import NAMESRV_ADDR, MemoryCluster
from pymq.testing.documents import MemoryDocuments
from pymq.testing.memoryreactor import MemoryReactor
from pymq.testing.nothread import NoThread
from pymq.wire.bodies.routes import decode_route
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand

START_S = 1_700_000_000


class Reactor(MemoryReactorClock):
    """A reactor in memory; `taken` are ports that cannot be listened on. When slow, no port ever ends to listen."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()
        self.advance(START_S)
        self.is_slow = False

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen, unless the port is taken."""
        if port in self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        listening = super().listenTCP(port, factory, backlog=backlog, interface=interface)
        if self.is_slow:
            listening.stopListening = Deferred
        return listening


class BrokerControllerTests(SynchronousTestCase):
    """On a reactor in memory, with the store in memory."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.said: list[str] = []
        self.config = BrokerConfig(broker_name="broker-a", broker_ip1="10.0.0.1", register_broker_timeout_mills=6000)

    def controller(self, **settings: Any) -> BrokerController:
        """A broker with these settings beside the usual ones."""
        store = MessageStoreConfig(store_type="memory")
        return BrokerController(
            attrs.evolve(self.config, **settings),
            store,
            reactor=self.reactor,
            flush_thread=NoThread(),
            document_thread=NoThread(),
            say=self.said.append,
            warnings=["beware"],
        )

    def ports(self) -> list[int]:
        """What is listened on."""
        return [server[0] for server in self.reactor.tcpServers]

    def test_a_start_takes_three_ports_and_registers(self) -> None:
        """The name server's inside, the main one and the VIP one; then it connects to the name server."""
        controller = self.controller()
        controller.startService()
        self.assertEqual(self.ports(), [9876, 10911, 10909])
        self.assertEqual((controller.namesrv_port, controller.port), (9876, 10911))
        self.assertEqual(self.reactor.tcpClients[0][:2], ("127.0.0.1", 9876))
        self.assertEqual(self.said, ["The Name Server boot success. serializeType=JSON, address 0.0.0.0:9876"])
        self.flushLoggedErrors()

    def test_a_broker_whose_name_servers_are_silent_serves_all_the_same(self) -> None:
        """It says so after the registration's time limit, as Java's does."""
        controller = self.controller(namesrv_addr="10.9.9.9:9876")
        controller.startService()
        self.assertEqual(self.ports(), [10911, 10909])
        self.assertNoResult(controller.when_ready)
        self.reactor.pump([1.0] * 7)
        self.assertEqual(
            self.said,
            ["The broker[broker-a, 10.0.0.1:10911] boot success. serializeType=JSON and name server is 10.9.9.9:9876"],
        )
        self.successResultOf(controller.when_ready)

    def test_a_taken_port_stops_the_start(self) -> None:
        """And what was begun before is undone: nothing stays scheduled."""
        self.reactor.taken = {10909}
        error = self.assertRaises(CannotListen, self.controller().startService)
        self.assertIn("10909", str(error))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.flushLoggedErrors()

    def test_a_start_that_is_refused_leaves_the_store_as_after_a_stop(self) -> None:
        """Although twistd ends the process at once: no `abort`, no lock, and no line that says that anything was booted."""
        self.reactor.taken, self.reactor.is_slow = {10911}, True
        folder = Path(self.mktemp()).absolute()
        controller = BrokerController(
            self.config,
            MessageStoreConfig(store_path_root_dir=str(folder)),
            reactor=self.reactor,
            flush_thread=NoThread(),
            document_thread=NoThread(),
            say=self.said.append,
        )
        self.assertRaises(CannotListen, controller.startService)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["checkpoint", "lock"])
        DiskFiles(str(folder)).lock("lock")()
        self.assertEqual(self.said, [])

    def test_what_recovery_did(self) -> None:
        """Is one line of the log, after an abnormal exit; not at a start that had nothing to do."""
        told: list[str] = []

        def observe(event: Any) -> None:
            told.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        folder = Path(self.mktemp()).absolute()
        for has_crashed in (False, True):
            if has_crashed:
                (folder / "abort").touch()
            told.clear()
            controller = BrokerController(
                attrs.evolve(self.config, namesrv_addr="10.9.9.9:9876"),
                MessageStoreConfig(store_path_root_dir=str(folder)),
                reactor=self.reactor,
                flush_thread=NoThread(),
                document_thread=NoThread(),
                say=self.said.append,
            )
            controller.startService()
            lines = [line for line in told if "recovery" in line.lower()]
            self.assertEqual(lines, ["recovery of the store: the last exit was abnormal"] if has_crashed else [])
            stopped = controller.stopService()
            self.reactor.pump([1.0] * 7)
            self.successResultOf(stopped)

    def test_a_stop_leaves_nothing_behind(self) -> None:
        """No delayed call, no thread; twice is harmless."""
        controller = self.controller(namesrv_addr="10.9.9.9:9876")
        controller.startService()
        self.reactor.pump([1.0] * 7)
        stopped = controller.stopService()
        self.reactor.pump([1.0] * 7)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.successResultOf(controller.stopService())


class FlowControlTests(SynchronousTestCase):
    """A broker that comes late, in a cluster in memory."""

    def setUp(self) -> None:
        self.cluster = MemoryCluster(brokerFastFailureEnable="true")
        self.cluster.start()
        self.cluster.tick(0.05, 20)
        self.addCleanup(self.cluster.stop)

    def stall(self, seconds: float) -> None:
        """The process stands still, and then finds what came meanwhile."""
        self.cluster.reactor.rightNow += seconds
        self.cluster.reactor.settle()

    def test_what_came_while_the_broker_stood_still_is_refused(self) -> None:
        """Nothing of it is stored, and the next send is."""
        producer = self.cluster.producer(retry_times_when_send_failed=0)
        topic = "orders"
        self.cluster.result(producer.send(Message(topic, b"before")))
        sending = ensureDeferred(producer.send(Message(topic, b"meanwhile")))
        self.stall(0.5)
        error = self.failureResultOf(sending, BrokerRefused).value
        self.assertEqual(error.code, 2)
        self.assertIn("[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while", str(error))
        self.cluster.tick(0.05)
        self.cluster.result(producer.send(Message(topic, b"after")))
        received: list[bytes] = []
        self.cluster.push_consumer(topic, lambda messages, context: received.extend(message.body for message in messages))
        self.cluster.tick(0.05, 100)
        self.assertEqual(sorted(received), [b"after", b"before"])

    def test_what_came_during_a_long_call_is_refused(self) -> None:
        """The reactor makes its calls, the tick among them, before it reads."""
        producer = self.cluster.producer(retry_times_when_send_failed=0)
        self.cluster.result(producer.send(Message("orders", b"before")))
        self.cluster.reactor.rightNow += 0.5
        sending = ensureDeferred(producer.send(Message("orders", b"meanwhile")))
        self.cluster.reactor.advance(0)
        self.cluster.reactor.settle()
        self.failureResultOf(sending, BrokerRefused)

    def test_a_short_stall_is_nobodys_business(self) -> None:
        """Sends may wait for 200 ms."""
        producer = self.cluster.producer(retry_times_when_send_failed=0)
        self.cluster.result(producer.send(Message("orders", b"before")))
        sending = ensureDeferred(producer.send(Message("orders", b"meanwhile")))
        self.stall(0.2)
        self.assertEqual(self.cluster.result(sending).status, SendStatus.SEND_OK)


class NameServersOfABrokerTests(SynchronousTestCase):
    """Which name servers a broker tells, and when."""

    def test_a_changed_permission_is_told_at_once(self) -> None:
        """UPDATE_BROKER_CONFIG (25): clients must stop to write, not in half a minute."""
        cluster = MemoryCluster()
        cluster.start()
        self.addCleanup(cluster.stop)
        client = RemotingClient(clock=cluster.reactor, connect=connect_by(cluster.reactor))
        self.addCleanup(lambda: cluster.result(client.close()))

        def ask(address: str, code: int, body: bytes = b"", **fields: str) -> RemotingCommand:
            request = RemotingCommand(code, ext_fields=fields, body=body)
            return cluster.result(client.request(address, request, 3))

        def permission() -> int:
            route = decode_route(ask(NAMESRV_ADDR, RequestCode.GET_ROUTEINFO_BY_TOPIC, topic="TBW102").body)
            return route.queue_datas[0].perm

        before = permission()
        answer = ask("10.0.1.1:10911", RequestCode.UPDATE_BROKER_CONFIG, b"brokerPermission=4")
        self.assertEqual((answer.code, before, permission()), (0, 7, 4))

    def test_addresses_from_an_address_server(self) -> None:
        """No name server is carried inside; the first fetch follows the start by ten seconds, the next every two minutes."""
        asked: list[float] = []
        reactor = MemoryReactor()
        namesrv = NamesrvController(
            NamesrvConfig(bind_address="10.0.0.1"), reactor=reactor, documents=MemoryDocuments(), say=lambda line: None
        )
        namesrv.startService()

        class Agent:
            """Answers at once."""

            def request(self, method: bytes, uri: bytes) -> Any:
                asked.append(reactor.seconds())
                self.uri = uri
                return succeed(self)

            code = 200

            def deliverBody(self, protocol: Any) -> None:
                protocol.makeConnection(self)
                protocol.dataReceived(b"10.0.0.1:9876\n" if len(asked) < 3 else b"10.0.0.2:9876\n")

            def loseConnection(self) -> None:
                """Nothing to lose."""

        agent = Agent()
        self.patch(addressserver, "agent_of", lambda clock, connect: agent)
        controller = BrokerController(
            BrokerConfig(
                broker_name="broker-a",
                broker_ip1="10.0.1.1",
                bind_address="10.0.1.1",
                fetch_namesrv_addr_by_address_server=True,
                rmq_address_server_domain="addresses",
            ),
            MessageStoreConfig(store_type="memory"),
            reactor=reactor,
            flush_thread=NoThread(),
            document_thread=NoThread(),
            say=lambda line: None,
        )
        controller.startService()
        started = reactor.seconds()
        reactor.tick(0.1)
        self.successResultOf(controller.when_ready)
        self.assertEqual(controller.namesrv_port, 0)
        reactor.tick(1, 9)
        self.assertEqual((asked, namesrv.routes.broker_addresses("broker-a")), ([], {}))
        reactor.tick(1, 5)
        self.assertEqual(([round(time - started) for time in asked], agent.uri), ([10], b"http://addresses:8080/rocketmq/nsaddr"))
        self.assertEqual(namesrv.routes.broker_addresses("broker-a"), {0: "10.0.1.1:10911"})
        reactor.tick(1, 120)
        self.assertEqual(round(asked[1] - asked[0]), 120)
        for service in (controller, namesrv):
            stopped = maybeDeferred(service.stopService)
            reactor.tick(1, 7)
            self.successResultOf(stopped)
        self.assertEqual(reactor.getDelayedCalls(), [])
