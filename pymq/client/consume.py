# Tests: tests/client/test_consume.py
"""Messages to the listener, many at a time in any order (Java: ConsumeMessageConcurrentlyService)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.client.config import MessageModel, PushConfig
from pymq.client.consumption import TURN_S, Consumption, ConsumptionParts
from pymq.client.instance import MQClientInstance
from pymq.client.processqueue import ProcessQueue
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.message.message import StoredMessage
from pymq.periodic import Periodic

#: A message that no broker would take back is consumed again after so long.
LOCAL_RETRY_S = 5.0
#: The delay level of messages that were too long in the listener's hands.
TIMEOUT_DELAY_LEVEL = 3
TIMEOUT_CHECK_S_MAX = 60.0


class _Call:
    """One call of the listener."""

    __slots__ = ("begun_ms", "context", "held", "messages", "waiting")

    def __init__(self, held: ProcessQueue, messages: list[StoredMessage], context: ConsumeContext) -> None:
        self.held = held
        self.messages = messages
        self.context = context
        self.begun_ms = 0
        self.waiting: Deferred[Any] | None = None


class ConcurrentConsumption(Consumption):
    """Calls the listener for what was pulled; up to `consume_concurrency` calls may be unfinished."""

    is_orderly = False
    _log = Logger()

    def __init__(self, group: str, config: PushConfig, instance: MQClientInstance, parts: ConsumptionParts) -> None:
        super().__init__(group, config, instance, parts)
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
        self._queued.clear()
        await self._timeouts.stop()
        await self._wait_for_calls()
        # What is given up now is not sent back: nobody has acknowledged it, so the group's next reader of the queue gets it.
        given_up, self._open = self._open, set()
        for call in given_up:
            if call.waiting is not None:
                call.waiting.cancel()

    def submit(self, held: ProcessQueue, messages: list[StoredMessage], *, dispatch: bool) -> None:
        """Messages were pulled and put into `held`."""
        self._restore(messages)
        size = self._config.consume_message_batch_max_size
        queue = self._namespace.unwrap_queue(held.queue)
        self._queued.extend(_Call(held, messages[at : at + size], ConsumeContext(queue)) for at in range(0, len(messages), size))
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
        if call.held.dropped:
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
        messages = call.messages
        if call.held.dropped:
            self._log.debug("{queue} is not ours any more; its messages are consumed elsewhere too", queue=call.held.queue)
            return
        done_count = max(min(call.context.ack_index + 1, len(messages)), 0) if status.is_success else 0
        failed = messages[done_count:]
        elapsed_ms = self._instance.now_ms() - call.begun_ms
        self._instance.stats.consumed(self._group, call.held.queue.topic, done_count, len(failed), elapsed_ms)
        if not failed:
            self._done(call.held, messages)
            return
        if self._config.message_model is MessageModel.BROADCASTING:
            for message in failed:
                self._log.warn("{msg_id} was not consumed, and broadcast messages do not come again", msg_id=message.msg_id)
            self._done(call.held, messages)
            return
        self._done(call.held, messages[:done_count])
        self._tasks.spawn(self._retry(call.held, failed, call.context.delay_level), "sending messages back")

    def _done(self, held: ProcessQueue, messages: Sequence[StoredMessage]) -> None:
        offset = held.remove(messages, self._instance.now_ms())
        if offset >= 0 and not held.dropped:
            self._offsets.update(held.queue, offset, increase_only=True)

    async def _retry(self, held: ProcessQueue, messages: list[StoredMessage], delay_level: int) -> None:
        """Send messages back; those that no broker takes are consumed here again after a while."""
        left = []
        for message in messages:
            if await self._send_back.send_back(message, delay_level):
                self._done(held, [message])
            else:
                message.reconsume_times += 1
                left.append(message)
        if left:
            await self._tasks.sleep(LOCAL_RETRY_S)
            self.submit(held, left, dispatch=False)

    def take_back_overdue(self) -> None:
        """Send messages back that the listener has had for longer than `consume_timeout_s` (Java: cleanExpiredMsg)."""
        limit_ms = self._instance.now_ms() - int(self._config.consume_timeout_s * 1000)
        for call in [call for call in self._open if call.begun_ms < limit_ms]:
            self._open.discard(call)
            self._log.warn(
                "the listener has not finished {msg_id} within {limit_s:g} s; it is sent back",
                msg_id=call.messages[0].msg_id,
                limit_s=self._config.consume_timeout_s,
            )
            if call.waiting is not None:
                call.waiting.cancel()
            if self._config.message_model is MessageModel.BROADCASTING:
                self._done(call.held, call.messages)
            else:
                self._tasks.spawn(self._retry(call.held, call.messages, TIMEOUT_DELAY_LEVEL), "sending messages back")
        self._call_ended()
        self._pump()
