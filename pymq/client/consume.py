# Tests: tests/client/test_consume.py
"""Messages to the listener, many at a time in any order (Java: ConsumeMessageConcurrentlyService)."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.client.config import PushConfig
from pymq.client.consumption import TURN_S, Consumption, ConsumptionParts
from pymq.client.instance import MQClientInstance
from pymq.client.processqueue import ProcessQueue
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.client.settling import PullSettling, Settling
from pymq.message.message import StoredMessage
from pymq.periodic import Periodic

#: The delay level of messages that were too long in the listener's hands.
TIMEOUT_DELAY_LEVEL = 3
TIMEOUT_CHECK_S_MAX = 60.0


class _Call:
    """One call of the listener."""

    __slots__ = ("begun_ms", "context", "held", "messages", "settling", "waiting")

    def __init__(self, held: Any, messages: list[StoredMessage], context: ConsumeContext, settling: Settling) -> None:
        self.held = held
        self.settling = settling
        self.messages = messages
        self.context = context
        self.begun_ms = 0
        self.waiting: Deferred[Any] | None = None


class ConcurrentConsumption(Consumption):
    """Calls the listener for what was pulled or popped; up to `consume_concurrency` calls may be unfinished."""

    is_orderly = False
    _log = Logger()

    def __init__(self, group: str, config: PushConfig, instance: MQClientInstance, parts: ConsumptionParts) -> None:
        super().__init__(group, config, instance, parts)
        self._pulled = PullSettling(
            config.message_model,
            instance,
            tasks=parts.tasks,
            offsets=parts.offsets,
            send_back=parts.send_back,
            again=lambda held, messages: self.submit(held, messages, dispatch=False),
        )
        self._queued: deque[_Call] = deque()
        self._pumping = False
        check_s = min(config.consume_timeout_s, TIMEOUT_CHECK_S_MAX)
        self._timeouts = Periodic(self._clock, check_s, self.take_back_overdue, name="overdue messages")

    def start(self) -> None:
        """Begin to look for overdue calls."""
        self._timeouts.start()

    async def stop(self) -> None:
        """Call the listener no more, and wait a while for the calls under way."""
        self._stopped = True
        waiting, self._queued = self._queued, deque()
        await self._timeouts.stop()
        await self._wait_for_calls()
        given_up, self._open = self._open, set()
        for call in (*given_up, *waiting):
            if call.waiting is not None:
                call.waiting.cancel()
            call.settling.give_back(call.held, call.messages)

    def submit(self, held: ProcessQueue, messages: list[StoredMessage], *, dispatch: bool) -> None:
        """Messages were pulled and put into `held`."""
        self.consume(held, messages, self._pulled)

    def consume(self, held: Any, messages: list[StoredMessage], settling: Settling) -> None:
        """Have messages consumed; `held` is what they are in hand as, `settling` says what becomes of them."""
        self._restore(messages)
        size = self._config.consume_message_batch_max_size
        queue = self._namespace.unwrap_queue(held.queue)
        for at in range(0, len(messages), size):
            self._queued.append(_Call(held, messages[at : at + size], ConsumeContext(queue), settling))
        self._pump()

    def _pump(self) -> None:
        """Call the listener for what waits, unless it is being done already further up the stack."""
        if self._pumping:
            return
        self._pumping = True
        try:
            turn_ends = self._clock.seconds() + TURN_S
            while self._queued and len(self._open) < self._config.consume_concurrency and not self._stopped:
                self._begin(self._queued.popleft())
                if self._queued and self._clock.seconds() > turn_ends:
                    self._tasks.spawn(self._pump_later(), "consumption")
                    break
        finally:
            self._pumping = False

    async def _pump_later(self) -> None:
        await self._tasks.sleep(0)
        self._pump()

    def _begin(self, call: _Call) -> None:
        if not call.settling.is_ours(call.held, call.messages):
            call.settling.abandon(call.held, call.messages)
            return
        call.begun_ms = self._instance.now_ms()
        # Open also while the listener is running: it may shut the consumer down, and its messages count all the same.
        self._open.add(call)
        outcome = self._call(call.messages, call.context)
        if isinstance(outcome, ConsumeStatus):
            self._close(call, outcome)
        else:
            call.waiting = outcome
            outcome.addCallback(self._ended, call)

    def _ended(self, status: ConsumeStatus, call: _Call) -> None:
        """A call that took its time is over; one that was taken back meanwhile is in `_open` no more and counts no more."""
        if call in self._open:
            self._close(call, status)
            self._pump()

    def _close(self, call: _Call, status: ConsumeStatus) -> None:
        self._open.discard(call)
        self._finished(call, status)
        self._call_ended()

    def _finished(self, call: _Call, status: ConsumeStatus) -> None:
        count = len(call.messages)
        acked_count = call.context.ack_index + 1
        done_count = 0 if not status.is_success or acked_count < 0 else count if acked_count > count else acked_count
        if self._settle(call, done_count, call.context.delay_level):
            failed_count = count - done_count
            elapsed_ms = self._instance.now_ms() - call.begun_ms
            self._instance.stats.consumed(self._group, call.held.queue.topic, done_count, failed_count, elapsed_ms)

    def _settle(self, call: _Call, done_count: int, delay_level: int) -> bool:
        """So many of a call's messages are consumed, the others failed; whether that counts."""
        held, messages, settling = call.held, call.messages, call.settling
        if not settling.is_ours(held, messages):
            settling.abandon(held, messages)
            return False
        if done_count == len(messages):
            settling.settle(held, messages, (), delay_level)
        else:
            settling.settle(held, messages[:done_count], messages[done_count:], delay_level)
        return True

    def take_back_overdue(self) -> None:
        """Have messages come again that the listener has had for longer than `consume_timeout_s` (Java: cleanExpiredMsg)."""
        limit_ms = self._instance.now_ms() - int(self._config.consume_timeout_s * 1000)
        for call in [call for call in self._open if call.begun_ms < limit_ms]:
            self._open.discard(call)
            self._log.warn(
                "the listener has not finished {msg_id} within {limit_s:g} s; it is to come again",
                msg_id=call.messages[0].msg_id,
                limit_s=self._config.consume_timeout_s,
            )
            if call.waiting is not None:
                call.waiting.cancel()
            self._settle(call, 0, TIMEOUT_DELAY_LEVEL)
        self._call_ended()
        self._pump()
