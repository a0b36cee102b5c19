# Tests: tests/wire/bodies/test_assignment.py
"""Which queues a consumer gets, and whether it pulls or pops them, as the broker says (5.x; pop-and-timer.md 4.1, 4.2)."""

from __future__ import annotations

import msgspec

from pymq.wire.bodies.messagequeue import MessageQueue

#: How the messages of a topic go to a group (Java: MessageRequestMode).
MODE_PULL = "PULL"
MODE_POP = "POP"


class QueryAssignmentRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """The body of QUERY_ASSIGNMENT (400)."""

    topic: str
    consumer_group: str
    client_id: str
    strategy_name: str
    message_model: str


class MessageQueueAssignment(msgspec.Struct, rename="camel", frozen=True):
    """One queue and its mode; one that is popped may have the queue id -1, which is all queues of the broker."""

    message_queue: MessageQueue | None = None
    mode: str = MODE_PULL


class QueryAssignmentResponseBody(msgspec.Struct, rename="camel", frozen=True):
    """The answer. None, unlike no assignment at all, says nothing: who asked keeps what it has."""

    message_queue_assignments: tuple[MessageQueueAssignment, ...] | None = None


class SetMessageRequestModeRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """The body of SET_MESSAGE_REQUEST_MODE (401).

    `pop_share_queue_num` is how many members' queues each member pops beside its own; 0 or less makes all pop all.
    """

    topic: str
    consumer_group: str
    mode: str = MODE_PULL
    pop_share_queue_num: int = 0
