# Tests: tests/client/test_orderly.py
"""Messages to the listener in the order of their queue, one call at a time for each queue (Java: ConsumeMessageOrderlyService).

In a group that shares, the broker's lock on the queue keeps others away from it; it is renewed every 20 s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from pymq.client.config import MessageModel, PushConfig
from pymq.client.consumption import TURN_S, Consumption, ConsumptionParts
from pymq.client.instance import MQClientInstance
from pymq.client.processqueue import ProcessQueue
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.message.message import StoredMessage
from pymq.periodic import Periodic

LOCK_INITIAL_S = 1.0
LOCK_INTERVAL_S = 20.0
#: How long a queue without a lock rests before the next try to get one.
LOCK_RETRY_S = 3.0
LEAVING_CHECK_S = 0.1
SUSPEND_S_MIN = 0.01
SUSPEND_S_MAX = 30.0


class OrderlyConsumption(Consumption):
    """Calls the listener for each queue in order; up to `consume_concurrency` queues at a time."""

    is_orderly = True
    _log = Logger()

    def __init__(
        self,
        group: str,
        config: PushConfig,
        instance: MQClientInstance,
        parts: ConsumptionParts,
        *,
        lock_all: Callable[[], Awaitable[None]],
        lock_one: Callable[[ProcessQueue], Awaitable[bool]],
    ) -> None:
        super().__init__(group, config, instance, parts)
        self._lock_one = lock_one
        self._needs_locks = config.message_model is MessageModel.CLUSTERING
        self._places = DeferredSemaphore(config.consume_concurrency)
        self._locking = Periodic(
            self._clock,
            LOCK_INTERVAL_S,
            lambda: parts.tasks.hold(_awaited(lock_all)),
            name="queue locks",
            initial_delay_s=LOCK_INITIAL_S,
        )

    def start(self) -> None:
        """Begin to renew the locks."""
        if self._needs_locks:
            self._locking.start()

    async def stop(self) -> None:
        """Call the listener no more, and wait a while for the calls under way."""
        self._stopped = True
        await self._wait_for_calls()
        await self._locking.stop()

    def submit(self, held: ProcessQueue, messages: list[StoredMessage], *, dispatch: bool) -> None:
        """Messages were pulled and put into `held`; `dispatch` is False while its consumption is under way."""
        self._restore(messages)
        if dispatch:
            self._tasks.spawn(self._consume(held), f"consuming {held.queue} in order")

    def _goes_on(self, held: ProcessQueue) -> bool:
        return not held.dropped and not self._stopped

    def _has_lock(self, held: ProcessQueue) -> bool:
        return not self._needs_locks or (held.locked and not held.is_lock_expired(self._instance.now_ms()))

    async def _consume(self, held: ProcessQueue) -> None:
        """Everything in hand of one queue, until there is nothing left or the queue is given up."""
        turn_ends = self._clock.seconds() + TURN_S
        while self._goes_on(held):
            if held.leaving:
                await self._tasks.sleep(LEAVING_CHECK_S)
            elif not self._has_lock(held):
                if not await self._lock_one(held):
                    await self._tasks.sleep(LOCK_RETRY_S)
            elif self._clock.seconds() > turn_ends:
                await self._tasks.sleep(0)
                turn_ends = self._clock.seconds() + TURN_S
            else:
                pause_s = await self._consume_next(held)
                if pause_s is None:
                    return
                if pause_s:
                    await self._tasks.sleep(pause_s)

    async def _consume_next(self, held: ProcessQueue) -> float | None:
        """One call of the listener and what follows from it; seconds for which the queue is to rest, None when it has no more.

        Nothing is taken when the queue was lost or is to be given up since it came to wait for a place.
        """
        await self._places.acquire()
        try:
            if not self._goes_on(held) or held.leaving or not self._has_lock(held):
                return 0.0
            messages = held.take(self._config.consume_message_batch_max_size, self._instance.now_ms())
            if not messages:
                return None
            context = ConsumeContext(self._namespace.unwrap_queue(held.queue))
            held.in_listener = True
            self._open.add(held)
            begun_ms = self._instance.now_ms()
            outcome = self._call(messages, context)
            status = outcome if isinstance(outcome, ConsumeStatus) else await outcome
        finally:
            held.in_listener = False
            self._open.discard(held)
            self._places.release()
        done_count = len(messages) if status.is_success else 0
        elapsed_ms = self._instance.now_ms() - begun_ms
        self._instance.stats.consumed(self._group, held.queue.topic, done_count, len(messages) - done_count, elapsed_ms)
        return await self._finish(held, messages, status, context)

    async def _finish(
        self, held: ProcessQueue, messages: list[StoredMessage], status: ConsumeStatus, context: ConsumeContext
    ) -> float:
        """What follows from a call of the listener; seconds for which the queue is to rest."""
        pause_s = 0.0
        if status.is_success or not await self._must_come_again(messages):
            offset = held.commit()
            if offset >= 0 and not held.dropped:
                self._offsets.update(held.queue, offset)
        else:
            held.put_back()
            suspend_s = self._config.suspend_current_queue_time_s if context.suspend_s is None else context.suspend_s
            pause_s = min(max(suspend_s, SUSPEND_S_MIN), SUSPEND_S_MAX)
        self._call_ended()
        return pause_s

    async def _must_come_again(self, messages: list[StoredMessage]) -> bool:
        """Whether the messages stay at the head of their queue; those delivered often enough go to the dead letters instead."""
        reconsume_max = self._send_back.reconsume_max(is_orderly=True)
        again = False
        for message in messages:
            if message.reconsume_times < reconsume_max or not await self._send_back.send_copy(message, is_orderly=True):
                again = True
                message.reconsume_times += 1
        return again


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()
