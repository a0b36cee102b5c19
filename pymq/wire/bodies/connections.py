# Tests: tests/wire/bodies/test_connections.py
"""Who is connected, and what a consumer says of itself (remoting.md 3.11, 3.12)."""

from __future__ import annotations

import msgspec

from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import write_keys_bare
from pymq.wire.bodies.stats import BrokerStatsData, BrokerStatsItem


class Connection(msgspec.Struct, rename="camel", frozen=True):
    """One client; `client_addr` is `ip:port`, `language` a name of LanguageCode."""

    client_id: str
    client_addr: str
    language: str | None = "JAVA"
    version: int = 0


class ConsumerConnection(msgspec.Struct, rename="camel", frozen=True):
    """GET_CONSUMER_CONNECTION_LIST (203)."""

    connection_set: tuple[Connection, ...] = ()
    subscription_table: dict[str, SubscriptionData] = {}
    consume_type: str | None = None
    message_model: str | None = None
    consume_from_where: str | None = None


class ProducerConnection(msgspec.Struct, rename="camel", frozen=True):
    """GET_PRODUCER_CONNECTION_LIST (204)."""

    connection_set: tuple[Connection, ...] = ()


class ProducerInfo(msgspec.Struct, rename="camel", frozen=True):
    """One producer in ProducerTableInfo; `remote_ip` is `/ip:port`, slash included."""

    client_id: str
    remote_ip: str = msgspec.field(name="remoteIP")
    language: str | None = "JAVA"
    version: int = 0
    last_update_timestamp: int = 0


class ProducerTableInfo(msgspec.Struct, rename="camel", frozen=True):
    """GET_ALL_PRODUCER_INFO (328)."""

    data: dict[str, list[ProducerInfo]] = {}


class ProcessQueueInfo(msgspec.Struct, rename="camel", frozen=True):
    """A queue that a consumer works on. `droped` is Java's spelling; sizes in MiB, times in ms."""

    commit_offset: int = 0
    cached_msg_min_offset: int = 0
    cached_msg_max_offset: int = 0
    cached_msg_count: int = 0
    cached_msg_size_in_mib: int = msgspec.field(default=0, name="cachedMsgSizeInMiB")
    transaction_msg_min_offset: int = 0
    transaction_msg_max_offset: int = 0
    transaction_msg_count: int = 0
    locked: bool = False
    try_unlock_times: int = 0
    last_lock_timestamp: int = 0
    droped: bool = False
    last_pull_timestamp: int = 0
    last_consume_timestamp: int = 0


class PopProcessQueueInfo(msgspec.Struct, rename="camel", frozen=True):
    """The same for a queue that is popped (5.x)."""

    wait_ack_count: int = 0
    droped: bool = False
    last_pop_timestamp: int = 0


class ConsumeStatus(msgspec.Struct, rename="camel", frozen=True):
    """How a topic is consumed: milliseconds and messages for each second."""

    pull_rt: float = msgspec.field(default=0.0, name="pullRT")
    pull_tps: float = msgspec.field(default=0.0, name="pullTPS")
    consume_rt: float = msgspec.field(default=0.0, name="consumeRT")
    consume_ok_tps: float = msgspec.field(default=0.0, name="consumeOKTPS")
    consume_failed_tps: float = msgspec.field(default=0.0, name="consumeFailedTPS")
    consume_failed_msgs: int = 0


class ConsumerRunningInfo(msgspec.Struct, rename="camel", frozen=True):
    """GET_CONSUMER_RUNNING_INFO (307); the tables by queue have queue_key texts or MessageQueues as keys."""

    properties: dict[str, str] = {}
    subscription_set: tuple[SubscriptionData, ...] = ()
    mq_table: dict[str, ProcessQueueInfo] = {}
    status_table: dict[str, ConsumeStatus] = {}
    mq_pop_table: dict[str, PopProcessQueueInfo] | None = None
    user_consumer_info: dict[str, str] | None = None
    jstack: str | None = None

    def __post_init__(self) -> None:
        write_keys_bare(self, "mq_table", "mq_pop_table")


class ConsumeMessageDirectlyResult(msgspec.Struct, rename="camel", frozen=True):
    """CONSUME_MESSAGE_DIRECTLY (309): `consume_result` is CR_SUCCESS, CR_LATER, CR_ROLLBACK, CR_COMMIT, ..."""

    consume_result: str | None = None
    order: bool = False
    auto_commit: bool = True
    remark: str | None = None
    spent_time_mills: int = 0


__all__ = [
    "BrokerStatsData",
    "BrokerStatsItem",
    "Connection",
    "ConsumeMessageDirectlyResult",
    "ConsumeStatus",
    "ConsumerConnection",
    "ConsumerRunningInfo",
    "PopProcessQueueInfo",
    "ProcessQueueInfo",
    "ProducerConnection",
    "ProducerInfo",
    "ProducerTableInfo",
]
