"""Delayed messages and retries as foreign clients see them: on time, after a crash too, and the dead letters at the end."""

import itertools
import time

import pytest

from . import checks, programs
from .programs import Program
from .pymq_server import PyMQServer

JAVA = ("java-4.9.8", "java-5.5.0")
FAMILIES = (*JAVA, "node", "python")
#: Levels 1, 2 and 3 wait for different times; retries begin at level 3 and wait longer from one to the next.
DELAYS_MS = (1000, 2000, 1000, 2000, 3000)
SETTINGS = {"messageDelayLevel": " ".join(f"{delay // 1000}s" for delay in DELAYS_MS)}
#: How late the broker may be, on a machine that has other things to do: so that it is this level and not another one.
LATE_MS_MAX = 900
#: How late a client that waits may see it: it is told, long before the 15 s for which its pull is held are over.
SEEN_LATE_MS_MAX = 10_000
COUNT = 20
RETRIES = 2
#: Within this a consumer has begun to consume, however slowly its client gets there.
CONSUMER_STARTS_S = 180
ALWAYS = 99


@pytest.fixture(scope="module")
def pymq():
    """One broker with short delays for all tests here; each test has a topic and groups of its own."""
    with PyMQServer(**SETTINGS) as server:
        yield server


def named(*parts):
    """A topic name of these parts."""
    return "-".join(parts).replace(".", "_").replace("+", "-")


def lateness(events, level, seen="stored"):
    """By how many ms messages were delivered, or seen, later than their level says; ascending."""
    return sorted(event[seen] - event["born"] - DELAYS_MS[level - 1] for event in events)


@pytest.mark.parametrize("family", FAMILIES)
def test_on_time(pymq, family):
    """Messages of three levels, seen by a consumer that is there: none early, none late, all of them once."""
    topic = pymq.create_topic(named("delay", family))
    with Program(family, "receive", namesrv=pymq.namesrv, topic=topic, group=f"CG-{topic}", size=256) as receiver:
        receiver.wait_queues(4)
        # A Java consumer may have its queues and pull in vain until its next heartbeat (ClientProgram.java): not timed here.
        programs.send(family, pymq, topic, 1, prefix="W", size=256, quiet=True)
        receiver.wait_received("W", 1, CONSUMER_STARTS_S)
        for level in (1, 2, 3):
            programs.send(family, pymq, topic, COUNT, prefix=f"L{level}", delay_level=level, size=256, quiet=True)
        for level in (1, 2, 3):
            receiver.wait_received(f"L{level}", COUNT)
        time.sleep(0.5)
        receiver.stop()
        for level in (1, 2, 3):
            got = receiver.received(f"L{level}")
            late, seen = lateness(got, level), lateness(got, level, "at")
            print(f"{family} level {level}: delivered {late[0]} to {late[-1]} ms late, seen {seen[0]} to {seen[-1]}")
            assert len(got) == COUNT
            assert late[0] >= 0
            assert late[len(late) // 2] < LATE_MS_MAX
            assert seen[-1] < SEEN_LATE_MS_MAX


@pytest.mark.parametrize("family", JAVA)
def test_after_a_crash(family):
    """kill -9 while messages wait; some are due before the restart, some after it, and none is lost or comes twice."""
    topic = named("crash", family)
    with PyMQServer(messageDelayLevel="12s 20s") as server:
        server.create_topic(topic)
        early, late = (
            {"namesrv": server.namesrv, "topic": topic, "group": f"PG-{prefix}", "count": COUNT, "size": 256, "prefix": prefix}
            for prefix in ("early", "late")
        )
        # From one program: a second one might take until after the first one's messages are due.
        with Program(family, "send", also=[("send", {**late, "delay_level": 2})], delay_level=1, **early) as sender:
            sender.wait_event("sent", 2 * COUNT)
            server.kill()
        killed_ms = time.time() * 1000
        time.sleep(12)
        server.start()
        with Program(family, "receive", namesrv=server.namesrv, topic=topic, group="CG-crash", size=256) as receiver:
            receiver.wait_received("early", COUNT, CONSUMER_STARTS_S)
            receiver.wait_received("late", COUNT, CONSUMER_STARTS_S)
            server.restart()
            time.sleep(2)
            receiver.stop()
            for prefix in ("early", "late"):
                got = receiver.received(prefix)
                checks.none_lost(got, COUNT, prefix)
                assert len(got) == COUNT, f"{len(got) - COUNT} of {prefix} came twice"
            assert min(event["stored"] for event in receiver.received("early")) > killed_ms, "they were due before the crash"
            assert min(event["at"] - event["born"] for event in receiver.received("late")) >= 20000


def received_by_failing(pymq, family, topic, fail_times, last, **flags):
    """Send one message to a consumer that fails it; its `received` events up to the one with that many retries.

    The retry topic is there before the consumer: a Java client that looks for its route too early looks again after 30 s.
    """
    pymq.create_topic(f"%RETRY%CG-{topic}", 1)
    with Program(
        family,
        "receive",
        namesrv=pymq.namesrv,
        topic=topic,
        group=f"CG-{topic}",
        size=256,
        fail_times=fail_times,
        max_reconsume=RETRIES,
        **flags,
    ) as receiver:
        receiver.wait_queues(4)
        programs.send(family, pymq, topic, 1, size=256, quiet=True)
        receiver.child.wait_for(
            lambda: any(event["reconsume"] >= last for event in receiver.of("received")),
            CONSUMER_STARTS_S,
            f"{last} retries of {family}",
        )
        time.sleep(1.5)
        receiver.stop()
        return receiver.of("received")


def dead_letters(pymq, topic):
    """What the dead letter topic of the consumers of `topic` holds; one message is waited for."""
    found = programs.receive("python", pymq, f"%DLQ%CG-{topic}", 1, group=f"CG-dead-{topic}", size=256)
    return found.of("received")


@pytest.mark.parametrize("family", FAMILIES)
def test_retries(pymq, family):
    """A consumer that fails twice gets the message three times, each pause longer, with the topic that it was sent to."""
    topic = pymq.create_topic(named("retry", family))
    got = received_by_failing(pymq, family, topic, RETRIES, RETRIES)
    assert [event["reconsume"] for event in got] == [0, 1, 2]
    assert {event["topic"] for event in got} == {topic}
    assert len({event["msgId"] for event in got}) == 1 or family == "node"
    pauses = [later["at"] - earlier["at"] for earlier, later in itertools.pairwise(got)]
    print(f"{family}: pauses of {pauses} ms")
    for pause, delay in zip(pauses, DELAYS_MS[2:]):
        assert delay <= pause < delay + SEEN_LATE_MS_MAX


@pytest.mark.parametrize("family", FAMILIES)
def test_dead_letters(pymq, family):
    """A consumer that always fails gets the message as often as it wishes, and then the dead letter topic holds it."""
    topic = pymq.create_topic(named("dead", family))
    got = received_by_failing(pymq, family, topic, ALWAYS, RETRIES)
    assert [event["reconsume"] for event in got] == [0, 1, 2]
    (letter,) = dead_letters(pymq, topic)
    assert (letter["body_prefix"], letter["reconsume"]) == ("P:00000000:", RETRIES + 1)


@pytest.mark.parametrize("family", (*JAVA, "python"))
def test_orderly_dead_letters(pymq, family):
    """An orderly consumer keeps its queue waiting for its own retries, and then sends the message to the dead letters itself."""
    topic = pymq.create_topic(named("orderly", family))
    got = received_by_failing(pymq, family, topic, ALWAYS, RETRIES, orderly=True)
    assert [event["reconsume"] for event in got] == [0, 1, 2]
    (letter,) = dead_letters(pymq, topic)
    assert letter["body_prefix"] == "P:00000000:"
