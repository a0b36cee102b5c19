"""Namespaces between the clients, unit mode, and the broker's second port: what Java writes, Python reads, and the other way."""

import time

import pytest

from . import checks, programs, wire
from .programs import Program
from .pymq_server import PyMQServer

COUNT = 200
SIZE = 256
SPACE, OTHER = "MQ_shop", "MQ_office"
JAVA = ("java-4.9.8", "java-5.5.0")
FAMILIES = (*JAVA, "python")
PAIRS = [
    *((java, java) for java in JAVA),
    *((other, "python") for other in (*JAVA, "go")),
    *(("python", other) for other in (*JAVA, "go")),
]
RETRIES = 1
STARTS_S = 180


@pytest.fixture(scope="module")
def pymq():
    """One PyMQ for all tests here, whose retries come soon."""
    with PyMQServer(messageDelayLevel="1s 1s 1s 1s 1s") as server:
        yield server


def named(*parts):
    """A topic name of these parts."""
    return "-".join(parts).replace(".", "_").replace("+", "-")


def wrapped(resource, space=SPACE):
    """A topic or group as the broker knows it."""
    return f"{space}%{resource}"


def group_is_known(server, group):
    """Whether the broker has a member of the consumer group (GET_CONSUMER_LIST_BY_GROUP)."""
    answer = wire.ask(server.broker, 38, {"consumerGroup": group})
    return answer.code == 0 and bool(answer.json()["consumerIdList"])


@pytest.mark.parametrize("sender, receiver", PAIRS)
def test_within_a_namespace(pymq, sender, receiver):
    """Who is in the namespace has its messages, under the topic's plain name; the broker's topic bears the namespace's."""
    topic = named("space", sender, receiver)
    pymq.create_topic(wrapped(topic))
    sent = programs.send(sender, pymq, topic, COUNT, size=SIZE, namespace=SPACE).of("sent")
    got = programs.receive(receiver, pymq, topic, COUNT, size=SIZE, namespace=SPACE).of("received")
    checks.whole(got, COUNT)
    checks.acked_are_there(sent, got)
    # Go takes the namespace off a message only when it is one that comes again.
    assert {event["topic"] for event in got} == {wrapped(topic) if receiver == "go" else topic}
    assert sum(wire.queue_ends(pymq.broker, wrapped(topic))) == COUNT


@pytest.mark.parametrize("family", FAMILIES)
def test_namespaces_are_apart(pymq, family):
    """The same topic and group in two namespaces and in none are three; batches and one-way messages keep to theirs."""
    topic, spaces = named("apart", family), (SPACE, OTHER, None)
    for space, mode in zip(spaces, ("batch", "oneway", "sync")):
        pymq.create_topic(wrapped(topic, space) if space else topic)
        programs.send(family, pymq, topic, COUNT, prefix=mode, mode=mode, size=SIZE, namespace=space, quiet=True)
    for space, mode in zip(spaces, ("batch", "oneway", "sync")):
        got = programs.receive(family, pymq, topic, COUNT, size=SIZE, namespace=space).of("received")
        checks.none_lost(got, COUNT, mode)


@pytest.mark.parametrize("family", FAMILIES)
def test_retries_and_dead_letters(pymq, family):
    """A failed message comes again through the group's retry topic in the namespace, and ends in its dead letters."""
    topic = named("failing", family)
    group = f"CG-{topic}"
    pymq.create_topic(wrapped(topic))
    pymq.create_topic(f"%RETRY%{wrapped(group)}", 1)
    flags = {"namesrv": pymq.namesrv, "topic": topic, "group": group, "size": SIZE, "namespace": SPACE}
    with Program(family, "receive", fail_times=99, max_reconsume=RETRIES, **flags) as receiver:
        receiver.wait_event("ready")
        programs.send(family, pymq, topic, 1, size=SIZE, namespace=SPACE, quiet=True)
        receiver.wait_event("received", 1 + RETRIES, STARTS_S)
        assert group_is_known(pymq, wrapped(group)) and not group_is_known(pymq, group)
        dead = f"%DLQ%{wrapped(group)}"
        wire.wait_until(lambda: wire.queue_ends(pymq.broker, dead, 1) == [1], STARTS_S, "the dead letter")
        receiver.stop()
    assert [(event["topic"], event["reconsume"]) for event in receiver.of("received")] == [(topic, 0), (topic, 1)]
    letters = programs.receive("python", pymq, f"%DLQ%{group}", 1, group="CG-letters", size=SIZE, namespace=SPACE)
    assert [event["body_prefix"] for event in letters.of("received")] == ["P:00000000:"]


@pytest.mark.parametrize("family", FAMILIES)
def test_transactions_in_a_namespace(pymq, family):
    """Committed at once, or after a question that the broker asks the group in its namespace."""
    topic = named("transactions", family)
    pymq.create_topic(wrapped(topic))
    sending = {"namesrv": pymq.namesrv, "topic": topic, "group": f"PG-{topic}", "namespace": SPACE, "size": SIZE, "count": 4}
    with Program(family, "transaction", outcome="commit,rollback", **sending) as sender:
        assert [event["state"] for event in sender.wait_event("sent", 4)] == ["COMMIT_MESSAGE", "ROLLBACK_MESSAGE"] * 2
        sender.finish()
    got = programs.receive("java-4.9.8", pymq, topic, 2, size=SIZE, namespace=SPACE).of("received")
    assert {event["body_prefix"] for event in got} == {"P:00000000:", "P:00000002:"}


@pytest.mark.parametrize("asking, answering", [("java-4.9.8", "python"), ("python", "java-5.5.0")])
def test_requests_in_a_namespace(pymq, asking, answering):
    """A reply finds its way; the topic through which replies go is, like any other, one of the namespace."""
    topic = named("dialogue", asking, answering)
    pymq.create_topic(wrapped(topic))
    flags = {"namesrv": pymq.namesrv, "topic": topic, "namespace": SPACE, "size": SIZE}
    with Program(answering, "reply", group=f"R-{topic}", **flags) as replier:
        replier.wait_event("ready")
        replies = programs.run(asking, "request", group=f"Q-{topic}", count=3, **flags).of("replied")
        replier.stop()
    assert [reply["body_prefix"] for reply in replies] == [f"RP:{seq:08d}:" for seq in range(3)]
    assert sum(wire.queue_ends(pymq.broker, wrapped("DefaultCluster_REPLY_TOPIC"))) >= 3


@pytest.mark.parametrize("family", FAMILIES)
def test_questions_in_a_namespace(pymq, family):
    """Messages by key and by both ids, and the ends of queues, under plain names."""
    topic = named("asked", family)
    pymq.create_topic(wrapped(topic), 1)
    sent = programs.send(family, pymq, topic, 3, size=SIZE, key_prefix="K", namespace=SPACE).of("sent")
    base = {"namesrv": pymq.namesrv, "topic": topic, "namespace": SPACE}
    for command, flags in (
        ("query", {"key": "K1"}),
        ("view", {"id": sent[1]["msgId"]}),
        ("view", {"id": sent[1]["offsetMsgId"]}),
    ):
        (found,) = programs.run(family, command, **base, **flags).of("message")
        assert (found["body_prefix"], found["topic"]) == ("P:00000001:", topic)
    assert [queue["max"] for queue in programs.run(family, "minmax", **base).of("queue")] == [3]


@pytest.mark.parametrize(
    "sender, receiver", [("java-5.5.0", "java-5.5.0"), ("java-5.5.0+rocketmq", "python"), ("python", "java-5.5.0")]
)
def test_namespaces_of_requests(pymq, sender, receiver):
    """The namespace that clients of 5.x name in every request, beside the topic, changes no name, as with Apache's broker."""
    topic = pymq.create_topic(named("requests", sender, receiver))
    programs.send(sender, pymq, topic, COUNT, size=SIZE, namespace_v2=SPACE, quiet=True)
    got = programs.receive(receiver, pymq, topic, COUNT, size=SIZE, namespace_v2=SPACE).of("received")
    checks.whole(got, COUNT)


UNIT_TOPICS, SUBSCRIBED_BY_UNITS, SUBSCRIBED_OUTSIDE = 311, 312, 313


def listed(server, code):
    """The topics that the name server lists for a code."""
    return set(wire.ask(server.namesrv, code).json()["topicList"])


@pytest.mark.parametrize("family", FAMILIES)
def test_units(pymq, family):
    """Topics that a unit's producer makes are the unit's; retry topics of its consumers are those that a unit subscribes to."""
    topic, unit = named("unit", family), named("u", family)
    group = f"CG-{topic}"
    programs.send(family, pymq, topic, COUNT, size=SIZE, unit=unit, quiet=True)
    flags = {"namesrv": pymq.namesrv, "topic": topic, "group": group, "size": SIZE, "unit": unit}
    with Program(family, "receive", fail_times=1, **flags) as receiver:
        receiver.wait_received("P", COUNT, STARTS_S)
        (client_id,) = wire.ask(pymq.broker, 38, {"consumerGroup": group}).json()["consumerIdList"]
        assert client_id.endswith(f"@{unit}")
        retry = f"%RETRY%{group}"
        wire.wait_until(lambda: retry in listed(pymq, SUBSCRIBED_BY_UNITS), STARTS_S, "registration of the retry topic")
        time.sleep(1.5)
        receiver.stop()
    assert topic in listed(pymq, UNIT_TOPICS) and topic not in listed(pymq, SUBSCRIBED_BY_UNITS)
    assert retry in listed(pymq, SUBSCRIBED_OUTSIDE) and retry not in listed(pymq, UNIT_TOPICS)


def connected_ports():
    """The ports to which there are TCP connections on this machine, as Linux tells them."""
    ports = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            ports |= {int(line.split()[2].rpartition(":")[2], 16) for line in list(table)[1:] if line.split()[3] == "01"}
    return ports


@pytest.mark.parametrize("family", FAMILIES)
def test_the_second_port(pymq, family):
    """With the VIP channel on, sends go to the broker's port less two; a consumer works with it too, though its pulls do not."""
    topic = pymq.create_topic(named("vip", family))
    flags = {"namesrv": pymq.namesrv, "topic": topic, "group": f"PG-{topic}", "size": SIZE, "vip": True}
    with Program(family, "send", forever=True, interval_ms=50, **flags) as sender:
        sender.wait_event("sent", 3)
        assert pymq.port - 2 in connected_ports()
        count = sender.stop()["sent"]
    checks.whole(programs.receive(family, pymq, topic, count, size=SIZE, vip=True).of("received"), count)
