"""Requests and replies between Java and Python, in every pairing, over our broker."""

import contextlib

import pytest

from . import programs, wire
from .pymq_server import PyMQServer

COUNT = 20
#: Who asks and who replies.
PAIRS = [
    ("java-4.9.8", "python"),
    ("java-5.5.0", "python"),
    ("java-4.9.8+rocketmq", "python"),
    ("python", "java-4.9.8"),
    ("python", "java-5.5.0"),
    ("python", "python"),
]
NOT_FOUND = 1


@pytest.fixture(scope="module")
def pymq():
    """One PyMQ for all tests here."""
    with PyMQServer() as server:
        yield server


@contextlib.contextmanager
def replying(server, family, topic):
    """A program that replies to the requests of a topic."""
    with programs.Program(family, "reply", namesrv=server.namesrv, topic=topic, group=f"R-{topic}") as replier:
        replier.wait_event("ready")
        yield replier
        replier.stop()


def ask(server, family, topic, size, **flags):
    """Ask, and look at the replies."""
    flags = {"namesrv": server.namesrv, "topic": topic, "group": f"Q-{topic}", "count": COUNT, "size": size, **flags}
    asked = programs.run(family, "request", **flags)
    replies = asked.of("replied")
    assert [reply["body_prefix"] for reply in replies] == [f"RP:{seq:08d}:" for seq in range(COUNT)]
    assert {reply["size"] for reply in replies} == {size + 1} and all(reply["pushed"] for reply in replies)
    return asked


@pytest.mark.parametrize("family", ["java-4.9.8", "java-5.5.0"])
def test_java_among_itself(pymq, family):
    """One program with both ends."""
    asked = ask(pymq, family, pymq.create_topic(f"self-{family}".replace(".", "_")), 20_000, alone=True)
    assert [event["status"] for event in asked.of("answered")] == ["SEND_OK"] * COUNT


@pytest.mark.parametrize("asking, answering", PAIRS)
def test_replies_come_back(pymq, asking, answering):
    """Each request has its own reply, small ones and compressed ones; replies are stored as well."""
    topic = pymq.create_topic(f"ask-{asking}-{answering}".replace(".", "_").replace("+", "-"))
    with replying(pymq, answering, topic) as replier:
        for size in (100, 20_000):
            ask(pymq, asking, topic, size)
        answered = replier.wait_event("answered", 2 * COUNT)
        assert {event["status"] for event in answered} == {"SEND_OK"}
        assert not replier.of("failed")
        stored = programs.run("python", "view", namesrv=pymq.namesrv, topic=topic, id=answered[-1]["msgId"]).of("message")[0]
        assert stored["body_prefix"].startswith("RP:") and stored["size"] == 20_001
        assert stored["topic"] == "DefaultCluster_REPLY_TOPIC"


def test_nobody_replies(pymq):
    """The Java client gives up by itself."""
    topic = pymq.create_topic("ask-nobody")
    with programs.Program(
        "java-4.9.8", "request", namesrv=pymq.namesrv, topic=topic, group="Q-nobody", reply_ms=10_000
    ) as asking:
        assert "wait reply message timeout" in asking.wait_event("error")[0]["message"]


def test_a_reply_to_somebody_who_is_gone(pymq):
    """The remark that Apache's broker gives, and the reply is stored."""
    fields = {
        "a": "repliers",
        "b": "DefaultCluster_REPLY_TOPIC",
        "c": "TBW102",
        "d": 4,
        "e": 0,
        "f": 0,
        "g": 1,
        "h": 0,
        "i": "CORRELATION_ID\x01x\x02REPLY_TO_CLIENT\x01gone@1\x02MSG_TYPE\x01reply",
        "j": 0,
        "k": "false",
    }
    answer = wire.ask(pymq.broker, 325, fields, b"too late")
    assert (answer.code, answer.remark) == (NOT_FOUND, "push reply message fail, channel of <gone@1> not found.")
    assert len(answer.fields["msgId"]) == 32
