"""Resets, black holes and slow lines between our client and its servers: nothing acknowledged is lost, all goes on by itself."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from . import wire
from .apache import ApacheCluster
from .processes import Child, WorkFolder
from .proxy import Proxied
from .pymq_server import PyMQServer, environment

PROGRAM = Path(__file__).with_name("python") / "fault_program.py"
QUEUES = 4
#: Bounds of waits, not of speed: the tests print what it took.
START_S, RECOVERY_S, DRAIN_S = 120, 120, 120
#: The hole lasts for longer than a send may take, and a send may take much longer than a slow line does.
RESET_S, SEND_TIMEOUT_S, BLACK_HOLE_S = 1.0, 6.0, 8.0
SLOW_BYTES_PER_S, SLOW_LATENCY_S = 40_000, 0.1
SOME = 5
#: The machine may be busy.
SLACK_S = 60.0
Apache497, Apache550 = partial(ApacheCluster, "4.9.7"), partial(ApacheCluster, "5.5.0")
CONSUMERS = {"deferred": ("push", "orderly", "pull"), "aio": ("loop",), "blocking": ("loop",)}


class Clients:
    """The program with its producer and consumers."""

    def __init__(self, manner, namesrv, topic, **settings):
        self.manner, self.acked, self.failed, self.got, self.done = manner, [], [], defaultdict(list), None
        self._work = WorkFolder("pymq-faults-")
        words = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
        argv = [sys.executable, PROGRAM, manner, namesrv, topic, *words]
        self.child = Child(argv, self._work.path, environment(), subprocess.PIPE, self._line)

    def __enter__(self):
        return self

    def __exit__(self, *_reason):
        self.child.kill()
        self._work.remove()

    def _line(self, line):
        event = json.loads(line)
        kind = event["event"]
        if kind == "acked":
            self.acked.append(event["seq"])
        elif kind == "failed":
            self.failed.append(event)
        elif kind == "got":
            self.got[event["who"]].append(event)
        elif kind == "done":
            self.done = event

    def wait(self, condition, timeout_s, what):
        """Wait until it holds."""
        return self.child.wait_for(condition, timeout_s, f"{what} ({self.manner})")

    def wait_alive(self, timeout_s, what):
        """Wait until some are acknowledged from now on, and each consumer was given what was acknowledged after this moment."""
        begun, before = time.monotonic(), len(self.acked)

        def alive():
            new = set(self.acked[before:])
            return len(new) >= SOME and all(new & self.seen(who) for who in CONSUMERS[self.manner])

        self.wait(alive, timeout_s, what)
        print(f"{self.manner}: {what} after {time.monotonic() - begun:.1f} s")

    def seen(self, who):
        """The numbers of the messages that a consumer was given lately, and those before it."""
        return {event["seq"] for event in list(self.got[who])}

    def finish(self):
        """End the sending, wait until all that was acknowledged is consumed, and end the program in good order."""
        with contextlib.suppress(OSError):
            self.child.process.stdin.write("\n")
            self.child.process.stdin.flush()
        for who in CONSUMERS[self.manner]:
            self.wait(lambda: set(self.acked) <= self.seen(who), DRAIN_S, f"all that was acknowledged, for {who}")  # noqa: B023
        self.child.signal(signal.SIGTERM)
        assert self.child.wait(DRAIN_S) == 0, self.child.tail()
        assert self.done["threads"] <= 2, self.done  # the one that waits for the end, and the main one


def check_failures(clients, addresses):
    """Each says which server it was about, and took no longer than a send may."""
    for failure in clients.failed:
        assert any(address in failure["error"] for address in addresses), failure
        assert failure["seconds"] < SEND_TIMEOUT_S + SLACK_S, failure


def check_order(events):
    """The first delivery of each message of a queue comes after those of all before it."""
    firsts = defaultdict(list)
    for event in events:
        if event["offset"] not in firsts[event["queue"]]:
            firsts[event["queue"]].append(event["offset"])
    for queue, offsets in firsts.items():
        assert offsets == list(range(len(offsets))), f"queue {queue}: {offsets}"


def has_at_most(proxy, count):
    """Are there no more connections than that? The end of one that its client gave up is seen a while later."""
    return proxy.open_count <= count


def wait_all(clients, timeout_s, what):
    """All of them are alive, at the latest after so long each."""
    for each in clients:
        each.wait_alive(timeout_s, what)


def go_through_faults(way, clients):
    """One fault after the other; after each, everybody goes on. A slow line alone makes nothing fail."""
    wait_all(clients, START_S, "the start")
    way.all("reset")
    time.sleep(RESET_S)
    way.all("heal")
    wait_all(clients, RECOVERY_S, "recovery from resets")
    failed = [len(each.failed) for each in clients]
    way.all("black_hole")
    time.sleep(BLACK_HOLE_S)
    way.all("heal")
    wait_all(clients, RECOVERY_S, "recovery from a black hole")
    assert all(len(each.failed) > before for each, before in zip(clients, failed)), "nobody noticed the black hole"
    failed = [len(each.failed) for each in clients]
    way.all("slow", SLOW_BYTES_PER_S, SLOW_LATENCY_S)
    wait_all(clients, RECOVERY_S, "a slow line")
    assert [len(each.failed) for each in clients] == failed, [each.failed[-1:] for each in clients]
    way.all("heal")
    wait_all(clients, RECOVERY_S, "the end of the slowness")


@pytest.mark.parametrize(
    ("make_server", "manners"),
    [(PyMQServer, ("deferred", "aio", "blocking")), (Apache497, ("deferred",)), (Apache550, ("deferred",))],
    ids=["pymq", "4.9.7", "5.5.0"],
)
def test_faults_one_after_the_other(make_server, manners):
    """Clients of all kinds, their name server and their broker behind lines that fail. The faces need one server only."""
    with make_server() as server, Proxied(server) as way, contextlib.ExitStack() as stack:
        topics = [way.create_topic(f"faults-{manner}", QUEUES) for manner in manners]
        clients = [
            stack.enter_context(Clients(manner, way.namesrv, topic, send_msg_timeout_s=SEND_TIMEOUT_S))
            for manner, topic in zip(manners, topics, strict=True)
        ]
        go_through_faults(way, clients)
        members = sum(len(CONSUMERS[manner]) + 1 for manner in manners)
        for proxy in way.proxies:
            few = partial(has_at_most, proxy, members)
            wire.wait_until(few, DRAIN_S, f"no more connections to {proxy.target} than clients")
        for each in clients:
            each.finish()
            check_failures(each, (way.broker, way.namesrv))
            check_order(each.got["orderly"])
            print(f"{each.manner}: {len(each.acked)} acknowledged, {len(each.failed)} failed")
        wire.wait_until(lambda: way.open_count == 0, DRAIN_S, "the end of all connections")
