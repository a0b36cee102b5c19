# Tests: tests/wire/headers/test_messages.py
"""Headers of sending, pulling, querying and sending back messages (remoting.md 3.2, 3.3, 3.7, 3.9, 3.10)."""

from __future__ import annotations

import msgspec

from pymq.wire.fields import CommandHeader, Int32, Int64


class SendMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """SEND_MESSAGE (10) and SEND_REPLY_MESSAGE (324): the long names, called V1.

    `born_timestamp` is in milliseconds; `batch` alone says that the body is a batch. 4.9 writes both booleans always. What
    clients send always and a broker can do without has a default here, because Apache's does without it too.
    """

    producer_group: str = ""
    topic: str
    default_topic: str = ""
    default_topic_queue_nums: Int32 | None = None
    queue_id: Int32
    sys_flag: Int32
    born_timestamp: Int64
    flag: Int32
    properties: str | None = None
    reconsume_times: Int32 | None = None
    unit_mode: bool = False
    max_reconsume_times: Int32 | None = None
    batch: bool = False
    broker_name: str | None = msgspec.field(default=None, name="bname")


_V2_LETTERS = {
    "producer_group": "a",
    "topic": "b",
    "default_topic": "c",
    "default_topic_queue_nums": "d",
    "queue_id": "e",
    "sys_flag": "f",
    "born_timestamp": "g",
    "flag": "h",
    "properties": "i",
    "reconsume_times": "j",
    "unit_mode": "k",
    "max_reconsume_times": "l",
    "batch": "m",
    "broker_name": "n",
}


class SendMessageRequestHeaderV2(CommandHeader, rename=_V2_LETTERS, frozen=True, kw_only=True):
    """SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320), SEND_REPLY_MESSAGE_V2 (325): V1's fields under one letter each.

    The Python names are those of SendMessageRequestHeader, so that a processor treats both alike.
    """

    producer_group: str = ""
    topic: str
    default_topic: str = ""
    default_topic_queue_nums: Int32 | None = None
    queue_id: Int32
    sys_flag: Int32
    born_timestamp: Int64
    flag: Int32
    properties: str | None = None
    reconsume_times: Int32 | None = None
    unit_mode: bool = False
    max_reconsume_times: Int32 | None = None
    batch: bool = False
    broker_name: str | None = None


class SendMessageResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The answer to every send. `msg_id` is the offset message id; those of a batch are joined by commas.

    The last two exist since 5.x. Clients also need the extFields MSG_REGION and TRACE_ON, which are not part of Java's class.
    """

    msg_id: str
    queue_id: Int32
    queue_offset: Int64
    transaction_id: str | None = None
    batch_uniq_id: str | None = None
    recall_handle: str | None = None


class ReplyMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """PUSH_REPLY_MESSAGE_TO_CLIENT (326): a reply on its way to the client that asked; hosts are `ip:port`."""

    producer_group: str = ""
    topic: str
    default_topic: str = ""
    default_topic_queue_nums: Int32 | None = None
    queue_id: Int32
    sys_flag: Int32
    born_timestamp: Int64
    flag: Int32
    properties: str | None = None
    reconsume_times: Int32 | None = None
    unit_mode: bool = False
    born_host: str
    store_host: str
    store_timestamp: Int64


class PullMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361). The fields after `broker_name` exist since 5.x."""

    consumer_group: str
    topic: str
    queue_id: Int32
    queue_offset: Int64
    max_msg_nums: Int32
    sys_flag: Int32
    commit_offset: Int64 = -1  # none
    suspend_timeout_millis: Int64 = 0
    subscription: str | None = None
    sub_version: Int64 = 0
    expression_type: str | None = None
    broker_name: str | None = msgspec.field(default=None, name="bname")
    max_msg_bytes: Int32 | None = None
    request_source: Int32 | None = None
    proxy_forward_client_id: str | None = msgspec.field(default=None, name="proxyFrowardClientId")


class PullMessageResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The answer to a pull, present with codes 0, 19, 20 and 21. The last four exist since 5.x."""

    suggest_which_broker_id: Int64
    next_begin_offset: Int64
    min_offset: Int64
    max_offset: Int64
    offset_delta: Int64 | None = None
    topic_sys_flag: Int32 | None = None
    group_sys_flag: Int32 | None = None
    forbidden_type: Int32 | None = None


class QueryMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_MESSAGE (12): messages by a key, between two store times in milliseconds.

    `unique_key_query`, an extField beside Java's class, says that the key is the client's unique id.
    """

    topic: str
    key: str
    max_num: Int32
    begin_timestamp: Int64
    end_timestamp: Int64
    unique_key_query: bool | None = msgspec.field(default=None, name="_UNIQUE_KEY_QUERY")


class QueryMessageResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """How far the index goes: the time of its last message and that message's log offset."""

    index_last_update_timestamp: Int64
    index_last_update_phyoffset: Int64


class ViewMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """VIEW_MESSAGE_BY_ID (33): the message at a log offset. `topic` exists since 5.x."""

    offset: Int64
    topic: str | None = None


class ConsumerSendMsgBackRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """CONSUMER_SEND_MSG_BACK (36): deliver the message at log offset `offset` to the group again, later."""

    offset: Int64
    group: str
    delay_level: Int32
    origin_msg_id: str | None = None
    origin_topic: str | None = None
    unit_mode: bool = False
    max_reconsume_times: Int32 | None = None
    broker_name: str | None = msgspec.field(default=None, name="bname")
