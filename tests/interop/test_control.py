"""Operators' commands through mqadmin and the raw protocol: offsets reset, copied and asked for, messages found and consumed."""

import re
import time

import pytest

from . import programs, toolchain, wire
from .pymq_server import PyMQServer

COUNT = 24
QUEUES = 4
QUERY_OFFSET, CONNECTIONS, RESET, CLONE, STATUS, CONSUME_DIRECTLY = 14, 203, 222, 314, 223, 309
NOT_ONLINE = 206
WAIT_S = 120
JAVA = ("java-4.9.8", "java-5.5.0")


@pytest.fixture(scope="module")
def pymq():
    """One PyMQ for all tests here."""
    with PyMQServer() as server:
        yield server


@pytest.fixture(params=["4.9.8", "5.5.0"])
def admin(request, pymq):
    """A call of mqadmin of one version that gives what it printed."""

    def call(command, *arguments):
        done = toolchain.mqadmin(request.param, [command, "-n", pymq.namesrv, *map(str, arguments)])
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Exception" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout

    call.version = request.param
    call.name = request.param.replace(".", "_")
    call.topic = [] if request.param.startswith("4.") else ["-t"]
    return call


def filled(server, topic):
    """A topic with messages in it; gives its name and the `sent` events."""
    server.create_topic(topic)
    return topic, programs.send("python", server, topic, COUNT, size=100, key_prefix="K").of("sent")


def committed(server, group, topic):
    """The group's offsets by queue; -1 where there is none."""
    answers = [
        wire.ask(server.broker, QUERY_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": queue})
        for queue in range(QUEUES)
    ]
    return [int(answer.fields["offset"]) if answer.code == wire.SUCCESS else -1 for answer in answers]


def long_ago_ms():
    """A time before all messages of a run, however slow that is."""
    return int((time.time() - 24 * 3600) * 1000)


class Consuming:
    """A consumer that has received everything and committed it."""

    def __init__(self, family, server, topic):
        self.server, self.topic, self.group = server, topic, f"CG-{topic}"
        self.program = programs.Program(family, "receive", namesrv=server.namesrv, topic=topic, group=self.group)

    def __enter__(self):
        self.program.__enter__()
        self.program.wait_event("received", COUNT)
        wire.wait_until(lambda: sum(committed(self.server, self.group, self.topic)) == COUNT, WAIT_S, "all offsets")
        return self

    def __exit__(self, *reason):
        self.program.__exit__(*reason)

    @property
    def client_id(self):
        """The id that the broker knows."""
        (connection,) = wire.ask(self.server.broker, CONNECTIONS, {"consumerGroup": self.group}).json()["connectionSet"]
        return connection["clientId"]

    def wait_again(self):
        """Wait until everything came a second time."""
        self.program.wait_event("received", 2 * COUNT)


def offsets_in(answer, member="offsetTable"):
    """The offsets by queue in a body that is keyed by queues."""
    found = re.findall(r'"queueId":(\d+),[^}]*\}:(\d+)', answer.body.decode().partition(f'"{member}":')[2])
    return {int(queue): int(offset) for queue, offset in found}


@pytest.mark.parametrize("family", [*JAVA, "cpp", "python"])
def test_clients_go_back(pymq, family):
    """A client of each family that is told to consume everything again does so, and commits."""
    topic, _ = filled(pymq, f"back-{family}".replace(".", "_"))
    with Consuming(family, pymq, topic) as consuming:
        fields = {"topic": topic, "group": consuming.group, "timestamp": 0, "isForce": "true"}
        answer = wire.ask(pymq.broker, RESET, fields)
        assert answer.code == wire.SUCCESS and offsets_in(answer) == dict.fromkeys(range(QUEUES), 0), answer.body
        consuming.wait_again()
        wire.wait_until(lambda: sum(committed(pymq, consuming.group, topic)) == COUNT, WAIT_S, "all offsets again")


def test_reset_by_time(admin, pymq):
    """resetOffsetByTime moves a group that is online, without force never ahead."""
    topic, _ = filled(pymq, f"time-{admin.name}")
    with Consuming("python", pymq, topic) as consuming:
        said = admin("resetOffsetByTime", "-g", consuming.group, "-t", topic, "-s", long_ago_ms())
        assert [row[2] for row in map(str.split, said.splitlines()) if row and row[0] == pymq.name] == ["0"] * QUEUES, said
        consuming.wait_again()


def test_reset_of_a_group_that_is_not_online(admin, pymq):
    """resetOffsetByTime hears that nobody is there, and moves the offsets by itself."""
    topic, _ = filled(pymq, f"offline-{admin.name}")
    with Consuming("python", pymq, topic) as consuming:
        consuming.program.stop()
    answer = wire.ask(pymq.broker, RESET, {"topic": topic, "group": consuming.group, "timestamp": 0, "isForce": "true"})
    assert answer.code == NOT_ONLINE
    admin("resetOffsetByTime", "-g", consuming.group, "-t", topic, "-s", long_ago_ms(), "-f", "true")
    assert committed(pymq, consuming.group, topic) == [0] * QUEUES


def test_clone_group_offset(admin, pymq):
    """cloneGroupOffset gives one group what another has consumed."""
    topic, _ = filled(pymq, f"clone-{admin.name}")
    with Consuming("python", pymq, topic) as consuming:
        copy = f"copy-{admin.name}"
        said = admin("cloneGroupOffset", "-s", consuming.group, "-d", copy, "-t", topic, "-o", "true")
        assert "clone group offset success" in said, said
        assert committed(pymq, copy, topic) == committed(pymq, consuming.group, topic)


def test_consumer_status(admin, pymq):
    """consumerStatus shows what a client says of itself: its threads, its queues, what it pulled and consumed lately."""
    topic, _ = filled(pymq, f"status-{admin.name}")
    with Consuming("python", pymq, topic) as consuming:
        said = admin("consumerStatus", "-g", consuming.group, "-i", consuming.client_id, "-s")
        assert "PROP_CONSUME_TYPE" in said and "CONSUME_PASSIVELY" in said and "MainThread" in said, said
        assert len(re.findall(rf"^{topic} +{pymq.name} +\d+ +\d+", said, re.MULTILINE)) == QUEUES, said
        rates = r" +([\d.]+)" * 5

        def consumed_lately():
            said = admin("consumerStatus", "-g", consuming.group, "-i", consuming.client_id)
            found = re.search(rf"^{topic}{rates} +(\d+)$", said, re.MULTILINE)
            return found if found and float(found[4]) > 0 else None

        row = wire.wait_until(consumed_lately, WAIT_S, "a sample of the statistics")
        assert float(row[2]) == pytest.approx(float(row[4]), rel=0.5) and (float(row[5]), int(row[6])) == (0, 0), row[0]


@pytest.mark.parametrize("family", [*JAVA, "python"])
def test_clients_tell_their_offsets(pymq, family):
    """The broker asks each member of the group; mqadmin has no command for it."""
    topic, _ = filled(pymq, f"tells-{family}".replace(".", "_"))
    with Consuming(family, pymq, topic) as consuming:
        answer = wire.ask(pymq.broker, STATUS, {"topic": topic, "group": consuming.group})
        assert consuming.client_id in answer.body.decode()
        assert sum(offsets_in(answer, "consumerTable").values()) == COUNT, answer.body


@pytest.mark.parametrize("family", JAVA)
def test_java_consumes_directly(pymq, family):
    """A Java client is given one message more."""
    topic, sent = filled(pymq, f"direct-{family}".replace(".", "_"))
    with Consuming(family, pymq, topic) as consuming:
        fields = {"consumerGroup": consuming.group, "clientId": consuming.client_id, "msgId": sent[5]["offsetMsgId"]}
        answer = wire.ask(pymq.broker, CONSUME_DIRECTLY, fields)
        assert (answer.code, answer.json()["consumeResult"]) == (wire.SUCCESS, "CR_SUCCESS"), answer.remark
        # By body: Java's 4.9 sees only the offset id on this way.
        assert consuming.program.wait_event("received", COUNT + 1)[-1]["body_prefix"] == "P:00000005:"


def test_messages_are_found_and_consumed(admin, pymq):
    """queryMsgByUniqueKey, queryMsgByOffset and queryMsgById find a message; the last one hands it to a consumer."""
    topic, sent = filled(pymq, f"found-{admin.name}")
    event = sent[9]
    said = admin("queryMsgByUniqueKey", "-i", event["msgId"], "-t", topic)
    assert re.search(rf"^Queue Offset: +{event['queueOffset']}$", said, re.MULTILINE) and "[K9]" in said, said
    said = admin("queryMsgByOffset", "-t", topic, "-b", pymq.name, "-i", event["queueId"], "-o", event["queueOffset"])
    assert event["offsetMsgId"] in said and "[K9]" in said, said
    with Consuming("python", pymq, topic) as consuming:
        named = ["-i", event["offsetMsgId"], "-g", consuming.group, "-d", consuming.client_id]
        said = admin("queryMsgById", *named, *(word for flag in admin.topic for word in (flag, topic)))
        assert "CR_SUCCESS" in said, said
        assert consuming.program.wait_event("received", COUNT + 1)[-1]["msgId"] == event["msgId"]
