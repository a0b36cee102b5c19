"""Consumption in order: one call at a time, under the broker's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.config import PushConfig, make_config
from pymq.client.consumption import ConsumptionParts
from pymq.client.listening import ListenerCall
from pymq.client.offsets import RemoteBrokerOffsetStore
from pymq.client.orderly import LEAVING_CHECK_S, LOCK_RETRY_S, TURN_S, OrderlyConsumption
from pymq.client.processqueue import LOCK_LIVES_MS, ProcessQueue
from pymq.client.results import ConsumeStatus
from pymq.client.tasks import Tasks
from tests.client.cases import ClientCase, queue, stored

SUSPEND = ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT


class Back:
    """A way to the dead letters that notes what it is given."""

    def __init__(self) -> None:
        self.works = True
        self.given: list[int] = []

    def reconsume_max(self, *, is_orderly: bool) -> int:
        """Two deliveries."""
        return 2

    async def send_copy(self, message: Any, *, is_orderly: bool) -> bool:
        """Noted."""
        self.given.append(message.queue_offset)
        return self.works


class OrderlyTests(ClientCase):
    """A locked queue in hand, and a listener that does as it is told."""

    def setUp(self) -> None:
        """No consumption yet: its settings differ from test to test."""
        super().setUp()
        self.shared = self.instance()
        self.offsets = RemoteBrokerOffsetStore("g", self.shared)
        self.back = Back()
        self.calls: list[list[int]] = []
        self.answers: dict[int, Any] = {}
        self.lock_all_count = 0
        self.lock_ones = [True]
        self.held = self.queue_in_hand(0)

    def queue_in_hand(self, queue_id: int) -> ProcessQueue:
        """A locked queue."""
        held = ProcessQueue(queue(queue_id), self.shared.now_ms())
        held.locked = True
        return held

    def listener(self, messages: Any, context: Any) -> Any:
        """Notes the call; the answer for the first message is prepared, or None."""
        self.calls.append([message.queue_offset for message in messages])
        answer = self.answers.get(messages[0].queue_offset)
        return answer(context) if callable(answer) else answer

    async def lock_all(self) -> None:
        """Counted."""
        self.lock_all_count += 1

    async def lock_one(self, held: ProcessQueue) -> bool:
        """As prepared."""
        held.locked = self.lock_ones.pop(0)
        held.last_lock_ms = self.shared.now_ms()
        return held.locked

    def make(self, **settings: Any) -> OrderlyConsumption:
        """A consumption with these settings."""
        self.tasks = Tasks(self.clock)
        consumption = OrderlyConsumption(
            "g",
            make_config(PushConfig, settings),
            self.shared,
            ConsumptionParts(
                tasks=self.tasks,
                call=ListenerCall("g", self.listener, (), is_orderly=True),
                offsets=self.offsets,
                send_back=self.back,  # type: ignore[arg-type]
            ),
            lock_all=self.lock_all,
            lock_one=self.lock_one,
        )
        consumption.start()
        self.addCleanup(self.end, consumption)
        return consumption

    def end(self, consumption: OrderlyConsumption) -> None:
        """Stop it, with the patience that it has."""
        stopping = Deferred.fromCoroutine(consumption.stop())
        self.tick(3.0)
        self.successResultOf(stopping)
        self.tasks.cancel_all()

    def submit(self, consumption: OrderlyConsumption, offsets: range, held: ProcessQueue | None = None) -> None:
        """Messages came."""
        held = held or self.held
        messages = [stored(offset) for offset in offsets]
        consumption.submit(held, messages, dispatch=held.put(messages))

    def test_one_after_the_other(self) -> None:
        """The next call waits for the one before, messages that come meanwhile too."""
        self.answers = {0: Deferred()}
        consumption = self.make()
        self.submit(consumption, range(2))
        self.submit(consumption, range(2, 4))
        self.assertEqual((self.calls, consumption.open_count, self.held.in_listener), ([[0]], 1, True))
        self.answers[0].callback(None)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0], [1], [2], [3]], 4))
        self.assertEqual((consumption.open_count, self.held.in_listener), (0, False))

    def test_several_in_one_call(self) -> None:
        """As many as are asked for."""
        self.submit(self.make(consume_message_batch_max_size=2), range(3))
        self.assertEqual(self.calls, [[0, 1], [2]])

    def test_queues_do_not_wait_for_each_other(self) -> None:
        """Up to the number of places."""
        self.answers = {0: Deferred()}
        consumption = self.make(consume_concurrency=2)
        for n, first in ((0, 0), (1, 10), (2, 20)):
            self.submit(consumption, range(first, first + 1), self.queue_in_hand(n))
        self.assertEqual(self.calls, [[0], [10], [20]])

    def test_places_are_limited(self) -> None:
        """The third queue waits for a place."""
        self.answers = {0: Deferred(), 10: Deferred()}
        consumption = self.make(consume_concurrency=2)
        for n, first in ((0, 0), (1, 10), (2, 20)):
            self.submit(consumption, range(first, first + 1), self.queue_in_hand(n))
        self.assertEqual(self.calls, [[0], [10]])
        self.answers[10].callback(None)
        self.assertEqual(self.calls[-1], [20])

    def test_a_queue_that_is_lost_while_it_waits_for_a_place(self) -> None:
        """Its next owner may be consuming already, so it is not consumed here, whichever way it was lost."""
        ways: list[Callable[[ProcessQueue], Any]] = [
            lambda held: setattr(held, "dropped", True),
            lambda held: setattr(held, "leaving", True),
            lambda held: setattr(held, "locked", False),
            lambda held: setattr(held, "last_lock_ms", self.shared.now_ms() - LOCK_LIVES_MS - 1),
        ]
        for number, lose in enumerate(ways, 1):
            self.calls, self.lock_ones = [], [False]
            self.answers = {0: Deferred()}
            consumption = self.make(consume_concurrency=1)
            self.submit(consumption, range(1), self.queue_in_hand(0))
            held = self.queue_in_hand(number)
            self.submit(consumption, range(10, 11), held)
            lose(held)
            self.answers[0].callback(None)
            self.assertEqual((self.calls, held.in_listener), ([[0]], False))
            self.end(consumption)

    def test_a_suspended_queue_rests_and_goes_on_with_the_same_message(self) -> None:
        """For the time that is set, or that the listener says; nothing is committed."""

        def rest(context: Any) -> Any:
            context.suspend_s = 0.2
            return SUSPEND

        self.answers = {0: SUSPEND}
        self.submit(self.make(suspend_current_queue_time_s=1.0), range(2))
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0]], -1))
        self.answers = {0: rest}
        self.tick(0.9)
        self.assertEqual(len(self.calls), 1)
        self.tick(0.1)
        self.assertEqual(self.calls, [[0], [0]])
        self.answers = {}
        self.tick(0.2)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0]] * 3 + [[1]], 2))

    def test_a_message_that_fails_too_often_is_a_dead_letter(self) -> None:
        """After the limit it goes away, and the queue goes on."""
        self.answers = {0: SUSPEND}
        self.submit(self.make(suspend_current_queue_time_s=1.0), range(2))
        self.tick(1.0, 2)
        self.assertEqual((self.calls, self.back.given), ([[0], [0], [0], [1]], [0]))
        self.assertEqual(self.offsets.read(queue()), 2)

    def test_a_dead_letter_that_nobody_takes_stays(self) -> None:
        """It is never lost."""
        self.answers, self.back.works = {0: SUSPEND}, False
        self.submit(self.make(suspend_current_queue_time_s=1.0), range(1))
        self.tick(1.0, 4)
        self.assertEqual((len(self.calls), self.back.given, self.offsets.read(queue())), (5, [0, 0, 0], -1))

    def test_without_the_lock_nothing_is_consumed(self) -> None:
        """It is asked for every three seconds."""
        self.held.locked, self.lock_ones = False, [False, True]
        self.submit(self.make(), range(1))
        self.assertEqual(self.calls, [])
        self.tick(LOCK_RETRY_S)
        self.assertEqual(self.calls, [[0]])

    def test_an_old_lock_is_renewed_first(self) -> None:
        """It may be another's by now."""
        consumption = self.make()
        self.tick(LOCK_LIVES_MS / 1000 + 1)
        self.submit(consumption, range(1))
        self.assertEqual((self.calls, self.lock_ones), ([[0]], []))

    def test_broadcasting_needs_no_lock(self) -> None:
        """Every member has every queue."""
        self.held.locked = False
        consumption = self.make(message_model="BROADCASTING")
        self.submit(consumption, range(1))
        self.tick(25.0)
        self.assertEqual((self.calls, self.lock_all_count), ([[0]], 0))

    def test_locks_are_renewed(self) -> None:
        """After a second, and every twenty."""
        self.make()
        self.tick(1.0, 41)
        self.assertEqual(self.lock_all_count, 3)

    def test_a_leaving_queue_pauses(self) -> None:
        """Between two calls, until it is decided."""
        self.answers = {0: Deferred()}
        self.submit(self.make(), range(2))
        self.held.leaving = True
        self.answers[0].callback(None)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0]], 1))
        self.held.leaving = False
        self.tick(LEAVING_CHECK_S)
        self.assertEqual(self.calls, [[0], [1]])

    def test_a_dropped_queue_commits_nothing(self) -> None:
        """Its next owner consumes the message too."""
        self.answers = {0: Deferred()}
        self.submit(self.make(), range(2))
        self.held.dropped = True
        self.answers[0].callback(None)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0]], -1))

    def test_the_reactor_gets_its_turn(self) -> None:
        """A slow listener that answers at once does not stop everything else."""

        def slow(context: Any) -> None:
            self.clock.rightNow += TURN_S * 2

        self.answers = {0: slow}
        self.submit(self.make(), range(2))
        self.assertEqual(self.calls, [[0]])
        self.tick(0)
        self.assertEqual(self.calls, [[0], [1]])

    def test_stopping_waits_for_the_call(self) -> None:
        """Its offset is committed, and nothing else begins."""
        self.answers = {0: Deferred()}
        consumption = self.make()
        self.submit(consumption, range(2))
        stopping = Deferred.fromCoroutine(consumption.stop())
        self.assertNoResult(stopping)
        self.answers[0].callback(None)
        self.successResultOf(stopping)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0]], 1))
