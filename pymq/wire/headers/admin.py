# Tests: tests/wire/headers/test_admin.py
"""Headers of administration at the broker (remoting.md 3.12)."""

from __future__ import annotations

from pymq.wire.fields import CommandHeader, Int32, Int64


class GetBrokerConfigResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_BROKER_CONFIG (26): `version` is the JSON of a DataVersion."""

    version: str


class GetConsumeStatsRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_CONSUME_STATS (208). `topic_list` exists since 5.x."""

    consumer_group: str
    topic: str | None = None
    topic_list: str | None = None


class GetConsumeStatsInBrokerHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_BROKER_CONSUME_STATS (317)."""

    is_order: bool = False


class ViewBrokerStatsDataRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """VIEW_BROKER_STATS_DATA (315)."""

    stats_name: str
    stats_key: str


class DeleteSubscriptionGroupRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """DELETE_SUBSCRIPTIONGROUP (207): 4.9 says `removeOffset`, 5.x `cleanOffset` for the same wish."""

    group_name: str
    remove_offset: bool = False
    clean_offset: bool = False


class GetSubscriptionGroupConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_SUBSCRIPTIONGROUP_CONFIG (352, 5.x)."""

    group: str


class QueryConsumeTimeSpanRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_CONSUME_TIME_SPAN (303)."""

    topic: str
    group: str


class QueryCorrectionOffsetHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_CORRECTION_OFFSET (308). `filter_groups` is a comma list."""

    compare_group: str
    topic: str
    filter_groups: str | None = None


class CloneGroupOffsetRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """CLONE_GROUP_OFFSET (314)."""

    src_group: str
    dest_group: str
    topic: str | None = None
    offline: bool = False


class QueryConsumeQueueRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_CONSUME_QUEUE (321): `count` units from queue offset `index` on."""

    topic: str | None = None
    queue_id: Int32 = 0
    index: Int64 = 0
    count: Int32 = 0
    consumer_group: str | None = None
