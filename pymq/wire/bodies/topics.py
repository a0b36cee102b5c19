# Tests: tests/wire/bodies/test_topics.py
"""Topics and subscription groups as they are configured, and what tools ask about them (remoting.md 3.12, store.md 1.5)."""

from __future__ import annotations

from typing import Any

import msgspec

from pymq.wire.bodies.messagequeue import write_keys_bare

#: The bits of a topic's or broker's `perm` (Java: PermName).
PERM_READ = 4
PERM_WRITE = 2
PERM_INHERIT = 1

#: The bits of `topic_sys_flag` (Java: TopicSysFlag).
TOPIC_UNIT = 1
TOPIC_UNIT_SUBSCRIPTION = 2


class DataVersion(msgspec.Struct, rename="camel", frozen=True):
    """Which state of a table is meant: equal versions mean equal tables. `timestamp` in ms; `state_version` is 5.x's."""

    timestamp: int = 0
    counter: int = 0
    state_version: int | None = None


class TopicConfig(msgspec.Struct, rename="camel", frozen=True):
    """A topic at one broker. `attributes` exist since 5.x and are kept when they were given."""

    topic_name: str
    read_queue_nums: int = 16
    write_queue_nums: int = 16
    perm: int = PERM_READ | PERM_WRITE
    topic_filter_type: str = "SINGLE_TAG"
    topic_sys_flag: int = 0
    order: bool = False
    attributes: dict[str, str] | None = None


class TopicConfigSerializeWrapper(msgspec.Struct, rename="camel", frozen=True):
    """All topics of a broker: the body of GET_ALL_TOPIC_CONFIG (21) and the document `topics.json`."""

    topic_config_table: dict[str, TopicConfig] = {}
    data_version: DataVersion = DataVersion()


class TopicList(msgspec.Struct, rename="camel", frozen=True):
    """Names of topics; with 304 the address of a broker that knows more."""

    topic_list: tuple[str, ...] = ()
    broker_addr: str | None = None


class SubscriptionGroupConfig(msgspec.Struct, rename="camel", frozen=True):
    """The settings of a consumer group. The fields from `consume_message_orderly` on exist since 5.x and are kept as given."""

    group_name: str
    consume_enable: bool = True
    consume_from_min_enable: bool = True
    consume_broadcast_enable: bool = True
    retry_queue_nums: int = 1
    retry_max_times: int = 16
    broker_id: int = 0
    which_broker_when_consume_slowly: int = 1
    notify_consumer_ids_changed_enable: bool = True
    consume_message_orderly: bool | None = None
    group_retry_policy: dict[str, Any] | None = None
    group_sys_flag: int | None = None
    consume_timeout_minute: int | None = None
    subscription_data_set: list[Any] | None = None
    attributes: dict[str, str] | None = None


class SubscriptionGroupWrapper(msgspec.Struct, rename="camel", frozen=True):
    """All groups of a broker: the body of GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201) and the document `subscriptionGroup.json`."""

    subscription_group_table: dict[str, SubscriptionGroupConfig] = {}
    data_version: DataVersion = DataVersion()
    forbidden_table: dict[str, dict[str, int]] | None = None


class TopicOffset(msgspec.Struct, rename="camel", frozen=True):
    """How far one queue goes (queue offsets), and when it last got a message, in ms."""

    min_offset: int = 0
    max_offset: int = 0
    last_update_timestamp: int = 0


class TopicStatsTable(msgspec.Struct, rename="camel", frozen=True):
    """GET_TOPIC_STATS_INFO (202): every queue of a topic; keys are queue_key texts or MessageQueues."""

    offset_table: dict[str, TopicOffset] = {}
    topic_put_tps: float | None = None

    def __post_init__(self) -> None:
        write_keys_bare(self, "offset_table")


class GroupList(msgspec.Struct, rename="camel", frozen=True):
    """QUERY_TOPIC_CONSUME_BY_WHO (300)."""

    group_list: tuple[str, ...] = ()


class KVTable(msgspec.Struct, rename="camel", frozen=True):
    """A table of text by text: GET_BROKER_RUNTIME_INFO (28), GET_KVLIST_BY_NAMESPACE (219), the answer to REGISTER_BROKER."""

    table: dict[str, str] = {}
