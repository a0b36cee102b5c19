# Tests: tests/remoting/test_pending.py
"""The open questions of one connection: which answer belongs to which request, and until when it is waited for.

An answer is one of three things: due, too late (its request was given up, which is normal and only worth a debug line), or the
answer to something that was never asked, which deserves a warning. Opaques are counted upwards, so the second and the third are
told apart without remembering anything: what lies below the counter was asked once. Java: NettyRemotingAbstract.responseTable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.errors import PyMQError, RequestTimeout, TooManyRequests
from pymq.interfaces import IClock
from pymq.wire.command import RemotingCommand

#: Requests without an answer that one connection may have (com.rocketmq.remoting.clientAsyncSemaphoreValue).
PENDING_REQUESTS_MAX = 65_535
#: How late a deadline may be noticed. One timer serves all requests: a timer for each costs more than the request itself.
SWEEP_INTERVAL_S = 0.05

_OPAQUE_MAX = 2**31 - 1


class Question:
    """One request that waits for its answer. `reads` is what its asker gave, a count of what had come until then."""

    __slots__ = ("answer", "code", "deadline", "reads", "timeout_s")

    def __init__(self, answer: Deferred[RemotingCommand], code: int, deadline: float, timeout_s: float, reads: int) -> None:
        self.answer = answer
        self.code = code
        self.deadline = deadline
        self.timeout_s = timeout_s
        self.reads = reads


class PendingRequests:
    """Requests by opaque. `address` names the peer in errors; `timed_out` is told of those whose deadlines have passed."""

    _log = Logger()

    def __init__(
        self,
        *,
        clock: IClock,
        address: str = "",
        pending_requests_max: int = PENDING_REQUESTS_MAX,
        timed_out: Callable[[Sequence[Question]], None] | None = None,
    ) -> None:
        self._clock = clock
        self._address = address
        self._pending_requests_max = pending_requests_max
        self._timed_out = timed_out
        self._open: dict[int, Question] = {}
        self._next_opaque = 1
        self._sweep_call: Any = None
        self._sweep_at = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def next_opaque(self) -> int:
        """A number for a request that wants no answer."""
        opaque = self._next_opaque
        self._next_opaque = opaque + 1 if opaque < _OPAQUE_MAX else 0
        return opaque

    def ask(self, code: int, timeout_s: float, reads: int = 0) -> tuple[int, Deferred[RemotingCommand]]:
        """The opaque for a new request of that code, and the Deferred of its answer.

        The Deferred fails with RequestTimeout, or with whatever `fail_all` gives. Raises TooManyRequests.
        """
        questions = self._open
        if len(questions) >= self._pending_requests_max:
            raise TooManyRequests(f"{len(questions)} requests to {self._address} wait for an answer; that is the limit")
        opaque = self._next_opaque
        while opaque in questions:
            opaque = opaque + 1 if opaque < _OPAQUE_MAX else 0
        self._next_opaque = opaque + 1 if opaque < _OPAQUE_MAX else 0
        answer: Deferred[RemotingCommand] = Deferred(lambda _: self._give_up(opaque))
        deadline = self._clock.seconds() + timeout_s
        questions[opaque] = Question(answer, code, deadline, timeout_s, reads)
        if self._sweep_call is None or deadline < self._sweep_at:
            self._sweep_later(deadline)
        return opaque, answer

    def _give_up(self, opaque: int) -> None:
        self._open.pop(opaque, None)

    def answered(self, response: RemotingCommand) -> bool:
        """Give an answer to whom it is due; False when nobody waits for it."""
        question = self._open.pop(response.opaque, None)
        if question is not None:
            question.answer.callback(response)
            return True
        if 0 <= response.opaque < self._next_opaque:
            self._log.debug(
                "{address} answered request {opaque}, which was given up", address=self._address, opaque=response.opaque
            )
        else:
            self._log.warn(
                "{address} answered request {opaque}, which was never asked: {response!r}",
                address=self._address,
                opaque=response.opaque,
                response=response,
            )
        return False

    def fail_all(self, error: PyMQError) -> None:
        """Fail every open request with `error`, because the connection is gone."""
        if self._sweep_call is not None:
            self._sweep_call.cancel()
            self._sweep_call = None
        while self._open:
            _, question = self._open.popitem()
            question.answer.errback(error)

    def _sweep_later(self, at: float) -> None:
        delay = max(at - self._clock.seconds(), SWEEP_INTERVAL_S)
        if self._sweep_call is not None:
            self._sweep_call.reset(delay)
        else:
            self._sweep_call = self._clock.callLater(delay, self._sweep)
        self._sweep_at = at

    def _sweep(self) -> None:
        """Fail what is overdue, and come again for the next deadline."""
        self._sweep_call = None
        now = self._clock.seconds()
        overdue = [opaque for opaque, question in self._open.items() if question.deadline <= now]
        questions = [self._open.pop(opaque) for opaque in overdue]
        if self._open:
            self._sweep_later(min(question.deadline for question in self._open.values()))
        for question in questions:
            question.answer.errback(RequestTimeout(self._address, question.code, question.timeout_s))
        if questions and self._timed_out is not None:
            self._timed_out(questions)
