# Tests: tests/client/test_litepullconsumer.py
"""A lite pull consumer's pull loops, with their brakes (Java: DefaultLitePullConsumerImpl.PullTaskImpl)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pymq.client.config import LitePullConfig
from pymq.client.instance import MQClientInstance
from pymq.client.polls import Polls
from pymq.client.processqueue import MIB, ProcessQueue
from pymq.client.pullloops import FLOW_CONTROL_PAUSE_S, SUSPENDED_PAUSE_S, PullLoops
from pymq.client.results import PullResult
from pymq.client.tasks import Tasks
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue


class LitePuller(PullLoops):
    """Pulls ahead of the polls. `paused` are the queues that rest."""

    def __init__(
        self,
        group: str,
        instance: MQClientInstance,
        config: LitePullConfig,
        *,
        tasks: Tasks,
        subscriptions: Mapping[str, SubscriptionData],
        polls: Polls,
        paused: Collection[MessageQueue],
    ) -> None:
        super().__init__(group, instance, tasks=tasks, subscriptions=subscriptions)
        self._config = config
        self._polls = polls
        self._paused = paused
        self._error_pause_s = config.pull_time_delay_when_exception_s
        self._held: dict[MessageQueue, ProcessQueue] = {}

    def taken(self, held: ProcessQueue, offset: int) -> None:
        """Begin to pull a queue."""
        self._held[held.queue] = held
        super().taken(held, offset)

    def let_go(self, held: ProcessQueue) -> None:
        """End it."""
        self._held.pop(held.queue, None)
        super().let_go(held)

    def _brake(self, held: ProcessQueue) -> float:
        config = self._config
        if held.queue in self._paused:
            return SUSPENDED_PAUSE_S
        is_full = (
            held.count > config.pull_threshold_for_queue
            or held.size_bytes > config.pull_threshold_size_for_queue * MIB
            or held.span > config.consume_max_span
            or sum(one.count for one in self._held.values()) > config.pull_threshold_for_all
        )
        return FLOW_CONTROL_PAUSE_S if is_full else 0.0

    async def _pull(self, held: ProcessQueue, offset: int, subscription: SubscriptionData) -> PullResult:
        config = self._config
        return await self._client.pull(
            held.queue,
            offset,
            subscription,
            count_max=config.pull_batch_size,
            timeout_s=config.pull_timeout_s,
            suspend_s=config.suspend_timeout_s,
        )

    async def _offset_illegal(self, held: ProcessQueue, result: PullResult) -> None:
        await self._tasks.sleep(FLOW_CONTROL_PAUSE_S)

    async def _hand_over(self, held: ProcessQueue, result: PullResult) -> None:
        if not held.dropped:
            self._polls.arrived(held, result.messages, result.next_offset)
