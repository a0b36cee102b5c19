"""Our parts among Apache's: our client on their servers, our broker on their name server, their broker on ours."""

import pytest

from . import checks, programs
from .apache import ApacheCluster
from .pymq_server import PyMQNamesrv, PyMQServer

MANY = 10000
SOME = 1000


@pytest.fixture(scope="module", params=["4.9.7", "5.5.0"])
def apache(request):
    """A real name server and broker."""
    with ApacheCluster(request.param) as cluster:
        yield cluster


def exchange(server, topic, sender, receiver, count, **receiving):
    """Send and receive, and check the whole."""
    server.create_topic(topic)
    sent = programs.send(sender, server, topic, count).of("sent")
    got = programs.receive(receiver, server, topic, count, **receiving).of("received")
    checks.whole(got, count)
    checks.acked_are_there(sent, got)


def test_python_to_java(apache):
    """10,000 messages of our client go through Apache to Java."""
    exchange(apache, "python-to-java", "python", f"java-{apache.java_version}", MANY)


def test_java_to_python(apache):
    """10,000 messages of Java go through Apache to our client."""
    exchange(apache, "java-to-python", f"java-{apache.java_version}", "python", MANY)


@pytest.mark.parametrize("mode", ["batch", "async", "oneway", "ordered"])
def test_python_modes(apache, mode):
    """Our client's other ways to send are understood by Apache."""
    topic = apache.create_topic(f"python-{mode}")
    programs.send("python", apache, topic, SOME, mode=mode)
    checks.none_lost(programs.receive("python", apache, topic, SOME).of("received"), SOME)


def test_python_orderly(apache):
    """Our orderly consumer locks its queues on Apache and gets them in order."""
    topic = apache.create_topic("python-orderly")
    programs.send("python", apache, topic, SOME, mode="ordered")
    got = programs.receive("python", apache, topic, SOME, orderly=True).of("received")
    checks.whole(got, SOME)
    checks.delivered_in_order(got)


@pytest.mark.parametrize("version, family", [("4.9.7", "java-4.9.8"), ("5.5.0", "java-5.5.0")])
def test_our_broker_on_their_name_server(version, family):
    """PyMQ registers with a real name server; Java finds it there and works with it."""
    with ApacheCluster(version, broker=False) as theirs, PyMQServer(namesrv=theirs.namesrv) as ours:
        exchange(ours, "ours-on-theirs", family, family, SOME)


@pytest.mark.parametrize("version, family", [("4.9.7", "java-4.9.8"), ("5.5.0", "java-5.5.0")])
def test_their_broker_on_our_name_server(version, family):
    """A real broker registers with PyMQ's name server; Java finds it there and works with it."""
    with PyMQNamesrv() as ours, ApacheCluster(version, namesrv=ours.namesrv) as theirs:
        exchange(theirs, "theirs-on-ours", family, family, SOME)


def test_both_brokers_side_by_side():
    """One Apache name server, an Apache broker and ours: a topic on both, used by Java as one."""
    with ApacheCluster("4.9.7") as theirs, PyMQServer(namesrv=theirs.namesrv) as ours:
        topic = "side-by-side"
        theirs.create_topic(topic)
        ours.create_topic(topic)
        programs.send("java-4.9.8", theirs, topic, SOME)
        checks.none_lost(programs.receive("java-4.9.8", theirs, topic, SOME).of("received"), SOME)
