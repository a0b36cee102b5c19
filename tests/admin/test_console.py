"""Tests of pymq.admin.console."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import pymq
from pymq.admin.console import COMMANDS, parser, run
from tests.admin.cases import written

ROOT = Path(pymq.__file__).resolve().parent.parent
MAIN = "from pymq.admin.console import main; main()"


class ConsoleTests(SynchronousTestCase):
    """The command line."""

    def refusal(self, *arguments: str) -> tuple[int, str]:
        """Exit status and what is said."""
        text = io.StringIO()
        with contextlib.redirect_stderr(text), contextlib.redirect_stdout(text):
            ended = self.assertRaises(SystemExit, run, arguments, written()[0])
        return int(ended.code or 0), text.getvalue()

    def test_every_command_has_help(self) -> None:
        """And names what belongs to it."""
        for name in COMMANDS:
            self.assertIn(name, parser().format_help())
            self.assertEqual(self.refusal(name, "--help")[0], 0)
        for action in ("dump", "verify", "recover"):
            status, text = self.refusal("store", action, "--help")
            self.assertEqual((status, "--json" in text), (0, True))

    def test_what_cannot_be_understood(self) -> None:
        """Status 2."""
        for arguments in (
            [],
            ["shop"],
            ["store"],
            ["store", "burn"],
            ["store", "dump"],
            ["store", "dump", ".", "--from-time", "now"],
        ):
            self.assertEqual(self.refusal(*arguments)[0], 2, arguments)

    def test_version(self) -> None:
        """Is the package's."""
        self.assertEqual(self.refusal("--version"), (0, f"{pymq.__version__}\n"))

    def test_as_a_process(self) -> None:
        """The exit status comes out, and a reader that has enough is no error."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", MAIN, "store", "verify", "/nowhere"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("/nowhere is not a store", done.stderr)
