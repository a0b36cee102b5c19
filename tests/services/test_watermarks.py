"""Tests of pymq.services.watermarks."""

from __future__ import annotations

from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.runtimeinfo import RuntimeInfo
from pymq.remoting.backlog import Backlog
from pymq.services.watermarks import WaterMarks, backlog_of
from tests.broker.processors.parts import Parts


class Channel:
    """A connection with so many unhandled frames since then, and so many unread bytes."""

    def __init__(self, frames: int = 0, since: float = 0.0, unsent_bytes: int = 0) -> None:
        self.backlog = Backlog()
        self.backlog.frames += [(0, b"", b"")] * frames
        self.backlog.left_at(since)
        self.unsent_bytes = unsent_bytes


class Server:
    """A listener with channels."""

    def __init__(self, *channels: Channel) -> None:
        self.channels = set(channels)


class WaterMarksTests(SynchronousTestCase):
    """A broker on two listeners."""

    def setUp(self) -> None:
        """Nothing waits."""
        self.parts = parts = Parts()
        self.servers: list[Any] = [Server(), Server()]
        runtime_info = RuntimeInfo(
            config=parts.config,
            store=parts.store,
            stats=parts.stats,
            delay_offsets=parts.delay_offsets,
            commit_log_paths=["/data/log"],
            fast_failure=parts.fast_failure,
            flusher=parts.flusher,
            backlog=lambda: backlog_of(self.servers, parts.clock),
        )
        self.marks = WaterMarks(
            servers=self.servers,
            runtime_info=runtime_info,
            fast_failure=parts.fast_failure,
            holds=parts.holds,
            store=parts.store,
            clock=parts.clock,
        )
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def lines(self) -> list[str]:
        """What was logged since the last look, under Java's names."""
        names = ("RocketmqWaterMark", "RocketmqBroker")
        lines = [event["log_format"].format(**event) for event in self.events if event["log_namespace"] in names]
        self.events.clear()
        return lines

    def print_for(self, seconds: int) -> list[str]:
        """The lines of so many seconds."""
        for _ in range(seconds):
            self.marks.print_water_mark()
            self.parts.clock.advance(1)
        return self.lines()

    def test_once_a_minute_while_all_is_calm(self) -> None:
        """In Java's words."""
        lines = self.print_for(60)
        self.assertEqual(
            lines,
            [
                "[WATERMARK] Send Queue Size: 0 SlowTimeMills: 0",
                "[WATERMARK] Pull Queue Size: 0 SlowTimeMills: 0",
                "[WATERMARK] Held Pulls: 0 Connections: 0 Unread Answer Bytes: 0 Refused Requests: 0",
            ],
        )
        self.assertEqual(self.print_for(1), lines)

    def test_every_second_while_something_waits(self) -> None:
        """Sends for the disk."""
        self.print_for(1)
        self.parts.fast_failure.sends_waiting = 5
        self.parts.flusher.head_wait_s = 0.25
        lines = self.print_for(3)
        self.assertEqual(lines[0], "[WATERMARK] Send Queue Size: 5 SlowTimeMills: 250")
        self.assertEqual(len(lines), 9)

    def test_what_waits_for_its_peers(self) -> None:
        """Over all listeners and connections; the oldest says how long."""
        now = self.parts.clock.seconds()
        self.servers[0].channels = {Channel(3, now - 1, 100), Channel()}
        self.servers[1].channels = {Channel(4, now - 2, 50)}
        _, pulls, rest = self.print_for(1)
        self.assertEqual(pulls, "[WATERMARK] Pull Queue Size: 7 SlowTimeMills: 2000")
        self.assertEqual(rest, "[WATERMARK] Held Pulls: 0 Connections: 3 Unread Answer Bytes: 150 Refused Requests: 0")

    def test_what_was_refused(self) -> None:
        """Since the last lines."""
        self.print_for(1)
        self.parts.fast_failure.refused_count += 2
        self.assertIn("Refused Requests: 2", self.print_for(2)[-1])
        self.assertEqual(self.print_for(10), [])

    def test_dispatch_lag(self) -> None:
        """In Java's words."""
        self.marks.print_dispatch_lag()
        self.assertEqual(self.lines(), ["dispatch behind commit log 0 bytes"])
