# Tests: tests/wire/headers/test_topics.py
"""Headers about topics (remoting.md 3.1, 3.12)."""

from __future__ import annotations

from pymq.wire.fields import CommandHeader, Int32


class CreateTopicRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UPDATE_AND_CREATE_TOPIC (17). `attributes` (`+k=v,-k`) and `force` exist since 5.x."""

    topic: str
    default_topic: str | None = None
    read_queue_nums: Int32
    write_queue_nums: Int32
    perm: Int32
    topic_filter_type: str
    topic_sys_flag: Int32 | None = None
    order: bool = False
    attributes: str | None = None
    force: bool | None = None


class DeleteTopicRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """DELETE_TOPIC_IN_BROKER (215) and, with `cluster_name` to limit it, DELETE_TOPIC_IN_NAMESRV (216)."""

    topic: str
    cluster_name: str | None = None


class GetTopicStatsInfoRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_TOPIC_STATS_INFO (202)."""

    topic: str


class QueryTopicConsumeByWhoRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_TOPIC_CONSUME_BY_WHO (300)."""

    topic: str


class GetTopicsByClusterRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_TOPICS_BY_CLUSTER (224)."""

    cluster: str


class GetTopicConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_TOPIC_CONFIG (351, 5.x)."""

    topic: str
