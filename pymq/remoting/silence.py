# Tests: tests/remoting/test_silence.py
"""Whether a server is still there, judged by requests that it left unanswered: a black hole closes no connection.

Java closes the connection as soon as one request of a waiting caller is late (clientCloseSocketIfTimeout). Here one late answer
is no reason, for others may be under way over the same connection; that nothing at all came is one.
"""

from __future__ import annotations

from collections.abc import Iterable

from pymq.remoting.pending import SWEEP_INTERVAL_S, Question

#: After so many seconds without a byte from a server that was asked something, its connection counts as dead.
SILENCE_MAX_S = 3.0


class Silence:
    """How long one server has been silent. `reads` is always the number of reads of its connection so far."""

    __slots__ = ("_reads", "_since_s")

    def __init__(self) -> None:
        self._reads = -1
        self._since_s = 0.0

    def timed_out(self, overdue: Iterable[Question], reads: int, now_s: float) -> float | None:
        """Deadlines have passed: for how many seconds nothing was received since something was asked, if that is too long."""
        for question in overdue:
            if question.reads == reads:
                asked_s = question.deadline - question.timeout_s
                self._since_s = min(self._since_s, asked_s) if self._reads == reads else asked_s
                self._reads = reads
        silent_s = now_s - self._since_s
        # The deadline was computed, and may be noticed early by as much as its rounding.
        return silent_s if self._reads == reads and silent_s > SILENCE_MAX_S - SWEEP_INTERVAL_S else None
