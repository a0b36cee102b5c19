# Tests: tests/wire/headers/test_clients.py
"""Headers about clients: membership, and what admins ask of or through connected clients (remoting.md 3.4, 3.11, 3.12)."""

from __future__ import annotations

import msgspec

from pymq.wire.fields import CommandHeader, Int32, Int64


class UnregisterClientRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UNREGISTER_CLIENT (35): leave one group of either kind, or both."""

    client_id: str = msgspec.field(name="clientID")
    producer_group: str | None = None
    consumer_group: str | None = None


class GetConsumerListByGroupRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_CONSUMER_LIST_BY_GROUP (38)."""

    consumer_group: str


class NotifyConsumerIdsChangedRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """NOTIFY_CONSUMER_IDS_CHANGED (40), broker to client: rebalance now."""

    consumer_group: str


class GetConsumerConnectionListRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_CONSUMER_CONNECTION_LIST (203)."""

    consumer_group: str


class GetProducerConnectionListRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_PRODUCER_CONNECTION_LIST (204)."""

    producer_group: str


class GetConsumerRunningInfoRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_CONSUMER_RUNNING_INFO (307), relayed to the client; with stacks of its threads if asked for."""

    consumer_group: str
    client_id: str
    jstack_enable: bool = False


class ConsumeMessageDirectlyResultRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """CONSUME_MESSAGE_DIRECTLY (309), relayed to the client. The last three exist since 5.x."""

    consumer_group: str
    client_id: str | None = None
    msg_id: str | None = None
    broker_name: str | None = None
    topic: str | None = None
    topic_sys_flag: Int32 | None = None
    group_sys_flag: Int32 | None = None


class ResetOffsetRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """INVOKE_BROKER_TO_RESET_OFFSET (222) and RESET_CONSUMER_CLIENT_OFFSET (220).

    `timestamp` in milliseconds, -1 for the latest. `queue_id` (-1 for all) and `offset` exist since 5.x.
    """

    topic: str
    group: str
    timestamp: Int64
    is_force: bool = False
    queue_id: Int32 | None = None
    offset: Int64 | None = None


class GetConsumerStatusRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """INVOKE_BROKER_TO_GET_CONSUMER_STATUS (223) and GET_CONSUMER_STATUS_FROM_CLIENT (221)."""

    topic: str
    group: str
    client_addr: str | None = None


class QueryTopicsByConsumerRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_TOPICS_BY_CONSUMER (343, 5.x)."""

    group: str


class QuerySubscriptionByConsumerRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_SUBSCRIPTION_BY_CONSUMER (345, 5.x)."""

    group: str
    topic: str | None = None
