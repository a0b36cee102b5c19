"""What must be true of what a receiver saw."""

import itertools
from collections import defaultdict
from dataclasses import dataclass


def seq_of(event):
    """The number in a body's prefix `P:00000042:`."""
    return int(event["body_prefix"].split(":")[1])


def none_lost(received, count, prefix="P"):
    """Each of `count` messages came, and nothing else did."""
    assert {event["body_prefix"].split(":")[0] for event in received} <= {prefix}, "foreign messages"
    seen = {seq_of(event) for event in received}
    missing = set(range(count)) - seen
    assert not missing, f"{len(missing)} lost, such as {sorted(missing)[:10]}"
    assert not seen - set(range(count)), f"unknown: {sorted(seen - set(range(count)))[:10]}"


def by_queue(received):
    """The messages of each queue, in the order of their offsets, each offset once."""
    queues = defaultdict(dict)
    for event in received:
        known = queues[event["queueId"]].setdefault(event["queueOffset"], event["body_prefix"])
        assert known == event["body_prefix"], f"two messages at queue {event['queueId']} offset {event['queueOffset']}"
    return {queue: [table[offset] for offset in sorted(table)] for queue, table in queues.items()}


def dense(received, first=0):
    """The offsets of each queue have no holes and start at `first`."""
    offsets = defaultdict(set)
    for event in received:
        offsets[event["queueId"]].add(event["queueOffset"])
    for queue, seen in offsets.items():
        assert seen == set(range(first, first + len(seen))), f"queue {queue}: {len(seen)} offsets up to {max(seen)}"


def order_kept(received):
    """In each queue the sender's numbers ascend with the offsets."""
    for queue, prefixes in by_queue(received).items():
        assert prefixes == sorted(prefixes), f"queue {queue} is out of order"


def delivered_in_order(received):
    """The receiver was given each queue's messages in ascending order of offset, each once."""
    last = {}
    for event in received:
        queue, offset = event["queueId"], event["queueOffset"]
        assert offset > last.get(queue, -1), f"queue {queue}: offset {offset} after {last[queue]}"
        last[queue] = offset


def whole(received, count, prefix="P"):
    """None lost, none foreign, no holes, order kept."""
    none_lost(received, count, prefix)
    dense(received)
    order_kept(received)


def acked_are_there(sent, received):
    """Each message that the broker accepted is at the place it named."""
    places = {(event["queueId"], event["queueOffset"]): event["body_prefix"] for event in received}
    for event in sent:
        if event["queueId"] is not None:
            found = places.get((event["queueId"], event["queueOffset"]))
            assert found and int(found.split(":")[1]) == event["seq"], f"{event} is {found}"


@dataclass(frozen=True)
class Call:
    """One call of a listener for one message: who called, which message, from when to when in ms since the epoch."""

    owner: str
    queue: int
    offset: int
    begin: int
    end: int


def calls(owner, program, ended):
    """The calls of a receiver that works (--work-ms). One that it never came back from ended with it, at `ended`."""
    found, under_way = [], {}
    for event in program.events:
        if event["event"] == "received":
            assert event["queueId"] not in under_way, f"{owner} was called for two messages of a queue at once: {event}"
            under_way[event["queueId"]] = event
        elif event["event"] == "consumed":
            begun = under_way.pop(event["queueId"])
            assert begun["queueOffset"] == event["queueOffset"], f"{owner} consumed another message than it was given: {event}"
            found.append(Call(owner, event["queueId"], event["queueOffset"], begun["at"], event["at"]))
    return found + [Call(owner, queue, one["queueOffset"], one["at"], ended) for queue, one in under_way.items()]


def one_after_the_other(called, again=lambda earlier, later: False, leaving=frozenset()):
    """Each queue's messages were consumed from the first on, none left out, never two at once; gives the calls by queue.

    `again(earlier, later)` says whether `later` may repeat a message that was consumed before, or begun, `earlier` being the call
    before it. The last call of an owner who is `leaving` may still go on when the next owner is given the same message.
    """
    queues = defaultdict(list)
    for call in sorted(called, key=lambda call: (call.begin, call.end)):
        queues[call.queue].append(call)
    for queue, line in queues.items():
        assert line[0].offset == 0, f"queue {queue} began with {line[0]}"
        for earlier, later in itertools.pairwise(line):
            is_left = earlier.owner in leaving and earlier.offset == later.offset == max(
                call.offset for call in line if call.owner == earlier.owner
            )
            assert later.begin >= earlier.end or is_left, f"two at once: {earlier} and {later}"
            is_repeated = later.offset <= earlier.offset and again(earlier, later)
            assert later.offset == earlier.offset + 1 or is_repeated, f"out of order: {later} after {earlier}"
    return queues
