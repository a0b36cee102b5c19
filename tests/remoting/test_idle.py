"""Idle connections are closed, busy ones are not."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.remoting.idle import IdleSweep


class Counting:
    """As much of a channel as the sweep looks at."""

    def __init__(self) -> None:
        self.activity = 0
        self.is_open = True
        self.unsent_bytes = 0
        self.ended: list[str] = []

    def close(self, reason: str) -> None:
        """Remember."""
        self.is_open = False
        self.ended.append("close")

    def abort(self, reason: str) -> None:
        """Remember."""
        self.ended.append("abort")


class IdleSweepTests(SynchronousTestCase):
    """Sweeps every ten seconds, 120 seconds allowed."""

    def setUp(self) -> None:
        """One channel."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.idle = IdleSweep(clock=self.clock, idle_s=120)
        self.channel = Counting()

    def sweep(self, times: int) -> None:
        """So many rounds of ten seconds."""
        for _ in range(times):
            self.idle.sweep([self.channel])  # type: ignore[list-item]
            self.clock.advance(10)

    def test_idle_channel_is_closed_in_peace(self) -> None:
        """After 120 seconds, not before."""
        self.sweep(12)
        self.assertEqual(self.channel.ended, [])
        self.sweep(1)
        self.assertEqual(self.channel.ended, ["close"])

    def test_any_byte_begins_the_time_anew(self) -> None:
        """In either direction."""
        self.sweep(12)
        self.channel.activity += 1
        self.sweep(12)
        self.assertEqual(self.channel.ended, [])

    def test_peer_that_takes_nothing_is_aborted(self) -> None:
        """To wait for it would take for ever."""
        self.channel.unsent_bytes = 9
        self.sweep(13)
        self.assertEqual(self.channel.ended, ["abort"])

    def test_close_that_does_not_end_is_aborted(self) -> None:
        """A channel that is being closed is swept as well."""
        self.sweep(13 + 13)
        self.assertEqual(self.channel.ended, ["close", "abort"])
