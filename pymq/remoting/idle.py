# Tests: tests/remoting/test_idle.py
"""Idle connections, found by comparing counters now and then, so that no message pays for it (Java: IdleStateHandler)."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.logger import Logger

from pymq.interfaces import IClock
from pymq.remoting.protocol import RemotingProtocol

#: Seconds without a byte in either direction after which either side closes (serverChannelMaxIdleTimeSeconds).
IDLE_S = 120.0
#: How often `sweep` wants to be called.
SWEEP_INTERVAL_S = 10.0


class IdleSweep:
    """Closes channels that moved no byte for `idle_s`, late by the time between two calls at most."""

    _log = Logger()

    def __init__(self, *, clock: IClock, idle_s: float = IDLE_S) -> None:
        self._clock = clock
        self._idle_s = idle_s
        self._seen: dict[RemotingProtocol, tuple[int, float]] = {}

    def sweep(self, channels: Iterable[RemotingProtocol]) -> None:
        """Look at all channels. A channel's time counts from the first look that saw no change."""
        now, seen = self._clock.seconds(), self._seen
        self._seen = {}
        for channel in list(channels):
            moved = channel.activity
            last_moved, since = seen.get(channel, (-1, now))
            if moved != last_moved:
                self._seen[channel] = (moved, now)
            elif now - since < self._idle_s:
                self._seen[channel] = (last_moved, since)
            else:
                self._close(channel)

    def _close(self, channel: RemotingProtocol) -> None:
        self._log.info("{channel} closed: idle for {idle_s:g} s", channel=channel, idle_s=self._idle_s)
        reason = f"closed: idle for {self._idle_s:g} s"
        # In peace when nothing is owed to the peer; at once when that would take for ever.
        if channel.is_open and not channel.unsent_bytes:
            channel.close(reason)
        else:
            channel.abort(reason)
