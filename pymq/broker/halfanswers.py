# Tests: tests/broker/test_halfanswers.py
"""What the op messages say: which half messages are ended, and from where on the op queue must be read again after a restart."""

from __future__ import annotations

from collections.abc import Iterable

#: Half messages known as ended that lie ahead of the one that is looked at. No more op messages are read above it.
ANSWERS_HELD_MAX = 262_144
#: Ended offsets that lie behind, kept for postponed messages whose producer still names their first offset; the oldest go.
LATE_ANSWERS_MAX = 65_536


class HalfAnswers:
    """The op queue, read from `op_offset` on, for a half queue of which `half_offset` is the next to be looked at."""

    def __init__(self, op_offset: int, half_offset: int) -> None:
        self.next_op_offset = op_offset
        self._half_offset = half_offset
        self._op_of: dict[int, int] = {}
        #: How many half messages of an op message are still ahead; ascending, for op messages are read in their order.
        self._open: dict[int, int] = {}
        self._late: dict[int, None] = {}

    @property
    def is_full(self) -> bool:
        """Whether no more may be noted."""
        return len(self._op_of) >= ANSWERS_HELD_MAX

    @property
    def progress(self) -> int:
        """The op offset to go on from after a restart: everything before it is about half messages that are behind."""
        return next(iter(self._open), self.next_op_offset)

    def note(self, op_offset: int, half_offsets: Iterable[int]) -> None:
        """An op message was read at `op_offset` and ends these half messages; a second one for the same says nothing new."""
        ahead = 0
        for offset in half_offsets:
            if offset < self._half_offset:
                self._note_late(offset)
            elif offset not in self._op_of:
                self._op_of[offset] = op_offset
                ahead += 1
        if ahead:
            self._open[op_offset] = ahead
        self.next_op_offset = op_offset + 1

    def _note_late(self, offset: int) -> None:
        self._late[offset] = None
        if len(self._late) > LATE_ANSWERS_MAX:
            del self._late[next(iter(self._late))]

    def take(self, half_offset: int) -> bool:
        """Whether that half message is ended; it is forgotten then."""
        op_offset = self._op_of.pop(half_offset, None)
        if op_offset is None:
            return False
        left = self._open[op_offset] - 1
        if left:
            self._open[op_offset] = left
        else:
            del self._open[op_offset]
        return True

    def take_late(self, half_offset: int) -> bool:
        """Whether a half message that lies behind was ended after it had been passed; it is forgotten then."""
        if half_offset not in self._late:
            return False
        del self._late[half_offset]
        return True

    def move_to(self, half_offset: int) -> None:
        """The half message there is the next to be looked at; what is known of those before it has become late."""
        if half_offset == self._half_offset + 1 and self._half_offset not in self._op_of:
            self._half_offset = half_offset
            return
        self._half_offset = half_offset
        for offset in [offset for offset in self._op_of if offset < half_offset]:
            self.take(offset)
            self._note_late(offset)
