# Tests: tests/testing/test_channels.py
"""A channel without a connection: it records what is sent and answers requests as the test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from pymq.errors import ConnectionClosed
from pymq.interfaces import IBufferedChannel, IChannel, IChannelListener
from pymq.remoting.writer import Part
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FrameReader

#: What answers a request in a test: the answer itself, an error to fail with, or a callable that makes either from the request.
Answer = RemotingCommand | Exception | Callable[[RemotingCommand], RemotingCommand | Exception]


@implementer(IBufferedChannel)
class FakeChannel:
    """An `IBufferedChannel` for tests of processors and of whoever else holds channels.

    `sent` are the commands sent, `written` the parts written, as bytes; `requests` the (command, timeout_s) asked. Requests are
    answered by code from `answers`; one without an answer waits in `waiting`, (command, Deferred) pairs, until the test fires it.
    """

    def __init__(self, peer: tuple[str, int] = ("10.1.2.3", 40001), local: tuple[str, int] = ("10.1.2.9", 10911)) -> None:
        self.peer = peer
        self.local = local
        self.is_open = True
        self.close_reason: str | None = None
        self.sent: list[RemotingCommand] = []
        self.written: list[bytes] = []
        self.requests: list[tuple[RemotingCommand, float]] = []
        self.answers: dict[int, Answer] = {}
        self.waiting: list[tuple[RemotingCommand, Deferred[RemotingCommand]]] = []
        self._on_close: dict[object, Callable[[IChannel, str], None]] = {}

    def __repr__(self) -> str:
        return f"<fake channel {self.peer[0]}:{self.peer[1]}>"

    def send(self, command: RemotingCommand) -> None:
        """Record a command, unless the channel is closed."""
        if self.is_open:
            self.sent.append(command)

    def write_parts(self, parts: Sequence[Part]) -> None:
        """Record parts, as bytes of their own."""
        if self.is_open:
            self.written += [bytes(part) for part in parts]

    def request(self, command: RemotingCommand, timeout_s: float) -> Deferred[RemotingCommand]:
        """Answer from `answers`, or let the request wait."""
        if not self.is_open:
            return fail(ConnectionClosed(f"{self!r} is closed"))
        self.requests.append((command, timeout_s))
        answer = self.answers.get(command.code)
        if answer is None:
            asked: Deferred[RemotingCommand] = Deferred(self._given_up)
            self.waiting.append((command, asked))
            return asked
        outcome = answer(command) if callable(answer) else answer
        return fail(outcome) if isinstance(outcome, Exception) else succeed(outcome)

    def _given_up(self, asked: Deferred[RemotingCommand]) -> None:
        self.waiting = [pair for pair in self.waiting if pair[1] is not asked]

    def close(self, reason: str = "closed by us") -> None:
        """Close, fail what waits, and tell who asked to be told."""
        self.lose(reason)

    def lose(self, reason: str = "closed by the peer") -> None:
        """What happens when the peer closes."""
        if not self.is_open:
            return
        self.is_open = False
        self.close_reason = reason
        waiting, self.waiting = self.waiting, []
        for _, asked in waiting:
            asked.errback(ConnectionClosed(reason))
        callbacks, self._on_close = list(self._on_close.values()), {}
        for callback in callbacks:
            callback(self, reason)

    def on_close(self, callback: Callable[[IChannel, str], None]) -> Callable[[], None]:
        """Call back once on close; at once when closed. Returns what takes it back."""
        key = object()
        if self.is_open:
            self._on_close[key] = callback
        else:
            callback(self, self.close_reason or "")
        return lambda: self._on_close.pop(key, None) and None

    def written_commands(self) -> list[RemotingCommand]:
        """What was written in parts, read back as commands."""
        reader = FrameReader()
        reader.feed(b"".join(self.written))
        commands = []
        while (command := reader.next_command()) is not None:
            commands.append(command)
        return commands


@implementer(IChannelListener)
class ChannelRecorder:
    """An `IChannelListener` that remembers: `opened` channels, `closed` (channel, reason) pairs."""

    def __init__(self) -> None:
        self.opened: list[IChannel] = []
        self.closed: list[tuple[IChannel, str]] = []

    def channel_opened(self, channel: IChannel) -> None:
        """Remember it."""
        self.opened.append(channel)

    def channel_closed(self, channel: IChannel, reason: str) -> None:
        """Remember it."""
        self.closed.append((channel, reason))
