# Tests: tests/wire/headers/test_admin.py
"""Headers of administration at the broker (remoting.md 3.12)."""

from __future__ import annotations

from pymq.wire.codes import RequestCode
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


class UpdateGroupForbiddenRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UPDATE_AND_GET_GROUP_FORBIDDEN (353, 5.x)."""

    group: str
    topic: str
    readable: bool | None = None


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
    """QUERY_CONSUME_QUEUE (321): `count` units from queue offset `index`; a negative index counts from the end."""

    topic: str | None = None
    queue_id: Int32 = 0
    index: Int64 = 0
    count: Int32 = 0
    consumer_group: str | None = None


class CreateAccessConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UPDATE_AND_CREATE_ACL_CONFIG (50, 4.9): `topic_perms` and `group_perms` are comma lists such as `t=PUB|SUB`."""

    access_key: str
    secret_key: str | None = None
    white_remote_address: str | None = None
    admin: bool = False
    default_topic_perm: str | None = None
    default_group_perm: str | None = None
    topic_perms: str | None = None
    group_perms: str | None = None


class DeleteAccessConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """DELETE_ACL_CONFIG (51, 4.9)."""

    access_key: str


class GetBrokerAclConfigResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_BROKER_CLUSTER_ACL_INFO (52, 4.9): versions as the JSON of DataVersions."""

    version: str
    all_acl_file_version: str | None = None
    broker_name: str
    broker_addr: str
    cluster_name: str


class UpdateGlobalWhiteAddrsConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UPDATE_GLOBAL_WHITE_ADDRS_CONFIG (53, 4.9): a comma list of address patterns."""

    global_white_addrs: str
    acl_file_full_path: str | None = None


class CheckRocksdbCqWriteProgressRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """CHECK_ROCKSDB_CQ_WRITE_PROGRESS (354, 5.x)."""

    topic: str
    check_store_time: Int64 = 0


#: Which class reads the extFields of which request.
REQUESTS: dict[int, type[CommandHeader]] = {
    RequestCode.GET_CONSUME_STATS: GetConsumeStatsRequestHeader,
    RequestCode.GET_BROKER_CONSUME_STATS: GetConsumeStatsInBrokerHeader,
    RequestCode.VIEW_BROKER_STATS_DATA: ViewBrokerStatsDataRequestHeader,
    RequestCode.DELETE_SUBSCRIPTIONGROUP: DeleteSubscriptionGroupRequestHeader,
    RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG: GetSubscriptionGroupConfigRequestHeader,
    RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN: UpdateGroupForbiddenRequestHeader,
    RequestCode.QUERY_CONSUME_TIME_SPAN: QueryConsumeTimeSpanRequestHeader,
    RequestCode.QUERY_CORRECTION_OFFSET: QueryCorrectionOffsetHeader,
    RequestCode.CLONE_GROUP_OFFSET: CloneGroupOffsetRequestHeader,
    RequestCode.QUERY_CONSUME_QUEUE: QueryConsumeQueueRequestHeader,
    RequestCode.UPDATE_AND_CREATE_ACL_CONFIG: CreateAccessConfigRequestHeader,
    RequestCode.DELETE_ACL_CONFIG: DeleteAccessConfigRequestHeader,
    RequestCode.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG: UpdateGlobalWhiteAddrsConfigRequestHeader,
    RequestCode.CHECK_ROCKSDB_CQ_WRITE_PROGRESS: CheckRocksdbCqWriteProgressRequestHeader,
}
