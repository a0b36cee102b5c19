# Tests: tests/wire/headers/test_pop.py
"""Headers of POP consumption, a way of 5.x to consume without queues of one's own (remoting.md 3.14)."""

from __future__ import annotations

import msgspec

from pymq.wire.fields import CommandHeader, Int32, Int64


class PopMessageRequestHeader(CommandHeader):
    """POP_MESSAGE (200050). Times in milliseconds; `queue_id` -1 stands for any queue; `init_mode` 0 is earliest, 1 latest."""

    consumer_group: str
    topic: str
    queue_id: Int32
    max_msg_nums: Int32
    invisible_time: Int64
    poll_time: Int64
    born_time: Int64
    init_mode: Int32
    exp_type: str | None = None
    exp: str | None = None
    order: bool = False
    attempt_id: str | None = None
    broker_name: str | None = msgspec.field(default=None, name="bname")


class PopMessageResponseHeader(CommandHeader):
    """What was taken, for how long; the three infos are lists joined by `;`, an entry for each queue."""

    pop_time: Int64
    invisible_time: Int64
    revive_qid: Int32
    rest_num: Int64
    start_offset_info: str | None = None
    msg_offset_info: str | None = None
    order_count_info: str | None = None


class AckMessageRequestHeader(CommandHeader):
    """ACK_MESSAGE (200051)."""

    consumer_group: str
    topic: str
    queue_id: Int32
    extra_info: str
    offset: Int64


class ChangeInvisibleTimeRequestHeader(CommandHeader):
    """CHANGE_MESSAGE_INVISIBLETIME (200053)."""

    consumer_group: str
    topic: str
    queue_id: Int32
    extra_info: str
    offset: Int64
    invisible_time: Int64


class ChangeInvisibleTimeResponseHeader(CommandHeader):
    """The new handle's times and revive queue."""

    pop_time: Int64
    invisible_time: Int64
    revive_qid: Int32


class NotificationRequestHeader(CommandHeader):
    """NOTIFICATION (200054): is there something to pop, within `poll_time` milliseconds?"""

    consumer_group: str
    topic: str
    queue_id: Int32
    poll_time: Int64
    born_time: Int64
    order: bool = False
    attempt_id: str | None = None


class NotificationResponseHeader(CommandHeader):
    """Whether there are messages, and whether too many wait already."""

    has_msg: bool = False
    polling_full: bool = False


class PeekMessageRequestHeader(CommandHeader):
    """PEEK_MESSAGE (200052): as pop, but nothing is taken."""

    topic: str
    queue_id: Int32
    max_msg_nums: Int32
    consumer_group: str


class PollingInfoRequestHeader(CommandHeader):
    """POLLING_INFO (200055)."""

    consumer_group: str
    topic: str
    queue_id: Int32


class PollingInfoResponseHeader(CommandHeader):
    """How many pops wait."""

    polling_num: Int32
