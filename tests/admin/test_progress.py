"""Tests of pymq.admin.progress."""

from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from pymq.admin.progress import Progress

_MIB = 1024 * 1024


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    def isatty(self) -> bool:
        """Yes."""
        return True


class ProgressTests(SynchronousTestCase):
    """The bar."""

    def setUp(self) -> None:
        self.now_s = 0.0

    def bar(self, stream: io.StringIO) -> Progress:
        """One on a stream, with a clock of the test."""
        return Progress("verifying", stream, lambda: self.now_s)

    def test_on_a_terminal(self) -> None:
        """Drawn over itself, ten times a second at most, and taken away."""
        stream = Terminal()
        bar = self.bar(stream)
        bar(1, 4 * _MIB)
        self.assertEqual(stream.getvalue(), "")
        for share in (1, 2):
            self.now_s += 0.1
            bar(share * 2 * _MIB, 4 * _MIB)
            bar(share * 2 * _MIB, 4 * _MIB)
        half, full = "#" * 15 + " " * 15, "#" * 30
        self.assertEqual(stream.getvalue(), f"\rverifying [{half}]  50% 2 of 4 MiB\rverifying [{full}] 100% 4 of 4 MiB")
        bar.clear()
        bar.clear()
        self.assertTrue(stream.getvalue().endswith("MiB\r\x1b[K"))
        bar(1, 0)

    def test_elsewhere(self) -> None:
        """Nothing, so that a file gets nothing but what is meant for it."""
        stream = io.StringIO()
        bar = self.bar(stream)
        self.now_s = 1
        bar(1, 2)
        bar.clear()
        self.assertEqual(stream.getvalue(), "")
