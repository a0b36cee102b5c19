# Tests: tests/client/test_litepullconsumer.py
"""Telling listeners when the queues of a topic are others than before (Java: TopicMessageQueueChangeListener)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from pymq.client.instance import EXPECTED_ERRORS
from pymq.wire.bodies.messagequeue import MessageQueue

#: Called with a topic and its queues now; may give a Deferred.
TopicListener = Callable[[str, list[MessageQueue]], Any]


class TopicWatch:
    """One listener for each topic that is watched. `fetch` asks for the queues of a topic."""

    _log = Logger()

    def __init__(self, fetch: Callable[[str], Awaitable[list[MessageQueue]]]) -> None:
        self._fetch = fetch
        self._listeners: dict[str, TopicListener] = {}
        self._known: dict[str, list[MessageQueue]] = {}

    def listen(self, topic: str, listener: TopicListener) -> None:
        """Watch a topic, as it is at the next look, instead of what listened to it before."""
        self._listeners[topic] = listener
        self._known.pop(topic, None)

    async def look(self) -> None:
        """Ask for the queues of every topic, and tell of those that changed. Failures are logged; the next look comes soon."""
        for topic, listener in list(self._listeners.items()):
            try:
                queues = await self._fetch(topic)
            except EXPECTED_ERRORS as error:
                self._log.warn("the queues of {topic} could not be had: {error}", topic=topic, error=error)
                continue
            known = self._known.get(topic)
            self._known[topic] = queues
            if known is not None and known != queues:
                await maybeDeferred(listener, topic, queues).addErrback(self._failed, topic)

    def _failed(self, failure: Any, topic: str) -> None:
        self._log.failure("the listener for the queues of {topic} failed", failure, topic=topic)
