# Tests: tests/wire/bodies/test_stats.py
"""Figures of a broker (remoting.md 3.12)."""

from __future__ import annotations

import msgspec

from pymq.wire.bodies.heartbeat import SubscriptionData


class BrokerStatsItem(msgspec.Struct, rename="camel", frozen=True):
    """A figure over one span: its sum, how much each second, how much each time."""

    sum: int = 0
    tps: float = 0.0
    avgpt: float = 0.0


class BrokerStatsData(msgspec.Struct, rename="camel", frozen=True):
    """VIEW_BROKER_STATS_DATA (315)."""

    stats_minute: BrokerStatsItem = BrokerStatsItem()
    stats_hour: BrokerStatsItem = BrokerStatsItem()
    stats_day: BrokerStatsItem = BrokerStatsItem()


class ConsumeQueueData(msgspec.Struct, rename="camel", frozen=True):
    """One unit of a consume queue: log offset, size in bytes and tags code.

    In an extended queue the tags code is an address. What lies there is told as JSON, with its bits as text, and `eval` is
    whether the group's filter lets it pass; or `msg` says that nothing lies there.
    """

    physic_offset: int
    physic_size: int
    tags_code: int
    eval: bool = False
    extend_data_json: str | None = None
    bit_map: str | None = None
    msg: str | None = None


class QueryConsumeQueueResponseBody(msgspec.Struct, rename="camel", frozen=True):
    """QUERY_CONSUME_QUEUE (321)."""

    queue_data: tuple[ConsumeQueueData, ...] = ()
    min_queue_index: int = 0
    max_queue_index: int = 0
    subscription_data: SubscriptionData | None = None
    filter_data: str | None = None
