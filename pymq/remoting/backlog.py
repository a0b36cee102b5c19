# Tests: tests/remoting/test_backlog.py
"""Frames of one connection that were read and wait until its peer reads the answers to those before them."""

from __future__ import annotations

Frame = tuple[int, bytes, bytes]

#: Frames that waited so long are no more handled as if they had just come, in seconds.
AGED_S = 0.05


class Backlog:
    """What waits, in order, and since when. It is bounded by what one read brings: while frames wait nothing more is read."""

    __slots__ = ("_since", "frames")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._since = 0.0

    def take(self, count: int) -> list[Frame]:
        """The next frames, `count` at most."""
        taken, self.frames = self.frames[:count], self.frames[count:]
        return taken

    def left_at(self, now: float) -> None:
        """Frames could not be handled now, in seconds since the epoch; they wait from now on unless they have waited before."""
        if self.frames and not self._since:
            self._since = now

    def clear(self) -> None:
        """Nothing waits any more."""
        self.frames = []
        self._since = 0.0

    def waited_s(self, now: float) -> float:
        """How long the first frame has waited, in seconds; 0 when none waits."""
        return now - self._since if self._since else 0.0
