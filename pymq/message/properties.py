# Tests: tests/message/test_properties.py
"""The property string of a message, and the names that mean something to broker and client (store.md 2.5, remoting.md 5.5).

    name 0x01 value 0x02 name 0x01 value ...        with or without a last 0x02

An item is ignored that has no 0x01, or an empty name or value; the first 0x01 of an item divides it; a later duplicate wins.
Java: MessageConst, MessageDecoder.string2messageProperties.
"""

from __future__ import annotations

from collections.abc import Mapping

NAME_VALUE_SEPARATOR = "\x01"
PROPERTY_SEPARATOR = "\x02"
PROPERTIES_BYTES_MAX = 32767

KEYS = "KEYS"
TAGS = "TAGS"
WAIT = "WAIT"
DELAY = "DELAY"
UNIQ_KEY = "UNIQ_KEY"
RETRY_TOPIC = "RETRY_TOPIC"
REAL_TOPIC = "REAL_TOPIC"
REAL_QID = "REAL_QID"
TRAN_MSG = "TRAN_MSG"
PGROUP = "PGROUP"
MIN_OFFSET = "MIN_OFFSET"
MAX_OFFSET = "MAX_OFFSET"
BUYER_ID = "BUYER_ID"
ORIGIN_MESSAGE_ID = "ORIGIN_MESSAGE_ID"
TRANSFER_FLAG = "TRANSFER_FLAG"
CORRECTION_FLAG = "CORRECTION_FLAG"
MQ2_FLAG = "MQ2_FLAG"
RECONSUME_TIME = "RECONSUME_TIME"
MSG_REGION = "MSG_REGION"
TRACE_ON = "TRACE_ON"
MAX_RECONSUME_TIMES = "MAX_RECONSUME_TIMES"
CONSUME_START_TIME = "CONSUME_START_TIME"
TRAN_PREPARED_QUEUE_OFFSET = "TRAN_PREPARED_QUEUE_OFFSET"
TRANSACTION_CHECK_TIMES = "TRANSACTION_CHECK_TIMES"
CHECK_IMMUNITY_TIME_IN_SECONDS = "CHECK_IMMUNITY_TIME_IN_SECONDS"
INSTANCE_ID = "INSTANCE_ID"
CORRELATION_ID = "CORRELATION_ID"
REPLY_TO_CLIENT = "REPLY_TO_CLIENT"
TTL = "TTL"
ARRIVE_TIME = "ARRIVE_TIME"
PUSH_REPLY_TIME = "PUSH_REPLY_TIME"
CLUSTER = "CLUSTER"
MSG_TYPE = "MSG_TYPE"
#: MSG_TYPE of a reply to a request.
REPLY_TYPE = "reply"
INNER_MULTI_DISPATCH = "INNER_MULTI_DISPATCH"
INNER_MULTI_QUEUE_OFFSET = "INNER_MULTI_QUEUE_OFFSET"
EXTEND_UNIQ_INFO = "EXTEND_UNIQ_INFO"
TRANSACTION_ID = "__transactionId__"
SHARDING_KEY = "__SHARDINGKEY"
#: The receipt of a popped message; clients set it, and brokers on those that come again.
POP_CK = "POP_CK"
#: When a message was popped first, in ms; clients set it, and brokers on those that come again.
FIRST_POP_TIME = "1ST_POP_TIME"
TIMER_DELAY_SEC = "TIMER_DELAY_SEC"
TIMER_DELIVER_MS = "TIMER_DELIVER_MS"
TIMER_DELAY_MS = "TIMER_DELAY_MS"
DLQ_ORIGIN_TOPIC = "DLQ_ORIGIN_TOPIC"
DLQ_ORIGIN_MESSAGE_ID = "DLQ_ORIGIN_MESSAGE_ID"

#: What stands between the words of KEYS.
KEY_SEPARATOR = " "


def encode_properties(properties: Mapping[str, str]) -> str:
    """The property string of a map, without a last separator, as Java 4.9.8 writes it. Empty names and values are left out.

    Raises ValueError when a name or value holds a separator where it would not be read back.
    """
    items = []
    for name, value in properties.items():
        if not name or value is None or value == "":
            continue
        if NAME_VALUE_SEPARATOR in name or PROPERTY_SEPARATOR in name or PROPERTY_SEPARATOR in value:
            raise ValueError(f"the property {name!r} holds a character 0x01 or 0x02")
        items.append(f"{name}{NAME_VALUE_SEPARATOR}{value}")
    return PROPERTY_SEPARATOR.join(items)


def decode_properties(text: str) -> dict[str, str]:
    """The map of a property string."""
    properties = {}
    for item in text.split(PROPERTY_SEPARATOR):
        name, _, value = item.partition(NAME_VALUE_SEPARATOR)
        if name and value:
            properties[name] = value
    return properties


def property_of(text: str, name: str) -> str | None:
    """The value of one property, found without reading the others; None when it is not there."""
    mark = f"{PROPERTY_SEPARATOR}{name}{NAME_VALUE_SEPARATOR}"
    end = len(text)
    while (begin := text.rfind(mark, 0, end)) >= 0:
        value = _value_at(text, begin + len(mark))
        if value:
            return value
        # An empty value counts as not written, so an earlier duplicate holds. Its closing separator may open the next hit.
        end = begin + 1
    if text.startswith(mark[1:]):
        return _value_at(text, len(mark) - 1) or None
    return None


def _value_at(text: str, begin: int) -> str:
    end = text.find(PROPERTY_SEPARATOR, begin)
    return text[begin:] if end < 0 else text[begin:end]


def without_property(text: str, name: str) -> str:
    """The property string without one property; everything else stays as it was, in its order."""
    head = name + NAME_VALUE_SEPARATOR
    if head not in text:
        return text
    return PROPERTY_SEPARATOR.join(item for item in text.split(PROPERTY_SEPARATOR) if not item.startswith(head))


def with_property(text: str, name: str, value: str) -> str:
    """The property string with one property set: an earlier value is taken out, the new one stands at the end."""
    rest = without_property(text, name)
    item = f"{name}{NAME_VALUE_SEPARATOR}{value}"
    if not rest:
        return item
    return f"{rest}{item}" if rest.endswith(PROPERTY_SEPARATOR) else f"{rest}{PROPERTY_SEPARATOR}{item}"


def joined(first: str, second: str) -> str:
    """Two property strings as one, with exactly one separator between them (store.md 2.8: a batch's own properties)."""
    if not first or not second or first.endswith(PROPERTY_SEPARATOR):
        return first + second
    return f"{first}{PROPERTY_SEPARATOR}{second}"


def waits_for_store(text: str) -> bool:
    """Whether the sender wants durability before the answer: WAIT is missing or the word true (Java: isWaitStoreMsgOK)."""
    value = property_of(text, WAIT)
    return value is None or value.lower() == "true"


def index_keys(text: str) -> tuple[str, ...]:
    """What the key index files a message under: UNIQ_KEY, then each word of KEYS (store.md 4.2)."""
    unique = property_of(text, UNIQ_KEY)
    keys = property_of(text, KEYS)
    if keys is None:
        return () if unique is None else (unique,)
    words = (keys,) if KEY_SEPARATOR not in keys else tuple(filter(None, keys.split(KEY_SEPARATOR)))
    return words if unique is None else (unique, *words)
