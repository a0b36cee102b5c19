# Tests: tests/client/test_puller.py
"""Pull loops, one for each queue that is ours: what push and lite pull consumers have in common (Java: PullMessageService)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.processqueue import ProcessQueue
from pymq.client.pulling import PullClient
from pymq.client.results import PullResult, PullStatus
from pymq.client.tasks import Tasks
from pymq.errors import BrokerRefused, ConnectFailed, DecodeError, RequestError
from pymq.message.topics import is_retry_topic
from pymq.remoting.backoff import Backoff
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import ResponseCode

#: While too much is in hand, after an answer of FLOW_CONTROL, and while a consumer or a queue is to rest.
FLOW_CONTROL_PAUSE_S = 0.05
BUSY_PAUSE_S = 0.02
SUSPENDED_PAUSE_S = 1.0
#: A broker that was restarted does not know the group until the next heartbeat, which is sent at once.
UNKNOWN_PAUSE_S = 0.5
#: After a pull that failed; longer when the next ones fail too.
ERROR_PAUSE_FIRST_S = 0.25
#: A queue whose subscription is gone waits so long to be let go.
UNSUBSCRIBED_PAUSE_S = 3.0


class PullLoops(ABC):
    """Pulls every queue that is `taken` until it is `let_go`. `pause_count` says how often a brake was on."""

    _log = Logger()
    #: The longest that a queue rests after a pull that failed; Java's only pause (pullTimeDelayMillsWhenException).
    _error_pause_s: float

    def __init__(
        self, group: str, instance: MQClientInstance, *, tasks: Tasks, subscriptions: Mapping[str, SubscriptionData]
    ) -> None:
        self._group = group
        self._instance = instance
        self._tasks = tasks
        self._subscriptions = subscriptions
        self._client = PullClient(group, instance)
        self._loops: dict[MessageQueue, Deferred[Any]] = {}
        self.pause_count = 0

    def taken(self, held: ProcessQueue, offset: int) -> None:
        """Begin to pull a queue."""
        self._loops[held.queue] = self._tasks.spawn(self._run(held, offset), f"pulling {held.queue}")

    def let_go(self, held: ProcessQueue) -> None:
        """End it."""
        loop = self._loops.pop(held.queue, None)
        if loop is not None:
            self._client.forget(held.queue)
            loop.cancel()

    async def _run(self, held: ProcessQueue, offset: int) -> None:
        await self._loop(held, offset)

    async def _loop(self, held: ProcessQueue, offset: int) -> None:
        backoff = Backoff(ERROR_PAUSE_FIRST_S, self._error_pause_s)
        while not held.dropped:
            held.last_pull_ms = self._instance.now_ms()
            pause_s = self._brake(held)
            if pause_s:
                self.pause_count += 1
                await self._tasks.sleep(pause_s)
                continue
            subscription = self._subscriptions.get(held.queue.topic)
            if subscription is None:
                await self._tasks.sleep(UNSUBSCRIBED_PAUSE_S)
                continue
            begun_ms = held.last_pull_ms
            try:
                result = await self._pull(held, offset, subscription)
            except (*EXPECTED_ERRORS, DecodeError, RequestError) as error:
                await self._tasks.sleep(self._pause_after(error, held.queue, backoff))
                continue
            backoff.reset()
            if held.dropped:
                return
            if result.status is PullStatus.OFFSET_ILLEGAL:
                self._log.warn(
                    "{queue} has no offset {offset}; it goes on at {next_offset}",
                    queue=held.queue,
                    offset=offset,
                    next_offset=result.next_offset,
                )
                await self._offset_illegal(held, result)
            elif result.status is PullStatus.FOUND:
                elapsed_ms = self._instance.now_ms() - begun_ms
                self._instance.stats.pulled(self._group, held.queue.topic, len(result.messages), elapsed_ms)
            offset = result.next_offset
            await self._hand_over(held, result)

    def _pause_after(self, error: Exception, queue: MessageQueue, backoff: Backoff) -> float:
        if isinstance(error, BrokerRefused) and error.code == ResponseCode.FLOW_CONTROL:
            return BUSY_PAUSE_S
        if isinstance(error, BrokerRefused) and error.code == ResponseCode.SUBSCRIPTION_NOT_EXIST:
            self._instance.heartbeat_soon()
            return UNKNOWN_PAUSE_S
        if isinstance(error, ConnectFailed):
            self._instance.look_again(queue.topic)
        pause_s = backoff.next_s()
        if not is_retry_topic(queue.topic):
            self._log.warn("pulling {queue} failed, again in {pause_s:.2g} s: {error}", queue=queue, pause_s=pause_s, error=error)
        return pause_s

    # What a subclass does

    @abstractmethod
    def _brake(self, held: ProcessQueue) -> float:
        """Seconds to wait before the next pull; 0 for none."""

    @abstractmethod
    async def _pull(self, held: ProcessQueue, offset: int, subscription: SubscriptionData) -> PullResult:
        """Pull once."""

    @abstractmethod
    async def _offset_illegal(self, held: ProcessQueue, result: PullResult) -> None:
        """The broker does not have our offset. The loop goes on at the one it gave, unless `held` is dropped then."""

    @abstractmethod
    async def _hand_over(self, held: ProcessQueue, result: PullResult) -> None:
        """An answer came, maybe with messages; the next pull waits for the end of this."""
