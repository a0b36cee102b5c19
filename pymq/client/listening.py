# Tests: tests/client/test_listening.py
"""Calling the user's listener, whatever kind of callable it is, and reading its verdict."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.client.hooks import ConsumeMessageContext, ConsumeMessageHook, run_hooks
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.message.message import StoredMessage
from pymq.message.namespaces import Namespace
from pymq.message.properties import RETRY_TOPIC
from pymq.message.topics import RETRY_PREFIX, is_retry_topic, popped_topic

#: The user's callable: gives a ConsumeStatus, None for success, or a Deferred or awaitable of one; an exception means failure.
Listener = Callable[[Sequence[StoredMessage], ConsumeContext], Any]

_log = Logger()


def restore_topics(messages: Sequence[StoredMessage], own_retry_topic: str, namespace: Namespace) -> None:
    """Give messages the topic that their sender knows: without the namespace, and that before the retry topic.

    Java: resetRetryAndNamespace, tryResetPopRetryTopic.
    """
    for message in messages:
        if message.topic == own_retry_topic:
            message.topic = message.properties.get(RETRY_TOPIC, own_retry_topic)
        elif is_retry_topic(message.topic):
            message.topic = popped_topic(message.topic, own_retry_topic.removeprefix(RETRY_PREFIX))
        message.topic = namespace.unwrap(message.topic)


class ListenerCall:
    """Calls one listener between its hooks; errors and nonsense become the `failure` status."""

    def __init__(self, group: str, listener: Listener, hooks: Sequence[ConsumeMessageHook], *, is_orderly: bool) -> None:
        self._group = group
        self._listener = listener
        self._hooks = hooks
        self._is_orderly = is_orderly
        self.success = ConsumeStatus.SUCCESS if is_orderly else ConsumeStatus.CONSUME_SUCCESS
        self.failure = ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT if is_orderly else ConsumeStatus.RECONSUME_LATER

    def __call__(self, messages: Sequence[StoredMessage], context: ConsumeContext) -> ConsumeStatus | Deferred[ConsumeStatus]:
        """The verdict, or a Deferred of it that never fails. Cancelling that cancels what the listener gave."""
        hooked: ConsumeMessageContext | None = None
        if self._hooks:
            hooked = ConsumeMessageContext(self._group, messages, context.queue, self._is_orderly)
            run_hooks(self._hooks, "consume_message_before", hooked)
        try:
            outcome = self._listener(messages, context)
        except Exception:
            outcome = Failure()
        if outcome is not None and not isinstance(outcome, (ConsumeStatus, Failure)) and inspect.isawaitable(outcome):
            waiting: Deferred[Any] = outcome if isinstance(outcome, Deferred) else Deferred.fromCoroutine(_awaited(outcome))
            return waiting.addBoth(self._verdict, messages, hooked)
        return self._verdict(outcome, messages, hooked)

    async def directly(
        self, messages: Sequence[StoredMessage], context: ConsumeContext
    ) -> tuple[ConsumeStatus, BaseException | None]:
        """Call the listener apart from all consumption, for an operator, and without hooks: the verdict and what was raised."""
        try:
            outcome = self._listener(messages, context)
            if outcome is not None and not isinstance(outcome, ConsumeStatus) and inspect.isawaitable(outcome):
                outcome = await outcome
        except CancelledError:
            raise
        except Exception:
            outcome = Failure()
        return self._read(outcome)

    def _verdict(self, outcome: Any, messages: Sequence[StoredMessage], hooked: ConsumeMessageContext | None) -> ConsumeStatus:
        status, error = self._read(outcome)
        if hooked is not None:
            hooked.status, hooked.error = status, error
            run_hooks(self._hooks, "consume_message_after", hooked)
        return status

    def _read(self, outcome: Any) -> tuple[ConsumeStatus, BaseException | None]:
        """What a listener gave, as a status and an error; errors are logged."""
        if outcome is None:
            return self.success, None
        if isinstance(outcome, ConsumeStatus):
            return outcome, None
        if isinstance(outcome, Failure):
            if outcome.check(CancelledError) is None:
                _log.failure("the listener of {group} failed; its messages come again", outcome, group=self._group)
            return self.failure, outcome.value
        error = TypeError(f"the listener of {self._group} gave {outcome!r}; a ConsumeStatus or None is due")
        _log.error("{error}; its messages come again", error=error)
        return self.failure, error


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
