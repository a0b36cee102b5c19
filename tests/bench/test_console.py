"""The console script of the benchmark."""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from pymq.bench import console


class MainTests(SynchronousTestCase):
    """What it says to a wrong command line."""

    def test_nonsense_ends_with_a_sentence(self) -> None:
        """And points to the help."""
        self.patch(sys, "argv", ["pymq-bench", "neither"])
        self.assertIn("--help", str(self.assertRaises(SystemExit, console.main).code))

    def test_lines_appear_at_once(self) -> None:
        """Also into a pipe."""
        written: list[str] = []

        class Stream:
            """Notes what happens to it."""

            def write(self, text: str) -> None:
                """Note the text."""
                written.append(text)

            def flush(self) -> None:
                """Note the flush."""
                written.append("<flushed>")

        self.patch(sys, "stdout", Stream())
        console.say("a line")
        self.assertEqual("".join(written), "a line\n<flushed>")
