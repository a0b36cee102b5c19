# Tests: tests/client/test_hooks.py
"""Callbacks around every send and every call of a listener, for tracing and metrics. What a hook raises is logged, no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs
from twisted.logger import Logger

from pymq.client.results import ConsumeStatus, LocalTransactionState, SendResult
from pymq.message.message import Message, StoredMessage
from pymq.wire.bodies.messagequeue import MessageQueue

_log = Logger()


@attrs.define
class SendMessageContext:
    """One try of a send. `result` or `error` is set when it is over; `properties` is the hooks' own."""

    group: str
    messages: Sequence[Message]
    queue: MessageQueue
    address: str
    is_oneway: bool = False
    result: SendResult | None = None
    error: BaseException | None = None
    properties: dict[str, Any] = attrs.field(factory=dict)


@attrs.define
class ConsumeMessageContext:
    """One call of a listener. `status` and `error` are set when it is over; `properties` is the hooks' own."""

    group: str
    messages: Sequence[StoredMessage]
    queue: MessageQueue
    is_orderly: bool = False
    status: ConsumeStatus | None = None
    error: BaseException | None = None
    properties: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class EndTransactionContext:
    """The end of a transaction, about to be told to the broker at `address`: by its producer, or as the answer to a check."""

    group: str
    message: Message | StoredMessage
    address: str
    msg_id: str
    transaction_id: str | None
    state: LocalTransactionState
    from_transaction_check: bool = False


class SendMessageHook(Protocol):
    """Told of every try of a send (Java: SendMessageHook)."""

    def send_message_before(self, context: SendMessageContext) -> None:
        """The message is about to be written."""

    def send_message_after(self, context: SendMessageContext) -> None:
        """It was answered, or failed."""


class ConsumeMessageHook(Protocol):
    """Told of every call of the listener (Java: ConsumeMessageHook)."""

    def consume_message_before(self, context: ConsumeMessageContext) -> None:
        """The listener is about to be called."""

    def consume_message_after(self, context: ConsumeMessageContext) -> None:
        """It has given its verdict, or failed."""


class EndTransactionHook(Protocol):
    """Told of every end of a transaction (Java: EndTransactionHook)."""

    def end_transaction(self, context: EndTransactionContext) -> None:
        """The broker is about to be told."""


def run_hooks(hooks: Sequence[Any], method: str, context: object) -> None:
    """Call one method of every hook."""
    for hook in hooks:
        try:
            getattr(hook, method)(context)
        except Exception:
            _log.failure("the hook {hook} failed in {method}", hook=hook, method=method)
