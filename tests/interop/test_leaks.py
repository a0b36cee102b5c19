"""A thousand producers and a thousand consumers that were started and shut down leave nothing behind, in each of the manners."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .pymq_server import PyMQServer, environment

PROGRAM = Path(__file__).with_name("python") / "leak_program.py"
RUN_S = 240
ROUNDS = 1000
#: A leak of one object for each client would be twice this. Some hundreds come and go: of the last rounds, what the reactor's
#: cancelled calls refer to until they would have been due.
OBJECTS_MAX = ROUNDS
#: The allocator's fragments; what Python itself has allocated, by tracemalloc, does not grow at all.
MEMORY_KB_MAX = 6144


@pytest.fixture(scope="module")
def server():
    """One broker for all."""
    with PyMQServer() as running:
        yield running


@pytest.mark.parametrize("manner", ["deferred", "aio", "blocking"])
def test_nothing_is_left(server, manner):
    """No delayed call, selectable, thread, file or object, and no more memory."""
    ended = subprocess.run(
        [sys.executable, PROGRAM, manner, server.namesrv, "LeakTopic", str(ROUNDS)],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        env=environment(),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout)
    before, after = counts["before"], counts["after"]
    for name in ("files", "threads", "delayed_calls", "selectables"):
        assert after[name] <= before[name], counts
    assert after["objects"] - before["objects"] <= OBJECTS_MAX, counts
    assert after["memory_kb"] - before["memory_kb"] <= MEMORY_KB_MAX, counts
    print(manner, counts)
