# Tests: tests/wire/bodies/test_registration.py
"""The body of REGISTER_BROKER (103): a broker's topics, plain or compressed (remoting.md 3.1).

The compressed form is one zlib stream of::

    length: 4 | DataVersion JSON | topic count: 4 | topics | length: 4 | filter server list JSON | [ mapping count: 4 | mappings ]
    one topic:    length: 4 | `name readQueues writeQueues perm FILTERTYPE` and since 5.x a space and `{attributes}`
    one mapping:  length: 4 | JSON of a static topic's queues; 5.x alone, read and left aside
"""

from __future__ import annotations

import zlib

import msgspec
from construct import Int32sb, Struct

from pymq.errors import DecodeError
from pymq.layout import fixed_head
from pymq.wire import javajson
from pymq.wire.bodies.topics import DataVersion, TopicConfig, TopicConfigSerializeWrapper

#: The first version that sends a whole RegisterBrokerBody (V3_0_11), and the first with the tail of mappings (V5_0_0).
_VERSION_WITH_FILTER_SERVERS = 37
_VERSION_WITH_MAPPINGS = 413

#: A compressed body may grow to this and no more: some 600,000 topics.
REGISTER_BODY_BYTES_MAX = 64 * 1024 * 1024

_ZLIB_LEVEL = 9
_TOPIC_PARTS_MIN = 5

INTEGER = Struct("value" / Int32sb)

_integer = fixed_head(INTEGER)


class RegisterBrokerBody(msgspec.Struct, frozen=True):
    """What a registration carries. The table may hold the changed topics alone, so a name server only ever adds it."""

    topic_config_table: dict[str, TopicConfig] = {}
    data_version: DataVersion = DataVersion()
    filter_server_list: tuple[str, ...] = ()


class _PlainBody(msgspec.Struct, rename="camel", frozen=True):
    """The body as Java nests it."""

    topic_config_serialize_wrapper: TopicConfigSerializeWrapper = TopicConfigSerializeWrapper()
    filter_server_list: tuple[str, ...] = ()


def encode_register_body(body: RegisterBrokerBody, compressed: bool) -> bytes:
    """The body in 4.9.8's form."""
    if not compressed:
        wrapper = TopicConfigSerializeWrapper(body.topic_config_table, body.data_version)
        return javajson.encode(_PlainBody(wrapper, body.filter_server_list))
    topics = [_with_length(_topic_line(topic).encode("utf-8")) for topic in body.topic_config_table.values()]
    parts = [
        _with_length(javajson.encode(body.data_version)),
        _integer.pack(len(topics)),
        *topics,
        _with_length(javajson.encode(body.filter_server_list)),
    ]
    return zlib.compress(b"".join(parts), _ZLIB_LEVEL)


def _with_length(data: bytes) -> bytes:
    return bytes(_integer.pack(len(data))) + data


def _topic_line(topic: TopicConfig) -> str:
    line = f"{topic.topic_name} {topic.read_queue_nums} {topic.write_queue_nums} {topic.perm} {topic.topic_filter_type}"
    return line if topic.attributes is None else f"{line} {javajson.encode(topic.attributes).decode('utf-8')}"


def decode_register_body(data: bytes, compressed: bool, version: int) -> RegisterBrokerBody:
    """The body of a broker of that `version` (remoting.md 1.6). No body is an empty table of version 0. Raises DecodeError."""
    if not data:
        return RegisterBrokerBody()
    if version < _VERSION_WITH_FILTER_SERVERS:
        wrapper = javajson.decode_as(data, TopicConfigSerializeWrapper)
        return RegisterBrokerBody(wrapper.topic_config_table, wrapper.data_version)
    if compressed:
        return _decode_compressed(_inflate(data), version)
    plain = javajson.decode_as(data, _PlainBody)
    wrapper = plain.topic_config_serialize_wrapper
    return RegisterBrokerBody(wrapper.topic_config_table, wrapper.data_version, plain.filter_server_list)


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(data, REGISTER_BODY_BYTES_MAX)
    except zlib.error as error:
        raise DecodeError(f"compressed registration: {error}") from error
    if not stream.eof:
        raise DecodeError(f"compressed registration: {len(data)} bytes are cut off, or hold over {REGISTER_BODY_BYTES_MAX}")
    return inflated


def _decode_compressed(data: bytes, version: int) -> RegisterBrokerBody:
    reader = _Reader(data)
    data_version = javajson.decode_as(reader.block("the data version"), DataVersion)
    topics = [_parse_topic_line(reader.block("a topic")) for _ in range(reader.count("topics"))]
    try:
        filter_servers = javajson.decode_as(reader.block("the filter servers"), tuple[str, ...])
    except javajson.JavaJSONError:
        filter_servers = ()  # Java logs it and registers the topics all the same
    if version >= _VERSION_WITH_MAPPINGS and reader.has_more:
        for _ in range(reader.count("mappings")):
            reader.block("a mapping")
    return RegisterBrokerBody({topic.topic_name: topic for topic in topics}, data_version, filter_servers)


def _parse_topic_line(line: bytes) -> TopicConfig:
    text = line.decode("utf-8", "replace")
    parts = text.split(" ", _TOPIC_PARTS_MIN)
    try:
        name, read_queues, write_queues, perm, filter_type = parts[:_TOPIC_PARTS_MIN]
        numbers = int(read_queues), int(write_queues), int(perm)
    except ValueError as error:
        raise DecodeError(f"compressed registration: a topic reads {text!r}") from error
    attributes = _parse_attributes(parts[_TOPIC_PARTS_MIN]) if len(parts) > _TOPIC_PARTS_MIN else None
    return TopicConfig(name, *numbers, topic_filter_type=filter_type, attributes=attributes)


def _parse_attributes(text: str) -> dict[str, str] | None:
    """The attributes behind a topic; Java ignores those that it cannot read."""
    try:
        return javajson.decode_as(text, dict[str, str]) if text.strip() else None
    except javajson.JavaJSONError:
        return None


class _Reader:
    """Integers and blocks of announced length, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def has_more(self) -> bool:
        return self._at < len(self._data)

    def count(self, what: str) -> int:
        """The next integer, which counts `what`."""
        if len(self._data) - self._at < _integer.size_bytes:
            raise DecodeError(f"compressed registration: it ends at byte {self._at}, before the count or length of {what}")
        (value,) = _integer.unpack_from(self._data, self._at)
        self._at += _integer.size_bytes
        if not 0 <= value <= len(self._data) - self._at:
            raise DecodeError(f"compressed registration: {value} for {what} at byte {self._at} of {len(self._data)}")
        return int(value)

    def block(self, what: str) -> bytes:
        """The next block, which holds `what`."""
        length = self.count(what)
        start, self._at = self._at, self._at + length
        return self._data[start : self._at]
