"""Our client at real Apache brokers: what it does at ours it does at theirs, together with the Java client of their version."""

import pytest

from . import (
    checks,
    programs,
    test_compression,
    test_delay_retry,
    test_namespaces,
    test_request_reply,
    test_sql,
    test_trace,
    wire,
)
from .apache import ApacheCluster

COUNT = 200
SIZE = 1024
DELAY_LEVELS = "1s 1s 2s 1s 2s"
DELAY_LEVEL, DELAY_MS = 3, 2000
#: A broker's clock and ours are one; it rounds down.
EARLY_MS = 10


@pytest.fixture(scope="module", params=["4.9.7", "5.5.0"])
def apache(request):
    """A real broker whose retries come soon, that keeps traces and selects by properties."""
    with ApacheCluster(
        request.param, messageDelayLevel=DELAY_LEVELS, traceTopicEnable="true", enablePropertyFilter="true"
    ) as cluster:
        yield cluster


@pytest.fixture
def java(apache):
    """The Java client of that version."""
    return f"java-{apache.java_version}"


@pytest.mark.parametrize("way", ["broadcast", "pull"])
def test_ways_to_receive(apache, way):
    """Each gets all; the lite pull consumer and pops have files of their own."""
    topic = apache.create_topic(f"way-{way}")
    programs.send("python", apache, topic, COUNT)
    checks.whole(programs.receive("python", apache, topic, COUNT, **{way: True}).of("received"), COUNT)


@pytest.mark.parametrize("way", ["push", "pull"])
def test_filters(apache, way):
    """Apache selects by our SQL92 expressions."""
    test_sql.check("python", apache, f"sql-{way}", **({} if way == "push" else {way: True}))


def test_requests(apache, java):
    """Java replies to us, and we reply to Java."""
    for asking, answering in ((java, "python"), ("python", java)):
        topic = apache.create_topic(f"ask-{asking}-{answering}".replace(".", "_"))
        with test_request_reply.replying(apache, answering, topic):
            test_request_reply.ask(apache, asking, topic, 20_000)


def test_delayed(apache):
    """A delayed message comes when it is due."""
    topic = apache.create_topic("delayed")
    programs.send("python", apache, topic, COUNT, delay_level=DELAY_LEVEL, quiet=True)
    got = programs.receive("python", apache, topic, COUNT).of("received")
    checks.none_lost(got, COUNT)
    assert min(event["stored"] - event["born"] for event in got) >= DELAY_MS - EARLY_MS


@pytest.mark.parametrize("orderly", [False, True])
def test_dead_letters(apache, orderly):
    """A message that fails comes again, each time as another attempt, and is buried at last."""
    topic = apache.create_topic(f"dead-{orderly}")
    got = test_delay_retry.received_by_failing(apache, "python", topic, 100, test_delay_retry.RETRIES, orderly=orderly)
    assert [event["reconsume"] for event in got] == [0, 1, 2]
    (letter,) = test_delay_retry.dead_letters(apache, topic)
    assert letter["body_prefix"] == "P:00000000:"


@pytest.mark.parametrize("kind", ["ZLIB", "LZ4", "ZSTD"])
def test_packed_bodies(apache, kind):
    """Java 5.5.0 unpacks what we packed, and we what it packed."""
    for sender, receiver in (("python", "java-5.5.0"), ("java-5.5.0", "python")):
        test_compression.exchange(apache, sender, receiver, compress=kind)


def test_a_shared_namespace(apache, java):
    """Java and we share a namespace."""
    for sender, receiver in (("python", java), (java, "python")):
        topic = f"space-{sender}".replace(".", "_")
        apache.create_topic(test_namespaces.wrapped(topic))
        programs.send(sender, apache, topic, COUNT, size=SIZE, namespace=test_namespaces.SPACE)
        got = programs.receive(receiver, apache, topic, COUNT, size=SIZE, namespace=test_namespaces.SPACE).of("received")
        checks.whole(got, COUNT)
        assert sum(wire.queue_ends(apache.broker, test_namespaces.wrapped(topic))) == COUNT


def test_traces(apache, java):
    """Java reads in Apache's trace topic what we sent and consumed."""
    topic = apache.create_topic("traced")
    sent = programs.run("python", "trace", namesrv=apache.namesrv, topic=topic, group="G-traced", count=3).of("sent")
    told = test_trace.told(apache, java, sent[1]["msgId"], "Pub", "SubBefore", "SubAfter")
    assert {trace["group"] for trace in told if trace["type"] == "Pub"} == {"G-traced-sends"}
    assert all(trace["success"] for trace in told if trace["type"] == "SubAfter")
