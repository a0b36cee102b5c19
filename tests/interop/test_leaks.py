"""Clients of every kind that were started, used and shut down leave nothing behind, in each of the manners."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pymq.blocking import Admin

from .apache import ApacheCluster
from .pymq_server import PyMQServer, environment

PROGRAM = Path(__file__).with_name("python") / "leak_program.py"
TOPIC = "LeakTopic"
MANNERS = ("deferred", "aio", "blocking")
RUN_S = 900
ROUNDS = 100
#: A leak of one object for each client would be ten times this. The counts themselves are one or two more each time.
OBJECTS_MAX = ROUNDS // 10
#: The allocator's fragments, after all kinds; what Python itself has allocated, by tracemalloc, does not grow at all.
MEMORY_KB_MAX = 6144
KINDS = (
    "producer",
    "transaction-producer",
    "push-consumer",
    "orderly-push-consumer",
    "broadcast-push-consumer",
    "pull-consumer",
    "lite-pull-consumer",
    "assigned-lite-pull-consumer",
    "admin",
)
#: Those that need a broker of 5.x, and one that sends what they pop.
POPPING_KINDS = ("producer", "pop-consumer", "popping-push-consumer")


@pytest.fixture(scope="module")
def server():
    """One broker for all."""
    with PyMQServer() as running:
        yield running


@pytest.fixture(scope="module")
def apache():
    """A broker that lets consumers pop."""
    with ApacheCluster("5.5.0") as cluster:
        cluster.create_topic(TOPIC)
        with Admin(namesrv_addr=cluster.namesrv) as admin:
            admin.set_message_request_mode("leak-popping-push-consumer", TOPIC, "POP")
        yield cluster


@pytest.mark.parametrize("manner", MANNERS)
def test_nothing_is_left(server, manner):
    """No delayed call, selectable, thread, file or object, and no more memory."""
    leaves_nothing(manner, server, KINDS)


@pytest.mark.parametrize("manner", MANNERS)
def test_nothing_is_left_of_those_who_pop(apache, manner):
    """Likewise."""
    leaves_nothing(manner, apache, POPPING_KINDS)


def leaves_nothing(manner, server, kinds):
    """Each kind has what it had before."""
    ended = subprocess.run(
        [sys.executable, PROGRAM, manner, server.namesrv, TOPIC, str(ROUNDS), *kinds],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        env=environment(),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout)
    assert [name for name, _ in counts] == ["warm-up", *kinds]
    for (_, before), (kind, after) in itertools.pairwise(counts):
        for name in ("files", "threads", "delayed_calls", "selectables"):
            assert after[name] <= before[name], (kind, before, after)
        assert after["objects"] - before["objects"] <= OBJECTS_MAX, (kind, before, after)
    first, last = counts[0][1], counts[-1][1]
    assert last["memory_kb"] - first["memory_kb"] <= MEMORY_KB_MAX, counts
    print(manner, counts)
