"""Tests of pymq.admin.output."""

from __future__ import annotations

import io
import json

from twisted.trial.unittest import SynchronousTestCase

from pymq.admin.output import Output, time_text
from tests.admin.cases import written
from tests.admin.test_progress import Terminal


class OutputTests(SynchronousTestCase):
    """Rows."""

    def test_rows(self) -> None:
        """A line for people, or an object for programs."""
        output, out = written()
        output.row("unit", "T/0@1", queueId=0)
        self.assertEqual(out.getvalue(), "T/0@1\n")
        output, out = written(as_json=True)
        output.row("unit", "T/0@1", topic="Größe", queueId=0)
        self.assertEqual(json.loads(out.getvalue()), {"kind": "unit", "topic": "Größe", "queueId": 0})

    def test_complaints(self) -> None:
        """Go to standard error."""
        error = io.StringIO()
        Output(io.StringIO(), error).complain("no store")
        self.assertEqual(error.getvalue(), "pymq-admin: no store\n")

    def test_rows_take_the_bar_away(self) -> None:
        """So that both can be read."""
        error = Terminal()
        output = Output(io.StringIO(), error)
        bar = output.progress("reading")
        bar._next_s = 0
        bar(1, 2)
        output.row("x", "x")
        self.assertTrue(error.getvalue().endswith("\x1b[K"))

    def test_times(self) -> None:
        """In UTC; a number that is no time stays one."""
        self.assertEqual(time_text(1_700_000_000_007), "2023-11-14T22:13:20.007Z")
        self.assertEqual(time_text(2**62), f"{2**62} ms")
