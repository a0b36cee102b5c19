# Tests: tests/client/test_consume.py
"""What both ways of calling the listener share: the parts they use, and a stop that waits for the calls under way."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred

from pymq.client.config import PushConfig
from pymq.client.instance import MQClientInstance
from pymq.client.listening import ListenerCall, restore_topics
from pymq.client.offsets import OffsetStore
from pymq.client.sendback import SendBack
from pymq.client.tasks import Tasks
from pymq.message.message import StoredMessage
from pymq.message.namespaces import Namespace
from pymq.message.topics import retry_topic

#: After so long with listeners that answer at once, the reactor gets its turn.
TURN_S = 0.05


@attrs.frozen(kw_only=True)
class ConsumptionParts:
    """What of a consumer's other parts is used to call the listener."""

    tasks: Tasks
    call: ListenerCall
    offsets: OffsetStore
    send_back: SendBack


class Consumption:
    """The base of ConcurrentConsumption and OrderlyConsumption. `_open` holds a mark for each unfinished call of the listener."""

    def __init__(self, group: str, config: PushConfig, instance: MQClientInstance, parts: ConsumptionParts) -> None:
        self._group = group
        self._retry_topic = retry_topic(group)
        self._namespace = Namespace(config.namespace)
        self._config = config
        self._instance = instance
        self._clock = instance.clock
        self._tasks = parts.tasks
        self._call = parts.call
        self._offsets = parts.offsets
        self._send_back = parts.send_back
        self._open: set[Any] = set()
        self._stopped = False
        self._empty: Deferred[None] | None = None

    @property
    def open_count(self) -> int:
        """Unfinished calls of the listener."""
        return len(self._open)

    def _restore(self, messages: list[StoredMessage]) -> None:
        """Give messages the topic to which they were sent, as the user names it."""
        restore_topics(messages, self._retry_topic, self._namespace)

    async def _wait_for_calls(self) -> None:
        """Until no call is unfinished, but no longer than `await_termination_s`."""
        if self._open and self._config.await_termination_s > 0:
            self._empty = Deferred()
            giving_up = self._clock.callLater(self._config.await_termination_s, self._fire_empty)
            await self._empty
            if giving_up.active():
                giving_up.cancel()

    def _call_ended(self) -> None:
        if not self._open:
            self._fire_empty()

    def _fire_empty(self) -> None:
        empty, self._empty = self._empty, None
        if empty is not None:
            empty.callback(None)
