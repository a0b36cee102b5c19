"""Compressed bodies between the clients: each kind is read by all who know it, and the broker keeps what it was given."""

import pytest

from . import checks, programs
from .pymq_server import PyMQServer

COUNT = 200
#: Large enough that a client compresses it by itself, and what it becomes: letters in order compress well.
SIZE = 20_000
SMALL = 1000
#: Bits of the system flag; Java 5.x takes bit 0 away where it has decompressed a body.
COMPRESSED, KIND_MASK = 0x1, 0x700
KINDS = {"ZLIB": 0x300, "LZ4": 0x100, "ZSTD": 0x200}
JAVA = ("java-4.9.8", "java-5.5.0")
PAIRS = [
    ("java-4.9.8", "python"),
    ("java-5.5.0", "python"),
    ("python", "java-4.9.8"),
    ("python", "java-5.5.0"),
    ("java-4.9.8", "java-5.5.0"),
    ("python", "python"),
]


@pytest.fixture(scope="module")
def pymq():
    """One PyMQ for all tests here."""
    with PyMQServer() as server:
        yield server


def named(*parts):
    """A topic name of these parts."""
    return "-".join(parts).replace(".", "_")


def exchange(server, sender, receiver, **sending):
    """Send large messages and receive them; the `received` events."""
    topic = server.create_topic(named("packed", sender, receiver, *sending.values()))
    programs.send(sender, server, topic, COUNT, size=SIZE, quiet=True, **sending)
    got = programs.receive(receiver, server, topic, COUNT, size=SIZE).of("received")
    checks.whole(got, COUNT)
    return got


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sender, receiver", PAIRS)
def test_kinds(pymq, sender, receiver, kind):
    """Bodies arrive whole; their records are small, and their flag is the sender's."""
    got = exchange(pymq, sender, receiver, compress=kind)
    assert {event["sysFlag"] & KIND_MASK for event in got} == {KINDS[kind]}
    assert max(event["storeSize"] for event in got) < SIZE / 10


@pytest.mark.parametrize(
    "sender, receiver",
    [
        ("go", "python"),
        ("python", "go"),
        ("go", "java-4.9.8"),
        ("cpp", "python"),
        ("python", "cpp"),
        ("node", "python"),
        ("python", "node"),
    ],
)
def test_zlib_of_others(pymq, sender, receiver):
    """Clients that know zlib alone tell no kind, and read what tells it."""
    got = exchange(pymq, sender, receiver)
    if receiver not in ("cpp", "node"):
        expected = COMPRESSED | (KINDS["ZLIB"] if sender == "python" else 0)
        assert {event["sysFlag"] & (COMPRESSED | KIND_MASK) for event in got} == {expected}
        assert max(event["storeSize"] for event in got) < SIZE / 10


@pytest.mark.parametrize("sender", [*JAVA, "python"])
def test_from_which_size_on(pymq, sender):
    """Smaller bodies than `compressMsgBodyOverHowmuch` go as they are, larger ones compressed."""
    topic = pymq.create_topic(named("over", sender))
    for prefix, over in (("packed", SMALL), ("plain", SMALL + 1)):
        programs.send(sender, pymq, topic, COUNT, size=SMALL, prefix=prefix, compress_over=over, quiet=True)
    got = programs.receive("python", pymq, topic, 2 * COUNT, size=SMALL).of("received")
    for prefix, flag in (("packed", COMPRESSED), ("plain", 0)):
        mine = [event for event in got if event["body_prefix"].startswith(prefix)]
        assert (len(mine), {event["sysFlag"] & COMPRESSED for event in mine}) == (COUNT, {flag})


@pytest.mark.parametrize("kind", ["LZ4", "ZSTD"])
@pytest.mark.parametrize("family", [*JAVA, "python"])
def test_retried_bodies(pymq, family, kind):
    """A message that is delivered again is as whole as the first time: its copy in the broker has the flag too."""
    topic = pymq.create_topic(named("again", family, kind))
    pymq.create_topic(f"%RETRY%CG-{topic}", 1)
    programs.send(family, pymq, topic, 1, size=SIZE, compress=kind, quiet=True)
    got = programs.receive(family, pymq, topic, 1, size=SIZE, fail_times=1).of("received")
    assert [event["reconsume"] for event in got] == [0, 1]
    assert {event["sysFlag"] & KIND_MASK for event in got} == {KINDS[kind]}
