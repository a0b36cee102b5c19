# Tests: tests/namesrv/test_config.py
"""The name server's settings, with Apache's own names and defaults (remoting.md 6.1; Java: NamesrvConfig, NettyServerConfig)."""

from __future__ import annotations

import attrs

from pymq.settings import setting

PORT_MAX = 65535
_KEPT = "kept for Apache's configuration files; "


@attrs.frozen(kw_only=True)
class NamesrvConfig:
    """Where a name server listens, where it keeps its files, and what it allows."""

    listen_port: int = setting(9876, "port for brokers and clients; 0 takes a free one", least=0, most=PORT_MAX, important=True)
    bind_address: str = setting("0.0.0.0", "the local address to listen on")
    rocketmq_home: str = setting("", _KEPT + "nothing is read from it")
    kv_config_path: str = setting("~/namesrv/kvConfig.json", "the file of the key-value configuration", important=True)
    config_store_path: str = setting(
        "~/namesrv/namesrv.properties", "the file that a change of settings by mqadmin is written to", important=True
    )
    order_message_enable: bool = setting(False, "routes tell the order configuration of their topic", live=True)
    return_order_topic_config_to_broker: bool = setting(True, "brokers are told the order configuration of all topics", live=True)
    enable_all_topic_list: bool = setting(True, "the list of all topics may be asked for", live=True)
    enable_topic_list: bool = setting(True, "the lists of topics by kind and by cluster may be asked for", live=True)
    config_black_list: str = setting("configBlackList;configStorePath;kvConfigPath", "keys that mqadmin may not change")
    product_env_name: str = setting("center", _KEPT + "it belongs to clusterTest")
    cluster_test: bool = setting(False, "unknown topics are looked up in another environment: not served", choices=(False,))
    support_acting_master: bool = setting(False, "a slave stands in for its master in routes: not served", choices=(False,))
    need_wait_for_service: bool = setting(False, "refuse route questions at first after the start", live=True)
    wait_seconds_for_service: int = setting(45, "for so long, s", least=0, live=True)
    delete_topic_with_broker_registration: bool = setting(
        False, "a registration removes topics that it does not name: not served", choices=(False,)
    )
    enable_controller_in_namesrv: bool = setting(False, "elect masters: not served", choices=(False,))
    client_request_thread_pool_nums: int = setting(8, _KEPT + "one reactor serves all")
    default_thread_pool_nums: int = setting(16, _KEPT + "one reactor serves all")
    server_worker_threads: int = setting(8, _KEPT + "one reactor serves all")
