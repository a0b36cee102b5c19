# Tests: tests/wire/headers/test_pop.py
"""Headers of POP consumption, which exists since 5.x (pop-and-timer.md 1). Times are milliseconds.

Java marks most fields as required, and no broker insists on it: absent numbers are 0.
"""

from __future__ import annotations

import msgspec

from pymq.wire.fields import CommandHeader, Int32, Int64


class PopMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """POP_MESSAGE (200050). A negative `queue_id` is all queues of the broker.

    `init_mode` says where a new group begins: 0 at the first message, 1 at the last. The broker waits for `poll_time` from
    `born_time` on, which 0 makes the broker's own now. `attempt_id` counts only with `order`.
    """

    consumer_group: str
    topic: str
    queue_id: Int32 = 0
    max_msg_nums: Int32 = 0
    invisible_time: Int64 = 0
    poll_time: Int64 = 0
    born_time: Int64 = 0
    init_mode: Int32 = 0
    exp_type: str | None = None
    exp: str | None = None
    order: bool = False
    attempt_id: str | None = None
    broker_name: str | None = msgspec.field(default=None, name="bname")


class PopMessageResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The answer to POP_MESSAGE. How its three texts are written is told in `pymq.message.receipt`."""

    pop_time: Int64 = 0
    invisible_time: Int64 = 0
    revive_queue_id: Int32 = msgspec.field(default=0, name="reviveQid")
    rest_num: Int64 = 0
    start_offset_info: str | None = None
    msg_offset_info: str | None = None
    order_count_info: str | None = None


class PeekMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """PEEK_MESSAGE (200052); its answer has the header of a pop's, of which only `rest_num` says something."""

    consumer_group: str
    topic: str
    queue_id: Int32 = 0
    max_msg_nums: Int32 = 0
    broker_name: str | None = msgspec.field(default=None, name="bname")


class AckMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """ACK_MESSAGE (200051). `topic` is the one the message was read from, a retry topic too; `extra_info` its receipt."""

    consumer_group: str
    topic: str
    queue_id: Int32 = 0
    extra_info: str = ""
    offset: Int64 = 0
    broker_name: str | None = msgspec.field(default=None, name="bname")


class ChangeInvisibleTimeRequestHeader(AckMessageRequestHeader, frozen=True, kw_only=True):
    """CHANGE_MESSAGE_INVISIBLETIME (200053): the message comes again after `invisible_time` from now on.

    `suspend` exists since 5.5: the message comes again as if it had not come before.
    """

    invisible_time: Int64 = 0
    suspend: bool | None = None


class ChangeInvisibleTimeResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The answer: what the message's next receipt is made of."""

    pop_time: Int64 = 0
    invisible_time: Int64 = 0
    revive_queue_id: Int32 = msgspec.field(default=0, name="reviveQid")
