# Tests: tests/blocking/test_admin.py
"""The admin client, for threads."""

from __future__ import annotations

from typing import Any

from pymq import aio
from pymq.blocking.face import Face, waited


class Admin(Face[aio.Admin]):
    """Looks after topics, consumer groups, brokers, name servers and accounts; may be used by many threads at once.

    ::

        with Admin(namesrv_addr="127.0.0.1:9876") as admin:
            admin.update_topic(TopicConfig("orders", read_queue_nums=8, write_queue_nums=8))
            print(admin.consume_stats("billing").lag)

    Settings, methods and errors are those of `pymq.client.Admin`.
    """

    _survives_fork = True

    def __init__(self, **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        super().__init__(lambda _: aio.Admin(**settings))

    update_topic = waited(aio.Admin.update_topic)
    delete_topic = waited(aio.Admin.delete_topic)
    delete_topic_in_name_server = waited(aio.Admin.delete_topic_in_name_server)
    topics = waited(aio.Admin.topics)
    topic_configs = waited(aio.Admin.topic_configs)
    topic_route = waited(aio.Admin.topic_route)
    topic_stats = waited(aio.Admin.topic_stats)
    topic_groups = waited(aio.Admin.topic_groups)
    topic_clusters = waited(aio.Admin.topic_clusters)
    system_topics = waited(aio.Admin.system_topics)
    query_consume_queue = waited(aio.Admin.query_consume_queue)
    update_group = waited(aio.Admin.update_group)
    delete_group = waited(aio.Admin.delete_group)
    group_configs = waited(aio.Admin.group_configs)
    set_message_request_mode = waited(aio.Admin.set_message_request_mode)
    consume_stats = waited(aio.Admin.consume_stats)
    broker_consume_stats = waited(aio.Admin.broker_consume_stats)
    consumer_offset = waited(aio.Admin.consumer_offset)
    update_consumer_offset = waited(aio.Admin.update_consumer_offset)
    reset_offsets = waited(aio.Admin.reset_offsets)
    clone_offsets = waited(aio.Admin.clone_offsets)
    consumer_connections = waited(aio.Admin.consumer_connections)
    producer_connections = waited(aio.Admin.producer_connections)
    all_producers = waited(aio.Admin.all_producers)
    consumer_running_info = waited(aio.Admin.consumer_running_info)
    consume_status = waited(aio.Admin.consume_status)
    consume_directly = waited(aio.Admin.consume_directly)
    message_track = waited(aio.Admin.message_track)
    resume_check_half_message = waited(aio.Admin.resume_check_half_message)
    consume_time_spans = waited(aio.Admin.consume_time_spans)
    cluster_info = waited(aio.Admin.cluster_info)
    broker_runtime_info = waited(aio.Admin.broker_runtime_info)
    broker_stats = waited(aio.Admin.broker_stats)
    broker_config = waited(aio.Admin.broker_config)
    update_broker_config = waited(aio.Admin.update_broker_config)
    clean_unused_topics = waited(aio.Admin.clean_unused_topics)
    clean_expired_queues = waited(aio.Admin.clean_expired_queues)
    delete_expired_log = waited(aio.Admin.delete_expired_log)
    wipe_write_perm = waited(aio.Admin.wipe_write_perm)
    add_write_perm = waited(aio.Admin.add_write_perm)
    name_server_configs = waited(aio.Admin.name_server_configs)
    update_name_server_config = waited(aio.Admin.update_name_server_config)
    put_kv_config = waited(aio.Admin.put_kv_config)
    kv_config = waited(aio.Admin.kv_config)
    kv_configs = waited(aio.Admin.kv_configs)
    delete_kv_config = waited(aio.Admin.delete_kv_config)
    update_order_conf = waited(aio.Admin.update_order_conf)
    order_conf = waited(aio.Admin.order_conf)
    update_access_config = waited(aio.Admin.update_access_config)
    delete_access_config = waited(aio.Admin.delete_access_config)
    update_global_white_addrs = waited(aio.Admin.update_global_white_addrs)
    acl_version = waited(aio.Admin.acl_version)
    acl_config = waited(aio.Admin.acl_config)
