# Tests: tests/aio/test_looptransport.py
"""A connection of an asyncio event loop, as Twisted's protocols want it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IProducer, IProtocol, ITransport
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.aio.loopclock import LoopClock
from pymq.client.config import ClientConfig
from pymq.client.tls import ssl_context
from pymq.client.transport import IRemoting, remoting_over
from pymq.interfaces import IProcessorTable
from pymq.remoting.client import Connect

#: A name may stand for several addresses: after so long without a connection to one the next is tried as well, as Twisted does.
NEXT_ADDRESS_S = 0.3


@implementer(ITransport, IConsumer)
class LoopTransport(asyncio.Protocol):
    """Stands between the loop's transport and a Twisted protocol of `factory`: protocol to the one, transport to the other."""

    def __init__(self, factory: Factory, loop: asyncio.AbstractEventLoop) -> None:
        self._factory = factory
        self._loop = loop
        self._soon: list[bytes] = []
        self._producer: Any = None
        self._transport: Any = None
        self._is_lost = False
        self.protocol: Any = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = transport
        protocol: IProtocol | None = self._factory.buildProtocol(self.getPeer())
        assert protocol is not None, "a client's factory always makes one"
        self.protocol = protocol
        protocol.makeConnection(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.protocol.dataReceived(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        self._is_lost = True
        self.protocol.connectionLost(Failure(ConnectionDone() if exc is None else ConnectionLost(str(exc))))

    def pause_writing(self) -> None:
        """The peer does not keep up."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume_writing(self) -> None:
        """It does again."""
        if self._producer is not None:
            self._producer.resumeProducing()

    # What Twisted calls

    def write(self, data: bytes) -> None:
        """Send, after everything written before."""
        self._send_soon()
        self._transport.write(data)

    def write_soon(self, data: bytes) -> None:
        """Send together with what else comes before the loop's next round: one system call for all of it."""
        if not self._soon:
            self._loop.call_soon(self._send_soon)
        self._soon.append(data)

    def _send_soon(self) -> None:
        if self._soon:
            soon, self._soon = self._soon, []
            self._transport.write(b"".join(soon))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send one after the other."""
        self._send_soon()
        self._transport.writelines(data)

    def loseConnection(self) -> None:
        """Close once everything is sent."""
        self._send_soon()
        self._transport.close()

    def abortConnection(self) -> None:
        """Close at once; harmless afterwards, which asyncio's own is not."""
        if not self._is_lost:
            self._transport.abort()

    def getPeer(self) -> IAddress:
        """The other side's address."""
        return _address(self._transport.get_extra_info("peername"))

    def getHost(self) -> IAddress:
        """Our side's."""
        return _address(self._transport.get_extra_info("sockname"))

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self._transport.pause_reading()

    def resumeProducing(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Tell this one when to pause."""
        assert streaming, "only push producers write to channels"
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Tell nobody."""
        self._producer = None


def _address(socket_address: tuple[Any, ...] | None) -> IAddress:
    host, port = socket_address[:2] if socket_address else ("", 0)
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)


def connect_by_loop(clock: LoopClock, context: ssl.SSLContext | None = None) -> Connect:
    """Connect over TCP, or TLS, with the loop of `clock`, which also resolves names."""

    async def connected(host: str, port: int, factory: Factory) -> Any:
        name = None if context is None else host
        # Only asyncio's own loops know how; others, such as uvloop's, try one address after the other.
        staggered: dict[str, Any] = (
            {"happy_eyeballs_delay": NEXT_ADDRESS_S} if isinstance(clock.loop, asyncio.BaseEventLoop) else {}
        )
        _, made = await clock.loop.create_connection(
            lambda: LoopTransport(factory, clock.loop), host, port, ssl=context, server_hostname=name, **staggered
        )
        return made.protocol

    return lambda host, port, factory: Deferred.fromFuture(clock.loop.create_task(connected(host, port, factory)))


def loop_remoting(clock: LoopClock, processors: IProcessorTable, config: ClientConfig) -> IRemoting:
    """A RemotingClient over the loop of `clock`, whose servers' requests go to `processors`. Raises ConfigError."""
    return remoting_over(clock, connect_by_loop(clock, ssl_context(config)), processors, config)


def on_loop(settings: dict[str, Any]) -> dict[str, Any]:
    """What makes a client of `pymq.client` run on asyncio, below the settings of the user."""
    return {"reactor": LoopClock(), "make_remoting": loop_remoting, "connect_plainly": connect_by_loop, **settings}
