"""The harness itself: each client program, and the admin tool, against a real Apache RocketMQ."""

import pytest

from . import checks, programs, toolchain
from .apache import ApacheCluster

COUNT = 200


@pytest.fixture(scope="module")
def apache():
    """One Apache 4.9.7 for all tests here."""
    with ApacheCluster("4.9.7") as cluster:
        yield cluster


@pytest.mark.parametrize("family", programs.FOREIGN)
def test_sends_and_receives(apache, family):
    """What a family sends it receives: all, nothing else, in order."""
    topic = apache.create_topic(f"harness-{family.replace('.', '_')}")
    sent = programs.send(family, apache, topic, COUNT)
    assert len(sent.of("sent")) == COUNT
    got = programs.receive(family, apache, topic, COUNT).of("received")
    checks.whole(got, COUNT)
    checks.acked_are_there(sent.of("sent"), got)


@pytest.mark.parametrize(
    "family, mode",
    [
        *((family, mode) for family in ("java-4.9.8", "go") for mode in ("async", "oneway", "batch", "ordered", "queue")),
        ("java-5.5.0", "batch"),
        ("java-5.5.0+rocketmq", "async"),
        ("java-4.9.8+rocketmq", "sync"),
        ("node", "async"),
        ("cpp", "async"),
        ("cpp", "oneway"),
        ("cpp", "ordered"),
    ],
)
def test_send_modes(apache, family, mode):
    """Each mode of sending arrives whole."""
    topic = apache.create_topic(f"mode-{family.replace('.', '_').replace('+', '-')}-{mode}")
    flags = {"queue": 2} if mode == "queue" else {}
    sent = programs.send(family, apache, topic, COUNT, mode=mode, **flags)
    got = programs.receive("java-4.9.8", apache, topic, COUNT).of("received")
    checks.none_lost(got, COUNT)
    checks.dense(got)
    if mode in ("batch", "ordered", "queue"):
        checks.order_kept(got)
    if mode == "queue":
        assert {event["queueId"] for event in got} == {2}
    checks.acked_are_there(sent.of("sent"), got)


@pytest.mark.parametrize(
    "family, way",
    [
        *((family, way) for family in ("java-4.9.8", "go") for way in ("orderly", "pull", "litepull", "broadcast")),
        ("java-5.5.0", "orderly"),
        ("java-5.5.0", "pull"),
        ("java-5.5.0", "broadcast"),
        ("cpp", "orderly"),
        ("cpp", "pull"),
    ],
)
def test_ways_to_receive(apache, family, way):
    """Each way of receiving gets all."""
    topic = apache.create_topic(f"way-{family.replace('.', '_')}-{way}")
    programs.send("java-4.9.8", apache, topic, COUNT, mode="batch", quiet=True)
    got = programs.receive(family, apache, topic, COUNT, **{way: True}).of("received")
    checks.whole(got, COUNT)
    if way in ("orderly", "pull"):
        checks.delivered_in_order(got)


def test_java_asks(apache):
    """The Java program's questions: view, query and minmax, and a topic that it makes."""
    base = {"namesrv": apache.namesrv, "topic": "harness-asks"}
    programs.run("java-4.9.8", "createTopic", **base, queues=2)
    first = programs.send("java-4.9.8", apache, "harness-asks", 10, key_prefix="K").of("sent")[0]
    assert programs.run("java-4.9.8", "view", **base, id=first["offsetMsgId"]).of("message")[0]["body_prefix"] == "P:00000000:"
    assert programs.run("java-5.5.0", "query", **base, key="K7").of("message")[0]["body_prefix"] == "P:00000007:"
    queues = programs.run("java-4.9.8", "minmax", **base).of("queue")
    assert [queue["min"] for queue in queues] == [0, 0] and sum(queue["max"] for queue in queues) == 10


@pytest.mark.parametrize("version", ["4.9.8", "5.5.0"])
def test_mqadmin(apache, version):
    """The admin tool runs and sees the cluster."""
    done = toolchain.mqadmin(version, ["clusterList", "-n", apache.namesrv])
    assert done.returncode == 0 and apache.name in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["5.3.3", "5.5.0"])
def test_newer_servers(version):
    """The newer servers start too and work with a client."""
    with ApacheCluster(version) as cluster:
        topic = cluster.create_topic("newer")
        programs.send("java-5.5.0", cluster, topic, COUNT)
        checks.whole(programs.receive("java-5.5.0", cluster, topic, COUNT, litepull=True).of("received"), COUNT)


def test_restart_after_kill():
    """A killed server comes back on its ports with its messages."""
    with ApacheCluster("4.9.7") as cluster:
        topic = cluster.create_topic("restart")
        programs.send("java-4.9.8", cluster, topic, COUNT)
        cluster.kill()
        cluster.start()
        checks.whole(programs.receive("java-4.9.8", cluster, topic, COUNT).of("received"), COUNT)


@pytest.mark.parametrize("family", ["java-4.9.8", "go"])
def test_forever_until_told(apache, tmp_path, family):
    """A sender without an end stops at SIGTERM and has written down what was accepted."""
    topic = apache.create_topic(f"forever-{family.replace('.', '_')}")
    acks = tmp_path / "acks"
    with programs.Program(
        family, "send", namesrv=apache.namesrv, topic=topic, group="PG", forever=True, quiet=True, ack_file=acks
    ) as sender:
        sender.wait_event("ready")
        sender.child.wait_for(lambda: acks.exists() and acks.read_text().count("\n") > 100, 180, "100 acks")
        assert sender.stop()["sent"] == acks.read_text().count("\n")
