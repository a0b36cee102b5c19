"""The benchmark of starts after a kill, on a log of a few megabytes."""

from __future__ import annotations

import os

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from pymq.bench.options import Options
from pymq.bench.recovery import measure


class RecoveryBenchTests(SynchronousTestCase):
    """`pymq-bench recovery`."""

    def options(self, *arguments: str) -> Options:
        """Those of a command line."""
        options = Options()
        options.parseOptions(["recovery", *arguments])
        return options.subOptions

    def test_measures(self) -> None:
        """What was filled is recovered, and only its end is checked, for the checkpoint vouches for the rest."""
        folder, said = self.mktemp(), []
        measure(self.options("-d", folder, "-g", "0.02", "-s", "16384", "-r", "0.1"), said.append)
        (line,) = [line for line in said if line.startswith("recovered")]
        self.assertIn("recovered a log of 0.02 GiB in ", line)
        checked = int(line.split(" records")[0].rpartition(" ")[2])
        self.assertTrue(0 < checked < 1000, line)
        self.assertTrue(any(line.startswith("memory after: ") for line in said))
        self.assertTrue(os.path.exists(os.path.join(folder, "commitlog")))
        self.assertRaises(SystemExit, measure, self.options("-d", folder), said.append)

    def test_nonsense_is_refused(self) -> None:
        """With a sentence."""
        for arguments in ([], ["-d", "x", "-g", "0"], ["-d", "x", "-s", "0"], ["-d", "x", "-r", "-1"]):
            self.assertRaises(usage.UsageError, self.options, *arguments)
