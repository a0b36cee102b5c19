# Tests: tests/wire/bodies/test_batchack.py
"""Acknowledging many popped messages with one request (5.x; pop-and-timer.md 1.5)."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec


class BatchAck(msgspec.Struct, frozen=True):
    """Messages of one queue that one pop brought. `topic` is never a retry topic: `retry` says which one is meant.

    `bit_set` has the bit i for the message at `start_offset` + i: bytes from the lowest on, as base64. Times are milliseconds.
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
    """The body of BATCH_ACK_MESSAGE (200151)."""

    broker_name: str
    acks: tuple[BatchAck, ...] = ()


def bit_set(places: Iterable[int]) -> str:
    """The text of a set of places from 0 on (Java: BitSet.toByteArray)."""
    bits = 0
    for place in places:
        bits |= 1 << place
    return base64.b64encode(bits.to_bytes((bits.bit_length() + 7) // 8, "little")).decode("ascii")


def places_in(text: str) -> list[int]:
    """The inverse, ascending. Raises ValueError."""
    bits = int.from_bytes(base64.b64decode(text, validate=True), "little")
    return [place for place in range(bits.bit_length()) if bits >> place & 1]
