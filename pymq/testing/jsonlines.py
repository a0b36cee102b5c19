# Tests: tests/testing/test_jsonlines.py
"""The testing kit as a conversation: a command on each line that comes in, its answer on a line that goes out, in their order."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.testing.commands import CommandError, NotYet, Stop, decode_command
from pymq.testing.handlers import run
from pymq.testing.kit import Kit

__all__ = ["JsonLines"]

#: A line may hold the largest message, whose base64 is a third longer.
LINE_BYTES_MAX = 16 * 1024 * 1024
#: Lines that wait for those before them.
LINES_WAITING_MAX = 1000
#: When nobody can ask any more, what was asked before may take so long.
GRACE_S = 10.0


@implementer(IHalfCloseableProtocol)
class JsonLines(LineReceiver):
    """Runs commands on a kit that is started. `over` fires when it is stopped, as was asked for or because the peer is gone."""

    _log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = LINE_BYTES_MAX

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._lines: deque[bytes] = deque()
        self._is_busy = False
        #: Whether the peer asks for no more; whether the end has begun.
        self._is_asked_all = False
        self._is_ending = False
        self._grace: IDelayedCall | None = None
        self.over: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Say where everything is."""
        self._write(self._kit.status())

    def lineReceived(self, line: bytes) -> None:
        """Do it when all before it is done."""
        if line.strip():
            if len(self._lines) >= LINES_WAITING_MAX:
                self._answer(None, CommandError(f"{LINES_WAITING_MAX} commands wait already; read the answers first"))
                return
            self._lines.append(line)
            self._go_on()

    def lineLengthExceeded(self, line: bytes) -> None:
        """There is no telling where the next command begins."""
        self._answer(None, CommandError(f"a line may have {LINE_BYTES_MAX} bytes; this is the end"))
        self._end()

    def readConnectionLost(self) -> None:
        """Nobody will ask for more: finish what was asked, and end."""
        self.lineReceived(self.clearLineBuffer())
        self._is_asked_all = True
        self._grace = self._kit.reactor.callLater(GRACE_S, self._end)
        self._go_on()

    def writeConnectionLost(self) -> None:
        """Nobody listens."""
        self._end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody is there."""
        self._end()

    def _go_on(self) -> None:
        if self._is_busy or self._is_ending:
            return
        if self._lines:
            self._is_busy = True
            Deferred.fromCoroutine(self._do(self._lines.popleft())).addErrback(self._broke)
        elif self._is_asked_all:
            self._end()

    async def _do(self, line: bytes) -> None:
        line_id, is_last = None, False
        try:
            line_id, command = decode_command(line)
            is_last = isinstance(command, Stop)
            answer: Any = await run(self._kit, command)
        except CommandError as error:
            answer, line_id = error, error.line_id if line_id is None else line_id
        except Exception as error:
            self._log.failure("{line}", line=line[:200])
            answer = CommandError(f"the kit failed, which is an error in it: {error!r}")
        self._answer(line_id, answer)
        self._is_busy = False
        if is_last:
            self._end()
        else:
            self._go_on()

    def _broke(self, failure: Failure) -> None:
        self._log.failure("the answer to a command", failure)
        self._end()

    def _answer(self, line_id: Any, answer: Any) -> None:
        if isinstance(answer, CommandError):
            said: dict[str, Any] = {"ok": False, "error": str(answer)}
            if isinstance(answer, NotYet):
                said["notYet"] = True
        else:
            said = {"ok": True, "result": answer}
        self._write(said if line_id is None else {"id": line_id, **said})

    def _write(self, value: Any) -> None:
        if self.transport is not None:
            self.sendLine(msgspec.json.encode(value))

    def _end(self) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        if self._grace is not None and self._grace.active():
            self._grace.cancel()
        if self.transport is not None:
            self.transport.loseConnection()
        Deferred.fromCoroutine(self._kit.stop()).chainDeferred(self.over)
