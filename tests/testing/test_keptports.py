"""Listening ports that stay while the servers behind them change, on the real reactor."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.server import RemotingServerFactory
from pymq.testing.keptports import KeptPorts
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FrameReader, encode_frame

HOST = "127.0.0.1"


class Asking(Protocol):
    """Sends a request when it is connected; `answer` is what comes, or None at the end of the connection."""

    def __init__(self) -> None:
        self.answer: Deferred[RemotingCommand | None] = Deferred()
        self._reader = FrameReader()

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self.transport.write(encode_frame(RemotingCommand.request(RequestCode.HEART_BEAT)))

    def dataReceived(self, data: bytes) -> None:
        """Read."""
        self._reader.feed(data)
        self.told(self._reader.next_command())

    def connectionLost(self, reason: Any = None) -> None:
        """The end."""
        self.told(None)

    def told(self, answer: RemotingCommand | None) -> None:
        """Once."""
        if not self.answer.called:
            self.answer.callback(answer)


class KeptPortsTests(TestCase):
    """A server without processors, which answers that it cannot do anything."""

    timeout = 30

    def setUp(self) -> None:
        self.ports = KeptPorts(reactor)
        self.addCleanup(self.ports.release)
        self.listening = self.listen(0)
        self.port = self.listening.getHost().port

    def listen(self, port: int) -> Any:
        """A server on a port; both end with the test."""
        factory = RemotingServerFactory(Dispatcher(ProcessorTable()), clock=reactor)  # type: ignore[arg-type]
        listening = self.ports.listenTCP(port, factory, interface=HOST)
        self.addCleanup(factory.close_all)
        self.addCleanup(listening.stopListening)
        return listening

    async def connected(self) -> Asking:
        """A connection that has asked."""
        asking = await connectProtocol(TCP4ClientEndpoint(reactor, HOST, self.port), Asking())
        self.addCleanup(asking.transport.loseConnection)
        return asking

    async def test_it_listens(self) -> None:
        """And is a reactor in all else."""
        answer = await (await self.connected()).answer
        assert answer is not None
        self.assertEqual(answer.code, ResponseCode.REQUEST_CODE_NOT_SUPPORTED)
        self.assertEqual(len(list(self.ports.channels())), 1)
        self.assertEqual(self.ports.seconds.__name__, reactor.seconds.__name__)  # type: ignore[attr-defined]

    async def test_a_taken_port(self) -> None:
        """Is refused as by a reactor."""
        self.assertRaises(CannotListenError, self.listen, self.port)

    async def test_who_connects_in_between_waits(self) -> None:
        """Again and again: the port is held, and the next server answers."""
        for _ in range(3):
            self.ports.hold()
            await self.listening.stopListening()
            waiting = await self.connected()
            self.listening = self.listen(self.port)
            self.assertIsNotNone(await waiting.answer)

    async def test_a_released_port_is_closed(self) -> None:
        """Nobody connects to it any more."""
        self.ports.hold()
        await self.listening.stopListening()
        self.ports.release()
        await self.assertFailure(Deferred.fromCoroutine(self.connected()), ConnectError)

    async def test_cut(self) -> None:
        """Every connection ends."""
        asking = await self.connected()
        await asking.answer
        gone = asking.answer = Deferred()
        self.assertEqual(self.ports.abort_all("for the test"), 1)
        self.assertIsNone(await gone)

    async def test_pause(self) -> None:
        """Neither old connections nor new ones are answered; later all are."""
        old = await self.connected()
        await old.answer
        self.ports.pause()
        old.answer = Deferred()
        old.connectionMade()
        new = await self.connected()
        await deferLater(reactor, 0.05)  # type: ignore[arg-type]
        self.assertFalse(old.answer.called or new.answer.called)
        self.ports.resume()
        self.assertIsNotNone(await old.answer)
        self.assertIsNotNone(await new.answer)

    async def test_traffic(self) -> None:
        """Is noticed, and so is its absence."""
        asking = await self.connected()
        await asking.answer
        before = self.ports.traffic()
        self.assertEqual(self.ports.traffic(), before)
        asking.answer = Deferred()
        asking.connectionMade()
        await asking.answer
        self.assertNotEqual(self.ports.traffic(), before)
