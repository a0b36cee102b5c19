"""Some seeds of the simulation in every run of the tests; `python -m tests.simulation` runs more, see the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.run import run_seed

ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = 40


class SimulationTests(SynchronousTestCase):
    """A broker between faults."""

    def test_seeds(self) -> None:
        """What was acknowledged is there after every start, once, in order and whole."""
        for seed in range(SEEDS):
            try:
                run_seed(seed)
            except Exception as error:
                history = "\n  ".join(getattr(error, "history", [])[-40:])
                self.fail(f"seed {seed}: {error}\n  {history}\nagain: python -m tests.simulation --seed {seed} --trace")
            finally:
                self.flushLoggedErrors()

    def test_a_seed_replays_exactly(self) -> None:
        """In another process too, where sets of strings are in another order."""
        command = [sys.executable, "-m", "tests.simulation", "--seed", "3", "--trace"]
        first, second = (
            subprocess.run(
                command, cwd=ROOT, env={"PYTHONHASHSEED": number, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True
            ).stdout
            for number in ("1", "2")
        )
        self.assertIn(b"seed 3 went well", first)
        self.assertEqual(first, second)
