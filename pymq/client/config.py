# Tests: tests/client/test_config.py
"""What a client can be told: frozen settings with Java's names in snake_case, times in seconds.

`ClientConfig` is what every client has; producers and the kinds of consumers add their own. They are made from the keyword
arguments of `Producer`, `PushConsumer` and their like; a name that does not exist is refused with the nearest one that does.
"""

from __future__ import annotations

import difflib
import os
import socket
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

import attrs

from pymq.errors import ConfigError, DecodeError
from pymq.message.compression import COMPRESSION_TYPES, codec_of
from pymq.settings import setting

C = TypeVar("C", bound="ClientConfig")

NAMESRV_ENVIRONMENT = "NAMESRV_ADDR"
DEFAULT_INSTANCE_NAME = "DEFAULT"
#: Every Java client process is a member of this producer group; ours uses it to send back what a broker would not take back.
INNER_PRODUCER_GROUP = "CLIENT_INNER_PRODUCER"
DEFAULT_RETRY_CODES = frozenset({17, 14, 1, 16, 204, 205})
#: Where CONSUME_FROM_TIMESTAMP begins when no time is given.
HALF_AN_HOUR_AGO_S = -1800.0


class MessageModel(str, Enum):
    """Whether the members of a group share the messages or each gets all of them."""

    CLUSTERING = "CLUSTERING"
    BROADCASTING = "BROADCASTING"


class ConsumeFromWhere(str, Enum):
    """Where a group begins that has no offset yet."""

    CONSUME_FROM_LAST_OFFSET = "CONSUME_FROM_LAST_OFFSET"
    CONSUME_FROM_FIRST_OFFSET = "CONSUME_FROM_FIRST_OFFSET"
    CONSUME_FROM_TIMESTAMP = "CONSUME_FROM_TIMESTAMP"


@attrs.frozen(kw_only=True)
class ClientConfig:
    """The settings that every client has (Java: ClientConfig)."""

    namesrv_addr: str = setting("", "name servers as host:port;host:port; empty takes the environment variable NAMESRV_ADDR")
    instance_name: str = setting(DEFAULT_INSTANCE_NAME, "clients with the same name in one process share their connections")
    client_ip: str = setting("", "the address in the client id; empty takes this machine's own")
    namespace: str = setting("", "what topics and groups are told apart by on the wire, as namespace%name; empty is none")
    namespace_v2: str = setting("", "a namespace that requests name beside the topics, as clients of 5.x do; empty is none")
    unit_name: str = setting("", "a third part of the client id, for those who run units")
    unit_mode: bool = setting(False, "whether messages and groups are marked as those of a unit")
    poll_name_server_interval_s: float = setting(30.0, "seconds between two looks at the routes", least=0.1)
    namesrv_domain: str = setting("", "host[:port] of an HTTP server that names the name servers when none are given")
    namesrv_domain_subgroup: str = setting("nsaddr", "the last part of its address, http://DOMAIN:8080/rocketmq/SUBGROUP")
    namesrv_source_interval_s: float = setting(120.0, "seconds between two calls of the name server source", least=1)
    heartbeat_broker_interval_s: float = setting(30.0, "seconds between two heartbeats", least=0.1)
    persist_consumer_offset_interval_s: float = setting(5.0, "seconds between two commits of the offsets", least=0.1)
    rebalance_interval_s: float = setting(20.0, "seconds between two sharings of the queues", least=0.1)
    mq_client_api_timeout_s: float = setting(3.0, "seconds that a request may take which has no timeout of its own", least=0.01)
    vip_channel_enabled: bool = setting(False, "whether requests to a broker go to its port less two")
    access_key: str = setting("", "who signs the requests, where brokers demand it; with secret_key")
    secret_key: str = setting("", "the key that signs them, which is never sent", secret=True)
    security_token: str = setting("", "a token of temporary keys, sent with every request", secret=True)
    tls_enable: bool = setting(False, "whether all connections are encrypted")
    tls_client_auth_server: bool = setting(False, "whether the certificates of servers are verified")
    tls_client_trust_cert_path: str = setting("", "certificates in PEM that they must be signed by; empty is the system's")
    tls_client_cert_path: str = setting("", "our own certificate in PEM, for servers that ask for one")
    tls_client_key_path: str = setting("", "its private key in PEM; empty when it is in the same file")
    tls_client_key_password: str = setting("", "the password of that key", secret=True)


@attrs.frozen(kw_only=True)
class AdminConfig(ClientConfig):
    """The settings of an admin client (Java: DefaultMQAdminExt)."""

    mq_client_api_timeout_s: float = setting(5.0, "seconds that a request may take", least=0.01)


@attrs.frozen(kw_only=True)
class ProducerConfig(ClientConfig):
    """The settings of a producer (Java: DefaultMQProducer)."""

    send_msg_timeout_s: float = setting(3.0, "seconds that a send may take, its retries included", least=0.01)
    compress_msg_body_over_howmuch: int = setting(4096, "bodies of so many bytes are compressed", least=0)
    compress_type: str = setting(
        "ZLIB", "how bodies are compressed; LZ4 and ZSTD need packages", choices=tuple(COMPRESSION_TYPES)
    )
    compress_level: int = setting(5, "level of compressed bodies: to 9 for ZLIB, to 22 for ZSTD; LZ4 has none", least=0, most=22)
    send_msg_max_timeout_per_request_s: float = setting(-1.0, "seconds of that for a try which is not the last; -1 is no limit")
    retry_times_when_send_failed: int = setting(2, "how often a failed send is tried again", least=0, most=100)
    retry_another_broker_when_not_store_ok: bool = setting(False, "whether a message that is stored but not safe is sent again")
    retry_response_codes: frozenset[int] = setting(DEFAULT_RETRY_CODES, "the answers after which another broker is tried")
    max_message_size: int = setting(4 * 1024 * 1024, "bytes of the largest body", least=1)
    create_topic_key: str = setting("TBW102", "the topic whose settings a new topic takes")
    default_topic_queue_nums: int = setting(4, "queues of a topic that its first message creates", least=1, most=65535)
    send_latency_fault_enable: bool = setting(False, "whether brokers that are slow or failed are left alone for a while")
    sends_in_flight_max: int = setting(65535, "sends that may wait for their answer at one time", least=1)
    enable_msg_trace: bool = setting(False, "whether it is told in the trace topic what becomes of messages")
    customized_trace_topic: str = setting("", "the trace topic; empty is RMQ_SYS_TRACE_TOPIC")

    def __attrs_post_init__(self) -> None:
        try:
            codec_of(COMPRESSION_TYPES[self.compress_type])
        except DecodeError as error:
            raise ConfigError("compress_type", self.compress_type, str(error)) from error


@attrs.frozen(kw_only=True)
class ConsumerConfig(ClientConfig):
    """The settings that push and pull consumers share."""

    message_model: MessageModel = setting(  # noqa: RUF009  # it declares a field
        MessageModel.CLUSTERING, "whether the members share the messages", choices=tuple(MessageModel)
    )
    consumer_timeout_s: float = setting(10.0, "seconds that a pull may take which does not wait", least=0.01)
    suspend_timeout_s: float = setting(15.0, "seconds that the broker holds a pull of an empty queue (Java push: 15)", least=0.1)
    pull_timeout_s: float = setting(30.0, "seconds that a pull may take which waits", least=0.1)
    allocate_strategy: Any = attrs.field(default="AVG", metadata={"meaning": "the name of an IQueueAllocator, or one"})
    max_reconsume_times: int = setting(-1, "deliveries before the dead letter queue; -1 is 16, or without end in order", least=-1)
    offset_store_folder: str = setting("", "where a broadcast group keeps its offsets; empty is ~/.rocketmq_offsets")
    enable_msg_trace: bool = setting(False, "whether it is told in the trace topic what becomes of messages")
    customized_trace_topic: str = setting("", "the trace topic; empty is RMQ_SYS_TRACE_TOPIC")


@attrs.frozen(kw_only=True)
class BalancedConfig(ConsumerConfig):
    """The settings of consumers whose queues are pulled ahead of use: push and lite pull consumers."""

    consume_from_where: ConsumeFromWhere = setting(  # noqa: RUF009  # it declares a field
        ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, "where a new group begins", choices=tuple(ConsumeFromWhere)
    )
    consume_timestamp_s: float = setting(HALF_AN_HOUR_AGO_S, "epoch seconds to begin at; negative counts back from the start")
    pull_threshold_for_queue: int = setting(1000, "messages in hand of one queue", least=1, most=65535)
    pull_threshold_size_for_queue: int = setting(100, "MiB in hand of one queue", least=1, most=1024)


@attrs.frozen(kw_only=True)
class PushConfig(BalancedConfig):
    """The settings of a push consumer (Java: DefaultMQPushConsumer)."""

    consume_concurrency: int = setting(20, "calls of the listener that may be unfinished at one time", least=1, most=1000)
    consume_message_batch_max_size: int = setting(1, "messages in one call of the listener", least=1, most=1024)
    consume_concurrently_max_span: int = setting(2000, "offsets between first and last unfinished message", least=1, most=65535)
    pull_threshold_for_topic: int = setting(-1, "messages in hand of one topic, shared by its queues; -1 is no limit", least=-1)
    pull_threshold_size_for_topic: int = setting(-1, "MiB in hand of one topic; -1 is no limit", least=-1)
    pull_interval_s: float = setting(0.0, "seconds between two pulls of a queue", least=0, most=65.535)
    pull_batch_size: int = setting(32, "messages of one pull", least=1, most=1024)
    post_subscription_when_pull: bool = setting(False, "whether every pull carries the subscription")
    suspend_current_queue_time_s: float = setting(1.0, "seconds that an ordered queue rests after SUSPEND", least=0.01, most=30)
    consume_timeout_s: float = setting(900.0, "seconds after which an unfinished message is sent back", least=1)
    client_rebalance: bool = setting(True, "whether members share the queues themselves; else brokers of 5.x do, and may let pop")
    pop_invisible_time_s: float = setting(
        60.0, "seconds after which a popped message comes again if not acked", least=5, most=300
    )
    pop_batch_nums: int = setting(32, "messages of one pop", least=1, most=32)
    pop_threshold_for_queue: int = setting(96, "popped messages of one queue that are not acknowledged yet", least=1)
    await_termination_s: float = setting(3.0, "seconds that shutdown waits for unfinished listener calls", least=0)


@attrs.frozen(kw_only=True)
class LitePullConfig(BalancedConfig):
    """The settings of a lite pull consumer (Java: DefaultLitePullConsumer)."""

    suspend_timeout_s: float = setting(20.0, "seconds that the broker holds a pull of an empty queue", least=0.1)
    auto_commit: bool = setting(True, "whether a poll commits now and then what the polls before it gave")
    auto_commit_interval_s: float = setting(5.0, "seconds between two such commits", least=0.01)
    pull_batch_size: int = setting(10, "messages of one pull, and of one poll", least=1, most=1024)
    pull_threshold_for_all: int = setting(10_000, "messages in hand of all queues", least=1)
    consume_max_span: int = setting(2000, "offsets between first and last message in hand of one queue", least=1, most=65535)
    poll_timeout_s: float = setting(5.0, "seconds that a poll waits which is not told how long", least=0)
    pull_time_delay_when_exception_s: float = setting(1.0, "seconds that a queue rests after a pull that failed", least=0.01)
    topic_metadata_check_interval_s: float = setting(
        30.0, "seconds between two looks whether the queues of a topic changed, where that is listened for", least=0.1
    )

    def __attrs_post_init__(self) -> None:
        if self.pull_timeout_s < self.suspend_timeout_s:
            allowed = f"a held pull must be answered before it times out: suspend_timeout_s is {self.suspend_timeout_s:g}"
            raise ConfigError("pull_timeout_s", self.pull_timeout_s, allowed)


@attrs.frozen(kw_only=True)
class PopConfig(ClientConfig):
    """The settings of a pop consumer."""

    consume_from_where: ConsumeFromWhere = setting(  # noqa: RUF009  # it declares a field
        ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, "where a new group begins", choices=tuple(ConsumeFromWhere)
    )


def make_config(cls: type[C], settings: Mapping[str, Any]) -> C:
    """A `cls` from keyword arguments. Raises ConfigError for an unknown name or a value out of bounds."""
    names = {field.name for field in attrs.fields(cls)}
    given = dict(settings)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ConfigError(name, given[name], "there is no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    for name, kind in (("message_model", MessageModel), ("consume_from_where", ConsumeFromWhere)):
        if name in given and given[name] in {member.value for member in kind}:
            given[name] = kind(given[name])
    try:
        return cls(**given)
    except TypeError as error:
        raise ConfigError("settings", given, str(error)) from error


def name_server_addresses(text: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The name servers in `text`, or in the environment when it is empty; `http://` before an address is dropped as Java does."""
    given = text or environment.get(NAMESRV_ENVIRONMENT, "")
    parts = (part.strip().removeprefix("http://") for part in given.split(";"))
    return tuple(dict.fromkeys(part for part in parts if part))


def local_address() -> str:
    """This machine's address as others see it; asks the routing table, sends nothing. Loopback when there is no network."""
    for family, outside in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((outside, 9))
                return str(probe.getsockname()[0]).partition("%")[0]
        except OSError:
            continue
    return "127.0.0.1"


def client_id(config: ClientConfig, instance_name: str, find_address: Callable[[], str] = local_address) -> str:
    """`ip@instance[@unit]` (Java: buildMQClientId)."""
    parts = [config.client_ip or find_address(), instance_name]
    return "@".join([*parts, config.unit_name] if config.unit_name else parts)
