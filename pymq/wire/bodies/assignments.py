# Tests: tests/wire/bodies/test_assignments.py
"""Bodies of 5.x's shared consumption: who gets which queue, and acknowledgements in batches (remoting.md 3.14)."""

from __future__ import annotations

import msgspec

from pymq.wire.bodies.messagequeue import MessageQueue


class QueryAssignmentRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """QUERY_ASSIGNMENT (400)."""

    topic: str
    consumer_group: str
    client_id: str | None = None
    strategy_name: str | None = None
    message_model: str | None = None


class MessageQueueAssignment(msgspec.Struct, rename="camel", frozen=True):
    """A queue, and whether it is to be consumed by PULL or POP."""

    message_queue: MessageQueue
    mode: str = "PULL"
    attachments: dict[str, str] | None = None


class QueryAssignmentResponseBody(msgspec.Struct, rename="camel", frozen=True):
    """The client's share; None, which is not written, tells it to keep what it has."""

    message_queue_assignments: tuple[MessageQueueAssignment, ...] | None = None


class SetMessageRequestModeRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """SET_MESSAGE_REQUEST_MODE (401)."""

    topic: str
    consumer_group: str
    mode: str = "PULL"
    pop_share_queue_num: int = 0


class BatchAck(msgspec.Struct, frozen=True):
    """One entry of BATCH_ACK_MESSAGE, in its short names.

    `bit_set` is the Base64 of a little-endian set: bit i stands for offset `start_offset` + i.
    """

    consumer_group: str = msgspec.field(name="c")
    topic: str = msgspec.field(name="t")
    retry: str = msgspec.field(name="r")
    start_offset: int = msgspec.field(name="so")
    queue_id: int = msgspec.field(name="q")
    revive_queue_id: int = msgspec.field(name="rq")
    pop_time: int = msgspec.field(name="pt")
    invisible_time: int = msgspec.field(name="it")
    bit_set: str = msgspec.field(name="b")


class BatchAckMessageRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """BATCH_ACK_MESSAGE (200151)."""

    broker_name: str
    acks: tuple[BatchAck, ...] = ()
