# Tests: tests/client/test_popper.py
"""A push consumer's pop loops, one for each queue that a broker gave it to pop (Java: DefaultMQPushConsumerImpl.popMessage)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from twisted.logger import Logger

from pymq.client.config import PushConfig
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.popping import PopClient
from pymq.client.popsettling import PopProcessQueue, PopSettling, PopVerdicts
from pymq.client.puller import ERROR_PAUSE_S
from pymq.client.pullloops import (
    BUSY_PAUSE_S,
    ERROR_PAUSE_FIRST_S,
    FLOW_CONTROL_PAUSE_S,
    SUSPENDED_PAUSE_S,
    UNSUBSCRIBED_PAUSE_S,
)
from pymq.client.results import PopResult, PopStatus
from pymq.client.settling import Settling
from pymq.client.tasks import Tasks
from pymq.errors import BrokerRefused, DecodeError, RequestError
from pymq.message.message import StoredMessage
from pymq.remoting.backoff import Backoff
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import ResponseCode

#: Has the listener consume messages.
Consume = Callable[[PopProcessQueue, list[StoredMessage], Settling], None]


class Popper:
    """Pops what is `assigned`. A queue with the id -1 is all queues of its broker.

    A loop is not broken off when its queue goes: the broker would still give messages to the pop that waits there, and they would
    be lost for their invisible time. What that last pop brings is consumed like the rest.
    """

    _log = Logger()

    def __init__(
        self,
        instance: MQClientInstance,
        config: PushConfig,
        *,
        client: PopClient,
        verdicts: PopVerdicts,
        tasks: Tasks,
        subscriptions: Mapping[str, SubscriptionData],
        group: str,
        consume: Consume,
    ) -> None:
        self._instance = instance
        self._config = config
        self._client = client
        self._verdicts = verdicts
        self._tasks = tasks
        self._subscriptions = subscriptions
        self._group = group
        self._consume = consume
        self.queues: dict[MessageQueue, PopProcessQueue] = {}
        self.is_suspended = False

    def assigned(self, topic: str, queues: Collection[MessageQueue]) -> bool:
        """Pop these queues of a topic and no others of it; whether that is a change."""
        now_ms = self._instance.now_ms()
        mine = {queue: held for queue, held in self.queues.items() if queue.topic == topic}
        for queue, held in mine.items():
            if queue not in queues or held.is_pop_expired(now_ms):
                self._let_go(held)
        for queue in sorted(queues):
            if queue not in self.queues:
                self.queues[queue] = held = PopProcessQueue(queue, now_ms)
                self._tasks.spawn(self._loop(held), f"popping {queue}")
        return set(mine) != set(queues)

    def let_go_others(self, topics: Collection[str]) -> None:
        """Pop only these topics from now on."""
        for queue, held in list(self.queues.items()):
            if queue.topic not in topics:
                self._let_go(held)

    async def close(self) -> None:
        """Pop no more, and wait until all verdicts are known. What a broker gives to a pop that waits now is not consumed."""
        self.is_suspended = True
        self.let_go_others(())
        await self._verdicts.all_said()

    def _let_go(self, held: PopProcessQueue) -> None:
        held.dropped = True
        del self.queues[held.queue]

    async def _loop(self, held: PopProcessQueue) -> None:
        backoff = Backoff(ERROR_PAUSE_FIRST_S, ERROR_PAUSE_S)
        while not held.dropped:
            held.last_pop_ms = self._instance.now_ms()
            pause_s = self._brake(held)
            subscription = self._subscriptions.get(held.queue.topic)
            if pause_s or subscription is None:
                await self._tasks.sleep(pause_s or UNSUBSCRIBED_PAUSE_S)
                continue
            try:
                result = await self._client.pop(
                    held.queue,
                    subscription,
                    count_max=self._config.pop_batch_nums,
                    invisible_s=self._config.pop_invisible_time_s,
                    wait_s=self._config.suspend_timeout_s,
                )
            except (*EXPECTED_ERRORS, DecodeError, RequestError) as error:
                await self._tasks.sleep(self._pause_after(error, held.queue, backoff))
                continue
            backoff.reset()
            if result.status is PopStatus.POLLING_FULL:
                await self._tasks.sleep(ERROR_PAUSE_S)
            elif result.status is PopStatus.POLLING_NOT_FOUND:
                # It has waited already; a broker that does not wait is not to be asked as fast as it answers.
                await self._tasks.sleep(BUSY_PAUSE_S)
            elif result.messages:
                self._hand_over(held, result)
                await self._tasks.sleep(self._config.pull_interval_s)

    def _brake(self, held: PopProcessQueue) -> float:
        """Seconds to wait before the next pop; 0 for none."""
        if self.is_suspended:
            return SUSPENDED_PAUSE_S
        return FLOW_CONTROL_PAUSE_S if held.count > self._config.pop_threshold_for_queue else 0.0

    def _pause_after(self, error: Exception, queue: MessageQueue, backoff: Backoff) -> float:
        if isinstance(error, BrokerRefused) and error.code == ResponseCode.FLOW_CONTROL:
            return BUSY_PAUSE_S
        pause_s = backoff.next_s()
        self._log.warn("popping {queue} failed, again in {pause_s:.2g} s: {error}", queue=queue, pause_s=pause_s, error=error)
        return pause_s

    def _hand_over(self, held: PopProcessQueue, result: PopResult) -> None:
        elapsed_ms = self._instance.now_ms() - held.last_pop_ms
        self._instance.stats.pulled(self._group, held.queue.topic, len(result.messages), elapsed_ms)
        held.count += len(result.messages)
        alive = []
        for message in result.messages:
            if self._verdicts.is_dead(message):
                self._log.warn("{msg_id} came {count} times", msg_id=message.msg_id, count=message.reconsume_times)
                self._verdicts.bury(held, message)
            else:
                alive.append(message)
        self._consume(held, alive, PopSettling(self._verdicts, self._config.pop_invisible_time_s))
