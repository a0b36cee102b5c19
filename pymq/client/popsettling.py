# Tests: tests/client/test_popsettling.py
"""What becomes of popped messages once the listener has spoken (Java: ConsumeMessagePopConcurrentlyService)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from pymq.client.instance import EXPECTED_ERRORS
from pymq.client.popping import PopClient
from pymq.client.sendback import SendBack
from pymq.client.tasks import Tasks
from pymq.errors import DecodeError
from pymq.interfaces import IClock
from pymq.message.message import StoredMessage
from pymq.wire.bodies.messagequeue import MessageQueue

#: Seconds until a failed message comes again, by how often it came before (Java: popDelayLevel).
DELAYS_S = (10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200)
#: A queue that was not popped for so long is taken up anew (Java: pullMaxIdleTime).
POP_IDLE_MAX_MS = 120_000


class PopProcessQueue:
    """One queue that is popped. `count` is how many messages wait for their acknowledgement (Java: PopProcessQueue)."""

    __slots__ = ("count", "dropped", "last_pop_ms", "queue")

    def __init__(self, queue: MessageQueue, now_ms: int) -> None:
        self.queue = queue
        self.count = 0
        self.dropped = False
        self.last_pop_ms = now_ms

    def is_pop_expired(self, now_ms: int) -> bool:
        """Whether the queue was not popped for so long that something must have gone wrong."""
        return now_ms - self.last_pop_ms > POP_IDLE_MAX_MS


class PopVerdicts:
    """Tells brokers what became of messages. Each counts in `held` until that is said, or cannot be."""

    _log = Logger()

    def __init__(self, client: PopClient, tasks: Tasks, send_back: SendBack, clock: IClock) -> None:
        self._client = client
        self._tasks = tasks
        self._send_back = send_back
        self._reconsume_max = send_back.reconsume_max(is_orderly=False)
        self._saying: set[Deferred[None]] = set()
        self.clock = clock

    def is_dead(self, message: StoredMessage) -> bool:
        """Whether it came again more often than it may, as when its consumers die of it."""
        return message.reconsume_times > self._reconsume_max

    def consumed(self, held: PopProcessQueue, message: StoredMessage) -> None:
        """It is done."""
        self._say(held, message, self._client.ack)

    def give_back(self, held: PopProcessQueue, message: StoredMessage) -> None:
        """Nobody is done with it here: another may have it at once."""
        self._say(held, message, self._client.give_back)

    def failed(self, held: PopProcessQueue, message: StoredMessage, delay_level: int) -> None:
        """It is to come again, or has come often enough and is a dead letter."""
        if delay_level < 0 or message.reconsume_times >= self._reconsume_max:
            self.bury(held, message)
            return
        level = delay_level or message.reconsume_times
        delay_s = DELAYS_S[min(level, len(DELAYS_S) - 1)]
        self._say(held, message, lambda one: self._client.change_invisible_time(one, delay_s))

    def bury(self, held: PopProcessQueue, message: StoredMessage) -> None:
        """It goes to the dead letters, as Apache's proxy does it; Java's client acknowledges such messages and no more."""
        self._say(held, message, self._bury)

    async def _bury(self, message: StoredMessage) -> None:
        if await self._send_back.send_back(message, -1):
            await self._client.ack(message)

    def _say(
        self, held: PopProcessQueue, message: StoredMessage, say: Callable[[StoredMessage], Coroutine[Any, Any, None]]
    ) -> None:
        async def said() -> None:
            try:
                await say(message)
            except (*EXPECTED_ERRORS, DecodeError) as error:
                self._log.warn(
                    "what became of {msg_id} could not be said, so it comes again: {error}", msg_id=message.msg_id, error=error
                )
            finally:
                held.count -= 1

        saying = self._tasks.spawn(said(), "what became of a popped message")
        if not saying.called:
            self._saying.add(saying)
            saying.addBoth(lambda _: self._saying.discard(saying))

    async def all_said(self) -> None:
        """Until brokers know all that they are to know now, or their timeouts are over."""
        await DeferredList(list(self._saying))


class PopSettling:
    """The messages of one pop, which are ours for `invisible_s` from now on.

    From now on, and not from the broker's time of the pop, for its clock may be another. They stay ours when their queue is let
    go: others get other messages of it.
    """

    _log = Logger()

    def __init__(self, verdicts: PopVerdicts, invisible_s: float) -> None:
        self._verdicts = verdicts
        self._ends_s = verdicts.clock.seconds() + invisible_s

    def is_ours(self, held: PopProcessQueue, messages: Sequence[StoredMessage]) -> bool:
        """Until their time is over."""
        return self._verdicts.clock.seconds() < self._ends_s

    def abandon(self, held: PopProcessQueue, messages: Sequence[StoredMessage]) -> None:
        """Their time is over: they come again, here or elsewhere."""
        held.count -= len(messages)
        self._log.warn(
            "{msg_id} was not consumed before it came again; a longer pop_invisible_time_s or fewer pop_threshold_for_queue help",
            msg_id=messages[0].msg_id,
        )

    def give_back(self, held: PopProcessQueue, messages: Sequence[StoredMessage]) -> None:
        """Others need not wait until their time is over."""
        for message in messages if self.is_ours(held, messages) else ():
            self._verdicts.give_back(held, message)

    def settle(
        self, held: PopProcessQueue, done: Sequence[StoredMessage], failed: Sequence[StoredMessage], delay_level: int
    ) -> None:
        """The first are acknowledged; the others come again after a delay, the longer the oftener they came."""
        for message in done:
            self._verdicts.consumed(held, message)
        for message in failed:
            self._verdicts.failed(held, message, delay_level)
