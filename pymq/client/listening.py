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
from pymq.message.properties import RETRY_TOPIC

#: The user's callable: gives a ConsumeStatus, None for success, or a Deferred or awaitable of one; an exception means failure.
Listener = Callable[[Sequence[StoredMessage], ConsumeContext], Any]

_log = Logger()


def restore_topics(messages: Sequence[StoredMessage]) -> None:
    """Give messages that come from a retry topic the topic that they were sent to (Java: resetRetryAndNamespace)."""
    for message in messages:
        message.topic = message.properties.get(RETRY_TOPIC, message.topic)


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

    def _verdict(self, outcome: Any, messages: Sequence[StoredMessage], hooked: ConsumeMessageContext | None) -> ConsumeStatus:
        error: BaseException | None = None
        if outcome is None:
            status = self.success
        elif isinstance(outcome, ConsumeStatus):
            status = outcome
        else:
            status = self.failure
            if isinstance(outcome, Failure):
                error = outcome.value
                if outcome.check(CancelledError) is None:
                    _log.failure("the listener of {group} failed; its messages come again", outcome, group=self._group)
            else:
                error = TypeError(f"the listener of {self._group} gave {outcome!r}; a ConsumeStatus or None is due")
                _log.error("{error}; its messages come again", error=error)
        if hooked is not None:
            hooked.status, hooked.error = status, error
            run_hooks(self._hooks, "consume_message_after", hooked)
        return status


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
