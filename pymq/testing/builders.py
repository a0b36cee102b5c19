# Tests: tests/testing/test_builders.py
"""A valid anything in one line: tests name what they are about and take the rest as it comes.

Every builder gives the same for the same arguments; times are those of a clock that a test started at 1_700_000_000 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pymq.message.batch import encode_batch
from pymq.message.ids import encode_host
from pymq.message.properties import KEYS, TAGS, UNIQ_KEY, encode_properties
from pymq.message.record import RecordDraft, draft_from, encode_record
from pymq.wire import javajson
from pymq.wire.bodies.heartbeat import ConsumerData, HeartbeatData, ProducerData, build_subscription
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import encode_frame
from pymq.wire.headers.messages import PullMessageRequestHeader, SendMessageRequestHeader, SendMessageRequestHeaderV2

__all__ = [
    "BORN_HOST",
    "NOW_MS",
    "STORE_HOST",
    "batch_body",
    "draft",
    "frame",
    "heartbeat",
    "heartbeat_request",
    "properties",
    "pull_request",
    "record",
    "send_request",
    "unique_key",
]

#: The time at which tests begin.
NOW_MS = 1_700_000_000_000
#: Where messages come from, and which broker stores them, as records hold it.
BORN_HOST = encode_host("10.1.2.3", 5555)
STORE_HOST = encode_host("127.0.0.1", 10911)


def unique_key(number: int = 0) -> str:
    """The UNIQ_KEY that a Java client at 10.1.2.3 would give its message of that number."""
    return f"0A010203{4242:04X}18B4AAC2{number >> 16 & 0xFFFFFFFF:08X}{number & 0xFFFF:04X}"


def properties(
    *, tags: str | None = None, keys: Iterable[str] | str = (), unique: str | None = None, more: Mapping[str, str] | None = None
) -> str:
    """A property string with the names that the store reads; `keys` is one key or several."""
    values = dict(more or {})
    joined = keys if isinstance(keys, str) else " ".join(keys)
    for name, value in ((KEYS, joined), (UNIQ_KEY, unique), (TAGS, tags)):
        if value:
            values[name] = value
    return encode_properties(values)


def draft(
    topic: str = "TopicTest",
    body: bytes = b"hello",
    *,
    queue_id: int = 0,
    tags: str | None = None,
    keys: Iterable[str] | str = (),
    unique: str | None = None,
    more: Mapping[str, str] | None = None,
    born_timestamp: int = NOW_MS,
    born_host: bytes = BORN_HOST,
    store_host: bytes = STORE_HOST,
    **fields: Any,
) -> RecordDraft:
    """A message for `IMessageStore.put`; further fields of draft_from, such as `flag` and `sys_flag`, by name."""
    text = properties(tags=tags, keys=keys, unique=unique, more=more)
    return draft_from(
        topic, queue_id, body, text, born_timestamp=born_timestamp, born_host=born_host, store_host=store_host, **fields
    )


def record(
    topic: str = "TopicTest",
    body: bytes = b"hello",
    *,
    log_offset: int = 0,
    queue_offset: int = 0,
    store_timestamp: int = NOW_MS,
    **fields: Any,
) -> bytes:
    """The bytes of a stored message, as a pull's answer holds them; further arguments are those of `draft`."""
    made = draft(topic, body, **fields)
    made.log_offset, made.queue_offset, made.store_timestamp = log_offset, queue_offset, store_timestamp
    return encode_record(made)


def batch_body(*bodies: bytes, tags: str | None = None) -> bytes:
    """What a client sends for several messages at once, each with a unique key."""
    return encode_batch([(0, body, properties(tags=tags, unique=unique_key(number))) for number, body in enumerate(bodies)])


def send_request(
    topic: str = "TopicTest",
    body: bytes = b"hello",
    *,
    code: int = RequestCode.SEND_MESSAGE_V2,
    opaque: int = 1,
    oneway: bool = False,
    tags: str | None = None,
    keys: Iterable[str] | str = (),
    unique: str | None = None,
    more: Mapping[str, str] | None = None,
    **fields: Any,
) -> RemotingCommand:
    """A send of code 310, or 10, or 320 with a `batch_body`; further fields of the header by name."""
    kind = SendMessageRequestHeader if code == RequestCode.SEND_MESSAGE else SendMessageRequestHeaderV2
    values: dict[str, Any] = {
        "producer_group": "producers",
        "topic": topic,
        "default_topic": "TBW102",
        "default_topic_queue_nums": 4,
        "queue_id": 0,
        "sys_flag": 0,
        "born_timestamp": NOW_MS,
        "flag": 0,
        "properties": properties(tags=tags, keys=keys, unique=unique or unique_key(opaque), more=more),
        "reconsume_times": 0,
        "batch": code == RequestCode.SEND_BATCH_MESSAGE,
    }
    header = kind(**{**values, **fields})
    return RemotingCommand.request(code, header, body, oneway=oneway, opaque=opaque)


def pull_request(
    topic: str = "TopicTest",
    queue_offset: int = 0,
    *,
    group: str = "consumers",
    code: int = RequestCode.PULL_MESSAGE,
    opaque: int = 1,
    **fields: Any,
) -> RemotingCommand:
    """A pull of up to 32 messages that does not wait, subscribed to all tags; further fields of the header by name."""
    values: dict[str, Any] = {
        "consumer_group": group,
        "topic": topic,
        "queue_id": 0,
        "queue_offset": queue_offset,
        "max_msg_nums": 32,
        "sys_flag": 4,
        "commit_offset": 0,
        "suspend_timeout_millis": 15_000,
        "subscription": "*",
        "sub_version": 0,
        "expression_type": "TAG",
    }
    return RemotingCommand.request(code, PullMessageRequestHeader(**{**values, **fields}), opaque=opaque)


def heartbeat(
    client_id: str = "10.1.2.3@4242",
    *,
    produces: Iterable[str] = (),
    consumes: Mapping[str, Iterable[str]] | None = None,
    **consumer_fields: Any,
) -> HeartbeatData:
    """What a client tells of itself: producer groups by name, consumer groups with the topics of each, subscribed to all tags.

    `consumer_fields` go into every ConsumerData, such as `message_model="BROADCASTING"`.
    """
    consumers = []
    for group, topics in (consumes or {}).items():
        subscriptions = tuple(build_subscription(topic, "*", sub_version=NOW_MS) for topic in topics)
        consumers.append(ConsumerData(group_name=group, subscription_data_set=subscriptions, **consumer_fields))
    return HeartbeatData(client_id, tuple(map(ProducerData, produces)), tuple(consumers))


def heartbeat_request(data: HeartbeatData | None = None, *, opaque: int = 1) -> RemotingCommand:
    """HEART_BEAT with that body; by default of a client that produces and consumes."""
    body = data or heartbeat(produces=["producers"], consumes={"consumers": ["TopicTest"]})
    return RemotingCommand.request(RequestCode.HEART_BEAT, None, javajson.encode(body), opaque=opaque)


def frame(command: RemotingCommand, *, compact: bool = False) -> bytes:
    """The bytes of a command on the wire, with a JSON header or the binary one."""
    return encode_frame(attrs.evolve(command, serialize_type=SerializeType.ROCKETMQ) if compact else command)
