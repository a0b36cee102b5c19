# Tests: tests/remoting/test_protocol.py
"""One connection: bytes to commands and back, and an `IBufferedChannel` for those who speak commands.

Work is done in reads, not in messages: all frames of one read are handled together, and what is answered meanwhile leaves in one
write. Frames that a *lane* takes (the hot codes: send and pull) are never made into commands at all; a lane is found by the first
bytes of the header. Everything else goes through `before_general`, which lets the lanes finish what they collected, so that
requests of one connection take effect in the order in which they came, and then to the dispatcher.

TLS and the PROXY protocol are told apart by the first bytes of a connection (remoting.md 1.10: 0x16 begins a TLS handshake). The
place for that is a wrapper that the server's `buildProtocol` puts around this protocol: it looks at the first read, starts TLS on
the transport when asked to, and only then calls `makeConnection` here. A TLS client that comes in plain text is closed as
malformed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet import error
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.errors import ConnectionClosed, FrameError, HeaderError, TooManyRequests
from pymq.interfaces import IBufferedChannel, IChannel, IChannelListener, IClock
from pymq.remoting.backlog import AGED_S, Backlog, Frame
from pymq.remoting.dispatcher import Dispatcher
from pymq.remoting.pending import PENDING_REQUESTS_MAX, PendingRequests, Question
from pymq.remoting.silence import Silence
from pymq.remoting.writer import WRITE_BUFFER_BYTES_MAX, Part, Writer, writer_for
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import FRAME_BYTES_MAX, FrameReader, decode_command, encode_frame

#: A lane takes (channel, header type, header bytes, body bytes) and says whether it took the frame.
Lane = Callable[[Any, int, bytes, bytes], bool]

#: Frames handled before their answers are written, and before it is looked whether the peer reads them.
FRAMES_AT_ONCE_MAX = 64
#: How much of a JSON header, and of a binary one, is the key to a lane: `{"code":310,`, `{"code":11,`, two bytes of code.
LANE_KEY_BYTES_JSON = 12
LANE_KEY_BYTES_JSON_SHORT = 11
LANE_KEY_BYTES_COMPACT = 2
#: With so many answers awaited, a further request joins the reactor's next write instead of making one of its own.
DIRECT_REQUESTS_MAX = 2

_TLS_FIRST_BYTES = b"\x16\x03"


@attrs.frozen(kw_only=True)
class ChannelSettings:
    """What all connections of one server or client have in common.

    `is_server` says who must be protected: a server stops reading from a peer that does not read its answers. A client must not,
    or two of them could wait for each other for ever. `before_request` makes what is sent of every request (Java: RPCHook).
    """

    dispatcher: Dispatcher
    clock: IClock
    listener: IChannelListener
    lanes: Mapping[bytes, Lane] = attrs.Factory(dict)
    before_general: Callable[[], None] | None = None
    frame_bytes_max: int = FRAME_BYTES_MAX
    write_buffer_bytes_max: int = WRITE_BUFFER_BYTES_MAX
    pending_requests_max: int = PENDING_REQUESTS_MAX
    is_server: bool = True
    serialize_type: SerializeType = SerializeType.JSON
    before_request: Callable[[RemotingCommand], RemotingCommand] | None = None


@implementer(IBufferedChannel)
class RemotingProtocol(Protocol):
    """The protocol of both sides; see `pymq.interfaces.IChannel` and `IBufferedChannel` for what its users may call.

    `reads` counts the reads that brought bytes, `activity` all that moved any: whoever sweeps idle connections compares it.
    `backlog` is what waits until the peer reads.
    """

    _log = Logger()
    peer: tuple[str, int] = ("", 0)
    local: tuple[str, int] = ("", 0)
    _writer: Writer

    def __init__(self, settings: ChannelSettings) -> None:
        self._settings = settings
        self._dispatcher = settings.dispatcher
        self._lanes = settings.lanes
        self._before_general = settings.before_general
        self._reader = FrameReader(settings.frame_bytes_max)
        self._pending = PendingRequests(clock=settings.clock)
        #: Parts written during the read that is being handled; None between reads.
        self._corked: list[Part] | None = None
        self._on_close: dict[object, Callable[[IChannel, str], None]] = {}
        self._close_reason: str | None = None
        self._silence = Silence()
        self._is_full = False
        self.backlog = Backlog()
        self.is_open = False
        self.is_lost = False
        self.reads = 0
        self._writes = 0

    def __repr__(self) -> str:
        return f"<channel {self.peer[0]}:{self.peer[1]}>"

    @property
    def activity(self) -> int:
        """A number that grows whenever bytes came or went (Java: IdleStateHandler)."""
        return self.reads + self._writes + self._writer.resumed_count

    @property
    def unsent_bytes(self) -> int:
        """Bytes written that the peer's side did not take yet."""
        return self._writer.unsent_bytes

    @property
    def pending_count(self) -> int:
        """Requests of ours that wait for an answer."""
        return len(self._pending)

    # What Twisted calls

    def connectionMade(self) -> None:
        """The connection is there."""
        transport: Any = self.transport
        self.peer, self.local = _address_of(transport.getPeer()), _address_of(transport.getHost())
        settings = self._settings
        self._pending = PendingRequests(
            clock=settings.clock,
            address=f"{self.peer[0]}:{self.peer[1]}",
            pending_requests_max=settings.pending_requests_max,
            timed_out=self._requests_timed_out,
        )
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)
        self._writer = writer_for(transport, self, settings.write_buffer_bytes_max)
        self.is_open = True
        settings.listener.channel_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Handle every whole frame of one read."""
        self.reads += 1
        frames = self._reader.take_frames(data)
        if self.backlog.frames or len(frames) > FRAMES_AT_ONCE_MAX:
            self.backlog.frames += frames
            self._handle_many(0.0)
            self.backlog.left_at(self._settings.clock.seconds())
        elif frames:
            self._handle_frames(frames)
        if self._reader.error is not None:
            self._end_stream(self._reader.error, data)

    def _end_stream(self, problem: FrameError, data: bytes = b"") -> None:
        """What follows cannot be read: close, but not before the frames that came before are handled."""
        if self.is_open and not self.backlog.frames:
            hint = "; it looks like TLS, which is not served here" if data.startswith(_TLS_FIRST_BYTES) else ""
            self._malformed(f"{problem}{hint}")

    def _handle_many(self, waited_s: float) -> None:
        """Handle what waits, some frames at a time, until the peer does not read the answers: a read full of pulls asks for far
        more than a connection may owe. The rest waits until it has. What waited so already goes the general path, which knows
        how long a request may wait.
        """
        while self.backlog.frames and self.is_open and not self._is_full:
            frames = self.backlog.take(FRAMES_AT_ONCE_MAX)
            if waited_s < AGED_S:
                self._handle_frames(frames)
                continue
            for header_type, header, body in frames:
                if self.is_open:
                    self._handle(header_type, header, body, waited_s)
        if not self.backlog.frames or not self.is_open:
            self.backlog.clear()

    def _handle_frames(self, frames: list[Frame]) -> None:
        """The hot path: lanes first, the general path for the others; then one write for all answers."""
        lane_of = self._lanes.get
        corked: list[Part] = []
        self._corked = corked
        for header_type, header, body in frames:
            if header_type == 0:
                lane = lane_of(header[:LANE_KEY_BYTES_JSON]) or lane_of(header[:LANE_KEY_BYTES_JSON_SHORT])
            else:
                lane = lane_of(header[:LANE_KEY_BYTES_COMPACT])
            if lane is not None:
                try:
                    if lane(self, header_type, header, body):
                        continue
                except Exception:
                    self._lane_failed(header_type, header, body, Failure())
                    continue
            self._handle(header_type, header, body)
            if not self.is_open:
                break
        self._corked = None
        if corked:
            self._writes += 1
            self._writer.write(corked)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: fail what is open, tell who asked."""
        if self._close_reason is None:
            done = reason.check(error.ConnectionDone) is not None
            self._close_reason = "closed by the peer" if done else f"lost: {reason.getErrorMessage()}"
        self.is_open = False
        self.is_lost = True
        address = f"{self.peer[0]}:{self.peer[1]}"
        self._pending.fail_all(ConnectionClosed(f"the connection to {address} is {self._close_reason}"))
        callbacks, self._on_close = list(self._on_close.values()), {}
        for callback in callbacks:
            self._tell(callback)
        self._settings.listener.channel_closed(self, self._close_reason)

    # Frames

    def _handle(self, header_type: int, header: bytes, body: bytes, waited_s: float = 0.0) -> None:
        """The general path of one frame."""
        if self._before_general is not None:
            self._before_general()
        try:
            command = decode_command(header_type, header, body)
        except HeaderError as problem:
            self._malformed(str(problem))
            return
        if command.is_response:
            self._pending.answered(command)
        else:
            self._dispatcher.command_received(self, command, waited_s)

    def _lane_failed(self, header_type: int, header: bytes, body: bytes, failure: Failure) -> None:
        """A lane raised: answer as the dispatcher answers a processor that did."""
        try:
            command = decode_command(header_type, header, body)
        except HeaderError as problem:
            self._malformed(str(problem))
            return
        self._dispatcher.request_failed(self, command, failure)

    def _malformed(self, problem: str) -> None:
        self._log.warn("{peer}: malformed frame, connection closed: {problem}", peer=self.peer, problem=problem)
        self.close(f"closed: malformed frame ({problem})")

    # IChannel

    def send(self, command: RemotingCommand) -> None:
        """Write a command. Does nothing on a closed channel. Raises FrameError when it is too large."""
        if self.is_open:
            self._write(encode_frame(command if command.is_response else self._hooked(command)))

    def write_parts(self, parts: Sequence[Part]) -> None:
        """Write bytes-like objects in order, without a copy where the transport allows it. They must not change until sent."""
        if not self.is_open:
            return
        if self._corked is not None:
            self._corked += parts
            return
        self._writes += 1
        self._writer.write(parts)

    def _write(self, data: bytes) -> None:
        if self._corked is not None:
            self._corked.append(data)
        else:
            self._writes += 1
            self._writer.write((data,))

    def request(self, command: RemotingCommand, timeout_s: float) -> Deferred[RemotingCommand]:
        """Send a request under a new opaque; a Deferred of its answer.

        Fails with RequestTimeout, ConnectionClosed, TooManyRequests, or FrameError for a command that is too large.
        """
        if not self.is_open:
            return fail(ConnectionClosed(f"the connection to {self.peer[0]}:{self.peer[1]} is closed"))
        if self._writer.unsent_bytes > self._settings.write_buffer_bytes_max // 2:
            return fail(TooManyRequests(f"{self._writer.unsent_bytes} bytes to {self.peer[0]}:{self.peer[1]} wait to be sent"))
        awaited = len(self._pending)
        try:
            opaque, answer = self._pending.ask(command.code, timeout_s, self.reads)
        except TooManyRequests as refused:
            return fail(refused)
        try:
            data = encode_frame(self._outgoing(command, opaque))
        except FrameError as problem:
            answer.addErrback(lambda _: None)
            answer.cancel()
            return fail(problem)
        if awaited < DIRECT_REQUESTS_MAX or self._corked is not None:
            self._write(data)
        else:
            self._writes += 1
            self._writer.write_soon(data)
        return answer

    def send_oneway(self, command: RemotingCommand) -> None:
        """Send a request that wants no answer, under an opaque of its own. Raises FrameError when it is too large."""
        if self.is_open:
            self._write(encode_frame(self._outgoing(command, self._pending.next_opaque())))

    def _hooked(self, request: RemotingCommand) -> RemotingCommand:
        before_request = self._settings.before_request
        return request if before_request is None else before_request(request)

    def _outgoing(self, command: RemotingCommand, opaque: int) -> RemotingCommand:
        command = self._hooked(command)
        return RemotingCommand(
            command.code,
            opaque,
            command.flag,
            command.ext_fields,
            command.body,
            command.remark,
            command.language,
            command.version,
            self._settings.serialize_type,
        )

    def close(self, reason: str = "closed by us") -> None:
        """Close after what was written is sent."""
        if not self.is_open:
            return
        self.is_open = False
        self._close_reason = reason
        corked, self._corked = self._corked, None
        if corked:
            self._writer.write(list(corked))
            corked.clear()
        self._writer.close()

    def abort(self, reason: str) -> None:
        """Close at once; what is unsent is dropped."""
        if self.is_lost:
            return
        self.is_open = False
        self._close_reason = reason
        transport: Any = self.transport
        if hasattr(transport, "abortConnection"):
            transport.abortConnection()
        else:
            transport.loseConnection()

    def on_close(self, callback: Callable[[IChannel, str], None]) -> Callable[[], None]:
        """Call `callback(channel, reason)` once the connection is gone; at once if it is. Returns what takes it back."""
        if self.is_lost:
            self._tell(callback)
            return _nothing
        key = object()
        self._on_close[key] = callback
        return lambda: self._on_close.pop(key, None) and None

    def _tell(self, callback: Callable[[IChannel, str], None]) -> None:
        try:
            callback(self, self._close_reason or "")
        except Exception:
            self._log.failure("{peer}: {callback} failed when told of the close", peer=self.peer, callback=callback)

    # Flow control: what the writer tells

    def writer_full(self) -> None:
        """The peer does not read: a server reads, and handles, no more of its requests."""
        if self._settings.is_server and not self.is_lost:
            self._is_full = True
            transport: Any = self.transport
            transport.pauseProducing()

    def writer_drained(self) -> None:
        """The peer read everything: go on with what it asked."""
        self._is_full = False
        if not self._settings.is_server or not self.is_open:
            return
        self._handle_many(self.backlog.waited_s(self._settings.clock.seconds()))
        if not self._is_full and self.is_open:
            transport: Any = self.transport
            transport.resumeProducing()
            if self._reader.error is not None:
                self._end_stream(self._reader.error)

    def writer_overflowed(self, unsent_bytes: int) -> None:
        """The peer left more unread than we keep for it."""
        self._log.warn("{peer}: {unsent_bytes} bytes unread, connection closed", peer=self.peer, unsent_bytes=unsent_bytes)
        self.abort(f"closed: {unsent_bytes} bytes were not read")

    def _requests_timed_out(self, overdue: Sequence[Question]) -> None:
        """A server that was silent for too long is not there any more, whatever TCP believes."""
        silent_s = self._silence.timed_out(overdue, self.reads, self._settings.clock.seconds())
        if silent_s is not None and not self._settings.is_server:
            self.abort(f"closed: nothing was received for {silent_s:.1f} s although requests waited")


def _address_of(address: Any) -> tuple[str, int]:
    return (getattr(address, "host", ""), getattr(address, "port", 0))


def _nothing() -> None:
    """What takes back a callback that was called already."""
