# Tests: tests/wire/headers/test_routes.py
"""Headers of the name server (remoting.md 3.1)."""

from __future__ import annotations

from pymq.wire.fields import CommandHeader, Int32, Int64


class RegisterBrokerRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """REGISTER_BROKER (103). `body_crc32` covers the body as sent, 0 stands for unchecked. The last two exist since 5.x."""

    broker_name: str
    broker_addr: str
    cluster_name: str
    ha_server_addr: str
    broker_id: Int64
    compressed: bool = False
    body_crc32: Int32 = 0
    heartbeat_timeout_millis: Int64 | None = None
    enable_acting_master: bool | None = None


class RegisterBrokerResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """What a slave learns of its master; both absent for a master."""

    ha_server_addr: str | None = None
    master_addr: str | None = None


class UnRegisterBrokerRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UNREGISTER_BROKER (104)."""

    broker_name: str
    broker_addr: str
    cluster_name: str
    broker_id: Int64


class QueryDataVersionRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """QUERY_DATA_VERSION (322)."""

    broker_name: str
    broker_addr: str
    cluster_name: str
    broker_id: Int64


class QueryDataVersionResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """Whether the broker must register again."""

    changed: bool


class GetRouteInfoRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_ROUTEINFO_BY_TOPIC (105)."""

    topic: str
    accept_standard_json_only: bool | None = None


class PutKVConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """PUT_KV_CONFIG (100)."""

    namespace: str
    key: str
    value: str


class GetKVConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_KV_CONFIG (101)."""

    namespace: str
    key: str


class GetKVConfigResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """The value that was asked for."""

    value: str | None = None


class DeleteKVConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """DELETE_KV_CONFIG (102)."""

    namespace: str
    key: str


class GetKVListByNamespaceRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_KVLIST_BY_NAMESPACE (219)."""

    namespace: str


class WipeWritePermOfBrokerRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """WIPE_WRITE_PERM_OF_BROKER (205)."""

    broker_name: str


class WipeWritePermOfBrokerResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """How many topics of the broker were changed."""

    wipe_topic_count: Int32


class AddWritePermOfBrokerRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """ADD_WRITE_PERM_OF_BROKER (327)."""

    broker_name: str


class AddWritePermOfBrokerResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """How many topics of the broker were changed."""

    add_topic_count: Int32


class BrokerHeartbeatRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """BROKER_HEARTBEAT (904, 5.x). The name server needs the address alone; the rest is the controller's."""

    cluster_name: str
    broker_addr: str
    broker_name: str
    broker_id: Int64 | None = None
    epoch: Int32 | None = None
    max_offset: Int64 | None = None
    confirm_offset: Int64 | None = None
    heartbeat_timeout_mills: Int64 | None = None
    election_priority: Int32 | None = None


class GetBrokerMemberGroupRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_BROKER_MEMBER_GROUP (901, 5.x)."""

    cluster_name: str
    broker_name: str


class RegisterTopicRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """REGISTER_TOPIC_IN_NAMESRV (217, 5.x)."""

    topic: str
