# Tests: tests/wire/bodies/test_messagequeue.py
"""A message queue's identity, and maps that are keyed by it.

Java writes a map by message queue with whole objects as keys. On our side such a map is `javajson.ObjectKeys`, keyed by the text
that `queue_key` makes and `parse_queue_key` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from pymq.wire.javajson import IntegerKeys, JavaJSONError, ObjectKeys, decode_as

T = TypeVar("T")

_encode = msgspec.json.Encoder(order="sorted").encode


class MessageQueue(msgspec.Struct, rename="camel", frozen=True, order=True):
    """One queue of one broker; ordered by topic, broker name and queue id, as Java's compareTo."""

    topic: str
    broker_name: str
    queue_id: int = 0


def queue_key(queue: MessageQueue) -> str:
    """The key of a queue in ObjectKeys: its compact JSON, members in alphabetical order."""
    return _encode(queue).decode("utf-8")


def parse_queue_key(key: str) -> MessageQueue:
    """The queue of such a key, however its members are ordered. Raises JavaJSONError."""
    return decode_as(key, MessageQueue)


def queue_table(table: Mapping[MessageQueue, T] | Iterable[tuple[MessageQueue, T]]) -> ObjectKeys[T]:
    """The map that is written with object keys, made of one by message queue."""
    return ObjectKeys((queue_key(queue), value) for queue, value in dict(table).items())


def by_queue(table: Mapping[str, T]) -> dict[MessageQueue, T]:
    """The inverse of `queue_table`. Raises JavaJSONError."""
    return {parse_queue_key(key): value for key, value in table.items()}


def write_keys_bare(body: msgspec.Struct, *names: str) -> None:
    """Give the named maps of a fresh body the kind that is written with object keys; absent ones stay so.

    For `__post_init__`, so that a body is written alike whether it was decoded or made of a plain dictionary. Keys may be
    MessageQueues too, also in maps of maps.
    """
    for name in names:
        table = getattr(body, name)
        if table is not None and type(table) is not ObjectKeys:
            msgspec.structs.force_setattr(body, name, _object_keys(table))


def _object_keys(table: Mapping[Any, T]) -> ObjectKeys[T]:
    return ObjectKeys((queue_key(key) if isinstance(key, MessageQueue) else key, value) for key, value in table.items())


def write_numbers_bare(body: msgspec.Struct, *names: str) -> None:
    """The same for maps by number, which Java writes with unquoted keys."""
    for name in names:
        table = getattr(body, name)
        if table is not None and type(table) is not IntegerKeys:
            msgspec.structs.force_setattr(body, name, IntegerKeys(table))


__all__ = [
    "JavaJSONError",
    "MessageQueue",
    "by_queue",
    "parse_queue_key",
    "queue_key",
    "queue_table",
    "write_keys_bare",
    "write_numbers_bare",
]
