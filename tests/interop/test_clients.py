"""Foreign clients of every family against PyMQ: what is sent is received, all of it, whole and in order."""

import pytest

from . import checks, programs, wire
from .pymq_server import PyMQServer

MANY = 10000
SOME = 2000
FULL = ("java-4.9.8", "java-5.5.0", "node", "cpp", "go")
JAVA = ("java-4.9.8", "java-5.5.0")


@pytest.fixture(scope="module")
def pymq():
    """One PyMQ for all tests here; each test has a topic and groups of its own."""
    with PyMQServer() as server:
        yield server


def named(*parts):
    """A topic name of these parts."""
    return "-".join(parts).replace(".", "_").replace("+", "-")


def exchange(server, topic, sender, receiver, count, **sending):
    """Send and receive, and check the whole; gives what was received."""
    server.create_topic(topic)
    sent = programs.send(sender, server, topic, count, **sending).of("sent")
    got = programs.receive(receiver, server, topic, count).of("received")
    checks.whole(got, count)
    checks.acked_are_there(sent, got)
    return got


@pytest.mark.parametrize("family", FULL)
def test_to_itself(pymq, family):
    """10,000 messages from each family to the same family."""
    exchange(pymq, named("itself", family), family, family, MANY)


@pytest.mark.parametrize("family", FULL)
def test_to_python(pymq, family):
    """10,000 messages from each family to our own client."""
    exchange(pymq, named("to-python", family), family, "python", MANY)


@pytest.mark.parametrize("family", FULL)
def test_from_python(pymq, family):
    """10,000 messages from our own client to each family."""
    exchange(pymq, named("from-python", family), "python", family, MANY)


@pytest.mark.parametrize("sender, receiver", [("java-5.3.3", "python"), ("python", "java-5.3.3"), ("java-5.3.3", "java-5.3.3")])
def test_java_between(pymq, sender, receiver):
    """The Java client between the oldest and the newest, with fewer messages."""
    exchange(pymq, named("between", sender, receiver), sender, receiver, SOME)


@pytest.mark.parametrize("family", [family + "+rocketmq" for family in JAVA])
def test_binary_headers(pymq, family):
    """Java with ROCKETMQ headers, in both directions."""
    exchange(pymq, named("binary", family), family, family, MANY)


@pytest.mark.parametrize("family", [*JAVA, *(family + "+rocketmq" for family in JAVA), "go", "python"])
def test_batches(pymq, family):
    """Messages sent in batches arrive one by one, in order."""
    exchange(pymq, named("batches", family), family, family, SOME, mode="batch")


@pytest.mark.parametrize("family", [*JAVA, "cpp", "go"])
def test_ordered(pymq, family):
    """Messages sent in order to chosen queues reach an orderly consumer in that order."""
    topic = pymq.create_topic(named("ordered", family))
    programs.send(family, pymq, topic, SOME, mode="ordered")
    got = programs.receive(family, pymq, topic, SOME, orderly=True).of("received")
    checks.whole(got, SOME)
    checks.delivered_in_order(got)


@pytest.mark.parametrize("family", [*JAVA, *(family + "+rocketmq" for family in JAVA), "cpp", "go", "python"])
def test_one_way(pymq, family):
    """Messages that nobody acknowledges arrive all the same."""
    topic = pymq.create_topic(named("oneway", family))
    flags = {"namesrv": pymq.namesrv, "topic": topic, "group": f"PG-{topic}", "count": SOME, "mode": "oneway", "linger": True}
    with programs.Program(family, "send", **flags) as sender:
        sender.wait_event("oneway", SOME)
        # What a client has not written yet when it ends is lost: it waits for no answer.
        wire.wait_until(lambda: sum(wire.queue_ends(pymq.broker, topic)) >= SOME, programs.START_S, "all of them")
        sender.stop()
    got = programs.receive("java-4.9.8", pymq, topic, SOME).of("received")
    checks.none_lost(got, SOME)
    checks.dense(got)


@pytest.mark.parametrize("family", [*JAVA, "node", "cpp", "go"])
def test_asynchronous(pymq, family):
    """Many sends in flight: each acknowledged one is where the broker said."""
    topic = pymq.create_topic(named("async", family))
    sent = programs.send(family, pymq, topic, SOME, mode="async").of("sent")
    got = programs.receive("java-4.9.8", pymq, topic, SOME).of("received")
    checks.none_lost(got, SOME)
    checks.dense(got)
    checks.acked_are_there(sent, got)


@pytest.mark.parametrize(
    "family, way", [*((family, way) for family in (*JAVA, "go") for way in ("pull", "litepull")), ("cpp", "pull")]
)
def test_pulling(pymq, family, way):
    """Consumers that pull get all, in order."""
    topic = pymq.create_topic(named(way, family))
    programs.send("java-4.9.8", pymq, topic, SOME, mode="batch", quiet=True)
    got = programs.receive(family, pymq, topic, SOME, **{way: True}).of("received")
    checks.whole(got, SOME)
    checks.delivered_in_order(got)


@pytest.mark.parametrize("family", [*JAVA, "node", "cpp", "go"])
def test_tags(pymq, family):
    """A consumer with a tag gets the messages with that tag and no others."""
    topic = pymq.create_topic(named("tags", family))
    for tag in ("red", "blue", "green"):
        programs.send(family, pymq, topic, 100, tag=tag, prefix=tag, quiet=True)
    got = programs.receive(family, pymq, topic, 200, tag="red || green").of("received")
    assert {event["tags"] for event in got} == {"red", "green"} and len(got) == 200


@pytest.mark.parametrize("family", [*JAVA, "python"])
def test_questions(pymq, family):
    """Each client makes a topic, finds messages by both their ids and by key, and reads the ends of the queues."""
    topic = named("asks", family)
    base = {"namesrv": pymq.namesrv, "topic": topic}
    programs.run(family, "createTopic", **base, queues=2)
    first = programs.send(family, pymq, topic, 10, key_prefix="K").of("sent")[0]
    for message_id in (first["offsetMsgId"], first["msgId"]):
        (viewed,) = programs.run(family, "view", **base, id=message_id).of("message")
        assert viewed["body_prefix"] == "P:00000000:" and viewed["keys"] == "K0" and viewed["size"] == 1024
    assert [event["body_prefix"] for event in programs.run(family, "query", **base, key="K7").of("message")] == ["P:00000007:"]
    queues = programs.run(family, "minmax", **base).of("queue")
    assert [queue["min"] for queue in queues] == [0, 0] and sum(queue["max"] for queue in queues) == 10
    assert [queue["search"] for queue in queues] == [0, 0]


@pytest.mark.parametrize("family", [*JAVA, "python"])
def test_offsets_by_time(pymq, family):
    """The offset of a time is that of the message stored then; before all messages the first, behind them the last."""
    topic = pymq.create_topic(named("times", family), 1)
    for prefix in ("early", "late"):
        # Of several that were stored in one millisecond any may be found.
        programs.send("python", pymq, topic, 5, prefix=prefix, size=100, quiet=True, interval_ms=5)
    stored = {
        event["queueOffset"]: event["stored"] for event in programs.receive("python", pymq, topic, 10, size=100).of("received")
    }
    assert stored[5] > stored[4] + 1
    for time, offset in ((stored[5], 5), (stored[0] - 60_000, 0), (stored[9] + 60_000, 9)):
        (queue,) = programs.run(family, "minmax", namesrv=pymq.namesrv, topic=topic, time=time).of("queue")
        assert queue["search"] == offset, (time, stored)


@pytest.mark.parametrize("family", ["go"])
def test_go_asks(pymq, family):
    """Go's admin client makes a topic, finds it in the list, and deletes it."""
    base = {"namesrv": pymq.namesrv, "broker": pymq.broker, "topic": "go-asks"}
    programs.run(family, "createTopic", **base, queues=2)
    sent = programs.send(family, pymq, "go-asks", 10).of("sent")
    assert {event["queueId"] for event in sent} == {0, 1}
    assert "go-asks" in {event["topic"] for event in programs.run(family, "topics", namesrv=pymq.namesrv).of("topic")}
    programs.run(family, "deleteTopic", **base)
    assert "go-asks" not in {event["topic"] for event in programs.run(family, "topics", namesrv=pymq.namesrv).of("topic")}
