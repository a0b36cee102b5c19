# Tests: tests/message/test_record.py
"""The stored record: the one layout that commit log, pull answers and client share (store.md 2.2, 2.3, 5.6, remoting.md 5.7).

      0 total size  4    | 36 system flag     4    | store host                    8 or 20
      4 magic       4    | 40 born timestamp  8    | reconsume times               4
      8 body CRC    4    | 48 born host 8 or 20    | prepared transaction offset   8
     12 queue id    4    |    (address and port    | body length                   4, then the body
     16 user flag   4    |    as 4 bytes)          | topic length           1 (V2: 2), then the topic
     20 queue offset 8   |    store timestamp 8    | properties length             2, then the properties
     28 log offset  8    |                         |

Bits 0x10 and 0x20 of the system flag say which hosts are IPv6. `record_layout` declares it in construct; HEADS are the same runs
compiled, one for each pair of address families. Records are written as V1 only, V2 (5.x, long topics) is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import attrs
from construct import Bytes, Int8sb, Int16sb, Int32sb, Int32ub, Int64sb, Struct, this

from pymq.errors import DecodeError
from pymq.layout import FixedRun, fixed_head
from pymq.message import flags
from pymq.message.ids import HOST_V4_BYTES, HOST_V6_BYTES
from pymq.message.message import StoredMessage
from pymq.message.properties import TAGS, decode_properties, index_keys, property_of
from pymq.message.tags import tags_code as tags_code_of

MAGIC_V1 = 0xDAA320A7
MAGIC_V2 = 0xDAA320AB
MAGIC_BLANK = 0xCBD43194
CRC_MASK = 0x7FFFFFFF

TOPIC_BYTES_MAX = 127
PROPERTIES_BYTES_MAX = 32767
#: What the end of a file keeps free for its blank record.
BLANK_BYTES = 8

_TOPIC_LENGTH_BYTES = 1
_PROPERTIES_LENGTH_BYTES = 2

#: The end of a finished file: the bytes left in it, and a magic (store.md 2.7).
BLANK_LAYOUT = Struct("size" / Int32sb, "magic" / Int32ub)


def record_layout(born_v6: bool = False, store_v6: bool = False, v2: bool = False) -> Struct:
    """The drawing above for one pair of address families."""
    return Struct(
        "total_size" / Int32sb,
        "magic" / Int32ub,
        "body_crc" / Int32sb,
        "queue_id" / Int32sb,
        "flag" / Int32sb,
        "queue_offset" / Int64sb,
        "log_offset" / Int64sb,
        "sys_flag" / Int32sb,
        "born_timestamp" / Int64sb,
        "born_host" / Bytes(HOST_V6_BYTES if born_v6 else HOST_V4_BYTES),
        "store_timestamp" / Int64sb,
        "store_host" / Bytes(HOST_V6_BYTES if store_v6 else HOST_V4_BYTES),
        "reconsume_times" / Int32sb,
        "prepared_transaction_offset" / Int64sb,
        "body_length" / Int32sb,
        "body" / Bytes(this.body_length),
        "topic_length" / (Int16sb if v2 else Int8sb),
        "topic" / Bytes(this.topic_length),
        "properties_length" / Int16sb,
        "properties" / Bytes(this.properties_length),
    )


#: The compiled heads by `sys_flag >> 4 & 3`: bit 0 for an IPv6 born host, bit 1 for an IPv6 store host.
HEADS: tuple[FixedRun, ...] = tuple(fixed_head(record_layout(bool(bits & 1), bool(bits & 2))) for bits in range(4))
HEAD_V4 = HEADS[0]
#: Bytes of a record beside body, topic and properties, by the same index.
OVERHEADS = tuple(head.size_bytes + _TOPIC_LENGTH_BYTES + _PROPERTIES_LENGTH_BYTES for head in HEADS)
#: Where the store timestamp stands, by the same index.
STORE_TIME_POSITIONS = tuple(head.offsets["store_timestamp"] for head in HEADS)
SYS_FLAG_POSITION = HEAD_V4.offsets["sys_flag"]
LOG_OFFSET_POSITION = HEAD_V4.offsets["log_offset"]

_V6_SHIFT = 4
_HEAD_BYTES_MIN = HEAD_V4.size_bytes
_unpack_size_magic = fixed_head(BLANK_LAYOUT).unpack_from
_pack_blank = fixed_head(BLANK_LAYOUT).pack
_unpack_int32 = struct.Struct(">i").unpack_from
#: The system flag and, where the hosts are IPv4 ones, the store timestamp: read once for every pull.
_unpack_flag_and_time = struct.Struct(f">i{STORE_TIME_POSITIONS[0] - SYS_FLAG_POSITION - 4}xq").unpack_from
_unpack_int64 = struct.Struct(">q").unpack_from
_pack_length = struct.Struct(">h").pack

#: What a disk writes whole or not at all.
SECTOR_BYTES = 512


@attrs.define(eq=False)
class RecordDraft:
    """A message on its way into the store. Addresses are encoded (ids.encode_host), body and properties are the bytes to keep.

    `index_keys` are those of properties.index_keys. `wait` tells whether the sender wants durability before the answer. The
    first item of a client's batch carries in `group_count` how many drafts, itself included, must be stored together or not at
    all. The last four fields are set by the store; `size` stays 0 for a draft that was refused.
    """

    topic: str
    queue_id: int
    flag: int
    sys_flag: int
    born_timestamp: int
    born_host: bytes
    store_host: bytes
    reconsume_times: int = 0
    prepared_transaction_offset: int = 0
    body: bytes = b""
    properties: bytes = b""
    tags_code: int = 0
    index_keys: tuple[str, ...] = ()
    wait: bool = True
    group_count: int = 1
    log_offset: int = 0
    queue_offset: int = 0
    store_timestamp: int = 0
    size: int = 0


def draft_from(
    topic: str,
    queue_id: int,
    body: bytes,
    properties: str,
    *,
    born_timestamp: int,
    born_host: bytes,
    store_host: bytes,
    flag: int = 0,
    sys_flag: int = 0,
    reconsume_times: int = 0,
    prepared_transaction_offset: int = 0,
    wait: bool = True,
) -> RecordDraft:
    """A draft with tags code and index keys read from its property string, which is stored as it is."""
    return RecordDraft(
        topic,
        queue_id,
        flag,
        sys_flag,
        born_timestamp,
        born_host,
        store_host,
        reconsume_times,
        prepared_transaction_offset,
        body,
        properties.encode("utf-8"),
        tags_code_of(property_of(properties, TAGS)),
        index_keys(properties),
        wait,
    )


def mark_group(drafts: Sequence[RecordDraft]) -> None:
    """Declare drafts to be one client batch: stored in one file and together, or not at all (store.md 2.8)."""
    if drafts:
        drafts[0].group_count = len(drafts)


def v6_bits(born_host: bytes, store_host: bytes) -> int:
    """The system flag's bits for two encoded addresses."""
    born = flags.BORN_HOST_V6 if len(born_host) == HOST_V6_BYTES else 0
    return born | (flags.STORE_HOST_V6 if len(store_host) == HOST_V6_BYTES else 0)


def topic_field(topic: str) -> bytes:
    """A topic with its length before it. Raises ValueError when it takes more than 127 bytes."""
    data = topic.encode("utf-8")
    if len(data) > TOPIC_BYTES_MAX:
        raise ValueError(f"the topic takes {len(data)} bytes, {TOPIC_BYTES_MAX} are allowed")
    return bytes((len(data),)) + data


def record_size(draft: RecordDraft) -> int:
    """Bytes of the record that a draft becomes."""
    overhead = OVERHEADS[v6_bits(draft.born_host, draft.store_host) >> _V6_SHIFT]
    return overhead + len(draft.body) + len(draft.topic.encode("utf-8")) + len(draft.properties)


def encode_record(draft: RecordDraft) -> bytes:
    """The record of a draft whose offsets and store timestamp are set. Raises ValueError when topic or properties are too
    long.
    """
    if len(draft.properties) > PROPERTIES_BYTES_MAX:
        raise ValueError(f"the properties take {len(draft.properties)} bytes, {PROPERTIES_BYTES_MAX} are allowed")
    topic = topic_field(draft.topic)
    bits = v6_bits(draft.born_host, draft.store_host)
    draft.sys_flag = draft.sys_flag & ~flags.HOSTS_V6_MASK | bits
    head = HEADS[bits >> _V6_SHIFT]
    draft.size = head.size_bytes + len(draft.body) + len(topic) + _PROPERTIES_LENGTH_BYTES + len(draft.properties)
    packed = head.pack(
        draft.size,
        MAGIC_V1,
        zlib.crc32(draft.body) & CRC_MASK,
        draft.queue_id,
        draft.flag,
        draft.queue_offset,
        draft.log_offset,
        draft.sys_flag,
        draft.born_timestamp,
        draft.born_host,
        draft.store_timestamp,
        draft.store_host,
        draft.reconsume_times,
        draft.prepared_transaction_offset,
        len(draft.body),
    )
    return b"".join((packed, draft.body, topic, _pack_length(len(draft.properties)), draft.properties))


def blank_record(room: int) -> bytes:
    """What closes a file in which `room` bytes are left."""
    return bytes(_pack_blank(room, MAGIC_BLANK))


class Outcome(Enum):
    """What stands at a place of the commit log."""

    OK = "OK"
    BLANK = "BLANK"
    BAD = "BAD"


@attrs.define
class RecordCheck:
    """The verdict on one place of the log. `size` is the record's, or what a bad record claims if its length only is wrong, else
    -1.

    The rest is set for OK alone; `topic`, `properties`, `tags_code` and `index_keys` only when they were asked for.
    """

    outcome: Outcome
    size: int
    reason: str = ""
    queue_id: int = 0
    queue_offset: int = 0
    log_offset: int = 0
    store_timestamp: int = 0
    sys_flag: int = 0
    topic: str = ""
    properties: str = ""
    tags_code: int = 0
    index_keys: tuple[str, ...] = ()


def _bad(reason: str, size: int = -1) -> RecordCheck:
    return RecordCheck(Outcome.BAD, size, reason)


def check_record(
    view: Any, position: int = 0, limit: int | None = None, check_crc: bool = True, parse: bool = True
) -> RecordCheck:
    """Judge the bytes of `view` from `position`, of which those from `limit` on do not belong to the log (store.md 5.6).

    Never raises and never reads beyond `limit`, whatever the bytes are. Without `parse`, topic and properties are left unread.
    """
    found = _walk(view, position, len(view) if limit is None else limit, check_crc)
    if isinstance(found, RecordCheck):
        return found
    size, fields, _, (topic_at, topic_end, properties_at, properties_end) = found
    check = RecordCheck(Outcome.OK, size, "", fields[3], fields[5], fields[6], fields[10], fields[7])
    if parse:
        check.topic = bytes(view[topic_at:topic_end]).decode("utf-8", "replace")
        check.properties = properties = bytes(view[properties_at:properties_end]).decode("utf-8", "replace")
        check.tags_code = tags_code_of(property_of(properties, TAGS))
        check.index_keys = index_keys(properties)
    return check


#: Where topic and properties begin and end.
_Spans = tuple[int, int, int, int]


def _walk(view: Any, position: int, limit: int, check_crc: bool) -> RecordCheck | tuple[int, tuple[Any, ...], int, _Spans]:
    """(size, fields of the head, begin of the body, spans of the tail) of a sound record, or what else stands there."""
    if limit - position < BLANK_BYTES:
        return _bad("too few bytes")
    size, magic = _unpack_size_magic(view, position)
    if magic == MAGIC_BLANK:
        return RecordCheck(Outcome.BLANK, size)
    if magic not in (MAGIC_V1, MAGIC_V2):
        return _bad(f"magic {magic:#010x}")
    if not _HEAD_BYTES_MIN <= size <= limit - position:
        return _bad(f"size {size} where {limit - position} bytes are left")
    end = position + size
    head = HEADS[_unpack_int32(view, position + SYS_FLAG_POSITION)[0] >> _V6_SHIFT & 3]
    body_at = position + head.size_bytes
    if body_at > end:
        return _bad(f"size {size} is less than its head")
    fields = head.unpack_from(view, position)
    body_length = fields[-1]
    spans = _tail_spans(view, body_at + body_length, end, magic == MAGIC_V2) if body_length >= 0 else None
    if spans is None:
        return _bad("a length runs out of the record")
    if spans[3] != end:
        return _bad(f"the parts make {spans[3] - position} bytes, the record says {size}", size)
    if check_crc and body_length and zlib.crc32(view[body_at : body_at + body_length]) & CRC_MASK != fields[2]:
        return _bad("the body does not match its CRC")
    return size, fields, body_at, spans


def is_torn_behind_body(view: Any, position: int, size: int) -> bool:
    """Whether topic or properties of a sound record, which no CRC covers, were lost when the power was cut: a sector behind the
    body holds nothing but zeros, or the record ends with zeros and nothing follows. `view` begins at the beginning of a sector.
    """
    head = HEADS[_unpack_int32(view, position + SYS_FLAG_POSITION)[0] >> _V6_SHIFT & 3]
    tail, end = position + head.size_bytes + head.unpack_from(view, position)[-1], position + size
    is_v2 = _unpack_size_magic(view, position)[1] == MAGIC_V2
    spans = _tail_spans(view, tail, end, is_v2)
    if spans is not None and spans[2] < end and not view[end - 1] and not any(view[end : end + BLANK_BYTES]):
        return True
    first = -(-tail // SECTOR_BYTES) * SECTOR_BYTES
    return any(not any(view[start : min(start + SECTOR_BYTES, end)]) for start in range(first, end, SECTOR_BYTES))


def _tail_spans(view: Any, position: int, end: int, v2: bool) -> tuple[int, int, int, int] | None:
    """(topic begin, topic end, properties begin, properties end) of the part behind the body; None when a length leads beyond
    `end`.
    """
    width = 2 if v2 else 1
    if position + width > end:
        return None
    topic_at = position + width
    topic_end = topic_at + int.from_bytes(view[position:topic_at], "big", signed=True)
    properties_at = topic_end + _PROPERTIES_LENGTH_BYTES
    if topic_end < topic_at or properties_at > end:
        return None
    properties_end = properties_at + int.from_bytes(view[topic_end:properties_at], "big", signed=True)
    if not properties_at <= properties_end <= end:
        return None
    return topic_at, topic_end, properties_at, properties_end


def store_time_at(view: Any, position: int) -> int:
    """The store timestamp of the record at `position`, read without looking at anything else of it."""
    sys_flag, store_time = _unpack_flag_and_time(view, position + SYS_FLAG_POSITION)
    bits = sys_flag >> _V6_SHIFT & 3
    return store_time if not bits else _unpack_int64(view, position + STORE_TIME_POSITIONS[bits])[0]


def decode_record(view: Any, position: int = 0) -> StoredMessage:
    """The message in the record at `position`. Raises DecodeError unless a whole and sound record stands there.

    The body's CRC is checked; the body itself stays compressed until it is asked for.
    """
    found = _walk(view, position, len(view), check_crc=True)
    if isinstance(found, RecordCheck):
        raise DecodeError(f"no record at byte {position}: {found.reason or found.outcome.value}")
    size, fields, body_at, (topic_at, topic_end, properties_at, properties_end) = found
    return StoredMessage(
        topic=bytes(view[topic_at:topic_end]).decode("utf-8", "replace"),
        queue_id=fields[3],
        flag=fields[4],
        queue_offset=fields[5],
        log_offset=fields[6],
        sys_flag=fields[7],
        born_timestamp=fields[8],
        born_host_bytes=fields[9],
        store_timestamp=fields[10],
        store_host_bytes=fields[11],
        reconsume_times=fields[12],
        prepared_transaction_offset=fields[13],
        raw_body=bytes(view[body_at : body_at + fields[-1]]),
        body_crc=fields[2],
        properties=decode_properties(bytes(view[properties_at:properties_end]).decode("utf-8", "replace")),
        size=size,
    )


def iter_records(data: Any) -> Iterator[StoredMessage]:
    """The messages of records that follow each other, as a pull's body holds them. Raises DecodeError at the first that is not
    whole.
    """
    position, end = 0, len(data)
    while position < end:
        message = decode_record(data, position)
        yield message
        position += message.size
