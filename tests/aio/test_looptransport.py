"""A Twisted protocol over a connection of an asyncio loop, by loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.aio.loopclock import LoopClock
from pymq.aio.looptransport import LoopTransport, connect_by_loop, loop_remoting
from pymq.client.config import ClientConfig
from pymq.errors import ConnectFailed
from pymq.remoting.client import CONNECT_TIMEOUT_S
from pymq.remoting.dispatcher import ProcessorTable
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FrameReader, encode_frame

HANG_S = 30
#: More than any socket's buffers hold.
MUCH = 32 * 1024 * 1024

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Listening(Protocol):
    """Remembers what comes, and its producer's orders."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.changed = asyncio.Event()
        self.end: Failure | None = None
        self.orders: list[str] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.got += data
        self.changed.set()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Keep why."""
        self.end = reason
        self.changed.set()

    def pauseProducing(self) -> None:
        """As a producer."""
        self.orders.append("pause")

    def resumeProducing(self) -> None:
        """As a producer."""
        self.orders.append("resume")
        self.changed.set()

    def stopProducing(self) -> None:
        """As a producer."""

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something of the above."""
        while not is_so():
            self.changed.clear()
            await self.changed.wait()


class Noting:
    """A transport whose writes go elsewhere first."""

    def __init__(self, transport: Any, write: Callable[[bytes], object]) -> None:
        self._transport = transport
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class LoopTransportTests(SynchronousTestCase):
    """One connection to a server of asyncio's own."""

    def talk(self, serve: Serve, work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        """Run `work` with a connected protocol."""

        async def bounded() -> None:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server:
                host, port = server.sockets[0].getsockname()
                connect = connect_by_loop(LoopClock())
                protocol = await connect(host, port, Factory.forProtocol(Listening)).asFuture(asyncio.get_running_loop())
                await work(protocol)
                protocol.transport.abortConnection()
                await protocol.until(lambda: protocol.end is not None)

        asyncio.run(asyncio.wait_for(bounded(), HANG_S))

    @staticmethod
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send back what comes, until nothing does."""
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    def test_bytes_go_both_ways(self) -> None:
        """In order, and the addresses are known."""

        async def work(protocol: Listening) -> None:
            transport: Any = protocol.transport
            self.assertTrue(verifyObject(ITransport, transport))
            self.assertTrue(verifyObject(IConsumer, transport))
            transport.write(b"ab")
            transport.writeSequence([b"cd", b"ef"])
            await protocol.until(lambda: protocol.got == b"abcdef")
            self.assertEqual((transport.getPeer().host, transport.getHost().host), ("127.0.0.1", "127.0.0.1"))
            self.assertNotEqual(transport.getPeer().port, transport.getHost().port)

        self.talk(self.echo, work)

    def test_a_name_whose_first_address_is_dead(self) -> None:
        """The next one is tried before the first is given up."""

        async def work() -> None:
            loop = asyncio.get_running_loop()
            server = await asyncio.start_server(self.echo, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            # Nobody accepts there and the queue is full, so that further attempts are left without an answer.
            with socket.create_server(("127.0.0.2", port), backlog=0), contextlib.ExitStack() as waiting:
                for _ in range(2):
                    attempt = waiting.enter_context(socket.socket())
                    attempt.setblocking(False)
                    attempt.connect_ex(("127.0.0.2", port))
                addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in (2, 1)]

                async def getaddrinfo(*_: Any, **__: Any) -> Any:
                    return addresses

                self.patch(loop, "getaddrinfo", getaddrinfo)
                connect = connect_by_loop(LoopClock())
                connected = connect("broker-a", port, Factory.forProtocol(Listening))
                protocol = await connected.addTimeout(CONNECT_TIMEOUT_S, LoopClock()).asFuture(loop)
                self.assertEqual(protocol.transport.getPeer().host, "127.0.0.1")
                protocol.transport.abortConnection()
                await protocol.until(lambda: protocol.end is not None)
            server.close()

        asyncio.run(asyncio.wait_for(work(), HANG_S))

    def test_a_loop_of_another_kind(self) -> None:
        """Is asked for nothing that only asyncio's own have."""
        asked: list[dict[str, Any]] = []

        class Loop:
            def create_task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
                return asyncio.get_running_loop().create_task(work)

            async def create_connection(self, make: Any, host: str, port: int, *, ssl: Any, server_hostname: Any) -> Any:
                asked.append({"host": host, "port": port})
                return None, LoopTransport(Factory(), asyncio.get_running_loop())

        async def work() -> None:
            clock: Any = type("Clock", (), {"loop": Loop()})
            await connect_by_loop(clock)("10.0.0.1", 9876, Factory()).asFuture(asyncio.get_running_loop())

        asyncio.run(work())
        self.assertEqual(asked, [{"host": "10.0.0.1", "port": 9876}])

    def test_what_is_written_soon_goes_together(self) -> None:
        """In one call of the loop's transport, in the order of the writes, and before a close."""

        async def work(protocol: Listening) -> None:
            transport: Any = protocol.transport
            written: list[bytes] = []
            loops, write = transport._transport, transport._transport.write
            self.patch(transport, "_transport", Noting(loops, lambda data: written.append(data) or write(data)))
            for piece in (b"a", b"b", b"c"):
                transport.write_soon(piece)
            self.assertEqual(written, [])
            await protocol.until(lambda: protocol.got == b"abc")
            transport.write_soon(b"d")
            transport.write(b"e")
            transport.write_soon(b"f")
            transport.writeSequence([b"g"])
            await protocol.until(lambda: protocol.got == b"abcdefg")
            transport.write_soon(b"h")
            transport.loseConnection()
            await protocol.until(lambda: protocol.end is not None)
            self.assertEqual(written, [b"abc", b"d", b"e", b"f", b"h"])

        self.talk(self.echo, work)

    def test_lose_connection_sends_first(self) -> None:
        """Everything, then it says that it is done."""
        received, everything = bytearray(), asyncio.Event()

        async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.extend(await reader.read())
            everything.set()
            writer.close()

        async def work(protocol: Listening) -> None:
            transport: Any = protocol.transport
            transport.write(b"x" * MUCH)
            transport.loseConnection()
            await protocol.until(lambda: protocol.end is not None)
            assert protocol.end is not None
            protocol.end.trap(ConnectionDone)
            await everything.wait()
            transport.abortConnection()

        self.talk(keep, work)
        self.assertEqual(len(received), MUCH)

    def test_a_slow_peer_pauses_the_producer(self) -> None:
        """And resumes it when it reads again."""
        begin = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await begin.wait()
            while await reader.read(1024 * 1024):
                continue
            writer.close()

        async def work(protocol: Listening) -> None:
            transport: Any = protocol.transport
            transport.registerProducer(protocol, True)
            transport.write(b"x" * MUCH)
            self.assertEqual(protocol.orders, ["pause"])
            begin.set()
            await protocol.until(lambda: protocol.orders == ["pause", "resume"])
            transport.unregisterProducer()

        self.talk(slow, work)

    def test_reading_can_be_paused(self) -> None:
        """Nothing comes meanwhile."""

        async def work(protocol: Listening) -> None:
            transport: Any = protocol.transport
            transport.pauseProducing()
            transport.write(b"echo")
            for _ in range(20):
                await asyncio.sleep(0)
            self.assertEqual(protocol.got, b"")
            transport.resumeProducing()
            await protocol.until(lambda: protocol.got == b"echo")

        self.talk(self.echo, work)


class LoopRemotingTests(SynchronousTestCase):
    """The remoting client over it."""

    def test_a_request_is_answered(self) -> None:
        """By a server that mirrors it."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            frames = FrameReader()
            while data := await reader.read(65536):
                frames.feed(data)
                while (request := frames.next_command()) is not None:
                    writer.write(encode_frame(request.reply(remark="hello")))
            writer.close()

        async def work() -> None:
            loop = asyncio.get_running_loop()
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                remoting = loop_remoting(LoopClock(), ProcessorTable(), ClientConfig())
                asked = remoting.request(f"localhost:{port}", RemotingCommand.request(105), 10.0)
                self.assertEqual((await asked.asFuture(loop)).remark, "hello")
                await remoting.close().asFuture(loop)

        asyncio.run(asyncio.wait_for(work(), HANG_S))

    def test_nobody_listens(self) -> None:
        """An error that names the address."""

        async def work() -> None:
            loop = asyncio.get_running_loop()
            server = await asyncio.start_server(LoopTransportTests.echo, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            server.close()
            await server.wait_closed()
            remoting = loop_remoting(LoopClock(), ProcessorTable(), ClientConfig())
            with self.assertRaises(ConnectFailed) as caught:
                await remoting.request(f"127.0.0.1:{port}", RemotingCommand.request(105), 10.0).asFuture(loop)
            self.assertIn(f"127.0.0.1:{port}", str(caught.exception))
            await remoting.close().asFuture(loop)

        asyncio.run(asyncio.wait_for(work(), HANG_S))
