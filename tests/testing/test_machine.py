"""A machine that loses its power, and a thread that is none."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from pymq.testing.machine import MemoryMachine, SimulatedThread
from pymq.testing.memoryreactor import MemoryReactor


class Recorder(Protocol):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.received.append("lost")


class Recorders(Factory):
    """Makes and keeps them."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[Recorder] = []

    def buildProtocol(self, addr: Any) -> Recorder:
        self.made.append(Recorder())
        return self.made[-1]

    def startedConnecting(self, connector: Any) -> None:
        """For connectTCP."""

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """For connectTCP."""
        self.made.append(Recorder())


class MachineTests(SynchronousTestCase):
    """A server machine and a client machine."""

    def setUp(self) -> None:
        self.world = MemoryReactor()
        self.server, self.client = MemoryMachine(self.world), MemoryMachine(self.world)
        self.served, self.asked = Recorders(), Recorders()
        self.server.listenTCP(80, self.served, interface="10.0.0.5")
        self.client.connectTCP("10.0.0.5", 80, self.asked)
        self.world.settle()

    def test_calls_end(self) -> None:
        """Those of this machine, and those that its dying code still asks for."""
        called: list[str] = []
        self.server.callLater(1, called.append, "server")
        self.client.callLater(1, called.append, "client")
        self.server.cut_power()
        self.server.callLater(0.5, called.append, "too late")
        self.assertEqual((len(self.server.getDelayedCalls()), len(self.client.getDelayedCalls())), (0, 1))
        self.world.tick(2)
        self.assertEqual(called, ["client"])

    def test_connections_end(self) -> None:
        """The peer gets what was sent and sees the end; here nobody is told anything, and nobody listens any more."""
        served, asked = self.served.made[0], self.asked.made[0]
        served.transport.write(b"answer")  # type: ignore[union-attr]
        self.server.cut_power()
        served.transport.write(b"ghost")  # type: ignore[union-attr]
        self.world.settle()
        self.assertEqual((asked.received, served.received), ([b"answer", "lost"], []))
        self.assertEqual((self.world.listening, self.world.network.links), ({}, []))

    def test_what_was_not_sent_is_lost(self) -> None:
        """If so wanted."""
        self.served.made[0].transport.write(b"answer")  # type: ignore[union-attr]
        self.server.cut_power(is_sent=False)
        self.world.settle()
        self.assertEqual(self.asked.made[0].received, ["lost"])

    def test_a_client_machine(self) -> None:
        """Its connections end too, and those that it was about to make."""
        self.client.connectTCP("10.0.0.5", 80, self.asked)
        self.client.cut_power()
        self.world.settle()
        self.assertEqual((len(self.served.made), self.served.made[0].received), (1, ["lost"]))


class SimulatedThreadTests(SynchronousTestCase):
    """Work that takes time."""

    def setUp(self) -> None:
        self.world = MemoryReactor()
        self.thread = SimulatedThread(MemoryMachine(self.world), lambda: 1.0, lambda: 2.0)

    def test_takes_its_time(self) -> None:
        """It begins late, is answered later, and the next call waits."""
        begun: list[tuple[float, bool]] = []
        start = self.world.seconds()

        def work() -> int:
            begun.append((self.world.seconds() - start, self.thread.is_working))
            return len(begun)

        first, second = self.thread.run(work), self.thread.run(work)
        self.world.tick(0.5, 4)
        self.assertNoResult(first)
        self.world.tick(0.5, 2)
        self.assertEqual(self.successResultOf(first), 1)
        self.world.tick(0.5, 6)
        self.assertEqual(self.successResultOf(second), 2)
        self.assertEqual((begun, self.thread.is_working), ([(1.0, True), (4.0, True)], False))

    def test_errors_are_answers(self) -> None:
        """As from a thread."""
        failed = self.thread.run(lambda: {}["x"])
        self.world.tick(4)
        self.failureResultOf(failed, KeyError)
