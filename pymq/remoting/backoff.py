# Tests: tests/remoting/test_backoff.py
"""How long to wait between tries that fail: longer each time, up to a limit, and by chance not the same for everybody."""

from __future__ import annotations

import random
from collections.abc import Callable

#: Beyond so many failures the pause is at any sensible maximum; the power of two must not grow with the length of an outage.
_DOUBLINGS_MAX = 16


class Backoff:
    """Pauses for one thing that is tried again and again.

    The first is up to `first_s`, each further one twice as long, none longer than `max_s`. Half of each pause is chance, so that
    clients which lost the same server at the same moment do not all come back at another same moment. `chance` gives a number
    from 0 to 1.
    """

    __slots__ = ("_chance", "_failures", "_first_s", "_max_s")

    def __init__(self, first_s: float, max_s: float, chance: Callable[[], float] = random.random) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        """A try failed: seconds until the next one."""
        full_s = min(self._first_s * 2**self._failures, self._max_s)
        self._failures = min(self._failures + 1, _DOUBLINGS_MAX)
        return full_s * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """A try went well: the next failure is a first one."""
        self._failures = 0
