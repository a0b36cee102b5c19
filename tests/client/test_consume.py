"""Concurrent consumption: who is called when, and what is committed."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.config import PushConfig, make_config
from pymq.client.consume import TURN_S, ConcurrentConsumption
from pymq.client.consumption import ConsumptionParts
from pymq.client.listening import ListenerCall
from pymq.client.offsets import RemoteBrokerOffsetStore
from pymq.client.processqueue import ProcessQueue
from pymq.client.results import ConsumeStatus
from pymq.client.settling import LOCAL_RETRY_S
from pymq.client.tasks import Tasks
from tests.client.cases import ClientCase, queue, stored

LATER = ConsumeStatus.RECONSUME_LATER


class Back:
    """A way back that is told what to do, and notes what it is given."""

    def __init__(self) -> None:
        self.works = True
        self.given: list[tuple[int, int]] = []

    async def send_back(self, message: Any, delay_level: int) -> bool:
        """Noted."""
        self.given.append((message.queue_offset, delay_level))
        return self.works


class ConsumeTests(ClientCase):
    """One queue in hand, and a listener that does as it is told."""

    def setUp(self) -> None:
        """No consumption yet: its settings differ from test to test."""
        super().setUp()
        self.shared = self.instance()
        self.offsets = RemoteBrokerOffsetStore("g", self.shared)
        self.back = Back()
        self.calls: list[list[int]] = []
        self.answers: dict[int, Any] = {}
        self.held = ProcessQueue(queue(), self.shared.now_ms())

    def listener(self, messages: Any, context: Any) -> Any:
        """Notes the call; the answer for the first message is prepared, or None."""
        self.calls.append([message.queue_offset for message in messages])
        answer = self.answers.get(messages[0].queue_offset)
        return answer(context) if callable(answer) else answer

    def begin(self, count: int, **settings: Any) -> ConcurrentConsumption:
        """Consume so many messages."""
        self.tasks = Tasks(self.clock)
        consumption = ConcurrentConsumption(
            "g",
            make_config(PushConfig, settings),
            self.shared,
            ConsumptionParts(
                tasks=self.tasks,
                call=ListenerCall("g", self.listener, (), is_orderly=False),
                offsets=self.offsets,
                send_back=self.back,  # type: ignore[arg-type]
            ),
        )
        consumption.start()
        self.addCleanup(self.end, consumption)
        messages = [stored(offset) for offset in range(count)]
        self.held.put(messages)
        consumption.submit(self.held, messages, dispatch=True)
        return consumption

    def end(self, consumption: ConcurrentConsumption) -> None:
        """Stop it, with the patience that it has."""
        stopping = Deferred.fromCoroutine(consumption.stop())
        self.tick(3.0)
        self.successResultOf(stopping)
        self.tasks.cancel_all()

    def test_each_message_alone(self) -> None:
        """Unless larger calls are asked for."""
        self.begin(3)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0], [1], [2]], 3))

    def test_several_in_one_call(self) -> None:
        """The last call takes what is left."""
        self.begin(5, consume_message_batch_max_size=2)
        self.assertEqual(self.calls, [[0, 1], [2, 3], [4]])

    def test_only_so_many_calls_at_a_time(self) -> None:
        """The next one begins when one ends; offsets wait for the first unfinished message."""
        self.answers = {n: Deferred() for n in range(3)}
        consumption = self.begin(4, consume_concurrency=2)
        self.assertEqual((self.calls, consumption.open_count), ([[0], [1]], 2))
        self.answers[1].callback(None)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0], [1], [2]], 0))
        self.answers[0].callback(None)
        self.assertEqual((self.calls[-1], self.offsets.read(queue())), ([3], 2))
        self.answers[2].callback(None)
        self.assertEqual(self.offsets.read(queue()), 4)

    def test_failed_messages_go_back(self) -> None:
        """With the level that the listener chose, and count as done."""

        def fails(context: Any) -> Any:
            context.delay_level = 5
            return LATER

        self.answers = {1: fails}
        self.begin(3)
        self.assertEqual((self.back.given, self.offsets.read(queue()), self.held.count), ([(1, 5)], 3, 0))

    def test_part_of_a_call_may_succeed(self) -> None:
        """Up to ack_index; the rest goes back."""

        def first_only(context: Any) -> Any:
            context.ack_index = 0
            return ConsumeStatus.CONSUME_SUCCESS

        self.answers = {0: first_only}
        self.begin(3, consume_message_batch_max_size=3)
        self.assertEqual([offset for offset, _ in self.back.given], [1, 2])

    def test_none_of_a_call_may_succeed(self) -> None:
        """ack_index -1 means that all go back."""

        def nothing(context: Any) -> Any:
            context.ack_index = -1
            return ConsumeStatus.CONSUME_SUCCESS

        self.answers = {0: nothing}
        self.begin(2, consume_message_batch_max_size=2)
        self.assertEqual([offset for offset, _ in self.back.given], [0, 1])

    def test_what_no_broker_takes_comes_again_here(self) -> None:
        """After five seconds, its offset not committed meanwhile."""
        self.back.works, self.answers = False, {1: LATER}
        self.begin(3)
        self.assertEqual(self.offsets.read(queue()), 1)
        self.answers = {}
        self.tick(LOCAL_RETRY_S - 0.1)
        self.assertEqual(len(self.calls), 3)
        self.tick(0.1)
        self.assertEqual((self.calls[-1], self.offsets.read(queue())), ([1], 3))

    def test_broadcast_messages_do_not_come_again(self) -> None:
        """They count as done."""
        self.answers = {0: LATER}
        self.begin(1, message_model="BROADCASTING")
        self.assertEqual((self.back.given, self.offsets.read(queue())), ([], 1))

    def test_a_queue_that_is_not_ours_commits_nothing(self) -> None:
        """Neither calls that end late nor calls that were still waiting."""
        self.answers = {0: Deferred()}
        self.begin(2, consume_concurrency=1)
        self.held.dropped = True
        self.answers[0].callback(None)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0]], -1))

    def test_calls_that_take_too_long(self) -> None:
        """Their messages go back at level 3, their listener is told, and what it says later counts no more."""
        told: list[str] = []
        self.answers = {0: Deferred(lambda _: told.append("cancelled"))}
        consumption = self.begin(2, consume_timeout_s=30.0, consume_concurrency=1)
        self.tick(30.0)
        self.assertEqual(self.back.given, [])
        self.tick(30.0)
        self.assertEqual((self.back.given, told, consumption.open_count), ([(0, 3)], ["cancelled"], 0))
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0], [1]], 2))

    def test_broadcast_calls_that_take_too_long(self) -> None:
        """Nothing goes back, but the place is free again."""
        self.answers = {0: Deferred()}
        self.begin(1, consume_timeout_s=30.0, message_model="BROADCASTING")
        self.tick(30.0, 2)
        self.assertEqual((self.back.given, self.offsets.read(queue())), ([], 1))

    def test_the_reactor_gets_its_turn(self) -> None:
        """A slow listener that answers at once does not stop everything else."""
        self.answers = {0: lambda context: self.pass_time()}
        self.begin(2)
        self.assertEqual(self.calls, [[0]])
        self.tick(0)
        self.assertEqual(self.calls, [[0], [1]])

    def pass_time(self) -> None:
        """As a listener that works for long: the clock goes on without running anything."""
        self.clock.rightNow += TURN_S * 2

    def test_stopping_waits_for_calls(self) -> None:
        """And calls nobody any more."""
        self.answers = {0: Deferred()}
        consumption = self.begin(2, consume_concurrency=1, await_termination_s=3.0)
        stopping = Deferred.fromCoroutine(consumption.stop())
        self.assertNoResult(stopping)
        self.answers[0].callback(None)
        self.successResultOf(stopping)
        self.assertEqual((self.calls, self.offsets.read(queue())), ([[0]], 1))

    def test_stopping_does_not_wait_for_ever(self) -> None:
        """Then the listener is told."""
        told: list[str] = []
        self.answers = {0: Deferred(lambda _: told.append("cancelled"))}
        consumption = self.begin(1, await_termination_s=3.0)
        stopping = Deferred.fromCoroutine(consumption.stop())
        self.tick(2.9)
        self.assertNoResult(stopping)
        self.tick(0.1)
        self.successResultOf(stopping)
        self.assertEqual((told, self.back.given, self.offsets.read(queue())), (["cancelled"], [], -1))

    def test_messages_of_the_retry_topic(self) -> None:
        """The listener sees the topic that they were sent to."""
        topics: list[str] = []
        self.answers = {}
        consumption = self.begin(0)
        held = ProcessQueue(queue(topic="%RETRY%g"), self.shared.now_ms())
        message = stored(0, properties={"RETRY_TOPIC": "origin"})
        message.topic = held.queue.topic
        self.answers[0] = lambda context: topics.append(message.topic)
        held.put([message])
        consumption.submit(held, [message], dispatch=True)
        self.assertEqual(topics, ["origin"])
