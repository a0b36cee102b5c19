"""Transactions: what was committed comes, what was rolled back does not, and who dies in between is asked again or replaced."""

import pytest

from pymq.blocking import Admin

from . import programs, wire, witness
from .apache import ApacheCluster
from .programs import Program
from .pymq_server import PyMQServer

FAMILIES = ("java-4.9.8", "java-5.5.0", "python")
#: A broker that asks soon, for nobody waits a minute in a test. But not before a producer can have told of its first
#: transactions, and of itself, which Java's does 1 s or 4 s after its start (HEARTBEAT_MS); not again before it could answer.
SOON = {"transactionCheckInterval": 3000, "transactionTimeOut": 5000, "transactionCheckMax": 1000}
#: Java 5.x tells brokers of a producer only when it has sent something; what is rolled back nobody sees.
SECOND = {"count": 1, "outcome": "rollback", "check": "commit", "linger": True}
#: Of one that is to be killed: should it be asked before, nothing is decided by that.
HANGING = {"check": "unknown"}
GIVEN_UP_TOPIC = "TRANS_CHECK_MAX_TIME_TOPIC"
ASKED_S = 150


@pytest.fixture(scope="module")
def pymq():
    """One broker for the tests that do not kill it."""
    with PyMQServer(**SOON) as server:
        yield server


def transaction(family, server, topic, **flags):
    """A transaction producer of the topic's group."""
    return Program(family, "transaction", namesrv=server.namesrv, topic=topic, group=f"PG-{topic}", **flags)


def received(server, topic, count):
    """The numbers of the messages that a consumer gets when it waits for so many."""
    got = programs.receive("python", server, topic, count).of("received")
    return {int(event["body_prefix"].split(":")[1]) for event in got}


def named(*parts):
    """A topic name of these parts."""
    return "-".join(parts).replace(".", "_")


def check_states(family, server, topic):
    """Nine transactions: three are committed, three rolled back, three committed when the broker asks."""
    server.create_topic(topic)
    with transaction(family, server, topic, count=9, outcome="commit,rollback,unknown", check="commit", linger=True) as producer:
        sent = producer.wait_event("sent", 9)
        assert [event["state"] for event in sent] == ["COMMIT_MESSAGE", "ROLLBACK_MESSAGE", "UNKNOW"] * 3
        assert received(server, topic, 6) == {0, 2, 3, 5, 6, 8}
        assert {event["body_prefix"] for event in producer.of("checked")} == {"P:00000002:", "P:00000005:", "P:00000008:"}
        producer.stop()
    checked = {event["body_prefix"]: event for event in producer.of("checked")}
    executed = {event["seq"]: event["transactionId"] for event in producer.of("executing")}
    for seq in (2, 5, 8):
        event = checked[f"P:{seq:08d}:"]
        assert (event["topic"], event["transactionId"]) == (topic, executed[seq])
    assert 6 <= sum(wire.queue_ends(server.broker, topic)) < 9


@pytest.mark.parametrize("family", FAMILIES)
def test_states(pymq, family):
    """Commit, rollback, unknown and then commit."""
    check_states(family, pymq, named("states", family))


@pytest.mark.parametrize("family", FAMILIES)
def test_asked_again_and_again(pymq, family):
    """Unknown twice, rolled back the third time; and never asked after that."""
    topic = named("again", family)
    pymq.create_topic(topic)
    with transaction(
        family, pymq, topic, count=2, outcome="unknown", check="unknown,unknown,unknown,unknown,rollback,commit", linger=True
    ) as producer:
        checked = producer.wait_event("checked", 6, ASKED_S)
        assert [int(event["times"]) for event in checked] == [1, 1, 2, 2, 3, 3]
        committed = int(checked[5]["body_prefix"].split(":")[1])
        assert received(pymq, topic, 1) == {committed}
        producer.stop()
    assert len(producer.of("checked")) == 6


@pytest.mark.parametrize("family", FAMILIES)
def test_the_producer_is_killed(pymq, family):
    """Between half message and commit: another producer of the group answers for it."""
    topic = named("producer-killed", family)
    pymq.create_topic(topic)
    with transaction(family, pymq, topic, **HANGING, count=1, outcome="hang") as first:
        first.wait_event("executing")
        first.kill()
    with transaction(family, pymq, topic, **SECOND) as second:
        (asked,) = second.wait_event("checked", 1, ASKED_S)
        assert asked["body_prefix"] == "P:00000000:"
        assert received(pymq, topic, 1) == {0}
        second.stop()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_broker_is_killed(family):
    """Between half message and commit: started again it asks, and what was committed before comes once."""
    topic = named("broker-killed", family)
    with PyMQServer(flushDiskType="SYNC_FLUSH", **SOON) as server:
        server.create_topic(topic)
        with transaction(family, server, topic, **HANGING, count=2, outcome="commit,hang") as first:
            first.wait_event("executing", 2)
            wire.wait_until(lambda: sum(wire.queue_ends(server.broker, topic)) == 1, 60, "the first commit")
            server.kill()
            first.kill()
        server.start()
        with transaction(family, server, topic, **SECOND) as second:
            (asked,) = second.wait_event("checked", 1, ASKED_S)
            assert asked["body_prefix"] == "P:00000001:"
            assert received(server, topic, 2) == {0, 1}
            second.stop()
        assert sum(wire.queue_ends(server.broker, topic)) == 2


@pytest.mark.parametrize("kind", ["pymq", "4.9.7", "5.5.0"])
def test_given_up_and_resumed(kind):
    """After transactionCheckMax checks it lies where operators look, until one of them has it checked again (323)."""
    topic, settings = "given-up", {"transactionCheckInterval": 200, "transactionTimeOut": 200, "transactionCheckMax": 2}
    with PyMQServer(**settings) if kind == "pymq" else ApacheCluster(kind, transactionOpBatchInterval=100, **settings) as server:
        server.create_topic(topic)
        with transaction(
            "python", server, topic, count=1, outcome="unknown", check="unknown,unknown,commit", linger=True
        ) as producer:
            producer.wait_event("checked", 2)
            wire.wait_until(lambda: wire.queue_ends(server.broker, GIVEN_UP_TOPIC, 1) == [1], 60, "the message that was given up")
            with Admin(namesrv_addr=server.namesrv) as admin:
                admin.resume_check_half_message(given_up_id(server))
            assert received(server, topic, 1) == {0}
            producer.stop()


def given_up_id(server):
    """The offset id of the message in TRANS_CHECK_MAX_TIME_TOPIC."""
    return next(witness.read_queue(server.broker, GIVEN_UP_TOPIC, 0, 0)).offset_id


@pytest.mark.parametrize("version", ["4.9.7", "5.5.0"])
def test_our_producer_at_apache(version):
    """Our TransactionProducer does the same at a real broker. 5.x keeps op messages back for a while, and would ask too early."""
    with ApacheCluster(version, transactionOpBatchInterval=100, **SOON) as apache:
        check_states("python", apache, "states-at-apache")
