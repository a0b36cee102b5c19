"""The samples of the documents that are tests: run as a reader would run them, by pytest or, where they say so, by trial."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import documents

PLUGINS = ("pymq.testing.pytest_plugin", "pytest_twisted")
RUN_S = 600


class SampleTests(SynchronousTestCase):
    """All of one kind in one run, side by side."""

    def run_samples(self, texts: list[str], *words: str) -> tuple[str, int]:
        """The output of a run in which all passed, and how many tests the samples have."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for number, text in enumerate(texts):
            (folder / f"test_sample_{number}.py").write_text(text, encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-m", *words, *map(str, sorted(folder.resolve().iterdir()))],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(documents.ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout, sum(len(documents.IS_TEST.findall(text)) for text in texts)

    def test_with_pytest(self) -> None:
        """The README's, and most others."""
        words = [word for plugin in PLUGINS for word in ("-p", plugin)]
        output, count = self.run_samples(
            documents.tests(of_trial=False), "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", *words
        )
        self.assertGreaterEqual(count, 5)
        self.assertIn(f"{count} passed", output)

    def test_with_trial(self) -> None:
        """Those that are trial's test cases."""
        output, count = self.run_samples(documents.tests(of_trial=True), "twisted.trial")
        self.assertGreaterEqual(count, 1)
        self.assertIn(f"successes={count}", output)
