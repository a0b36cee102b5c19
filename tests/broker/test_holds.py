"""Tests of pymq.broker.holds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker import holds as module
from pymq.broker.holds import Hold, PullRequestHoldService
from pymq.errors import RequestError
from pymq.interfaces import IArrivalListener
from pymq.message.record import RecordDraft
from pymq.message.tags import java_hash
from tests.broker.fixtures import NOW_S, draft, open_store, started_clock


class PullRequestHoldServiceTests(SynchronousTestCase):
    """Pulls that wait."""

    def setUp(self) -> None:
        """An empty store that tells the service of its messages; `resumed` are the holds that were resumed."""
        self.clock = started_clock()
        self.store = open_store(self.clock)
        self.holds = PullRequestHoldService(clock=self.clock, store=self.store)
        self.store.watch(self.holds)
        self.resumed: list[Hold] = []

    def hold(
        self, topic: str = "T", queue_id: int = 0, offset: int = 0, tags: frozenset[int] | None = None, wait_s: float = 15
    ) -> Hold:
        """Hold a pull."""
        return self.holds.hold(topic, queue_id, offset, tags, NOW_S + wait_s, self.resumed.append)

    def arrive(self, *offsets: int, tag: str | None = None, topic: str = "T") -> None:
        """Tell of messages at these offsets, without a store."""
        drafts: list[RecordDraft] = []
        for offset in offsets:
            arrived = draft(topic, tag=tag)
            arrived.queue_offset = offset
            drafts.append(arrived)
        self.holds.messages_arrived(drafts)

    def test_it_listens_to_arrivals(self) -> None:
        """As the store expects it."""
        verifyObject(IArrivalListener, self.holds)

    def test_message_resumes_the_pulls_of_its_queue(self) -> None:
        """All of them, once, and no others."""
        first, second = self.hold(), self.hold()
        for other in (self.hold(topic="X"), self.hold(queue_id=1)):
            self.assertTrue(other.is_held)
        self.store.put([draft(), draft()])
        self.store.put([draft()])
        self.assertEqual(self.resumed, [first, second])
        self.assertEqual((first.is_held, self.holds.count), (False, 2))

    def test_message_below_the_offset_resumes_nothing(self) -> None:
        """The pull has had it."""
        hold = self.hold(offset=5)
        self.arrive(3, 4)
        self.assertEqual((self.resumed, hold.offset), ([], 5))
        self.arrive(5)
        self.assertEqual(self.resumed, [hold])

    def test_only_a_message_that_passes_the_filter_resumes(self) -> None:
        """Hashes are compared signed; a hash above 31 bits is negative in the queue and may come unsigned in a filter."""
        tag = "TagTagTag"
        self.assertLess(java_hash(tag), 0)
        signed, unsigned = self.hold(tags=frozenset({java_hash(tag)})), self.hold(tags=frozenset({java_hash(tag) & 0xFFFFFFFF}))
        self.store.put([draft(tag="TagB"), draft()])
        self.assertEqual(self.resumed, [])
        self.store.put([draft(tag=tag)])
        self.assertEqual(self.resumed, [signed, unsigned])

    def test_empty_filter_lets_everything_through(self) -> None:
        """An empty set of tags means all of them."""
        hold = self.hold(tags=frozenset())
        self.arrive(0, tag="A")
        self.assertEqual(self.resumed, [hold])

    def test_refused_messages_need_not_be_read_again(self) -> None:
        """The hold's offset moves past them, so that the pull goes on behind them; not past a gap."""
        hold = self.hold(tags=frozenset({java_hash("A")}))
        self.arrive(0, 1, 2, tag="B")
        self.assertEqual(hold.offset, 3)
        self.arrive(5, tag="B")
        self.assertEqual(hold.offset, 3)
        self.arrive(6, tag="A")
        self.assertEqual((self.resumed, hold.offset), ([hold], 3))

    def test_all_arrivals_are_seen_before_the_first_is_resumed(self) -> None:
        """A pull that is held anew while it is resumed does not wake from messages that were there already."""
        again: list[Hold] = []

        def hold_again(hold: Hold) -> None:
            self.resumed.append(hold)
            again.append(self.hold(offset=2))

        self.holds.hold("T", 0, 0, None, NOW_S + 15, hold_again)
        self.arrive(0, 1)
        self.assertEqual((len(self.resumed), again[0].is_held), (1, True))

    def test_deadline_resumes(self) -> None:
        """At the first check at or after it, at most a second late whatever the fractions are."""
        early, late = self.hold(wait_s=10.05), self.hold(wait_s=11.5)
        self.holds.check(NOW_S + 9.9)
        self.assertEqual(self.resumed, [])
        self.holds.check(NOW_S + 10.9)
        self.assertEqual(self.resumed, [early])
        self.holds.check(NOW_S + 11.9)
        self.assertEqual(self.resumed, [early, late])

    def test_deadline_that_passed_already_is_met_by_the_next_check(self) -> None:
        """A client may not want to wait at all; and checks may come late."""
        hold = self.hold(wait_s=-100)
        self.clock.advance(1)
        self.holds.check()
        self.assertEqual(self.resumed, [hold])

    def test_cancelled_hold_is_forgotten(self) -> None:
        """Neither a message nor its deadline resumes it, and nothing remains of it."""
        hold = self.hold()
        hold.cancel()
        hold.cancel()
        self.arrive(0)
        self.holds.check(NOW_S + 100)
        self.assertEqual((self.resumed, self.holds.count, hold.is_held), ([], 0, False))

    def test_resumed_hold_can_be_cancelled(self) -> None:
        """Its channel may close while its answer is on the way."""
        hold = self.hold()
        self.arrive(0)
        hold.cancel()
        self.assertEqual(self.holds.count, 0)

    def test_hold_cancelled_by_another_ones_resumption_is_not_resumed(self) -> None:
        """Although both had been taken out together: a Deferred must not be fired after it was cancelled."""
        holds: list[Hold] = []
        holds.append(self.holds.hold("T", 0, 0, None, NOW_S + 15, lambda hold: holds[1].cancel()))
        holds.append(self.hold())
        self.arrive(0)
        self.assertEqual((self.resumed, self.holds.count), ([], 0))

    def test_failing_resumption_does_not_keep_the_others_waiting(self) -> None:
        """It is logged."""

        def fail(hold: Hold) -> None:
            raise RuntimeError("cannot be resumed")

        self.holds.hold("T", 0, 0, None, NOW_S + 15, fail)
        hold = self.hold()
        self.arrive(0)
        self.assertEqual(self.resumed, [hold])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_message_that_was_not_told_is_found_within_five_checks(self) -> None:
        """The store's word counts."""
        store = open_store(self.clock)
        self.holds = PullRequestHoldService(clock=self.clock, store=store)
        hold = self.hold(wait_s=1000)
        for second in range(5):
            self.holds.check(NOW_S + second)
        self.assertEqual(self.resumed, [])
        store.put([draft()])
        for second in range(5, 10):
            self.holds.check(NOW_S + second)
        self.assertEqual(self.resumed, [hold])

    def test_holds_have_a_bound(self) -> None:
        """One more is told that the broker is busy, so that the client pauses; SYSTEM_BUSY is 2."""
        self.patch(module, "HELD_PULLS_MAX", 1)
        hold = self.hold()
        self.assertEqual(self.assertRaises(RequestError, self.hold).code, 2)
        hold.cancel()
        self.assertTrue(self.hold().is_held)
