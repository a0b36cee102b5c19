"""The listening side keeps its table of channels, and its limits."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pymq.interfaces import IChannel
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.protocol import RemotingProtocol
from pymq.remoting.server import CLOSE_STALL_S, CLOSE_WAIT_S, RemotingServerFactory
from pymq.testing.channels import ChannelRecorder


class Aborting(StringTransport):
    """Tells its protocol of the end when aborted."""

    protocol: RemotingProtocol

    def abortConnection(self) -> None:
        """End."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


class UnsentWriter:
    """Has something left that its peer did not take."""

    def __init__(self) -> None:
        self.unsent_bytes = 1000

    def close(self) -> None:
        """Wait for the peer."""

    def stopProducing(self) -> None:
        """The connection is lost."""


class FailingListener(ChannelRecorder):
    """Raises whenever it is told something."""

    def channel_opened(self, channel: IChannel) -> None:
        """Raise."""
        raise ZeroDivisionError

    def channel_closed(self, channel: IChannel, reason: str) -> None:
        """Raise."""
        raise ZeroDivisionError


class RemotingServerFactoryTests(SynchronousTestCase):
    """A factory for two connections."""

    def setUp(self) -> None:
        """With a listener."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.listener = ChannelRecorder()
        self.factory = RemotingServerFactory(
            Dispatcher(ProcessorTable()), clock=self.clock, listeners=[self.listener], connections_max=2, idle_s=120
        )

    def connect(self) -> RemotingProtocol | None:
        """A connection, or None when it is refused."""
        protocol = self.factory.buildProtocol(None)
        if protocol is not None:
            transport = Aborting()
            transport.protocol = protocol
            protocol.makeConnection(transport)
        return protocol

    def test_table_and_listeners(self) -> None:
        """Channels are in the table while they are connected."""
        channel = self.connect()
        assert channel is not None
        self.assertEqual(self.factory.channels, {channel})
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.factory.channels, set())
        self.assertEqual(self.listener.opened, [channel])
        self.assertEqual(self.listener.closed, [(channel, "closed by the peer")])

    def test_listener_that_fails(self) -> None:
        """The others are told all the same."""
        self.factory = RemotingServerFactory(
            Dispatcher(ProcessorTable()), clock=self.clock, listeners=[FailingListener(), self.listener]
        )
        channel = self.connect()
        assert channel is not None
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((len(self.listener.opened), len(self.listener.closed)), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_listener_added_later(self) -> None:
        """It hears of what comes from then on."""
        late = ChannelRecorder()
        self.factory.add_listener(late)
        self.connect()
        self.assertEqual(len(late.opened), 1)

    def test_bound_on_connections(self) -> None:
        """The third is refused; when one goes, another may come."""
        first = self.connect()
        self.connect()
        self.assertIsNone(self.connect())
        self.assertIsNone(self.connect())
        self.factory.sweep_idle()
        assert first is not None
        first.connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.connect())

    def test_idle_connections_are_swept(self) -> None:
        """After 120 seconds without a byte."""
        channel = self.connect()
        assert channel is not None
        for _ in range(13):
            self.factory.sweep_idle()
            self.clock.advance(10)
        self.assertFalse(channel.is_open)

    def test_close_all(self) -> None:
        """Fires when the last is gone; new ones are refused."""
        channels = [self.connect(), self.connect()]
        gone = self.factory.close_all()
        again = self.factory.close_all()
        self.assertIsNone(self.connect())
        for channel in channels:
            assert channel is not None
            self.assertNoResult(gone)
            channel.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(gone)
        self.successResultOf(again)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_all_does_not_wait_for_a_peer_that_reads_nothing(self) -> None:
        """It is cut off soon; one that reads slowly has more time, but not for ever."""
        silent, slow = self.connect(), self.connect()
        assert silent is not None and slow is not None
        for channel in (silent, slow):
            channel._writer = UnsentWriter()
        gone = self.factory.close_all()
        for _ in range(round(CLOSE_WAIT_S / CLOSE_STALL_S) - 1):
            slow._writer.unsent_bytes -= 1
            self.clock.advance(CLOSE_STALL_S)
            self.assertEqual(self.factory.channels, {slow})
        self.assertNoResult(gone)
        slow._writer.unsent_bytes -= 1
        self.clock.advance(CLOSE_STALL_S)
        self.successResultOf(gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_all_of_nothing(self) -> None:
        """Fires at once."""
        self.successResultOf(self.factory.close_all())
