# Tests: tests/wire/headers/test_pop.py
"""Headers of POP consumption, a way of 5.x to consume without queues of one's own (remoting.md 3.14)."""

from __future__ import annotations

import msgspec

from pymq.wire.codes import RequestCode
from pymq.wire.fields import CommandHeader, Int32, Int64


class PopMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
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


class PopMessageResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """What was taken, for how long; the three infos are lists joined by `;`, an entry for each queue."""

    pop_time: Int64
    invisible_time: Int64
    revive_qid: Int32
    rest_num: Int64
    start_offset_info: str | None = None
    msg_offset_info: str | None = None
    order_count_info: str | None = None


class AckMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """ACK_MESSAGE (200051)."""

    consumer_group: str
    topic: str
    queue_id: Int32
    extra_info: str
    offset: Int64


class ChangeInvisibleTimeRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """CHANGE_MESSAGE_INVISIBLETIME (200053)."""

    consumer_group: str
    topic: str
    queue_id: Int32
    extra_info: str
    offset: Int64
    invisible_time: Int64


class ChangeInvisibleTimeResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The new handle's times and revive queue."""

    pop_time: Int64
    invisible_time: Int64
    revive_qid: Int32


class NotificationRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """NOTIFICATION (200054): is there something to pop, within `poll_time` milliseconds?"""

    consumer_group: str
    topic: str
    queue_id: Int32
    poll_time: Int64
    born_time: Int64
    order: bool = False
    attempt_id: str | None = None


class NotificationResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """Whether there are messages, and whether too many wait already."""

    has_msg: bool = False
    polling_full: bool = False


class PeekMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """PEEK_MESSAGE (200052): as pop, but nothing is taken."""

    topic: str
    queue_id: Int32
    max_msg_nums: Int32
    consumer_group: str


class PollingInfoRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """POLLING_INFO (200055)."""

    consumer_group: str
    topic: str
    queue_id: Int32


class PollingInfoResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """How many pops wait."""

    polling_num: Int32


#: Which class reads the extFields of which request.
REQUESTS: dict[int, type[CommandHeader]] = {
    RequestCode.POP_MESSAGE: PopMessageRequestHeader,
    RequestCode.ACK_MESSAGE: AckMessageRequestHeader,
    RequestCode.CHANGE_MESSAGE_INVISIBLETIME: ChangeInvisibleTimeRequestHeader,
    RequestCode.NOTIFICATION: NotificationRequestHeader,
    RequestCode.PEEK_MESSAGE: PeekMessageRequestHeader,
    RequestCode.POLLING_INFO: PollingInfoRequestHeader,
}
