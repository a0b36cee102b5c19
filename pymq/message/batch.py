# Tests: tests/message/test_batch.py
"""A client's batch: several messages in one body (store.md 2.8, remoting.md 5.8).

    total size 4 | magic 4 (0) | body CRC 4 (0) | flag 4 | body length 4 | body | properties length 2 | properties

Java: MessageDecoder.encodeMessage, MessageExtBatch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from construct import Bytes, Int16sb, Int32sb, Struct, this

from pymq.errors import DecodeError
from pymq.layout import fixed_head
from pymq.message.properties import PROPERTIES_BYTES_MAX

ITEM_LAYOUT = Struct(
    "total_size" / Int32sb,
    "magic" / Int32sb,
    "body_crc" / Int32sb,
    "flag" / Int32sb,
    "body_length" / Int32sb,
    "body" / Bytes(this.body_length),
    "properties_length" / Int16sb,
    "properties" / Bytes(this.properties_length),
)

_HEAD = fixed_head(ITEM_LAYOUT)
_LENGTH_BYTES = 2
_OVERHEAD = _HEAD.size_bytes + _LENGTH_BYTES


class BatchItem(NamedTuple):
    """One message of a batch: the user's flag, its body and its property string."""

    flag: int
    body: bytes
    properties: str


def encode_batch(items: Iterable[tuple[int, bytes, str]]) -> bytes:
    """The body of a batch. Raises ValueError when a property string takes more than 32767 bytes."""
    parts: list[bytes] = []
    for flag, body, properties in items:
        tail = properties.encode("utf-8")
        if len(tail) > PROPERTIES_BYTES_MAX:
            raise ValueError(f"the properties take {len(tail)} bytes, {PROPERTIES_BYTES_MAX} are allowed")
        head = _HEAD.pack(_OVERHEAD + len(body) + len(tail), 0, 0, flag, len(body))
        parts += (head, body, len(tail).to_bytes(_LENGTH_BYTES, "big"), tail)
    return b"".join(parts)


def decode_batch(data: bytes | memoryview) -> list[BatchItem]:
    """The messages of a batch, in order. Raises DecodeError, naming the item and its place, when the lengths do not fit
    together.
    """
    items: list[BatchItem] = []
    position, end = 0, len(data)
    while position < end:
        item, position = _item_at(data, position, end, len(items))
        items.append(item)
    return items


def _item_at(data: bytes | memoryview, position: int, end: int, number: int) -> tuple[BatchItem, int]:
    where = f"item {number} of the batch at byte {position}"
    if end - position < _OVERHEAD:
        raise DecodeError(f"{where}: {end - position} bytes are left, an item takes {_OVERHEAD} or more")
    total_size, _, _, flag, body_length = _HEAD.unpack_from(data, position)
    body_at = position + _HEAD.size_bytes
    body_end = body_at + body_length
    if body_length < 0 or body_end + _LENGTH_BYTES > end:
        raise DecodeError(f"{where}: its body of {body_length} bytes does not fit")
    properties_at = body_end + _LENGTH_BYTES
    properties_length = int.from_bytes(data[body_end:properties_at], "big", signed=True)
    item_end = properties_at + properties_length
    if properties_length < 0 or item_end > end:
        raise DecodeError(f"{where}: its properties of {properties_length} bytes do not fit")
    if item_end - position != total_size:
        raise DecodeError(f"{where}: its parts make {item_end - position} bytes, it says {total_size}")
    try:
        properties = bytes(data[properties_at:item_end]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError(f"{where}: its properties are not UTF-8") from error
    return BatchItem(flag, bytes(data[body_at:body_end]), properties), item_end
