"""Consumers of one group share a topic's queues, and take over from one that dies; broadcast gives all to each."""

import contextlib

import pytest

from . import checks, programs
from .pymq_server import PyMQServer

QUEUES = 8
COUNT = 1000
ROUND = 64
ROUNDS_MAX = 40
SETTLE_S = 180
TELLS_QUEUES = ("java-4.9.8", "java-5.3.3", "java-5.5.0", "node", "go", "python")
FAMILIES = ("java-4.9.8", "java-5.5.0", "node", "cpp", "go", "python")


@pytest.fixture(scope="module")
def pymq():
    """One PyMQ for all tests here."""
    with PyMQServer() as server:
        yield server


@contextlib.contextmanager
def receivers(server, family, topic, **flags):
    """Two receivers of one group that told they are ready."""
    base = {"namesrv": server.namesrv, "topic": topic, "group": f"CG-{topic}", "at_once": True, **flags}
    with (
        programs.Program(family, "receive", instance="one", **base) as one,
        programs.Program(family, "receive", instance="two", **base) as two,
    ):
        one.wait_event("ready")
        two.wait_event("ready")
        yield one, two


def arrived(members, prefix):
    """The distinct messages with that prefix that any of them got."""
    return {event["body_prefix"] for member in members for event in member.received(prefix)}


def wait_all(members, prefix, count, timeout_s=SETTLE_S):
    """Wait until the members together have them all."""
    members[-1].child.wait_for(lambda: len(arrived(members, prefix)) >= count, timeout_s, f"{count} of {prefix}")


def settle(server, topic, family, members):
    """Wait until each has its half of the queues. A member that cannot tell is watched: rounds of messages show it."""
    if family in TELLS_QUEUES:
        for member in members:
            member.wait_queues(QUEUES // 2)
        return
    for number in range(ROUNDS_MAX):
        prefix = f"R{number}"
        programs.send("cpp", server, topic, ROUND, prefix=prefix, quiet=True)
        wait_all(members, prefix, ROUND)
        shares = [{event["queueId"] for event in member.received(prefix)} for member in members]
        if all(len(share) == QUEUES // 2 for share in shares) and not shares[0] & shares[1]:
            return
    raise AssertionError(f"the queues are not shared after {ROUNDS_MAX} rounds: {shares}")


@pytest.mark.parametrize("family", FAMILIES)
def test_share_and_take_over(pymq, family):
    """Two share the queues; one is killed in the middle of the stream; the other gets the rest. Nothing is lost."""
    topic = pymq.create_topic(f"share-{family.replace('.', '_')}", QUEUES)
    with receivers(pymq, family, topic) as (one, two):
        settle(pymq, topic, family, (one, two))
        programs.send("java-4.9.8", pymq, topic, COUNT, prefix="A", quiet=True)
        wait_all((one, two), "A", COUNT)
        shares = [{event["queueId"] for event in member.received("A")} for member in (one, two)]
        assert shares[0] | shares[1] == set(range(QUEUES)) and not shares[0] & shares[1], shares
        with programs.Program(
            "cpp", "send", namesrv=pymq.namesrv, topic=topic, group="PG", prefix="B", forever=True, interval_ms=1
        ) as sender:
            one.wait_received("B", 20)
            one.kill()
            sender.wait_event("sent", len(sender.of("sent")) + COUNT)
            count = sender.stop()["sent"]
        wait_all((one, two), "B", count)
        assert {event["queueId"] for event in two.received("B")} == set(range(QUEUES))
        checks.by_queue(one.received("B") + two.received("B"))
        two.stop()


@pytest.mark.parametrize("family", ["java-4.9.8", "java-5.5.0", "node", "cpp", "go", "python"])
def test_broadcast(pymq, family):
    """Each of two broadcast consumers gets everything."""
    topic = pymq.create_topic(f"broadcast-{family.replace('.', '_')}")
    with receivers(pymq, family, topic, broadcast=True) as members:
        programs.send("java-4.9.8", pymq, topic, COUNT, quiet=True)
        for member in members:
            member.wait_received("P", COUNT)
            checks.whole(member.received("P"), COUNT)
            member.stop()


@pytest.mark.parametrize(
    "first, second",
    [
        ("java-4.9.8", "java-4.9.8"),
        ("java-5.5.0", "java-5.5.0"),
        ("python", "python"),
        ("java-4.9.8", "python"),
        ("java-5.5.0", "python"),
        ("python", "java-4.9.8"),
        ("python", "java-5.5.0"),
    ],
)
def test_broadcast_goes_on_where_it_stopped(pymq, first, second, tmp_path):
    """The offsets are in a file of the client's machine, of one form: a client of the same id in another language goes on."""
    topic = pymq.create_topic(f"local-{first}-{second}".replace(".", "_"))
    same = {"broadcast": True, "offsets": tmp_path, "client_ip": "127.0.0.1", "instance": "one"}
    for family, prefix in ((first, "A"), (second, "B")):
        programs.send("python", pymq, topic, COUNT, prefix=prefix, quiet=True)
        got = programs.receive(family, pymq, topic, COUNT, **same).of("received")
        checks.none_lost(got, COUNT, prefix)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("offsets.json")] == [
        f"127.0.0.1@one/CG-{topic}/offsets.json"
    ]


@pytest.mark.parametrize("family", ["java-4.9.8", "java-5.5.0", "node", "go", "python"])
def test_goes_on_where_it_stopped(pymq, family):
    """A consumer that stopped cleanly gets, when it comes back, only what it has not had."""
    topic = pymq.create_topic(f"resume-{family.replace('.', '_')}")
    programs.send("cpp", pymq, topic, COUNT, prefix="A", quiet=True)
    programs.receive(family, pymq, topic, COUNT)
    programs.send("cpp", pymq, topic, COUNT, prefix="B", quiet=True)
    got = programs.receive(family, pymq, topic, COUNT).of("received")
    checks.none_lost(got, COUNT, "B")
    assert len(got) == COUNT
