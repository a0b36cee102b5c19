"""The console scripts."""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from pymq.tap import broker, console


class RunTests(SynchronousTestCase):
    """What ends before the reactor runs."""

    def test_a_wrong_setting_ends_with_key_value_and_what_is_allowed(self) -> None:
        """One line; nothing was started."""
        made: list[object] = []
        error = self.assertRaises(SystemExit, console.run, broker.Options(environ={}), made.append, ["listenPort=x"])
        self.assertEqual(error.code, "listenPort=x cannot be used: a whole number is allowed (see --help)")
        self.assertEqual(made, [])

    def test_help_ends_with_success(self) -> None:
        """After it was printed."""
        self.patch(sys, "stdout", sys.stderr)
        error = self.assertRaises(SystemExit, console.run, broker.Options(environ={}), None, ["--help"])
        self.assertFalse(error.code)
