"""One connection for each address, made on demand, shared, and made anew after a failure, but not too eagerly."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides, implementer

from pymq.errors import ConnectFailed, ConnectionClosed, RequestTimeout
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.remoting.client import RemotingClient, connect_by, parse_address
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.link import BACKOFF_FIRST_S, BACKOFF_MAX_S, CLOSE_WAIT_S, FORGOTTEN_S
from pymq.remoting.server import RemotingServerFactory
from pymq.testing.channels import ChannelRecorder
from pymq.testing.connections import MemoryNetwork
from pymq.wire.command import RemotingCommand, SerializeType

BROKER = "10.0.0.9:10911"


@implementer(IRequestProcessor)
class Server:
    """Answers 34 with the kind of header it came in, keeps 11 waiting, remembers all."""

    codes = frozenset([11, 34, 15])

    def __init__(self) -> None:
        self.seen: list[RemotingCommand] = []
        self.channel: Any = None

    def process(self, channel: IChannel, request: RemotingCommand) -> Any:
        """As above."""
        self.seen.append(request)
        self.channel = channel
        return Deferred() if request.code == 11 else request.reply(0, body=b"answer")


@implementer(IRequestProcessor)
class Consumer:
    """What a client answers to its broker."""

    codes = frozenset([307])

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Success."""
        return request.reply(0, body=b"running")


class ClientTestCase(SynchronousTestCase):
    """A server on a network in memory and a client."""

    def setUp(self) -> None:
        """Put them together."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.network = MemoryNetwork()
        self.server = Server()
        table = ProcessorTable()
        table.register(self.server)
        self.factory = RemotingServerFactory(Dispatcher(table), clock=self.clock)
        self.network.listen("10.0.0.9", 10911, self.factory)
        ours = ProcessorTable()
        ours.register(Consumer())
        self.listener = ChannelRecorder()
        self.client = RemotingClient(
            clock=self.clock,
            connect=self.network.connect,
            dispatcher=Dispatcher(ours),
            listeners=[self.listener],
            chance=lambda: 1.0,
            idle_s=120,
        )

    def ask(self, code: int = 34, timeout_s: float = 5) -> Deferred[RemotingCommand]:
        """A request to the broker."""
        return self.client.request(BROKER, RemotingCommand.request(code), timeout_s)

    def connected(self) -> None:
        """Make the connection."""
        asked = self.ask()
        self.network.accept()
        self.network.flush()
        self.successResultOf(asked)


class RequestTests(ClientTestCase):
    """Questions and answers."""

    def test_requests_wait_for_one_connection(self) -> None:
        """Three requests, one attempt, three answers; later ones use the same connection."""
        asked = [self.ask() for _ in range(3)]
        self.assertEqual(len(self.network.attempts), 1)
        self.network.accept()
        self.network.flush()
        self.assertEqual([self.successResultOf(answer).body for answer in asked], [b"answer"] * 3)
        again = self.ask()
        self.network.flush()
        self.successResultOf(again)
        self.assertEqual(len(self.listener.opened), 1)
        self.assertIs(self.client.channel_to(BROKER), self.listener.opened[0])

    def test_many_requests_at_once(self) -> None:
        """Each gets its own answer."""
        self.connected()
        asked = [self.ask() for _ in range(50)]
        self.network.flush()
        for answer in asked:
            self.successResultOf(answer)

    def test_new_connections_are_told_of_before_they_are_used(self) -> None:
        """What is sent then comes first."""
        self.client.when_connected = lambda address: self.client.request(address, RemotingCommand.request(11), 3) and None
        asked = self.ask()
        self.network.accept()
        self.network.flush()
        self.successResultOf(asked)
        self.assertEqual([command.code for command in self.server.seen], [11, 34])

    def test_oneway(self) -> None:
        """Fires when written; the server sees a oneway request."""
        done = self.client.oneway(BROKER, RemotingCommand.request(15, oneway=True))
        self.assertNoResult(done)
        self.network.accept()
        self.successResultOf(done)
        self.network.flush()
        self.assertTrue(self.server.seen[0].is_oneway)

    def test_deadline_counts_connecting(self) -> None:
        """A request whose time is over before there is a connection fails with a timeout; the attempt goes on for others."""
        short, long = self.ask(timeout_s=1), self.ask(timeout_s=2.5)
        self.clock.advance(1)
        self.failureResultOf(short, RequestTimeout)
        self.network.accept()
        self.network.flush()
        self.successResultOf(long)
        self.assertEqual(len(self.server.seen), 1)

    def test_deadline_of_the_answer(self) -> None:
        """As promised, even when connecting took its share."""
        asked = self.ask(code=11, timeout_s=3)
        self.clock.advance(2)
        self.network.accept()
        self.network.flush()
        self.clock.advance(0.9)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        self.failureResultOf(asked, RequestTimeout)

    def test_cancelled_before_the_connection(self) -> None:
        """It is not sent."""
        asked = self.ask()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.network.accept()
        self.network.flush()
        self.assertEqual(self.server.seen, [])

    def test_lost_connection_fails_what_is_open_and_the_next_request_makes_another(self) -> None:
        """Reconnecting is by demand."""
        self.connected()
        self.clock.advance(10)
        asked = self.ask(code=11)
        self.network.flush()
        self.server.channel.close()
        self.network.flush()
        self.failureResultOf(asked, ConnectionClosed)
        self.assertIsNone(self.client.channel_to(BROKER))
        self.connected()

    def test_server_asks_client(self) -> None:
        """Requests come back over the same connection, and opaques of the two directions do not mix."""
        self.connected()
        asked = self.server.channel.request(RemotingCommand.request(307), 3)
        unknown = self.server.channel.request(RemotingCommand.request(40), 3)
        self.network.flush()
        self.assertEqual(self.successResultOf(asked).body, b"running")
        self.assertEqual(self.successResultOf(unknown).code, 3)

    def test_header_serialization_is_selectable(self) -> None:
        """JSON by default, ROCKETMQ when asked for."""
        self.connected()
        self.assertEqual(self.server.seen[0].serialize_type, SerializeType.JSON)
        self.client = RemotingClient(clock=self.clock, connect=self.network.connect, serialize_type=SerializeType.ROCKETMQ)
        self.connected()
        self.assertEqual(self.server.seen[1].serialize_type, SerializeType.ROCKETMQ)
        self.assertEqual(self.server.seen[1].language, 3)

    def test_idle_connection_is_closed(self) -> None:
        """By the client as well."""
        self.connected()
        for _ in range(13):
            self.client.sweep_idle()
            self.clock.advance(10)
        self.network.flush()
        self.assertEqual(len(self.listener.closed), 1)


class FailureTests(ClientTestCase):
    """Servers that are not there."""

    def test_refused(self) -> None:
        """All who waited learn it."""
        asked = [self.ask(), self.ask()]
        self.network.fail()
        for answer in asked:
            self.assertEqual(self.failureResultOf(answer, ConnectFailed).value.address, BROKER)

    def test_connect_timeout(self) -> None:
        """Three seconds, whatever the request allows."""
        asked = self.ask(timeout_s=30)
        self.clock.advance(2.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertIn("in time", str(self.failureResultOf(asked, ConnectFailed).value))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_backoff(self) -> None:
        """After a failure requests fail at once for a while, which doubles up to a maximum; a success ends it."""
        pause = BACKOFF_FIRST_S
        for _ in range(8):
            asked = self.ask()
            self.network.fail()
            self.failureResultOf(asked, ConnectFailed)
            self.clock.advance(pause - 0.01)
            self.failureResultOf(self.ask(), ConnectFailed)
            self.assertEqual(self.network.attempts, [])
            self.clock.advance(0.02)
            pause = min(2 * pause, BACKOFF_MAX_S)
        self.connected()
        self.clock.advance(5)
        self.server.channel.close()
        self.network.flush()
        self.connected()

    def test_server_that_takes_connections_and_closes_them(self) -> None:
        """Counts as a failure, or a full server would be hammered."""
        self.connected()
        self.server.channel.close()
        self.network.flush()
        self.failureResultOf(self.ask(), ConnectFailed)

    def test_the_error_says_when_the_next_try_is_made(self) -> None:
        """So that whoever has nobody else to ask can wait for it."""
        asked = self.ask()
        self.network.fail()
        self.assertAlmostEqual(self.failureResultOf(asked, ConnectFailed).value.again_s, BACKOFF_FIRST_S, 5)
        self.clock.advance(BACKOFF_FIRST_S / 2)
        self.assertAlmostEqual(self.failureResultOf(self.ask(), ConnectFailed).value.again_s, BACKOFF_FIRST_S / 2, 5)

    def test_a_black_hole_is_left(self) -> None:
        """The request that notices it fails with its timeout, the others with what happened, and the next connects anew."""
        self.connected()
        self.clock.advance(60)
        asked, other = self.ask(timeout_s=3), self.ask(timeout_s=30)
        self.clock.advance(3.1)
        self.failureResultOf(asked, RequestTimeout)
        self.assertIn(BROKER, str(self.failureResultOf(other, ConnectionClosed).value))
        self.assertIsNone(self.client.channel_to(BROKER))
        self.connected()
        self.assertEqual(len(self.listener.closed), 1)

    def test_addresses_that_nobody_asks_for_are_forgotten(self) -> None:
        """Brokers come and go with their addresses; a client may stay for years."""
        asked = self.ask()
        self.network.fail()
        self.failureResultOf(asked, ConnectFailed)
        self.clock.advance(FORGOTTEN_S)
        self.client.sweep_idle()
        self.assertEqual(list(self.client._links), [BROKER])
        self.clock.advance(1)
        self.client.sweep_idle()
        self.assertEqual(self.client._links, {})
        self.connected()
        self.clock.advance(FORGOTTEN_S + 1)
        self.client.sweep_idle()
        self.assertEqual(list(self.client._links), [BROKER])

    def test_bad_address(self) -> None:
        """Fails like a server that is not there."""
        for address in ("nonsense", "host:", "host:70000", ":10911", "host:x"):
            self.failureResultOf(self.client.request(address, RemotingCommand.request(34), 3), ConnectFailed)


class CloseTests(ClientTestCase):
    """The end."""

    def test_close_one(self) -> None:
        """Only that connection; the next request makes another."""
        self.connected()
        self.clock.advance(5)
        gone = self.client.close(BROKER)
        self.network.flush()
        self.successResultOf(gone)
        self.connected()
        self.successResultOf(self.client.close("10.9.9.9:1"))

    def test_close_all(self) -> None:
        """Open requests fail, later ones are refused, nothing is left."""
        self.connected()
        waiting = self.client.request("10.0.0.8:10911", RemotingCommand.request(34), 3)
        asked = self.ask(code=11)
        gone = self.client.close()
        self.failureResultOf(waiting, ConnectionClosed)
        self.assertNoResult(gone)
        self.network.flush()
        self.successResultOf(gone)
        self.failureResultOf(asked, ConnectionClosed)
        self.failureResultOf(self.ask(), ConnectionClosed)
        self.assertTrue(all(attempt.is_cancelled for attempt in self.network.attempts))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_server_that_does_not_follow(self) -> None:
        """It is left after a moment."""
        self.connected()
        gone = self.client.close()
        self.clock.advance(CLOSE_WAIT_S)
        self.network.flush()
        self.successResultOf(gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OneAddress:
    """Every name stands for `address`."""

    address = ""

    def resolveHostName(self, receiver: Any, name: str, *, portNumber: int, **_: Any) -> Any:  # noqa: N803  # as it is called
        """At once."""
        receiver.resolutionBegan(None)
        receiver.addressResolved(IPv4Address("TCP", self.address, portNumber))
        receiver.resolutionComplete()
        return receiver


class AddressTests(SynchronousTestCase):
    """Addresses as people and routes write them."""

    def test_parse(self) -> None:
        """Names, IPv4 and IPv6."""
        self.assertEqual(parse_address(" broker-a:10911 "), ("broker-a", 10911))
        self.assertEqual(parse_address("127.0.0.1:9876"), ("127.0.0.1", 9876))
        self.assertEqual(parse_address("[::1]:9876"), ("::1", 9876))

    def test_connect_by(self) -> None:
        """Numbers go to the reactor as they are."""
        reactor: Any = MemoryReactorClock()
        connect = connect_by(reactor)
        client = RemotingClient(clock=reactor, connect=connect)
        for address in ("127.0.0.1:9876", "[::1]:9877"):
            client.request(address, RemotingCommand.request(105), 3).addErrback(lambda _: None)
        self.assertEqual([call[:2] for call in reactor.tcpClients], [("127.0.0.1", 9876), ("::1", 9877)])
        client.close()

    def test_a_name_is_resolved_for_each_connection(self) -> None:
        """A server that moved, and whose name followed, is found by the next try."""
        reactor: Any = MemoryReactorClock()
        reactor.nameResolver = OneAddress()
        # Older Twisteds' does not say that it is one, and then a thread asks the system.
        alsoProvides(reactor, IReactorPluggableNameResolver)
        client = RemotingClient(clock=reactor, connect=connect_by(reactor))
        for address in ("10.0.0.1", "10.0.0.2"):
            reactor.nameResolver.address = address
            asked = client.request("broker-a:10911", RemotingCommand.request(105), 3)
            reactor.advance(3.1)
            self.failureResultOf(asked, ConnectFailed, RequestTimeout)
            reactor.advance(BACKOFF_FIRST_S)
        self.assertEqual([call[:2] for call in reactor.tcpClients], [("10.0.0.1", 10911), ("10.0.0.2", 10911)])
        client.close()
