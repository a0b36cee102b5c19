# Tests: tests/wire/bodies/test_heartbeat.py
"""What a client tells a broker every 30 seconds: who it is, what it produces and consumes (remoting.md 3.4)."""

from __future__ import annotations

from typing import Any

import msgspec

from pymq.wire.javajson import JavaJSONError, convert_as, decode

SUBSCRIBE_ALL = "*"
EXPRESSION_TAG = "TAG"
_TAG_SEPARATOR = "||"


class SubscriptionData(msgspec.Struct, rename="camel", frozen=True):
    """One topic of a subscription. `code_set` holds the Java hashes of `tags_set`; a greater `sub_version` is newer (ms, ns)."""

    topic: str
    sub_string: str = SUBSCRIBE_ALL
    tags_set: frozenset[str] = frozenset()
    code_set: frozenset[int] = frozenset()
    sub_version: int = 0
    expression_type: str = EXPRESSION_TAG
    class_filter_mode: bool = False


class ProducerData(msgspec.Struct, rename="camel", frozen=True):
    """Membership of a producer group."""

    group_name: str


class ConsumerData(msgspec.Struct, rename="camel", frozen=True):
    """Membership of a consumer group. The enums are text: clients send words that no release of Java knows."""

    group_name: str
    consume_type: str = "CONSUME_PASSIVELY"
    message_model: str = "CLUSTERING"
    consume_from_where: str = "CONSUME_FROM_LAST_OFFSET"
    subscription_data_set: tuple[SubscriptionData, ...] = ()
    unit_mode: bool = False


class HeartbeatData(msgspec.Struct, rename="camel", frozen=True):
    """The body of HEART_BEAT (34). A fingerprint other than 0 and `without_sub` are 5.x's second version, off by default."""

    client_id: str = msgspec.field(name="clientID")
    producer_data_set: tuple[ProducerData, ...] = ()
    consumer_data_set: tuple[ConsumerData, ...] = ()
    heartbeat_fingerprint: int = 0
    without_sub: bool = False


class CheckClientRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """The body of CHECK_CLIENT_CONFIG (46). `namespace` exists since 5.x."""

    client_id: str
    group: str
    subscription_data: SubscriptionData | None = None
    namespace: str | None = None


def decode_heartbeat(body: bytes) -> HeartbeatData:
    """What any known client sends: Java, Go (hashes as text), ali-ons (no expressionType), C++ (nulls, enums as ordinals).

    Raises JavaJSONError.
    """
    heartbeat = convert_as(_with_enum_names(decode(body)), HeartbeatData)
    if not heartbeat.client_id:
        raise JavaJSONError("a heartbeat without clientID")
    return heartbeat


#: The enums of a consumer's part of a heartbeat, in the order of Java's ordinals.
_ENUMS = {
    "consumeType": ("CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"),
    "messageModel": ("BROADCASTING", "CLUSTERING"),
    "consumeFromWhere": (
        "CONSUME_FROM_LAST_OFFSET",
        "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        "CONSUME_FROM_MIN_OFFSET",
        "CONSUME_FROM_MAX_OFFSET",
        "CONSUME_FROM_FIRST_OFFSET",
        "CONSUME_FROM_TIMESTAMP",
    ),
}


def _with_enum_names(document: Any) -> Any:
    """The same heartbeat with names for ordinals, which fastjson takes as well and the C++ client sends."""
    consumers = document.get("consumerDataSet") if isinstance(document, dict) else None
    for consumer in consumers if isinstance(consumers, list) else ():
        for key, names in _ENUMS.items():
            ordinal = consumer.get(key) if isinstance(consumer, dict) else None
            if type(ordinal) is int:
                consumer[key] = names[ordinal] if 0 <= ordinal < len(names) else str(ordinal)
    return document


def build_subscription(
    topic: str, expression: str | None, expression_type: str | None = None, *, sub_version: int
) -> SubscriptionData:
    """The subscription that an expression means (Java: FilterAPI). `||` separates tags; none, `*` and an empty text mean all.

    Raises ValueError for an expression that is all separators.
    """
    kind = expression_type or EXPRESSION_TAG
    if kind != EXPRESSION_TAG:
        if not expression:
            raise ValueError(f"a subscription of type {kind} needs an expression")
        return SubscriptionData(topic, expression, sub_version=sub_version, expression_type=kind)
    if not expression or expression == SUBSCRIBE_ALL:
        return SubscriptionData(topic, SUBSCRIBE_ALL, sub_version=sub_version)
    tags = frozenset(tag.strip() for tag in expression.split(_TAG_SEPARATOR)) - {""}
    if not tags:
        raise ValueError(f"the tag expression {expression!r} names no tag")
    return SubscriptionData(topic, expression, tags, frozenset(map(_java_hash, tags)), sub_version)


def _java_hash(text: str) -> int:
    """String.hashCode over UTF-16 units, signed 32 bits."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for index in range(0, len(units), 2):
        value = value * 31 + (units[index] << 8 | units[index + 1]) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
