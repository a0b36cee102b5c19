# Tests: tests/wire/bodies/test_offsets.py
"""Offsets of consumer groups: stored, reported, compared, reset (remoting.md 3.11 to 3.13). Queue offsets all; times in ms."""

from __future__ import annotations

import msgspec

from pymq.wire.bodies.messagequeue import MessageQueue, write_keys_bare, write_numbers_bare


class OffsetWrapper(msgspec.Struct, rename="camel", frozen=True):
    """One queue in ConsumeStats. `pull_offset` exists since 5.x."""

    broker_offset: int = 0
    consumer_offset: int = 0
    last_timestamp: int = 0
    pull_offset: int | None = None


class ConsumeStats(msgspec.Struct, rename="camel", frozen=True):
    """GET_CONSUME_STATS (208); keys are queue_key texts or MessageQueues."""

    offset_table: dict[str, OffsetWrapper] = {}
    consume_tps: float = 0.0

    def __post_init__(self) -> None:
        write_keys_bare(self, "offset_table")


class ConsumeStatsList(msgspec.Struct, rename="camel", frozen=True):
    """GET_BROKER_CONSUME_STATS (317): for each group one map with its stats."""

    consume_stats_list: tuple[dict[str, list[ConsumeStats]], ...] = ()
    broker_addr: str | None = None
    total_diff: int = 0
    total_inflight_diff: int | None = None


class ResetOffsetBody(msgspec.Struct, rename="camel", frozen=True):
    """RESET_CONSUMER_CLIENT_OFFSET (220), and the answer to 222; keys are queue_key texts or MessageQueues."""

    offset_table: dict[str, int] = {}

    def __post_init__(self) -> None:
        write_keys_bare(self, "offset_table")


class MessageQueueForC(msgspec.Struct, rename="camel", frozen=True):
    """A queue and its offset."""

    topic: str
    broker_name: str
    queue_id: int
    offset: int


class ResetOffsetBodyForC(msgspec.Struct, rename="camel", frozen=True):
    """RESET_CONSUMER_CLIENT_OFFSET (220) for clients in C++: a list instead of a map."""

    offset_table: tuple[MessageQueueForC, ...] = ()


class GetConsumerStatusBody(msgspec.Struct, rename="camel", frozen=True):
    """The answers to 221 (by queue) and 223 (by client, then by queue); keys are queue_key texts or MessageQueues."""

    message_queue_table: dict[str, int] = {}
    consumer_table: dict[str, dict[str, int]] = {}

    def __post_init__(self) -> None:
        write_keys_bare(self, "message_queue_table")
        for client_id, table in self.consumer_table.items():
            self.consumer_table[client_id] = ResetOffsetBody(table).offset_table


class QueryCorrectionOffsetBody(msgspec.Struct, rename="camel", frozen=True):
    """QUERY_CORRECTION_OFFSET (308): queue id to offset."""

    correction_offsets: dict[int, int] = {}

    def __post_init__(self) -> None:
        write_numbers_bare(self, "correction_offsets")


class QueueTimeSpan(msgspec.Struct, rename="camel", frozen=True):
    """One queue in QueryConsumeTimeSpanBody. The texts are the times as `yyyy-MM-dd#HH:mm:ss:SSS`."""

    message_queue: MessageQueue
    min_time_stamp: int = 0
    max_time_stamp: int = 0
    consume_time_stamp: int = 0
    delay_time: int = 0
    min_time_stamp_str: str | None = None
    max_time_stamp_str: str | None = None
    consume_time_stamp_str: str | None = None


class QueryConsumeTimeSpanBody(msgspec.Struct, rename="camel", frozen=True):
    """QUERY_CONSUME_TIME_SPAN (303)."""

    consume_time_span_set: tuple[QueueTimeSpan, ...] = ()
