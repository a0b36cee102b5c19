"""Messages in hand, and the polls that take them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.polls import Polls
from pymq.client.processqueue import ProcessQueue
from tests.client.cases import queue, stored

INFINITE = None


class PollsTests(SynchronousTestCase):
    """Two queues, at offset 0."""

    def setUp(self) -> None:
        """Both are ours."""
        self.clock = Clock()
        self.polls = Polls(self.clock)
        self.one, self.two = (ProcessQueue(queue(n), 0) for n in range(2))
        for held in (self.one, self.two):
            self.polls.begin(held, 0)

    def tearDown(self) -> None:
        """Nothing is left on the clock."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def arrive(self, held: ProcessQueue, *offsets: int, next_offset: int | None = None) -> None:
        """Messages with these offsets were pulled."""
        following = offsets[-1] + 1 if next_offset is None else next_offset
        self.polls.arrived(held, [stored(offset) for offset in offsets], following)

    def offsets(self, polled: Deferred[Any]) -> list[int] | None:
        """What a poll gave."""
        given = self.successResultOf(polled)
        return None if given is None else [message.queue_offset for message in given[1]]

    def test_messages_come_in_turn_of_their_queues(self) -> None:
        """At most as many as are wanted, in order, none twice."""
        self.arrive(self.one, 0, 1, 2)
        self.arrive(self.two, 0)
        taken = []
        for _ in range(4):
            given = self.successResultOf(self.polls.poll(2, 0))
            taken.append(given and (given[0].queue.queue_id, [message.queue_offset for message in given[1]]))
        self.assertEqual(taken, [(0, [0, 1]), (1, [0]), (0, [2]), None])

    def test_a_poll_waits(self) -> None:
        """Who came first is served first; who waited long enough gets nothing."""
        first, second, short = self.polls.poll(1, INFINITE), self.polls.poll(5, 10), self.polls.poll(1, 1)
        self.clock.advance(1)
        self.assertIsNone(self.offsets(short))
        self.arrive(self.one, 0, 1, 2)
        self.assertEqual((self.offsets(first), self.offsets(second)), ([0], [1, 2]))

    def test_a_cancelled_poll_takes_nothing(self) -> None:
        """The next one does."""
        waiting = self.polls.poll(1, 5)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.arrive(self.one, 0)
        self.assertEqual(self.offsets(self.polls.poll(1, 0)), [0])

    def test_positions_follow_what_is_settled(self) -> None:
        """What was given counts only then; behind the last message of a pull that is what the pull passed over too."""
        self.arrive(self.one, 0, 2, next_offset=7)
        self.offsets(self.polls.poll(1, 0))
        self.assertEqual(self.polls.positions[queue()], 0)
        self.polls.settle()
        self.assertEqual((self.polls.positions[queue()], self.one.count), (1, 1))
        self.offsets(self.polls.poll(1, 0))
        self.polls.settle()
        self.assertEqual((self.polls.positions[queue()], self.one.count), (7, 0))

    def test_what_concerns_nobody_is_consumed(self) -> None:
        """Once nothing before it is in hand."""
        self.polls.arrived(self.one, [], 4)
        self.arrive(self.two, 0)
        self.polls.arrived(self.two, [], 9)
        self.assertEqual(self.polls.positions, {queue(0): 4, queue(1): 0})
        self.offsets(self.polls.poll(1, 0))
        self.polls.settle()
        self.assertEqual(self.polls.positions[queue(1)], 9)

    def test_what_is_put_back_comes_again(self) -> None:
        """Before all others, also to a poll that waits."""
        self.arrive(self.one, 0, 1, 2)
        self.offsets(self.polls.poll(2, 0))
        self.polls.put_back()
        self.assertEqual([self.offsets(self.polls.poll(2, 0)) for _ in range(3)], [[0, 1], [2], None])
        waiting = self.polls.poll(5, INFINITE)
        self.polls.put_back()
        self.assertEqual(self.offsets(waiting), [0, 1, 2])
        self.polls.settle()
        self.polls.put_back()
        self.assertEqual((self.offsets(self.polls.poll(5, 0)), self.polls.positions[queue()]), (None, 3))

    def test_a_queue_that_is_gone_gives_nothing(self) -> None:
        """Neither what waited nor what was given counts any more."""
        self.arrive(self.one, 0, 1)
        self.arrive(self.two, 0)
        self.offsets(self.polls.poll(1, 0))
        self.one.dropped = True
        self.assertEqual(self.polls.end(self.one), 0)
        self.polls.settle()
        self.assertEqual((self.offsets(self.polls.poll(5, 0)), self.polls.positions), ([0], {queue(1): 0}))
