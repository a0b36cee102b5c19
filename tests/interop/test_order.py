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
#: A little more than is consumed, so that there is always something in hand; and so much at the beginning.
SEND_INTERVAL_MS = 4
#: So little that it shows who has a queue, and adds up to nothing.
TRICKLE_INTERVAL_MS = 100
BACKLOG = 200
#: What happens in the middle happens after so many messages, and so many after a restart show what came of it.
WARM = 40
AFTERWARDS = 1000
#: A lock lives for 60 s after its last renewal, Java 4.9's late release takes 20 s, and what came meanwhile is to be consumed;
#: the rest is for slow machines.
HAND_OVER_S = 400
#: Renewals come every 20 s, so that of the 60 s at least 40 are left; half of them are for slow machines.
LOCK_LEFT_S_MIN = 20
QUERY_CONSUMER_OFFSET = 14


@pytest.fixture(scope="module")
def pymq():
    """One broker for the tests that leave it alone; each test has a topic and a group of its own."""
    with PyMQServer() as server:
        yield server


def new_topic(server, *parts):
    """An empty topic with a name of these parts."""
    return server.create_topic("-".join(parts).replace(".", "_"), QUEUES)


def fill(server, topic, per_queue):
    """Send so many messages to each queue, in order."""
    programs.send("python", server, topic, per_queue * QUEUES, size=64, mode="ordered", quiet=True)


@contextlib.contextmanager
def trickle(server, topic, interval_ms=TRICKLE_INTERVAL_MS):
    """While the block runs, messages come to the queues in turn."""
    flags = {"group": "PG-order", "size": 64, "mode": "ordered", "forever": True, "interval_ms": interval_ms, "quiet": True}
    with Program("python", "send", namesrv=server.namesrv, topic=topic, **flags) as sender:
        sender.wait_event("ready")
        yield
        sender.stop()


@contextlib.contextmanager
def stream(server, topic):
    """While the block runs, more messages come to each queue than are consumed."""
    fill(server, topic, BACKLOG)
    with trickle(server, topic, SEND_INTERVAL_MS):
        yield


def consumer(server, family, topic, instance, **flags):
    """A consumer that reads in order and takes its time."""
    base = {"group": f"CG-{topic}", "size": 64, "orderly": True, "work_ms": WORK_MS}
    return Program(family, "receive", namesrv=server.namesrv, topic=topic, instance=instance, **{**base, **flags})


@contextlib.contextmanager
def two_consumers(server, family, topic):
    """Two of one group, each at work with half of the queues.

    That a queue is theirs to read is not enough: Go's client does not unlock a queue that it gives up
    (removeUnnecessaryMessageQueue), so that who takes it waits for up to 60 s.
    """
    with consumer(server, family, topic, "one") as one, consumer(server, family, topic, "two") as two:

        def shared():
            """Each was the last to consume of half of the queues."""
            events = [(event["at"], event["queueId"], name) for name, member in pair.items() for event in member.of("consumed")]
            last = {queue: name for _, queue, name in sorted(events)}
            return all(list(last.values()).count(name) == QUEUES // 2 for name in pair)

        pair = {"one": one, "two": two}
        for member in pair.values():
            member.wait_queues(QUEUES // 2, HAND_OVER_S)
        with trickle(server, topic):
            two.child.wait_for(shared, HAND_OVER_S, f"both of {family} at work")
        yield one, two


def wait_more(members, count):
    """Wait until each of them consumed so many more messages."""
    targets = [(member, len(member.of("consumed")) + count) for member in members]
    for member, target in targets:
        member.wait_event("consumed", target, HAND_OVER_S)


def wait_all(server, topic, members):
    """Wait until the members consumed all that was sent; the last of them must be running."""
    count = sum(wire.queue_ends(server.broker, topic, QUEUES))

    def done():
        return len({(event["queueId"], event["queueOffset"]) for member in members for event in member.of("consumed")}) >= count

    members[-1].child.wait_for(done, HAND_OVER_S, f"{count} messages of {QUEUES} queues")


def stopped(name, member):
    """Stop a consumer that is in the middle of something, perhaps; its calls."""
    member.stop()
    return checks.calls(name, member, now_ms())


def now_ms():
    """The time that all programs here share."""
    return int(time.time() * 1000)


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


def from_committed(earlier, later):
    """Go's client forgets the offset of a queue that it gives up, also when telling the broker of it failed
    (removeUnnecessaryMessageQueue), and then asks a broker that was killed, which knows what it had saved. And it tells the
    offset before its listener is through with what it was given.
    """
    return later.offset <= earlier.offset


def repeats_of(*families):
    """What may come again when these work together."""
    return from_committed if "go" in families else in_hand


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_joins_and_leaves(pymq, first, second):
    """A second consumer takes half of the queues over and gives them back."""
    topic = new_topic(pymq, "join", first, second)
    with consumer(pymq, first, topic, "one") as one:
        with stream(pymq, topic):
            wait_more([one], WARM)
            with consumer(pymq, second, topic, "two") as two:
                two.wait_queues(QUEUES // 2, HAND_OVER_S)
                wait_more([two], WARM)
                called = stopped("two", two)
        wait_all(pymq, topic, (two, one))
        # Java's clients unlock their queues at a shutdown though the listener is still at work, when it was for so long as they
        # wait for that (ConsumeMessageOrderlyService.shutdown).
        leaving = frozenset() if second == "python" else {"two"}
        queues = checks.one_after_the_other([*stopped("one", one), *called], repeats_of(first, second), leaving)
        assert {later.owner for _, later in hand_overs(queues)} == {"one", "two"}


@pytest.mark.parametrize("family", FAMILIES)
def test_broker_restarts(family):
    """The broker stops and starts, and is killed and starts: each consumer goes on with its queues where it was."""
    with PyMQServer() as server:
        topic = new_topic(server, "restart", family)
        with two_consumers(server, family, topic) as (one, two):
            with stream(server, topic):
                wait_more((one, two), WARM)
                for end in (server.stop, server.kill):
                    end()
                    server.start()
                    wait_more((one, two), AFTERWARDS)
            wait_all(server, topic, (one, two))
            queues = checks.one_after_the_other([*stopped("one", one), *stopped("two", two)], repeats_of(family))
            print(f"{family}: {len(hand_overs(queues))} queues changed hands")


@pytest.mark.parametrize("family", FAMILIES)
def test_consumer_is_killed(pymq, family):
    """Its queues rest until its locks ran out; then the other goes on from what was committed."""
    topic = new_topic(pymq, "killed", family)
    with two_consumers(pymq, family, topic) as (one, two):
        with stream(pymq, topic):
            wait_more((one, two), WARM)
            one.kill()
            killed_ms = now_ms()
            committed = {queue: committed_offset(pymq, f"CG-{topic}", topic, queue) for queue in range(QUEUES)}
        wait_all(pymq, topic, (one, two))

        def from_committed(earlier, later):
            return earlier.owner == "one" and later.owner == "two" and later.offset == committed[later.queue]

        called = [*checks.calls("one", one, killed_ms), *stopped("two", two)]
        changes = hand_overs(checks.one_after_the_other(called, from_committed))
        taken = [later for _, later in changes if later.owner == "two" and later.begin > killed_ms]
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
        one.wait_event("consumed", 3 * per_queue * QUEUES, HAND_OVER_S)
        queues = checks.one_after_the_other(stopped("one", one), in_hand)
        for line in queues.values():
            assert [call.offset for call in line] == [offset for offset in range(per_queue) for _ in range(3)]
