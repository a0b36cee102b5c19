# Tests: tests/broker/test_config.py
"""The broker's settings, with Apache's own names and defaults (remoting.md 6.3; Java: BrokerConfig, NettyServerConfig)."""

from __future__ import annotations

import attrs

from pymq.errors import ConfigError
from pymq.settings import setting

PORT_MAX = 65535
#: The fast port lies two below the main port, the replication port one above it (remoting.md 2.4).
VIP_PORT_STEP = -2
HA_PORT_STEP = 1

_SHOWN = "shown by brokerStatus, whose readers divide by it; such requests do not queue up here"


@attrs.frozen(kw_only=True)
class BrokerConfig:
    """How one broker presents itself, what it allows and how often it does its rounds."""

    broker_name: str = setting(
        "", "this broker's name, shared by a master and its slaves; empty: the host's name", important=True
    )
    broker_cluster_name: str = setting("DefaultCluster", "the cluster that the broker belongs to", important=True)
    broker_id: int = setting(0, "0 for a master, above 0 for a slave", least=0, important=True)
    broker_ip1: str = setting("", "the address that clients are told; empty: found by itself", key="brokerIP1", important=True)
    broker_ip2: str = setting("", "the address for replication; empty: brokerIP1", key="brokerIP2", important=True)
    namesrv_addr: str = setting("", "name servers, host:port;host:port; empty: one is carried inside", important=True, live=True)
    fetch_namesrv_addr_by_address_server: bool = setting(
        False, "without namesrvAddr: ask http://rmqAddressServerDomain:8080/rocketmq/rmqAddressServerSubGroup for it"
    )
    rmq_address_server_domain: str = setting("jmenv.tbsite.net", "that server's name, and its port if it is not 8080")
    rmq_address_server_sub_group: str = setting("nsaddr", "the last part of that address")
    embedded_namesrv_listen_port: int = setting(
        9876, "port of the name server inside; 0 takes a free one", least=0, most=PORT_MAX
    )
    listen_port: int = setting(10911, "port for clients; 0 takes a free one", least=0, most=PORT_MAX, important=True)
    bind_address: str = setting("0.0.0.0", "the local address to listen on")
    rocketmq_home: str = setting("", "kept for Apache's configuration files; nothing is read from it")
    broker_permission: int = setting(6, "4 read, 2 write, 6 both", choices=(2, 4, 6), live=True)
    auto_create_topic_enable: bool = setting(True, "a send to an unknown topic makes it", important=True, live=True)
    default_topic_queue_nums: int = setting(
        8, "queues of TBW102, the most that a topic made on first use gets", least=1, live=True
    )
    cluster_topic_enable: bool = setting(True, "the topic named like the cluster may be written")
    broker_topic_enable: bool = setting(True, "the topic named like the broker may be written")
    auto_create_subscription_group: bool = setting(
        True, "an unknown consumer group is made at its first use", important=True, live=True
    )
    trace_topic_enable: bool = setting(False, "make the topic for message traces at start")
    msg_trace_topic_name: str = setting("RMQ_SYS_TRACE_TOPIC", "its name")
    trace_on: bool = setting(True, "what TRACE_ON says in the answers to sends", live=True)
    region_id: str = setting("DefaultRegion", "what MSG_REGION says in the answers to sends")
    store_reply_message_enable: bool = setting(True, "store replies (request-reply) beside passing them on", live=True)
    reject_transaction_message: bool = setting(False, "refuse transactional messages", live=True)
    transaction_time_out: int = setting(6000, "a half message's producer is not asked before this age, ms", least=0, live=True)
    transaction_check_max: int = setting(15, "ask so often, then give the half message up", least=0, live=True)
    transaction_check_interval: int = setting(60_000, "look for half messages that nobody ended so often, ms", least=100)
    start_accept_send_request_time_stamp: int = setting(0, "refuse sends before this time, ms since the epoch", least=0)
    long_polling_enable: bool = setting(True, "a pull that finds nothing is held", live=True)
    short_polling_time_mills: int = setting(1000, "how long it is held otherwise", least=1, live=True)
    notify_consumer_ids_changed_enable: bool = setting(True, "tell consumers when their group changes", live=True)
    enable_property_filter: bool = setting(False, "SQL92 subscriptions", live=True)
    filter_support_retry: bool = setting(False, "messages that come again pass by their topic's SQL92 filter once more")
    enable_calc_filter_bit_map: bool = setting(
        False, "note at each message which SQL92 filters it passes, with enableConsumeQueueExt", live=True
    )
    expect_consumer_num_use_filter: int = setting(32, "groups of a topic that such notes are made for", least=1)
    max_error_rate_of_bloom_filter: int = setting(
        20, "percent of messages that are looked at in vain in spite of them", least=1, most=99
    )
    filter_data_clean_time_span: int = setting(86_400_000, "forget the SQL92 filter of a group so long offline, ms", least=0)
    slave_read_enable: bool = setting(False, "send slow readers to a slave", live=True)
    disable_consume_if_consumer_read_slowly: bool = setting(
        False, "a group that reads too far behind may consume no more", live=True
    )
    consumer_fallbehind_threshold: int = setting(1024**3 * 16, "bytes behind from which that is so", least=0, live=True)
    flush_consumer_offset_interval: int = setting(5000, "save the consumers' offsets so often, ms", least=100)
    force_register: bool = setting(True, "register with the name servers although nothing changed")
    register_name_server_period: int = setting(30000, "register so often, ms; held between 10000 and 60000", least=1)
    register_broker_timeout_mills: int = setting(6000, "wait so long for a name server, ms", least=1)
    compressed_register: bool = setting(False, "compress the registration's body")
    channel_expired_timeout: int = setting(120_000, "a client silent for so long is forgotten, ms", least=1000)
    server_channel_max_idle_time_seconds: int = setting(120, "a connection silent for so long is closed", least=1)
    server_connections_max: int = setting(10_000, "connections at one time; more are closed at once", least=1)
    broker_fast_failure_enable: bool = setting(True, "refuse requests that waited too long with SYSTEM_BUSY", live=True)
    wait_time_mills_in_send_queue: int = setting(200, "how long a send may wait until it is handled, ms", least=1, live=True)
    wait_time_mills_in_pull_queue: int = setting(5000, "how long a pull may, ms", least=1, live=True)
    wait_time_mills_in_heartbeat_queue: int = setting(31_000, "how long a heartbeat may, ms", least=1, live=True)
    wait_time_mills_in_transaction_queue: int = setting(3000, "how long the end of a transaction may, ms", least=1, live=True)
    send_thread_pool_queue_capacity: int = setting(
        10_000, "sends that may wait for the disk with SYNC_FLUSH; a further one is refused", least=1, live=True
    )
    pull_thread_pool_queue_capacity: int = setting(100_000, _SHOWN, least=1)
    query_thread_pool_queue_capacity: int = setting(20_000, _SHOWN, least=1)
    end_transaction_pool_queue_capacity: int = setting(100_000, _SHOWN, least=1)
    enable_detail_stat: bool = setting(True, "keep some statistics for each queue")
    send_message_thread_pool_nums: int = setting(1, "kept for Apache's configuration files; one reactor serves all")
    config_black_list: str = setting("configBlackList;brokerConfigPath", "keys that mqadmin may not change")

    def __attrs_post_init__(self) -> None:
        if 0 < self.listen_port <= -VIP_PORT_STEP:
            raise ConfigError(
                "listenPort", self.listen_port, "0 or a port above 2 is allowed, for the VIP port lies two below it"
            )
        if self.listen_port + HA_PORT_STEP > PORT_MAX:
            raise ConfigError("listenPort", self.listen_port, f"at most {PORT_MAX - HA_PORT_STEP} is allowed")
        check_name_servers(self.namesrv_addr)

    @property
    def name_servers(self) -> tuple[tuple[str, int], ...]:
        """The configured name servers as (host, port)."""
        return check_name_servers(self.namesrv_addr)


def check_name_servers(text: str) -> tuple[tuple[str, int], ...]:
    """`host:port;host:port` taken apart; the port stands behind the last colon. Raises ConfigError."""
    addresses = []
    for word in filter(None, (part.strip() for part in text.split(";"))):
        host, colon, port = word.rpartition(":")
        if not colon or not host or not port.isdigit() or not 0 < int(port) <= PORT_MAX:
            raise ConfigError(
                "namesrvAddr", text, f"host:port;host:port is allowed, for example 127.0.0.1:9876; {word!r} is not that"
            )
        addresses.append((host.strip("[]"), int(port)))
    return tuple(addresses)


def check_role(broker_role: str, broker_id: int) -> int:
    """The broker id that fits the role, as Java's start makes it: masters get 0, slaves need one above 0. Raises ConfigError."""
    if broker_role in ("ASYNC_MASTER", "SYNC_MASTER"):
        return 0
    if broker_id <= 0:
        raise ConfigError("brokerId", broker_id, "a slave's brokerId must be above 0")
    return broker_id
