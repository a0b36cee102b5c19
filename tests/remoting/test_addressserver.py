"""Name servers' addresses over HTTP."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed

from pymq.remoting.addressserver import BODY_BYTES_MAX, TIMEOUT_S, AddressServer, agent_of, url_of
from pymq.testing.connections import MemoryNetwork

URL = "http://address:8080/rocketmq/nsaddr"


class Response:
    """An answer whose body the test delivers."""

    def __init__(self, code: int = 200) -> None:
        self.code = code
        self.reader: Any = None
        self.is_closed = False

    def deliverBody(self, protocol: Any) -> None:
        """Keep the reader."""
        self.reader = protocol
        protocol.makeConnection(self)

    def loseConnection(self) -> None:
        """The reader wants no more."""
        self.is_closed = True

    def body(self, *pieces: bytes, reason: Exception | None = None) -> None:
        """All of the body in these pieces, and how it ends."""
        for piece in pieces:
            self.reader.dataReceived(piece)
        self.reader.connectionLost(Failure(reason or ResponseDone()))


class Agent:
    """Answers every request by the Deferred that the test put into `outcome`."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []
        self.outcome: Deferred[Any] = Deferred()

    def request(self, method: bytes, uri: bytes, headers: Any = None, body: Any = None) -> Deferred[Any]:
        """Remember."""
        self.asked.append((method, uri))
        return self.outcome


class AddressServerTests(SynchronousTestCase):
    """Over a fake agent."""

    def setUp(self) -> None:
        """Nothing was asked yet."""
        self.clock = Clock()
        self.agent = Agent()
        self.told: list[list[str]] = []
        self.server = AddressServer(URL, agent=self.agent, clock=self.clock, on_addresses=self.told.append)
        self.warnings: list[str] = []

        def note(event: dict[str, Any]) -> None:
            if event["log_level"] is LogLevel.warn:
                self.warnings.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    def fetch(self, *pieces: bytes, code: int = 200, reason: Exception | None = None) -> Response:
        """Ask, and get this answer."""
        response = Response(code)
        self.agent.outcome = Deferred()
        fetched = Deferred.fromCoroutine(self.server.fetch())
        self.agent.outcome.callback(response)
        response.body(*pieces, reason=reason)
        self.assertIsNone(self.successResultOf(fetched))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return response

    def test_addresses(self) -> None:
        """Are told once, and again when they changed."""
        self.fetch(b"10.0.0.1:9876;10.0.0.2:9876")
        self.fetch(b"10.0.0.1:9876; 10.0.0.2:9876 ")
        self.fetch(b"10.0.0.3:9876")
        self.assertEqual(self.told, [["10.0.0.1:9876", "10.0.0.2:9876"], ["10.0.0.3:9876"]])
        self.assertEqual(self.agent.asked, [(b"GET", URL.encode())] * 3)
        self.assertEqual(self.warnings, [])

    def test_first_line(self) -> None:
        """As Java reads it: what follows a line end is left out, empty lines before it too; in whatever pieces it comes."""
        for body in (b"10.0.0.1:9876\nand more", b"\r\n10.0.0.1:9876\r\nmore", b" 10.0.0.1:9876 \n"):
            for cut in range(len(body)):
                self.told.clear()
                self.server._known = []
                self.fetch(body[:cut], body[cut:])
                self.assertEqual(self.told, [["10.0.0.1:9876"]], (body, cut))

    def test_what_is_no_address_changes_nothing(self) -> None:
        """It is said, and the next fetch is tried."""
        self.fetch(b"10.0.0.1:9876")
        self.fetch(b"<html>not here</html>")
        self.fetch(b"10.0.0.9:9876", code=404)
        self.fetch(b"\xff\xfe")
        self.fetch(b"10.0.0.9:98", reason=ResponseFailed([]))
        self.assertEqual((self.told, len(self.warnings)), ([["10.0.0.1:9876"]], 4))
        self.assertIn("status 404", self.warnings[1])
        self.fetch(b"")
        self.assertEqual((len(self.told), len(self.warnings)), (1, 4))

    def test_nobody_answers(self) -> None:
        """Neither a refused connection nor silence is an error of ours; silence is waited for so long only."""
        self.agent.outcome = fail(ConnectionRefusedError())
        self.successResultOf(Deferred.fromCoroutine(self.server.fetch()))
        for response in (None, Response()):
            self.agent.outcome = Deferred()
            fetched = Deferred.fromCoroutine(self.server.fetch())
            if response is not None:
                self.agent.outcome.callback(response)
            self.clock.advance(TIMEOUT_S - 0.1)
            self.assertNoResult(fetched)
            self.clock.advance(0.2)
            self.successResultOf(fetched)
        assert response is not None
        self.assertTrue(response.is_closed)
        self.assertEqual((self.told, len(self.warnings)), ([], 3))

    def test_endless_body(self) -> None:
        """Is read as far as any list of addresses goes, and no further."""
        response = Response()
        fetched = Deferred.fromCoroutine(self.server.fetch())
        self.agent.outcome.callback(response)
        for _ in range(BODY_BYTES_MAX // 1000 + 1):
            response.reader.dataReceived(b"x" * 1000)
        self.assertTrue(response.is_closed)
        self.successResultOf(fetched)
        self.assertEqual((self.told, len(self.warnings)), ([], 1))

    def test_url(self) -> None:
        """Port 8080, unless the domain has one."""
        self.assertEqual(url_of("jmenv.tbsite.net", "nsaddr"), "http://jmenv.tbsite.net:8080/rocketmq/nsaddr")
        self.assertEqual(url_of("config:80", "test"), "http://config:80/rocketmq/test")
        self.assertEqual(url_of("config:80", "test", "u1"), "http://config:80/rocketmq/test-u1?nofix=1")


class Page(Protocol):
    """An HTTP server with one page."""

    def dataReceived(self, data: bytes) -> None:
        """The whole request, in these tests."""
        assert data.startswith(b"GET /rocketmq/nsaddr HTTP/1.1\r\n") and b"\r\nHost: 10.0.0.5:8080\r\n" in data, data
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n10.0.0.1:9876;[::1]:9876\n")
        self.transport.loseConnection()


class AgentTests(SynchronousTestCase):
    """Twisted's HTTP client over connections of ours."""

    def test_over_our_connections(self) -> None:
        """The request goes to the host and port of the URL, and the answer comes back."""
        clock, network = Clock(), MemoryNetwork(accepts=True)
        pages = Factory.forProtocol(Page)
        network.listen("10.0.0.5", 8080, pages)
        server = AddressServer(url_of("10.0.0.5", "nsaddr"), agent=agent_of(clock, network.connect), clock=clock)
        asked = Deferred.fromCoroutine(server.ask())
        network.flush()
        self.assertEqual(self.successResultOf(asked), ["10.0.0.1:9876", "[::1]:9876"])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_nobody_there(self) -> None:
        """A connection that is never made is given up."""
        clock, network = Clock(), MemoryNetwork()
        server = AddressServer(url_of("10.0.0.5", "nsaddr"), agent=agent_of(clock, network.connect), clock=clock)
        asked = Deferred.fromCoroutine(server.ask())
        clock.advance(TIMEOUT_S)
        self.failureResultOf(asked)
        self.assertTrue(all(attempt.is_cancelled for attempt in network.attempts))
        self.assertEqual(clock.getDelayedCalls(), [])
