# Tests: tests/admin/test_progress.py
"""A bar for long work, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

__all__ = ["Progress"]

WIDTH = 30
INTERVAL_S = 0.1
_MIB = 1024 * 1024


class Progress:
    """Draws `label [####    ] 42% 512 of 1024 MiB` over and over on one line of `stream`; nothing where that is no terminal.

    `clock` gives seconds, for drawing at most ten times a second.
    """

    def __init__(self, label: str, stream: TextIO, clock: Callable[[], float]) -> None:
        self._label = label
        self._stream = stream
        self._clock = clock
        self._next_s = clock() + INTERVAL_S
        self._is_shown = False
        self._is_terminal = stream.isatty()

    def __call__(self, done_bytes: int, all_bytes: int) -> None:
        """So much of it is done."""
        if not self._is_terminal or not all_bytes:
            return
        now_s = self._clock()
        if now_s < self._next_s:
            return
        self._next_s = now_s + INTERVAL_S
        self._is_shown = True
        filled = done_bytes * WIDTH // all_bytes
        bar = ("#" * filled).ljust(WIDTH)
        percent = done_bytes * 100 // all_bytes
        self._stream.write(f"\r{self._label} [{bar}] {percent:3d}% {done_bytes // _MIB} of {all_bytes // _MIB} MiB")
        self._stream.flush()

    def clear(self) -> None:
        """Take the bar away, before something is printed, and at the end."""
        if self._is_shown:
            self._is_shown = False
            self._stream.write("\r\x1b[K")
            self._stream.flush()
