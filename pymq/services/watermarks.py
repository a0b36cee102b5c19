# Tests: tests/services/test_watermarks.py
"""The broker's water marks in its log: what waits, how long, and how much is held (Java: BrokerController.printWaterMark).

Java writes four lines a second into a file of their own. Here they are written when something waits or was refused, and once a
minute while all is calm, under the same logger names: `RocketmqWaterMark`, and `RocketmqBroker` for the dispatch lag.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from pymq.broker.fastfailure import BrokerFastFailure
from pymq.broker.holds import PullRequestHoldService
from pymq.broker.processors.runtimeinfo import RuntimeInfo, Waiting
from pymq.interfaces import IClock, IMessageStore
from pymq.remoting.server import RemotingServerFactory

#: While nothing waits the water marks are written so often.
CALM_S = 60.0

# Not attributes of a class, which would name them by that class.
_water_mark_log = Logger("RocketmqWaterMark")
_broker_log = Logger("RocketmqBroker")


def backlog_of(servers: Sequence[RemotingServerFactory], clock: IClock) -> Waiting:
    """The requests of all connections that were read and wait until their peers read the answers to earlier ones."""
    now = clock.seconds()
    waiting = [channel.backlog for server in servers for channel in server.channels if channel.backlog.frames]
    return Waiting(
        sum([len(backlog.frames) for backlog in waiting]), max([backlog.waited_s(now) for backlog in waiting], default=0.0)
    )


class WaterMarks:
    """`print_water_mark` is to be called every second, `print_dispatch_lag` every minute."""

    def __init__(
        self,
        *,
        servers: Sequence[RemotingServerFactory],
        runtime_info: RuntimeInfo,
        fast_failure: BrokerFastFailure,
        holds: PullRequestHoldService,
        store: IMessageStore,
        clock: IClock,
    ) -> None:
        self._servers = servers
        self._runtime_info = runtime_info
        self._fast_failure = fast_failure
        self._holds = holds
        self._store = store
        self._clock = clock
        self._refused_count = fast_failure.refused_count
        self._calm_until = 0.0

    def print_water_mark(self) -> None:
        """Write what waits; nothing while all is calm and the last lines are younger than CALM_S."""
        sends, pulls = self._runtime_info.waiting_sends(), self._runtime_info.waiting_pulls()
        refused = self._fast_failure.refused_count - self._refused_count
        now = self._clock.seconds()
        if not (sends.count or pulls.count or refused) and now < self._calm_until:
            return
        self._calm_until = now + CALM_S
        self._refused_count = self._fast_failure.refused_count
        log = _water_mark_log.info
        for name, waiting in (("Send", sends), ("Pull", pulls)):
            log(
                "[WATERMARK] {name} Queue Size: {size} SlowTimeMills: {slow_ms}",
                name=name,
                size=waiting.count,
                slow_ms=waiting.head_wait_ms,
            )
        channels = [channel for server in self._servers for channel in server.channels]
        log(
            "[WATERMARK] Held Pulls: {held} Connections: {connections} Unread Answer Bytes: {unsent} Refused Requests: {refused}",
            held=self._holds.count,
            connections=len(channels),
            unsent=sum([channel.unsent_bytes for channel in channels]),
            refused=refused,
        )

    def print_dispatch_lag(self) -> None:
        """Write how far the queues and the index are behind the commit log."""
        behind = self._store.describe()["dispatch_behind_bytes"]
        _broker_log.info("dispatch behind commit log {behind_bytes} bytes", behind_bytes=behind)
