"""The lines on standard output."""

from __future__ import annotations

import io
import sys

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

    def test_nobody_to_tell(self) -> None:
        """A daemon has no standard output; a closed one is no reason to fail."""
        self.patch(sys, "__stdout__", None)
        say_line("x")
        closed = io.StringIO()
        closed.close()
        self.patch(sys, "__stdout__", closed)
        say_line("x")
