# Tests: tests/wire/headers/test_offsets.py
"""Headers about queue offsets: what a group has consumed, and what a queue holds (remoting.md 3.3, 3.5)."""

from __future__ import annotations

from pymq.wire.fields import CommandHeader, Int32, Int64


class QueryConsumerOffsetRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_CONSUMER_OFFSET (14). `set_zero_if_not_found` exists since 5.x."""

    consumer_group: str
    topic: str
    queue_id: Int32
    set_zero_if_not_found: bool | None = None


class QueryConsumerOffsetResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The queue offset that the group consumes next."""

    offset: Int64


class UpdateConsumerOffsetRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UPDATE_CONSUMER_OFFSET (15): the queue offset that the group consumes next. ali-ons sends -1 for an unknown one."""

    consumer_group: str
    topic: str
    queue_id: Int32
    commit_offset: Int64


class SearchOffsetRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """SEARCH_OFFSET_BY_TIMESTAMP (29): `timestamp` in milliseconds. `boundary_type` (LOWER, UPPER) exists since 5.x."""

    topic: str
    queue_id: Int32
    timestamp: Int64
    boundary_type: str | None = None


class SearchOffsetResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The queue offset nearest to the time asked for."""

    offset: Int64


class GetMaxOffsetRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_MAX_OFFSET (30). `committed` exists since 5.x."""

    topic: str
    queue_id: Int32
    committed: bool | None = None


class GetMaxOffsetResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The queue offset that the next message gets."""

    offset: Int64


class GetMinOffsetRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_MIN_OFFSET (31)."""

    topic: str
    queue_id: Int32


class GetMinOffsetResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The first readable queue offset."""

    offset: Int64


class GetEarliestMsgStoretimeRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_EARLIEST_MSG_STORETIME (32)."""

    topic: str
    queue_id: Int32


class GetEarliestMsgStoretimeResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """When the queue's first message was stored, in milliseconds; -1 for none."""

    timestamp: Int64
