"""Bytes become commands, commands bytes, and a connection's end becomes known to all who care."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pymq.errors import ConnectionClosed, FrameError, RequestTimeout, TooManyRequests
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.protocol import FRAMES_AT_ONCE_MAX, ChannelSettings, RemotingProtocol
from pymq.testing.channels import ChannelRecorder
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import FRAME_BYTES_MAX, FrameReader, encode_frame, frame_head


@implementer(IRequestProcessor)
class Echo:
    """Answers 10 with its body, 34 never, 35 by closing."""

    codes = frozenset([10, 34, 35])

    def __init__(self) -> None:
        self.seen: list[RemotingCommand] = []
        self.held: Deferred[Any] = Deferred()

    def process(self, channel: IChannel, request: RemotingCommand) -> Any:
        """As above."""
        self.seen.append(request)
        if request.code == 34:
            return self.held
        if request.code == 35:
            channel.close()
        return request.reply(0, body=request.body)


class AbortableTransport(StringTransport):
    """Counts aborts."""

    aborts = 0

    def abortConnection(self) -> None:
        """Count."""
        self.aborts += 1


class ProtocolTestCase(SynchronousTestCase):
    """A protocol over a StringTransport, with an echo processor."""

    is_server = True
    write_buffer_bytes_max = 1000

    def setUp(self) -> None:
        """Connect it."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.echo, self.listener = Echo(), ChannelRecorder()
        table = ProcessorTable()
        table.register(self.echo)
        self.calls: list[object] = []
        self.lanes: dict[bytes, Any] = {}
        self.protocol = RemotingProtocol(
            ChannelSettings(
                dispatcher=Dispatcher(table),
                clock=self.clock,
                listener=self.listener,
                lanes=self.lanes,
                before_general=lambda: self.calls.append("before general"),
                write_buffer_bytes_max=self.write_buffer_bytes_max,
                pending_requests_max=4,
                is_server=self.is_server,
                serialize_type=SerializeType.ROCKETMQ if self.is_server else SerializeType.JSON,
            )
        )
        self.transport = AbortableTransport()
        self.protocol.makeConnection(self.transport)

    def written(self) -> list[RemotingCommand]:
        """What the protocol wrote since the last call."""
        reader, commands = FrameReader(), []
        reader.feed(self.transport.value())
        self.transport.clear()
        while (command := reader.next_command()) is not None:
            commands.append(command)
        return commands

    def lose(self, reason: Exception | None = None) -> None:
        """End the connection."""
        self.protocol.connectionLost(Failure(ConnectionDone() if reason is None else reason))


class ReadingTests(ProtocolTestCase):
    """What comes in."""

    def test_frames_cut_anywhere(self) -> None:
        """Two requests, cut at every byte, give the same two answers."""
        requests = [RemotingCommand.request(10, opaque=1, body=b"one"), RemotingCommand.request(10, opaque=2)]
        data = b"".join(map(encode_frame, requests))
        for cut in range(len(data) + 1):
            self.protocol.dataReceived(data[:cut])
            self.protocol.dataReceived(data[cut:])
            self.assertEqual([(answer.opaque, answer.body) for answer in self.written()], [(1, b"one"), (2, b"")], cut)

    def test_byte_by_byte(self) -> None:
        """A slow peer is a peer."""
        for byte in encode_frame(RemotingCommand.request(10, opaque=1, body=b"slow")):
            self.protocol.dataReceived(bytes([byte]))
        self.assertEqual([answer.body for answer in self.written()], [b"slow"])

    def test_answers_of_one_read_leave_together(self) -> None:
        """One write for all that one read brought."""
        writes: list[bytes] = []
        self.transport.write = writes.append  # type: ignore[method-assign]
        self.protocol.dataReceived(encode_frame(RemotingCommand.request(10)) * 5)
        self.assertEqual(len(writes), 1)

    def test_bad_frame_closes_after_the_good_ones(self) -> None:
        """What came before the bad frame is answered; then the connection ends, without an answer to the bad one."""
        good = encode_frame(RemotingCommand.request(10, opaque=4))
        self.protocol.dataReceived(good + b"\xff\xff\xff\xff\0\0\0\0" + good)
        self.assertEqual([answer.opaque for answer in self.written()], [4])
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.assertIn("malformed", self.listener.closed[0][1])

    def test_bad_header_closes(self) -> None:
        """Garbage where JSON is due, and an unknown header type."""
        for head in (frame_head(0, 3, 0) + b"{]}", frame_head(7, 3, 0) + b"abc"):
            self.setUp()
            self.protocol.dataReceived(head + encode_frame(RemotingCommand.request(10)))
            self.assertTrue(self.transport.disconnecting)
            self.assertEqual(self.written(), [])

    def test_tls_hello_is_named(self) -> None:
        """A TLS client meets a closed connection, and the log says why."""
        self.protocol.dataReceived(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.lose()
        self.assertIn("TLS", self.listener.closed[0][1])

    def test_nothing_is_read_after_close(self) -> None:
        """Frames behind the one that closed the connection are left alone."""
        self.protocol.dataReceived(encode_frame(RemotingCommand.request(35)) + encode_frame(RemotingCommand.request(10)))
        self.assertEqual([request.code for request in self.echo.seen], [35])

    def test_lane_takes_its_frames(self) -> None:
        """JSON codes of two and three digits and binary codes; a lane that declines leaves the frame to the processor."""
        taken: list[tuple[int, bytes]] = []

        def lane(channel: Any, header_type: int, header: bytes, body: bytes) -> bool:
            taken.append((header_type, body))
            channel.write_parts([b"", body])
            return body != b"no"

        self.lanes.update({b'{"code":310,': lane, b'{"code":10,': lane, b"\0\x0a": lane})
        compact = RemotingCommand(code=10, body=b"c", serialize_type=SerializeType.ROCKETMQ)
        frames = [RemotingCommand.request(310, body=b"a"), RemotingCommand.request(10, body=b"b"), compact]
        self.protocol.dataReceived(b"".join(map(encode_frame, frames)))
        self.assertEqual(taken, [(0, b"a"), (0, b"b"), (1, b"c")])
        self.assertEqual(self.transport.value(), b"abc")
        self.assertEqual((self.echo.seen, self.calls), ([], []))
        self.protocol.dataReceived(encode_frame(RemotingCommand.request(10, body=b"no")))
        self.assertEqual(len(self.echo.seen), 1)

    def test_lanes_finish_before_a_general_request(self) -> None:
        """The order of one connection's requests is kept."""
        self.lanes[b'{"code":310,'] = lambda *_: self.calls.append("lane") or True
        hot, other = encode_frame(RemotingCommand.request(310)), encode_frame(RemotingCommand.request(10))
        self.protocol.dataReceived(hot + other + hot)
        self.assertEqual(self.calls, ["lane", "before general", "lane"])

    def test_lane_that_raises(self) -> None:
        """Its request is answered with the error, and the other frames are served."""

        def lane(*_: object) -> bool:
            raise ZeroDivisionError("in the lane")

        self.lanes[b'{"code":310,'] = lane
        hot, other = encode_frame(RemotingCommand.request(310, opaque=1)), encode_frame(RemotingCommand.request(10, opaque=2))
        self.protocol.dataReceived(hot + other)
        self.assertEqual([(answer.opaque, answer.code) for answer in self.written()], [(1, 1), (2, 0)])
        self.flushLoggedErrors(ZeroDivisionError)


class ChannelTests(ProtocolTestCase):
    """The protocol as an IBufferedChannel."""

    def test_addresses(self) -> None:
        """Both sides' are known once connected."""
        self.assertEqual(self.protocol.peer, ("192.168.1.1", 54321))
        self.assertEqual(self.protocol.local[1], 12345)
        self.assertEqual(self.listener.opened, [self.protocol])

    def test_request_and_answer(self) -> None:
        """Opaques are our own; the settings decide the kind of header; the answer is found."""
        first = self.protocol.request(RemotingCommand.request(40), 3)
        second = self.protocol.request(RemotingCommand.request(40), 3)
        asked = self.written()
        self.assertNotEqual(asked[0].opaque, asked[1].opaque)
        self.assertEqual(asked[0].serialize_type, SerializeType.ROCKETMQ)
        self.protocol.dataReceived(encode_frame(asked[1].reply(7)) + encode_frame(asked[0].reply(0)))
        self.assertEqual((self.successResultOf(first).code, self.successResultOf(second).code), (0, 7))
        self.assertEqual(self.protocol.pending_count, 0)

    def test_oneway(self) -> None:
        """Written under an opaque of its own; nothing is awaited."""
        self.protocol.send_oneway(RemotingCommand.request(40, oneway=True))
        (command,) = self.written()
        self.assertTrue(command.is_oneway)
        self.assertEqual(self.protocol.pending_count, 0)

    def test_request_too_many(self) -> None:
        """The bound of open requests is the settings'."""
        for _ in range(4):
            self.protocol.request(RemotingCommand.request(40), 3).addErrback(lambda _: None)
        self.failureResultOf(self.protocol.request(RemotingCommand.request(40), 3), TooManyRequests)
        self.lose()

    def test_request_too_large(self) -> None:
        """Fails by itself and leaves nothing open."""
        self.failureResultOf(self.protocol.request(RemotingCommand.request(40, body=bytes(FRAME_BYTES_MAX)), 3), FrameError)
        self.assertEqual(self.protocol.pending_count, 0)

    def test_lost_connection_fails_everything(self) -> None:
        """Open requests fail with the reason, held answers are cancelled, listeners are told once."""
        told: list[str] = []
        self.protocol.on_close(lambda channel, reason: told.append(reason))
        self.protocol.on_close(lambda channel, reason: told.append("taken back"))()
        asked = self.protocol.request(RemotingCommand.request(40), 3)
        self.protocol.dataReceived(encode_frame(RemotingCommand.request(34)))
        self.lose(ConnectionLost())
        self.assertIn("lost", str(self.failureResultOf(asked, ConnectionClosed).value))
        self.assertTrue(self.echo.held.called)
        self.protocol.on_close(lambda channel, reason: told.append("late"))
        self.assertEqual(len(told), 2)
        self.assertTrue(told[0].startswith("lost"))
        self.assertEqual([channel for channel, _ in self.listener.closed], [self.protocol])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_who_fails_when_told_does_not_hinder_the_others(self) -> None:
        """Each callback stands alone."""
        told: list[str] = []
        self.protocol.on_close(lambda channel, reason: 1 / 0)
        self.protocol.on_close(lambda channel, reason: told.append(reason))
        self.lose()
        self.assertEqual(told, ["closed by the peer"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_closed_channel_is_silent(self) -> None:
        """After close nothing is written, and requests fail at once."""
        self.protocol.close()
        self.assertTrue(self.transport.disconnecting)
        self.protocol.send(RemotingCommand.request(40))
        self.protocol.write_parts([b"x"])
        self.assertEqual(self.transport.value(), b"")
        self.failureResultOf(self.protocol.request(RemotingCommand.request(40), 3), ConnectionClosed)

    def test_close_sends_what_was_written(self) -> None:
        """Also what is written by the very request that closes."""
        self.protocol.send(RemotingCommand.request(40))
        self.protocol.close()
        self.assertEqual(len(self.written()), 1)

    def test_server_reads_no_more_from_a_peer_that_does_not_read(self) -> None:
        """And goes on when the peer has caught up."""
        self.transport.producer.pauseProducing()
        self.assertEqual(self.transport.producerState, "paused")
        self.transport.producer.resumeProducing()
        self.assertEqual(self.transport.producerState, "producing")

    def test_peer_that_never_reads_is_given_up(self) -> None:
        """The bound of unsent bytes ends the connection at once."""
        self.transport.producer.pauseProducing()
        for _ in range(40):
            self.protocol.send(RemotingCommand.request(40, body=bytes(100)))
        self.assertEqual(self.transport.aborts, 1)
        self.assertFalse(self.protocol.is_open)

    def test_server_keeps_a_client_that_answers_nothing(self) -> None:
        """Some clients answer no requests at all."""
        for _ in range(3):
            asked = self.protocol.request(RemotingCommand.request(40), 1)
            self.clock.advance(2)
            self.failureResultOf(asked, RequestTimeout)
        self.assertEqual(self.transport.aborts, 0)


class ClientChannelTests(ProtocolTestCase):
    """The same protocol on the client's side."""

    is_server = False

    def test_client_goes_on_reading(self) -> None:
        """Or two peers could wait for each other."""
        self.transport.producer.pauseProducing()
        self.assertEqual(self.transport.producerState, "producing")

    def test_requests_are_refused_while_much_is_unsent(self) -> None:
        """Rather than losing the connection."""
        self.transport.producer.pauseProducing()
        self.protocol.send(RemotingCommand.request(40, body=bytes(600)))
        self.failureResultOf(self.protocol.request(RemotingCommand.request(40), 3), TooManyRequests)

    def test_silent_server_is_left(self) -> None:
        """Deadlines without a byte in between end the connection, so that the next request makes a new one."""
        for _ in range(2):
            asked = self.protocol.request(RemotingCommand.request(40), 1)
            self.clock.advance(1)
            self.failureResultOf(asked, RequestTimeout)
        self.assertEqual(self.transport.aborts, 0)
        waiting = self.protocol.request(RemotingCommand.request(40), 30)
        asked = self.protocol.request(RemotingCommand.request(40), 1)
        self.clock.advance(1)
        self.failureResultOf(asked, RequestTimeout)
        self.assertEqual(self.transport.aborts, 1)
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertIn("nothing was received for 3.0 s", str(self.failureResultOf(waiting, ConnectionClosed).value))

    def test_server_that_is_only_slow_is_kept(self) -> None:
        """Any byte counts as life."""
        for _ in range(3):
            asked = self.protocol.request(RemotingCommand.request(40), 1)
            self.clock.advance(2)
            self.failureResultOf(asked, RequestTimeout)
            self.protocol.dataReceived(encode_frame(RemotingCommand.request(10)))
        self.assertEqual(self.transport.aborts, 0)


class SlowPeerTests(ProtocolTestCase):
    """A peer that asks for much and reads little."""

    write_buffer_bytes_max = 1_000_000

    def test_frames_of_one_read_wait_for_a_peer_that_does_not_read(self) -> None:
        """A read full of requests is answered as far as the peer keeps up; the rest follows in order, then a bad frame."""
        count = 3 * FRAMES_AT_ONCE_MAX
        requests = b"".join(encode_frame(RemotingCommand.request(10, opaque=number)) for number in range(count))
        pause = self.transport.producer.pauseProducing
        write = self.transport.write

        def full_after_one_write(data: bytes) -> None:
            write(data)
            pause()

        self.transport.write = full_after_one_write  # type: ignore[method-assign]
        self.protocol.dataReceived(requests + b"\xff" * 8)
        self.assertEqual(len(self.echo.seen), FRAMES_AT_ONCE_MAX)
        answered = [answer.opaque for answer in self.written()]
        for _ in range(2):
            self.transport.producer.resumeProducing()
            answered += [answer.opaque for answer in self.written()]
        self.assertEqual(answered, list(range(count)))
        self.assertFalse(self.transport.disconnecting)
        self.transport.producer.resumeProducing()
        self.assertTrue(self.transport.disconnecting)

    def test_how_long_they_waited_is_told(self) -> None:
        """When their turn comes; and lanes, which do not ask for it, are passed over then."""
        waits: list[float] = []
        received = self.protocol._dispatcher.command_received

        def receive(channel: Any, request: RemotingCommand, waited_s: float = 0.0) -> None:
            waits.append(waited_s)
            received(channel, request, waited_s)

        self.patch(self.protocol._dispatcher, "command_received", receive)
        requests = [encode_frame(RemotingCommand.request(10, opaque=number)) for number in range(3 * FRAMES_AT_ONCE_MAX)]
        write = self.transport.write

        def full_after_one_write(data: bytes) -> None:
            write(data)
            self.transport.producer.pauseProducing()

        self.transport.write = full_after_one_write  # type: ignore[method-assign]
        self.protocol.dataReceived(b"".join(requests))
        self.clock.advance(0.01)
        self.assertAlmostEqual(self.protocol.backlog.waited_s(self.clock.seconds()), 0.01, places=3)
        self.transport.producer.resumeProducing()
        self.assertEqual((set(waits), len(self.protocol.backlog.frames)), ({0.0}, FRAMES_AT_ONCE_MAX))
        waits.clear()
        self.clock.advance(3)
        self.protocol._lanes = {b"": None}  # type: ignore[dict-item]
        self.transport.write = write  # type: ignore[method-assign]
        self.transport.producer.resumeProducing()
        self.assertEqual([round(waited, 2) for waited in waits], [3.01] * FRAMES_AT_ONCE_MAX)
        self.assertEqual(self.protocol.backlog.waited_s(self.clock.seconds()), 0.0)
