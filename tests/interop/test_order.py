"""Consumers that read in order: never two at once in a queue, never out of order, whoever comes, goes or is killed."""

import contextlib
import itertools
import time

import pytest

from . import checks, programs, wire
from .programs import Program
from .pymq_server import PyMQServer

QUEUES = 4
FAMILIES = ("java-4.9.8", "java-5.5.0", "go", "python")
#: The first consumer and the one that joins it.
PAIRS = (*((family, family) for family in FAMILIES), ("java-4.9.8", "python"), ("python", "java-5.5.0"))
WORK_MS = 20
#: What happens in the middle happens after so many messages of the one it happens to.
WARM = 40
#: A lock lives for 60 s after its last renewal, Java 4.9's late release takes 20 s; the rest is for slow machines.
HAND_OVER_S = 150
#: Renewals come every 20 s, so that of the 60 s at least 40 are left; half of them are for slow machines.
LOCK_LEFT_S_MIN = 20
QUERY_CONSUMER_OFFSET = 14


@pytest.fixture(scope="module")
def pymq():
    """One broker for all tests here; each test has a topic and a group of its own."""
    with PyMQServer() as server:
        yield server


def new_topic(server, *parts):
    """An empty topic with a name of these parts."""
    return server.create_topic("-".join(parts).replace(".", "_"), QUEUES)


def fill(server, topic, per_queue):
    """Send so many messages to each queue, in order."""
    programs.send("python", server, topic, per_queue * QUEUES, size=64, mode="ordered", quiet=True)


def consumer(server, family, topic, instance, **flags):
    """A consumer that reads in order and takes its time."""
    base = {"group": f"CG-{topic}", "size": 64, "orderly": True, "work_ms": WORK_MS}
    return Program(family, "receive", namesrv=server.namesrv, topic=topic, instance=instance, **{**base, **flags})


@contextlib.contextmanager
def two_consumers(server, family, topic, per_queue):
    """Two of one group that shared the queues while they were empty, and are in the middle of them now."""
    with consumer(server, family, topic, "one") as one, consumer(server, family, topic, "two") as two:
        for member in (one, two):
            member.wait_queues(QUEUES // 2, HAND_OVER_S)
        fill(server, topic, per_queue)
        for member in (one, two):
            wait_consumed(member, WARM)
        yield one, two


def wait_consumed(member, count, timeout_s=HAND_OVER_S):
    """Wait until a consumer has consumed so many."""
    member.wait_event("consumed", count, timeout_s)


def wait_all(members, per_queue, timeout_s=HAND_OVER_S):
    """Wait until the members have consumed all queues between them."""

    def done():
        places = {(event["queueId"], event["queueOffset"]) for member in members for event in member.of("consumed")}
        return len(places) >= per_queue * QUEUES

    members[-1].child.wait_for(done, timeout_s, f"{per_queue} messages of {QUEUES} queues")


def hand_overs(queues):
    """The pairs of calls, one after the other in a queue, that two different consumers made."""
    pairs = [pair for line in queues.values() for pair in itertools.pairwise(line)]
    return [(earlier, later) for earlier, later in pairs if earlier.owner != later.owner]


def in_hand(earlier, later):
    """Java's clients give up a queue without committing the message they just work on; who takes the queue begins with it again.

    They give up all of them, and take them again, when they ask for the members of their group before a restarted broker heard
    of them (AllocateMessageQueueAveragely gives nothing to who is not among the members).
    """
    return later.offset == earlier.offset


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_joins_and_leaves(pymq, first, second):
    """A second consumer takes half of the queues over and gives them back."""
    per_queue = 600
    topic = new_topic(pymq, "join", first, second)
    fill(pymq, topic, per_queue)
    with consumer(pymq, first, topic, "one") as one, consumer(pymq, second, topic, "two") as two:
        two.wait_queues(QUEUES // 2, HAND_OVER_S)
        wait_consumed(two, WARM)
        two.stop()
        wait_all((two, one), per_queue)
        one.stop()
        queues = checks.one_after_the_other(checks.calls("one", one) + checks.calls("two", two), in_hand)
        assert [len({call.offset for call in line}) for line in queues.values()] == [per_queue] * QUEUES
        assert hand_overs(queues)


@pytest.mark.parametrize("family", FAMILIES)
def test_broker_restarts(family):
    """The broker stops and starts, and is killed and starts: each consumer goes on with its queues where it was."""
    per_queue = 2500
    with PyMQServer() as server:
        topic = new_topic(server, "restart", family)
        with two_consumers(server, family, topic, per_queue) as (one, two):
            for end in (server.stop, server.kill):
                end()
                server.start()
                for member in (one, two):
                    wait_consumed(member, len(member.of("consumed")) + 10 * WARM)
            wait_all((one, two), per_queue)
            for member in (one, two):
                member.stop()
            queues = checks.one_after_the_other(checks.calls("one", one) + checks.calls("two", two), in_hand)
            print(f"{family}: {len(hand_overs(queues))} queues changed hands")


@pytest.mark.parametrize("family", FAMILIES)
def test_consumer_is_killed(pymq, family):
    """Its queues rest until its locks ran out; then the other goes on from what was committed."""
    per_queue = 600
    topic = new_topic(pymq, "killed", family)
    with two_consumers(pymq, family, topic, per_queue) as (one, two):
        one.kill()
        killed_ms = int(time.time() * 1000)
        committed = {queue: committed_offset(pymq, f"CG-{topic}", topic, queue) for queue in range(QUEUES)}
        wait_all((one, two), per_queue)
        two.stop()

        def from_committed(earlier, later):
            return earlier.owner == "one" and later.owner == "two" and later.offset == committed[later.queue]

        called = checks.calls("one", one, killed_ms) + checks.calls("two", two)
        changes = hand_overs(checks.one_after_the_other(called, from_committed))
        taken = [later for earlier, later in changes if later.owner == "two" and later.begin > killed_ms]
        rested_s = sorted((later.begin - killed_ms) / 1000 for later in taken)
        print(f"{family}: taken over after {rested_s} s")
        assert len(taken) == QUEUES // 2
        assert rested_s[0] >= LOCK_LEFT_S_MIN


def committed_offset(server, group, topic, queue):
    """What the broker knows of a group in a queue; 0 when it knows nothing, for then a consumer begins there."""
    fields = {"consumerGroup": group, "topic": topic, "queueId": queue}
    answer = wire.ask(server.broker, QUERY_CONSUMER_OFFSET, fields)
    return int(answer.fields["offset"]) if answer.code == wire.SUCCESS else 0


@pytest.mark.parametrize("family", ("java-4.9.8", "java-5.5.0", "python"))
def test_suspended_queue(pymq, family):
    """A message that fails holds up its queue, and is the next one again."""
    per_queue = 5
    topic = new_topic(pymq, "suspend", family)
    fill(pymq, topic, per_queue)
    with consumer(pymq, family, topic, "one", fail_times=2) as one:
        wait_consumed(one, 3 * per_queue * QUEUES)
        one.stop()
        called = checks.calls("one", one)
        queues = checks.one_after_the_other(called, lambda earlier, later: later.offset == earlier.offset)
        for line in queues.values():
            assert [call.offset for call in line] == [offset for offset in range(per_queue) for _ in range(3)]
