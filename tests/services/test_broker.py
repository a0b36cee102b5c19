"""The foreman: what it takes at the start, what it gives back, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.config import BrokerConfig
from pymq.services.broker import BrokerController
from pymq.services.listening import CannotListen
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles

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


class NoThread:
    """Does at once what is to be done elsewhere."""

    run = staticmethod(maybeDeferred)

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self) -> None:
        """Nothing to end."""


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
            flush_thread=NoThread(),  # type: ignore[arg-type]
            document_thread=NoThread(),  # type: ignore[arg-type]
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
            flush_thread=NoThread(),  # type: ignore[arg-type]
            document_thread=NoThread(),  # type: ignore[arg-type]
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
                flush_thread=NoThread(),  # type: ignore[arg-type]
                document_thread=NoThread(),  # type: ignore[arg-type]
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
