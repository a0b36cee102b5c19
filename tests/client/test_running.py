"""What operators are told."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.listening import ListenerCall
from pymq.client.processqueue import ProcessQueue
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.client.running import direct_result, queue_info, thread_stacks
from tests.client.cases import queue, stored


class RunningTests(SynchronousTestCase):
    """One queue, one message."""

    def test_a_queue_in_hand(self) -> None:
        """Counts, offsets and times."""
        held = ProcessQueue(queue(), 7)
        held.put([stored(offset) for offset in range(5, 8)])
        held.take(1, 9)
        info = queue_info(held, 5)
        self.assertEqual((info.cached_msg_min_offset, info.cached_msg_max_offset, info.cached_msg_count), (6, 7, 3))
        self.assertEqual((info.transaction_msg_count, info.transaction_msg_min_offset, info.commit_offset), (1, 5, 5))
        self.assertEqual((info.last_pull_timestamp, info.last_consume_timestamp, info.droped), (7, 9, False))

    def test_a_direct_call(self) -> None:
        """Its verdict and its time, whenever it comes."""
        clock, waiting = Clock(), Deferred[Any]()
        call = ListenerCall("g", lambda *_: waiting, (), is_orderly=True)
        outcome = Deferred.fromCoroutine(direct_result(call, [stored(0)], ConsumeContext(queue()), True, clock))
        clock.advance(0.25)
        waiting.callback(ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT)
        result = self.successResultOf(outcome)
        self.assertEqual((result.consume_result, result.order, result.spent_time_mills), ("CR_LATER", True, 250))
        good = ListenerCall("g", lambda *_: None, (), is_orderly=False)
        at_once = Deferred.fromCoroutine(direct_result(good, [stored(0)], ConsumeContext(queue()), False, clock))
        self.assertEqual(self.successResultOf(at_once).consume_result, "CR_SUCCESS")

    def test_a_direct_call_that_fails(self) -> None:
        """The operator is told what was raised."""

        async def broken(messages: Any, context: Any) -> None:
            raise ValueError("no good")

        for listener in (broken, lambda *_: 1 // 0, lambda *_: "nonsense"):
            call = ListenerCall("g", listener, (), is_orderly=False)
            outcome = Deferred.fromCoroutine(direct_result(call, [stored(0)], ConsumeContext(queue()), False, Clock()))
            result = self.successResultOf(outcome)
            self.assertEqual(result.consume_result, "CR_THROW_EXCEPTION")
            self.assertRegex(result.remark or "", "ValueError: no good|ZeroDivisionError|TypeError: .*nonsense")
        self.flushLoggedErrors(ValueError, ZeroDivisionError)

    def test_where_the_threads_are(self) -> None:
        """Each by its name, with its stack."""
        text = thread_stacks()
        self.assertIn("MainThread  TID: ", text)
        self.assertIn("test_where_the_threads_are", text)
