"""What must be true of a chaos run, found from the journal that all programs wrote and from what the broker has stored.

The journal's order is the order of events, for every line of it is one write to one file. Events count from when they stand
there: an acknowledged message has a `sent` line, a half message whose local transaction began has an `executing` line, a message
that a listener was given has a `received` line.

A message is known by the unique id that its client gave it: a sender that did not hear of its fate sends the same number again
under a new id, and both may come; a client's own retry keeps the id.

Order, as RocketMQ promises it: one consumer of the group at a time works on a queue; it gets no message before all earlier ones
of the queue were consumed. After a takeover, a kill or a restart it may get again what was consumed after the last commit.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from .chaos_workload import ALWAYS, ORDERED, PLAIN, TRANSACTIONS, fails, is_committed, seq_of


@dataclass(frozen=True)
class Problem:
    """Something that must not be, and by which words the journal's lines about it are found."""

    text: str
    words: tuple = ()


@dataclass(frozen=True)
class Acknowledged:
    """A message that the broker accepted."""

    prefix: str
    unique_id: str
    queue: int
    offset: int


class QueueOrder:
    """One queue as its orderly consumers saw it."""

    def __init__(self):
        self.next = 0  # the first that was never consumed
        self.ids = {}
        self._working = {}

    def received(self, who, offset, unique_id):
        """A listener was given a message; the text of what is wrong with that, or None."""
        others = {other: at for other, at in self._working.items() if other != who}
        self._working[who] = offset
        known = self.ids.setdefault(offset, unique_id)
        if known != unique_id:
            return f"was {known} before and is {unique_id} for {who}"
        if others:
            return f"for {who} while {others} are at work on the queue"
        if offset > self.next:
            return f"for {who} although {self.next} was not consumed yet"
        return None

    def consumed(self, who, offset):
        """A listener is done with it."""
        self._working.pop(who, None)
        if offset == self.next:
            self.next += 1

    def gone(self, who):
        """A consumer is dead."""
        self._working.pop(who, None)


class Model:
    """Takes the journal's events one by one, in their order."""

    def __init__(self):
        self.counts = Counter()
        self.problems = []
        self.acknowledged = {PLAIN: {}, ORDERED: {}}
        self.executing = {}
        self.received = {PLAIN: {}, ORDERED: {}, TRANSACTIONS: {}}
        self.order = defaultdict(QueueOrder)
        self.ready, self.errors = Counter(), defaultdict(list)
        self._next = Counter()
        self._takes = {
            "ready": self._ready,
            "gone": self._gone,
            "sent": self._sent,
            "executing": self._executing,
            "received": self._received,
            "consumed": self._consumed,
            "corrupt": self._corrupt,
            "error": self._error,
        }

    def next_seq(self, topic, prefix):
        """With which number a sender goes on: behind the last one that was acknowledged."""
        return self._next[topic, prefix]

    def feed(self, event):
        """Take one event; those that say nothing here are only counted."""
        kind = event["event"]
        self.counts[kind] += 1
        if kind in self._takes:
            self._takes[kind](event)

    def _ready(self, event):
        self.ready[event["who"]] += 1

    def _gone(self, event):
        for order in self.order.values():
            order.gone(event["who"])

    def _sent(self, event):
        topic = event["topic"]
        if topic in self.acknowledged:
            prefix = f"{event['prefix']}:{event['seq']:08d}:"
            self.acknowledged[topic][event["msgId"]] = Acknowledged(
                prefix, event["msgId"], event["queueId"], event["queueOffset"]
            )
            self._next[topic, event["prefix"]] = event["seq"] + 1
            self.counts[f"sent to {topic}"] += 1

    def _executing(self, event):
        self.executing[event["transactionId"]] = f"{event['prefix']}:{event['seq']:08d}:"
        self._next[event["topic"], event["prefix"]] = event["seq"] + 1

    def _received(self, event):
        topic, prefix, unique_id = event["topic"], event["body_prefix"], event["msgId"]
        seen = self.received[topic]
        self.counts[f"received of {topic}"] += 1
        seen[unique_id] = max(event["reconsume"], seen.get(unique_id, 0))
        if topic == TRANSACTIONS and not is_committed(prefix):
            self._problem(f"{prefix} of {topic} was rolled back and came to {event['who']}", prefix, unique_id)
        if topic == ORDERED:
            wrong = self.order[event["queueId"]].received(event["who"], event["queueOffset"], unique_id)
            if wrong:
                place = f"{topic} queue {event['queueId']} offset {event['queueOffset']}"
                self._problem(f"{place}, {prefix} {wrong}", prefix, unique_id)

    def _consumed(self, event):
        self.order[event["queueId"]].consumed(event["who"], event["queueOffset"])

    def _corrupt(self, event):
        self._problem(f"a body is not whole: {event}")

    def _error(self, event):
        self.errors[event["who"]].append(event["message"])

    def _problem(self, text, *words):
        self.problems.append(Problem(text, words))

    # At the end

    def unsettled(self):
        """How many acknowledged messages were not received as they must be; those that fail for ever are not counted."""
        plain = sum(
            1 for found in self.acknowledged[PLAIN].values() if fails(found.prefix) != ALWAYS and not self._is_done(found)
        )
        ordered = sum(1 for unique_id in self.acknowledged[ORDERED] if unique_id not in self.received[ORDERED])
        executed = sum(1 for unique_id, prefix in self.executing.items() if is_committed(prefix) and not self._came(unique_id))
        return plain + ordered + executed

    def _is_done(self, message):
        return self.received[PLAIN].get(message.unique_id, -1) >= fails(message.prefix)

    def _came(self, unique_id):
        return unique_id in self.received[TRANSACTIONS]

    def judge(self, stored, retried, dead):
        """Compare with what is stored: {topic: list of Stored}, the retries and the dead letters, lists of Stored. Gives all
        problems.
        """
        for topic in (PLAIN, ORDERED):
            self._judge_places(topic, {(found.queue, found.offset): found for found in stored[topic]})
        self._judge_plain(stored[PLAIN], retried, dead)
        self._judge_order(stored[ORDERED])
        self._judge_transactions(stored[TRANSACTIONS])
        for topic, all_stored in stored.items():
            self.counts[f"stored in {topic}"] = len(all_stored)
            self.counts[f"stored again in {topic}"] = len(all_stored) - len({found.prefix for found in all_stored})
        self.counts["dead letters"] = len(dead)
        return self.problems

    def _judge_places(self, topic, places):
        """Each acknowledged message is where the broker said."""
        for unique_id, message in self.acknowledged[topic].items():
            found = places.get((message.queue, message.offset))
            if found is None or found.unique_id != unique_id:
                there = found and found.prefix
                self._problem(f"{topic} queue {message.queue} offset {message.offset} holds {there}", message.prefix, unique_id)

    def _judge_plain(self, stored, retried, dead):
        """Each was consumed once it did not fail, or is a dead letter; and only those that always fail are.

        A dead letter names the message that it was. But when sending back fails, Java's consumer sends a retry by itself and
        loses the name over it (sendMessageBack: setProperties takes back what setOriginMessageId did); then it names that one.
        """
        origins = defaultdict(set)
        for found in stored:
            origins[found.unique_id] |= {found.unique_id, found.offset_id}
        for found in retried:
            if "ORIGIN_MESSAGE_ID" not in found.properties:
                origins[found.unique_id].add(found.offset_id)
        buried = {letter.unique_id for letter in dead}
        for letter in dead:
            origin = letter.properties.get("ORIGIN_MESSAGE_ID")
            if origin not in origins[letter.unique_id]:
                self._problem(f"dead letter {letter.prefix} says it was {origin}", letter.prefix, letter.unique_id)
            if fails(letter.prefix) != ALWAYS:
                self._problem(f"{letter.prefix} is a dead letter and does not always fail", letter.prefix, letter.unique_id)
        for found in stored:
            if fails(found.prefix) == ALWAYS:
                if found.unique_id not in buried:
                    self._problem(f"{found.prefix} always fails and is no dead letter", found.prefix, found.unique_id)
            elif not self._is_done(found):
                times = self.received[PLAIN].get(found.unique_id)
                self._problem(f"{found.prefix} was not consumed (came with retry {times})", found.prefix, found.unique_id)

    def _judge_order(self, stored):
        """All of a queue were consumed, and a sender's numbers ascend in it, apart from those that were there already."""
        sent, last = set(), defaultdict(lambda: -1)
        for found in sorted(stored, key=lambda found: (found.queue, found.offset)):
            self._judge_consumed(found, self.order[found.queue])
            place, seq = (found.queue, found.prefix), seq_of(found.prefix)
            sender = found.queue, found.prefix.split(":")[0]
            if place not in sent and seq < last[sender]:
                self._problem(f"{ORDERED} queue {found.queue} offset {found.offset}, {found.prefix} came late", found.prefix)
            sent.add(place)
            last[sender] = max(seq, last[sender])

    def _judge_consumed(self, found, order):
        """What is stored in a queue is what consumers got from it."""
        place = f"{ORDERED} queue {found.queue} offset {found.offset}, {found.prefix}"
        if found.offset >= order.next:
            self._problem(f"{place} was not consumed", found.prefix, found.unique_id)
        elif order.ids[found.offset] != found.unique_id:
            self._problem(f"{place} came as {order.ids[found.offset]}", found.prefix, order.ids[found.offset])

    def _judge_transactions(self, stored):
        """Stored and received are all that began and are committed, and none that is rolled back."""
        ids = {found.unique_id for found in stored}
        for unique_id, prefix in self.executing.items():
            if is_committed(prefix) and unique_id not in ids:
                self._problem(f"{prefix} was committed and is not stored", prefix, unique_id)
        for found in stored:
            if not is_committed(found.prefix):
                self._problem(f"{found.prefix} was rolled back and is stored", found.prefix, found.unique_id)
            elif not self._came(found.unique_id):
                self._problem(f"{found.prefix} is stored and was not received", found.prefix, found.unique_id)
