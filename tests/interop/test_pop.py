"""Our consumers in POP mode, on Apache's brokers of 5.x, alone and together with Java's."""

import contextlib
import json
import subprocess
import sys
import time

import pytest

from pymq.blocking import Admin, PopConsumer
from pymq.errors import PyMQError
from pymq.wire.bodies.messagequeue import by_queue
from tests import documents

from . import checks, programs, toolchain, wire
from .apache import ApacheCluster
from .pymq_server import environment

SET_MESSAGE_REQUEST_MODE = 401
ALL_QUEUES, QUEUES = -1, 4
SHORTEST_MS = 5000
#: Not over before several pops brought all of a few messages.
SHORT_S = 15
JAVA = "java-5.5.0"
SOME = 1000
FEW = 8
SAMPLE_S = 300
#: More than twice what an answer that was lost hides its messages for.
ALL_S = 180
#: So slowly that no member is done with all before the other has begun.
SEND_INTERVAL_MS = 5
#: Members notice a change within 20 s, and pops wait for 15 s, here with some seconds for slow machines.
SHARED_S = 300
POP_WAITS_S = 20


@pytest.fixture(scope="module")
def apache():
    """A real name server and broker."""
    with ApacheCluster("5.5.0") as cluster:
        yield cluster


def popped_topic(cluster, topic):
    """A topic that its group is to pop."""
    cluster.create_topic(topic)
    mode = {"topic": topic, "consumerGroup": f"CG-{topic}", "mode": "POP", "popShareQueueNum": 0}
    answer = wire.ask(cluster.broker, SET_MESSAGE_REQUEST_MODE, body=json.dumps(mode).encode())
    assert answer.code == wire.SUCCESS, answer.remark
    return topic


def popping(family, cluster, topic, **flags):
    """A member of the group that pops."""
    flags = {"namesrv": cluster.namesrv, "topic": topic, "group": f"CG-{topic}", "size": 1024, "pop": True, **flags}
    return programs.Program(family, "receive", **flags)


def once(events):
    """No message came twice."""
    prefixes = [event["body_prefix"] for event in events]
    assert len(prefixes) == len(set(prefixes)), f"{len(prefixes) - len(set(prefixes))} came twice"


def pops_all(cluster):
    """Our consumer pops all messages once, from the first on."""
    topic = popped_topic(cluster, "popped")
    programs.send("python", cluster, topic, SOME)
    with popping("python", cluster, topic, expect=SOME, timeout_s=ALL_S) as consumer:
        consumer.wait_queues(1)
        consumer.finish(2 * ALL_S)
        got = consumer.of("received")
    checks.whole(got, SOME)
    once(got)


def test_alone(apache):
    """All messages, each once."""
    pops_all(apache)


def test_by_hand_on_an_older_broker():
    """All messages once; when their time is over, again by the other kind of retry topic, until they are acknowledged."""
    with ApacheCluster("5.3.3", enableRetryTopicV2="true") as cluster:
        topic = cluster.create_topic("popped-by-hand")
        programs.send("python", cluster, topic, FEW)
        settings = {"consume_from_where": "CONSUME_FROM_FIRST_OFFSET", "mq_client_api_timeout_s": 2 * SHORT_S}
        with PopConsumer("by-hand", namesrv_addr=cluster.namesrv, **settings) as consumer:
            first = pop_some(consumer, topic, FEW, invisible_s=SHORT_S)
            again = pop_some(consumer, topic, FEW, invisible_s=ALL_S)
            assert {message.msg_id for message in again} == {message.msg_id for message in first}
            assert {(message.topic, message.reconsume_times) for message in again} == {(topic, 1)}
            consumer.ack(again[0])
            consumer.ack_all(again[1:-1])
            consumer.change_invisible_time(again[-1], 1)
            last = pop_some(consumer, topic, 1, invisible_s=ALL_S)
            assert [message.msg_id for message in last] == [again[-1].msg_id]
            consumer.ack_all(last)


def pop_some(consumer, topic, count, invisible_s):
    """So many messages, and no more."""
    got = []
    wire.wait_until(
        lambda: got.extend(consumer.pop(topic, invisible_s=invisible_s, wait_s=1)) or len(got) >= count, ALL_S, "pops"
    )
    assert len(got) == len({message.msg_id for message in got}) == count
    return got


def test_together_with_java(apache):
    """Both get messages, and together all of them, each once."""
    topic = popped_topic(apache, "popped-by-two")
    with popping("python", apache, topic) as ours, popping(JAVA, apache, topic) as theirs:
        members = (ours, theirs)
        for member in members:
            member.wait_queues(1)
        programs.send("python", apache, topic, SOME, interval_ms=SEND_INTERVAL_MS)
        wire.wait_until(lambda: sum(len(member.of("received")) for member in members) >= SOME, ALL_S, "all messages")
        parts = [member.of("received") for member in members]
        for member in members:
            member.stop()
    assert all(parts), f"ours got {len(parts[0])}, Java {len(parts[1])}"
    checks.whole(parts[0] + parts[1], SOME)
    once(parts[0] + parts[1])


def test_failed_messages_come_again(apache):
    """Once more to one of both, with their own topic, after the ten seconds that a first failure takes."""
    topic = popped_topic(apache, "popped-in-vain")
    with popping("python", apache, topic, fail_times=1) as ours, popping(JAVA, apache, topic, fail_times=1) as theirs:
        members = (ours, theirs)
        for member in members:
            member.wait_queues(1)
        programs.send("python", apache, topic, FEW)
        wire.wait_until(lambda: sum(len(member.of("received")) for member in members) >= 2 * FEW, ALL_S, "all messages twice")
        got = [event for member in members for event in member.of("received")]
    for attempt in (0, 1):
        came = [event for event in got if event["reconsume"] == attempt]
        checks.none_lost(came, FEW)
        once(came)
    assert {event["topic"] for event in got} == {topic}
    first = {event["body_prefix"]: event["at"] for event in got if event["reconsume"] == 0}
    assert all(event["at"] - first[event["body_prefix"]] >= 10_000 for event in got if event["reconsume"] == 1)


@pytest.mark.parametrize(("dying", "heir"), [("python", JAVA), (JAVA, "python")])
def test_a_dead_consumers_messages_come_to_the_other(apache, dying, heir):
    """After their invisible time, all that it had taken and not acknowledged."""
    topic = popped_topic(apache, f"popped-by-dead-{dying[:4]}")
    with popping(dying, apache, topic, invisible_ms=SHORTEST_MS, work_ms=60_000) as first:
        first.wait_queues(1)
        programs.send("python", apache, topic, FEW)
        first.wait_event("received")
        first.kill()
    with popping(heir, apache, topic, expect=FEW, timeout_s=ALL_S) as second:
        second.finish(2 * ALL_S)
        got = second.of("received")
    checks.none_lost(got, FEW)
    assert any(event["reconsume"] == 1 for event in got)


def test_a_consumer_that_leaves_gives_back(apache):
    """What it was not done with comes to the other before its invisible time is over, and so, with 5.5, as if it were new."""
    topic = popped_topic(apache, "popped-and-left")
    with popping("python", apache, topic, work_ms=60_000) as first:
        first.wait_queues(1)
        programs.send("python", apache, topic, FEW)
        first.wait_event("received", FEW)
        first.stop()
    with popping("python", apache, topic, expect=FEW, timeout_s=ALL_S) as second:
        second.finish(2 * ALL_S)
        got = second.of("received")
    checks.none_lost(got, FEW)
    assert {event["reconsume"] for event in got} == {0}


def wait_shared(admin, topic, *wanted):
    """Wait until members, in the order of their ids, pop the queues with such ids, and no pop of an earlier share waits."""
    group = f"CG-{topic}"

    def shared():
        with contextlib.suppress(PyMQError):
            ids = sorted(connection.client_id for connection in admin.consumer_connections(group).connection_set)
            tables = [admin.consumer_running_info(group, one).mq_pop_table for one in ids]
            return [{queue.queue_id for queue in by_queue(table or {})} for table in tables] == list(wanted)

    wire.wait_until(shared, SHARED_S, f"queues shared out as {wanted}")
    # What such a pop brings Java's consumer drops.
    time.sleep(POP_WAITS_S)


def each_gets_its_part(prefix, cluster, admin, topic, members, *shares):
    """Once queues are shared out so, new messages come once, and to nobody from queues that are not of one share."""
    wait_shared(admin, topic, *shares)
    programs.send("python", cluster, topic, SOME, prefix=prefix)

    def received():
        return [member.received(prefix) for member in members]

    wire.wait_until(lambda: sum(map(len, received())) >= SOME, ALL_S, "all messages")
    got = [event for part in received() for event in part]
    checks.none_lost(got, SOME, prefix)
    once(got)
    parts = [{event["queueId"] for event in part} for part in received()]
    assert all(any(part <= share or share == {ALL_QUEUES} for share in shares) for part in parts), parts


def test_queues_are_shared_by_neighbours(apache):
    """With popShareQueueNum each pops its own queues and those of so many members behind it, ours as Java's."""
    topic = apache.create_topic("popped-by-neighbours", QUEUES)
    with contextlib.ExitStack() as stack:
        admin = stack.enter_context(Admin(namesrv_addr=apache.namesrv))
        admin.set_message_request_mode(f"CG-{topic}", topic, "POP", 1)
        members = [stack.enter_context(popping(family, apache, topic)) for family in ("python", JAVA, "python")]
        each_gets_its_part("three", apache, admin, topic, members, {0, 1, 2}, {2, 3}, {3, 0, 1})
        # More members than queues: each has one, and nobody has none.
        members += [stack.enter_context(popping("python", apache, topic)) for _ in range(2)]
        each_gets_its_part("five", apache, admin, topic, members, {0}, {1}, {2}, {3}, {0})
        all_pop_all = ["-b", apache.broker, "-t", topic, "-g", f"CG-{topic}", "-m", "POP", "-q", "0"]
        said = toolchain.mqadmin("5.5.0", ["setConsumeMode", "-n", apache.namesrv, *all_pop_all])
        assert said.returncode == 0 and "Exception" not in said.stdout + said.stderr, said.stdout + said.stderr
        each_gets_its_part("all", apache, admin, topic, members, *[{ALL_QUEUES}] * len(members))


@pytest.mark.parametrize("text", documents.programs("pop.rst").values())
def test_sample(apache, text, tmp_path):
    """What the document shows works here."""
    script = documents.write_program(text, apache.namesrv, tmp_path / "sample.py")
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=SAMPLE_S, env=environment(), check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "b'hello 7'" in ended.stdout
