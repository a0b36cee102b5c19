"""Chaos: who sends, who receives and the broker are killed at random while Java works with retries, order and transactions.

No message is lost, no committed one is missing, no rolled-back one is seen, order is kept (chaos_model.py says what that means).
PYMQ_CHAOS_SECONDS (120) and PYMQ_CHAOS_SEED choose how long and which run.
"""

import os
import shutil

from . import chaos_report
from .chaos_scene import Scene

SECONDS = int(os.environ.get("PYMQ_CHAOS_SECONDS", "120"))
SEED = int(os.environ.get("PYMQ_CHAOS_SEED", "20261122"))
#: Of each kind; a run in which less was done has shown nothing.
MESSAGES_LEAST_PER_S = 2


def test_chaos(tmp_path):
    """Strike, let everybody come back, drain, and compare what was sent, stored and received."""
    with Scene(tmp_path, SEED) as scene:
        try:
            scene.strike(SECONDS)
            scene.drain()
            problems = scene.end()
        except Exception as error:
            scene.trouble.append(repr(error))
            raise AssertionError(chaos_report.failure(scene, SECONDS, scene.model.problems)) from error
        print(chaos_report.summary(scene, SECONDS))
        assert not problems and not scene.trouble, chaos_report.failure(scene, SECONDS, problems)
        for kind in ("sent to ChaosPlain", "sent to ChaosOrdered", "executing"):
            assert scene.model.counts[kind] > SECONDS * MESSAGES_LEAST_PER_S, f"{kind}: {scene.model.counts[kind]}"
    shutil.rmtree(tmp_path / "store")
