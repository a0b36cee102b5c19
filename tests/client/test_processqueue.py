"""What is in hand of a queue, and what may be committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.processqueue import LOCK_LIVES_MS, PULL_IDLE_MAX_MS, ProcessQueue
from tests.client.cases import queue, stored

NOW = 1_700_000_000_000


class ProcessQueueTests(SynchronousTestCase):
    """One queue."""

    def setUp(self) -> None:
        """An empty queue in hand."""
        self.held = ProcessQueue(queue(), NOW)
        self.messages = [stored(offset) for offset in range(10, 15)]

    def test_commits_up_to_the_first_unfinished(self) -> None:
        """However the others are finished."""
        self.held.put(self.messages)
        self.assertEqual(self.held.remove([self.messages[2]], NOW), 10)
        self.assertEqual(self.held.remove([self.messages[0]], NOW), 11)
        self.assertEqual(self.held.remove([self.messages[1]], NOW), 13)
        self.assertEqual(self.held.remove(self.messages[3:], NOW), 15)

    def test_nothing_in_hand_commits_nothing(self) -> None:
        """Java's -1."""
        self.assertEqual(self.held.remove(self.messages, NOW), -1)

    @given(st.permutations(range(8)))
    def test_the_commit_never_passes_an_unfinished_message(self, order: list[int]) -> None:
        """In any order of finishing the offset is that of the first unfinished one."""
        held = ProcessQueue(queue(), NOW)
        messages = [stored(offset) for offset in range(8)]
        held.put(messages)
        left = set(range(8))
        for offset in order:
            left.discard(offset)
            self.assertEqual(held.remove([messages[offset]], NOW), min(left, default=8))
        self.assertEqual((held.count, held.size_bytes), (0, 0))

    def test_counts_and_sizes(self) -> None:
        """What comes in and goes out; a message that is there already counts once."""
        self.held.put(self.messages)
        self.held.put(self.messages[:2])
        self.assertEqual((self.held.count, self.held.size_bytes, self.held.span), (5, 500, 4))
        self.held.remove(self.messages[:1] * 2, NOW + 5)
        self.assertEqual((self.held.count, self.held.size_bytes, self.held.span), (4, 400, 3))
        self.assertEqual(self.held.last_consume_ms, NOW + 5)
        self.held.clear()
        self.assertEqual((self.held.count, self.held.size_bytes, self.held.span), (0, 0, 0))
        self.assertFalse(self.held.has_messages())

    def test_an_ordered_consumer_is_started_once(self) -> None:
        """`put` says so until `take` finds nothing."""
        self.assertFalse(self.held.put([]))
        self.assertTrue(self.held.put(self.messages[:1]))
        self.assertFalse(self.held.put(self.messages[1:]))
        self.assertEqual(self.held.take(9, NOW), self.messages)
        self.assertEqual(self.held.take(9, NOW), [])
        self.assertTrue(self.held.put([stored(15)]))

    def test_taking_and_committing(self) -> None:
        """Taken messages still count until they are committed."""
        self.held.put(self.messages)
        self.assertEqual(self.held.commit(), -1)
        self.assertEqual(self.held.take(2, NOW), self.messages[:2])
        self.assertEqual((self.held.count, self.held.taken_count), (5, 2))
        self.assertTrue(self.held.holds(self.messages[0]))
        self.assertEqual(self.held.offsets_in_hand(), (12, 14, 10, 11))
        self.assertEqual(self.held.commit(), 12)
        self.assertEqual((self.held.count, self.held.size_bytes), (3, 300))
        self.assertFalse(self.held.holds(self.messages[0]))

    def test_put_back_messages_come_first(self) -> None:
        """In their order, before what waited."""
        self.held.put(self.messages)
        self.held.take(3, NOW)
        self.held.put_back()
        self.assertEqual(self.held.take(9, NOW), self.messages)

    def test_locks_and_pulls_grow_old(self) -> None:
        """At the limit they are still good."""
        self.assertFalse(self.held.is_lock_expired(NOW + LOCK_LIVES_MS))
        self.assertTrue(self.held.is_lock_expired(NOW + LOCK_LIVES_MS + 1))
        self.assertFalse(self.held.is_pull_expired(NOW + PULL_IDLE_MAX_MS))
        self.assertTrue(self.held.is_pull_expired(NOW + PULL_IDLE_MAX_MS + 1))
