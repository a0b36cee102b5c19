"""The judge of the chaos run (tests/interop/test_chaos.py) finds what it must find, and its plan comes from the seed alone."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.interop import chaos_plan, chaos_report
from tests.interop.chaos_journal import Journal, decode
from tests.interop.chaos_model import Model
from tests.interop.chaos_workload import DEAD_TOPIC, ORDERED, PLAIN, RETRY_TOPIC, TRANSACTIONS
from tests.interop.witness import Stored

#: Numbers of plain messages that never fail, fail once and fail always; of transactions that are committed and rolled back.
GOOD, ONCE, ALWAYS = 0, 2, 10
COMMIT, ROLLBACK = 0, 1
LETTERS = {PLAIN: "AP", ORDERED: "AO", TRANSACTIONS: "AT"}


def stored(topic: str, seq: int, offset: int = 0, unique_id: str | None = None, **properties: str) -> Stored:
    """A message as the broker holds it; its id is its number unless given."""
    body = f"{LETTERS.get(topic, 'AP')}:{seq:08d}:abc".encode()
    return Stored(0, offset, 1000 + offset, f"OFFSET{offset}", 0, 0, body, {"UNIQ_KEY": unique_id or f"ID{seq}", **properties})


class ModelTests(SynchronousTestCase):
    """A small run is told to the model, with one thing wrong in each test."""

    def setUp(self) -> None:
        """Nothing told and nothing stored yet."""
        self.model = Model()
        self.stored: dict[str, list[Stored]] = {PLAIN: [], ORDERED: [], TRANSACTIONS: []}
        self.retried: list[Stored] = []
        self.dead: list[Stored] = []

    def send(self, topic: str, seq: int, offset: int = 0, unique_id: str | None = None) -> None:
        """A message is acknowledged, and stored."""
        fields = {"topic": topic, "prefix": LETTERS[topic], "seq": seq, "queueId": 0, "queueOffset": offset}
        self.model.feed({"event": "sent", "who": "p/1", "msgId": unique_id or f"ID{seq}", **fields})
        self.stored[topic].append(stored(topic, seq, offset, unique_id))

    def begin(self, seq: int) -> None:
        """A local transaction begins, and its message is stored."""
        fields = {"topic": TRANSACTIONS, "prefix": "AT", "seq": seq, "outcome": "unknown"}
        self.model.feed({"event": "executing", "who": "p/1", "transactionId": f"ID{seq}", **fields})
        self.stored[TRANSACTIONS].append(stored(TRANSACTIONS, seq))

    def receive(self, topic: str, seq: int, offset: int = 0, reconsume: int = 0, who: str = "c/1", **fields: Any) -> None:
        """A listener is given a message."""
        event = {"queueId": 0, "queueOffset": offset, "body_prefix": f"{LETTERS[topic]}:{seq:08d}:", "msgId": f"ID{seq}"}
        self.model.feed({"event": "received", "who": who, "topic": topic, "reconsume": reconsume, **event, **fields})

    def work(self, offset: int, who: str = "c/1") -> None:
        """An orderly listener is done."""
        self.model.feed({"event": "consumed", "who": who, "queueId": 0, "queueOffset": offset})

    def consume(self, seq: int, offset: int, who: str = "c/1") -> None:
        """An orderly listener is given a message and is done with it."""
        self.receive(ORDERED, seq, offset, who=who)
        self.work(offset, who)

    def expect(self, *texts: str) -> None:
        """The judge finds just these; of each a part of its text."""
        found = [problem.text for problem in self.model.judge(self.stored, self.retried, self.dead)]
        self.assertEqual(len(found), len(texts), found)
        for text, problem in zip(texts, found):
            self.assertIn(text, problem)

    def test_good_run(self) -> None:
        """Retries, a dead letter, a takeover with a redelivery, and both fates: nothing to say."""
        for offset, seq in enumerate((GOOD, ONCE, ALWAYS)):
            self.send(PLAIN, seq, offset)
        self.receive(PLAIN, GOOD)
        self.receive(PLAIN, ONCE)
        self.receive(PLAIN, ONCE, reconsume=1)
        self.dead = [stored(DEAD_TOPIC, ALWAYS, ORIGIN_MESSAGE_ID="OFFSET2")]
        for offset in range(3):
            self.send(ORDERED, offset, offset)
        self.consume(0, 0)
        self.consume(1, 1)
        self.consume(0, 0, "c/2")
        self.consume(1, 1, "c/2")
        self.consume(2, 2, "c/2")
        self.begin(COMMIT)
        self.receive(TRANSACTIONS, COMMIT)
        self.assertEqual(self.model.unsettled(), 0)
        self.expect()

    def test_lost(self) -> None:
        """Acknowledged and not there."""
        self.send(PLAIN, GOOD)
        self.receive(PLAIN, GOOD)
        self.stored[PLAIN].clear()
        self.expect("holds None")

    def test_overwritten(self) -> None:
        """Acknowledged, and another one is there: a restart gave a place away twice."""
        self.send(PLAIN, GOOD)
        self.receive(PLAIN, GOOD)
        self.stored[PLAIN][:] = [stored(PLAIN, GOOD, unique_id="OTHER")]
        self.receive(PLAIN, GOOD, msgId="OTHER")
        self.expect("holds AP:00000000:")

    def test_not_received(self) -> None:
        """Stored and never given to a listener."""
        self.send(PLAIN, GOOD)
        self.assertEqual(self.model.unsettled(), 1)
        self.expect("was not consumed (came with retry None)")

    def test_retry_lost(self) -> None:
        """A message that failed did not come again."""
        self.send(PLAIN, ONCE)
        self.receive(PLAIN, ONCE)
        self.assertEqual(self.model.unsettled(), 1)
        self.expect("was not consumed (came with retry 0)")

    def test_no_dead_letter(self) -> None:
        """What fails always is buried."""
        self.send(PLAIN, ALWAYS)
        self.receive(PLAIN, ALWAYS, reconsume=3)
        self.expect("always fails and is no dead letter")

    def test_wrong_dead_letter(self) -> None:
        """What does not always fail is not buried."""
        self.send(PLAIN, ONCE)
        self.receive(PLAIN, ONCE, reconsume=1)
        self.dead = [stored(DEAD_TOPIC, ONCE, ORIGIN_MESSAGE_ID="OFFSET0")]
        self.expect("does not always fail")

    def test_origin_lost(self) -> None:
        """A dead letter names the message that it was, by one of its ids."""
        self.send(PLAIN, ALWAYS)
        self.retried = [stored(RETRY_TOPIC, ALWAYS, 7, ORIGIN_MESSAGE_ID="OFFSET0"), stored(RETRY_TOPIC, GOOD, 7)]
        self.dead = [stored(DEAD_TOPIC, ALWAYS, ORIGIN_MESSAGE_ID="OFFSET7")]
        self.expect("says it was OFFSET7")

    def test_origin_lost_by_a_client(self) -> None:
        """It names the retry that Java's client sent without a name."""
        self.send(PLAIN, ALWAYS)
        self.retried = [stored(RETRY_TOPIC, ALWAYS, 7)]
        self.dead = [stored(DEAD_TOPIC, ALWAYS, ORIGIN_MESSAGE_ID="OFFSET7")]
        self.expect()

    def test_rolled_back_and_received(self) -> None:
        """Nobody may see what was rolled back."""
        self.receive(TRANSACTIONS, ROLLBACK)
        self.expect("was rolled back and came to c/1")

    def test_rolled_back_and_stored(self) -> None:
        """Nor may it be where somebody could see it."""
        self.begin(ROLLBACK)
        self.expect("was rolled back and is stored")

    def test_commit_lost(self) -> None:
        """Committed, and not there."""
        self.begin(COMMIT)
        self.stored[TRANSACTIONS].clear()
        self.assertEqual(self.model.unsettled(), 1)
        self.expect("was committed and is not stored")

    def test_commit_not_received(self) -> None:
        """Committed, there, and given to nobody."""
        self.begin(COMMIT)
        self.expect("is stored and was not received")

    def test_skipped(self) -> None:
        """A message came before an earlier one was consumed."""
        for offset in range(2):
            self.send(ORDERED, offset, offset)
        self.consume(1, 1)
        self.consume(0, 0)
        self.consume(1, 1)
        self.expect("although 0 was not consumed yet")

    def test_two_at_once(self) -> None:
        """A message came to one consumer while another was at work on the queue."""
        self.send(ORDERED, 0)
        self.receive(ORDERED, 0, who="c/1")
        self.receive(ORDERED, 0, who="d/1")
        self.work(0, "c/1")
        self.work(0, "d/1")
        self.expect("while {'c/1': 0} are at work")

    def test_the_dead_do_not_work(self) -> None:
        """A consumer that was killed at work is not in the way of who takes over."""
        self.send(ORDERED, 0)
        self.receive(ORDERED, 0, who="c/1")
        self.model.feed({"event": "gone", "who": "c/1"})
        self.consume(0, 0, "d/1")
        self.expect()

    def test_queue_not_finished(self) -> None:
        """The last message of a queue was not consumed."""
        self.send(ORDERED, 0)
        self.expect("was not consumed")

    def test_changed_under_consumers(self) -> None:
        """Consumers got from a place another message than the one that is stored there."""
        self.send(ORDERED, 0)
        self.receive(ORDERED, 0, msgId="OTHER")
        self.work(0)
        self.expect("came as OTHER")

    def test_two_messages_at_a_place(self) -> None:
        """Consumers got two messages from one place."""
        self.send(ORDERED, 0)
        self.consume(0, 0)
        self.receive(ORDERED, 0, msgId="OTHER")
        self.work(0)
        self.expect("was ID0 before and is OTHER")

    def test_stored_late(self) -> None:
        """A sender's later message stands before an earlier one; a second copy of one that stood in order is no harm."""
        for offset, (seq, unique_id) in enumerate(((1, "ID1"), (2, "ID2"), (1, "COPY"), (0, "ID0"))):
            self.send(ORDERED, seq, offset, unique_id)
            self.receive(ORDERED, seq, offset, msgId=unique_id)
            self.work(offset)
        self.expect("AO:00000000: came late")
        self.assertEqual(self.model.counts[f"stored again in {ORDERED}"], 1)

    def test_where_senders_go_on(self) -> None:
        """Behind the last message of which the broker told; a half message of which it told is not sent again."""
        self.send(PLAIN, 6)
        self.begin(2)
        self.assertEqual([self.model.next_seq(*of) for of in ((PLAIN, "AP"), (TRANSACTIONS, "AT"), (PLAIN, "BP"))], [7, 3, 0])


class PlanTests(SynchronousTestCase):
    """Steps drawn from a seed."""

    def test_the_seed_decides(self) -> None:
        """The same seed gives the same steps, another gives others."""
        first, again, other = (list(itertools.islice(chaos_plan.steps(seed), 50)) for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_everybody_is_struck(self) -> None:
        """The first five steps strike all; in time every kind comes, pairs and new names too; nobody is struck twice at once."""
        for seed in range(20):
            steps = list(itertools.islice(chaos_plan.steps(seed), 200))
            self.assertEqual({step.blows[0].victim for step in steps[:5]}, set(chaos_plan.VICTIMS))
            self.assertEqual({blow.kind for step in steps for blow in step.blows}, set(chaos_plan.KINDS))
            self.assertEqual({len(step.blows) for step in steps}, {1, 2})
            self.assertTrue(all(len({blow.victim for blow in step.blows}) == len(step.blows) for step in steps))
            renamed = {blow.victim for step in steps for blow in step.blows if blow.new_name}
            self.assertEqual(renamed, set(chaos_plan.CONSUMERS))


class JournalTests(SynchronousTestCase):
    """The file of events, while others write to it."""

    def setUp(self) -> None:
        """An empty journal that tells a model."""
        self.model = Model()
        self.journal = Journal(Path(self.mktemp()), self.model)

    def write(self, data: bytes) -> None:
        """What some program appends."""
        with open(self.journal.path, "ab") as file:
            file.write(data)

    def test_a_line_that_is_not_whole_yet(self) -> None:
        """It counts when its end is there, and once."""
        self.write(b'\n{"event":"ready","who":"a/1"')
        self.journal.refresh()
        self.assertEqual(self.model.ready["a/1"], 0)
        self.write(b"}\n")
        self.journal.refresh()
        self.journal.refresh()
        self.assertEqual(self.model.ready["a/1"], 1)

    def test_a_line_that_was_cut_off(self) -> None:
        """A kill in the middle of a write harms only that line."""
        self.write(b'\n{"event":"rea')
        self.journal.note("ready", who="b/1")
        self.assertEqual(dict(self.model.ready), {"b/1": 1})
        self.assertIsNone(decode(b'{"event":"rea'))

    def test_history(self) -> None:
        """All that was said of a message, its sender's failures too, and where it is stored."""
        self.journal.note("failed", topic=PLAIN, who="p/1", message="timeout")
        self.write(b'{"event":"failed","topic":"ChaosPlain","prefix":"AP","seq":10,"message":"timeout"}\n')
        self.write(b'{"event":"failed","topic":"ChaosPlain","prefix":"AP","seq":100,"message":"timeout"}\n')
        self.write(b'{"event":"checked","body_prefix":"AP:00000010:"}\n')
        scene = SimpleNamespace(journal=self.journal, stored={PLAIN: [stored(PLAIN, 10, 5), stored(PLAIN, 100, 6)]})
        lines = chaos_report.history(scene, ("AP:00000010:",))
        self.assertEqual(len(lines), 3)
        self.assertIn("log offset 1005", lines[-1])
