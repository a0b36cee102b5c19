"""The lines on standard output."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pymq.services.announce import say_line


class SayTests(SynchronousTestCase):
    """Past the logging, to the real standard output."""

    def test_a_line_is_written_whole(self) -> None:
        """With its end, at once."""
        stream = io.StringIO()
        self.patch(sys, "__stdout__", stream)
        say_line("The broker boot success.")
        self.assertEqual(stream.getvalue(), "The broker boot success.\n")

    def test_a_daemon_logs_the_line(self) -> None:
        """It has no standard output, or the null device in its place."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        with open(os.devnull, "w") as null:
            for stream in (None, null):
                self.patch(sys, "__stdout__", stream)
                say_line("The broker boot success.")
        self.assertEqual([event["text"] for event in events], ["The broker boot success."] * 2)

    def test_nobody_to_tell(self) -> None:
        """A closed stream is no reason to fail."""
        closed = io.StringIO()
        closed.close()
        self.patch(sys, "__stdout__", closed)
        say_line("x")
