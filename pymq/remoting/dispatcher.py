# Tests: tests/remoting/test_dispatcher.py
"""Requests to processors, and what comes of them back to the channel. The one place where an error becomes an answer.

A processor may answer later, by a Deferred. The dispatcher holds it together with its channel and cancels it when the channel
closes, so nobody else needs to remember who waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.errors import FrameError, RequestError
from pymq.interfaces import IChannel, IProcessorTable, IRequestProcessor
from pymq.wire.codes import ResponseCode
from pymq.wire.command import RemotingCommand

#: Requests of one channel that may wait for a later answer: held pulls, sends that wait for the disk.
HELD_REQUESTS_MAX = 65_536
#: Java's words, by which clients and operators know a broker that has too much to do.
OVERLOAD_REMARK = "[OVERLOAD]system busy, start flow control for a while"

_REMARK_CHARS_MAX = 1024


@implementer(IProcessorTable)
class ProcessorTable:
    """Processors by request code."""

    def __init__(self) -> None:
        self._processors: dict[int, IRequestProcessor] = {}

    def register(self, processor: IRequestProcessor) -> None:
        """Serve all `processor.codes` by it. Raises ValueError for a code that is served already; then none is taken."""
        codes = [int(code) for code in processor.codes]
        for code in codes:
            if code in self._processors:
                raise ValueError(f"request code {code} is served by {self._processors[code]!r} already")
        self._processors.update(dict.fromkeys(codes, processor))

    def lookup(self, code: int) -> IRequestProcessor | None:
        """The processor for a code, or None."""
        return self._processors.get(code)


class Dispatcher:
    """Takes the requests of all channels to their processors (Java: NettyRemotingAbstract.processRequestCommand).

    `late(code, waited_s)` says why a request that was read so long ago is refused, or gives None (`pymq.broker.fastfailure`).
    """

    _log = Logger()

    def __init__(
        self,
        table: IProcessorTable,
        *,
        held_requests_max: int = HELD_REQUESTS_MAX,
        late: Callable[[int, float], RequestError | None] | None = None,
    ) -> None:
        self._lookup = table.lookup
        self._late = late
        self._held_requests_max = held_requests_max
        self._held: dict[IChannel, set[Deferred[Any]]] = {}

    def command_received(self, channel: IChannel, request: RemotingCommand, waited_s: float = 0.0) -> None:
        """Process one request that came over `channel` and was read `waited_s` ago. Never raises."""
        try:
            processor = self._lookup(request.code)
            if processor is None:
                code = int(request.code)
                raise RequestError(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, f" request type {code} not supported")
            late = None if self._late is None else self._late(request.code, waited_s)
            if late is not None:
                raise late
            if len(self._held.get(channel, ())) >= self._held_requests_max:
                held = f"{self._held_requests_max} requests of this connection wait for an answer"
                raise RequestError(ResponseCode.SYSTEM_BUSY, f"{OVERLOAD_REMARK}, {held}")
            outcome = processor.process(channel, request)
        except Exception:
            self.request_failed(channel, request, Failure())
            return
        if isinstance(outcome, Deferred):
            self._hold(channel, request, outcome)
        elif outcome is not None:
            self._answer(channel, request, outcome)

    def held_count(self, channel: IChannel) -> int:
        """How many requests of a channel wait for a later answer."""
        return len(self._held.get(channel, ()))

    def request_failed(self, channel: IChannel, request: RemotingCommand, failure: Failure) -> None:
        """Answer a request by the error it met: a RequestError's own code and remark, SYSTEM_ERROR for what nobody foresaw."""
        error = failure.value
        if isinstance(error, RequestError):
            self._answer(channel, request, request.reply(error.code, error.remark))
            return
        self._log.failure("{request!r} from {peer} failed", failure, request=request, peer=channel.peer)
        remark = f"{type(error).__qualname__}: {error}"[:_REMARK_CHARS_MAX]
        self._answer(channel, request, request.reply(ResponseCode.SYSTEM_ERROR, remark))

    def _answer(self, channel: IChannel, request: RemotingCommand, response: RemotingCommand) -> None:
        if request.is_oneway:
            return
        try:
            channel.send(response)
        except FrameError as error:
            self._log.error("{request!r}: the answer cannot be sent: {error}", request=request, error=error)
            channel.send(request.reply(ResponseCode.SYSTEM_ERROR, str(error)))
        except Exception:
            self._log.failure("{request!r}: the answer {response!r} cannot be written", request=request, response=response)

    def _hold(self, channel: IChannel, request: RemotingCommand, outcome: Deferred[Any]) -> None:
        held = self._held.get(channel)
        is_first = held is None
        if held is None:
            held = self._held[channel] = set()
        held.add(outcome)

        def fired(result: Any) -> None:
            held.discard(outcome)
            if isinstance(result, Failure):
                if channel.is_open or result.check(CancelledError) is None:
                    self.request_failed(channel, request, result)
            elif result is not None:
                self._answer(channel, request, result)

        def broke(failure: Failure) -> None:
            self._log.failure("{request!r} from {peer}: its late answer", failure, request=request, peer=channel.peer)

        outcome.addBoth(fired).addErrback(broke)
        if is_first:
            # Last, because a channel that is closed already calls back at once.
            channel.on_close(self._channel_closed)

    def _channel_closed(self, channel: IChannel, reason: str) -> None:
        """Give up everything that a closed channel waited for."""
        for outcome in list(self._held.pop(channel, ())):
            outcome.cancel()
