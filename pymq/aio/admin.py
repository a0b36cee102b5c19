# Tests: tests/aio/test_admin.py
"""The admin client, for asyncio."""

from __future__ import annotations

from typing import Any

from pymq import client as on_deferreds
from pymq.aio.face import Face, awaited
from pymq.aio.looptransport import on_loop


class Admin(Face[on_deferreds.Admin]):
    """Looks after topics, consumer groups, brokers, name servers and accounts.

    ::

        async with Admin(namesrv_addr="127.0.0.1:9876") as admin:
            await admin.update_topic(TopicConfig("orders", read_queue_nums=8, write_queue_nums=8))
            print((await admin.consume_stats("billing")).lag)

    Settings, methods and errors are those of `pymq.client.Admin`.
    """

    def __init__(self, **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        self.client = on_deferreds.Admin(**on_loop(settings))

    update_topic = awaited(on_deferreds.Admin.update_topic)
    delete_topic = awaited(on_deferreds.Admin.delete_topic)
    delete_topic_in_name_server = awaited(on_deferreds.Admin.delete_topic_in_name_server)
    topics = awaited(on_deferreds.Admin.topics)
    topic_configs = awaited(on_deferreds.Admin.topic_configs)
    topic_route = awaited(on_deferreds.Admin.topic_route)
    topic_stats = awaited(on_deferreds.Admin.topic_stats)
    topic_groups = awaited(on_deferreds.Admin.topic_groups)
    topic_clusters = awaited(on_deferreds.Admin.topic_clusters)
    system_topics = awaited(on_deferreds.Admin.system_topics)
    query_consume_queue = awaited(on_deferreds.Admin.query_consume_queue)
    update_group = awaited(on_deferreds.Admin.update_group)
    delete_group = awaited(on_deferreds.Admin.delete_group)
    group_configs = awaited(on_deferreds.Admin.group_configs)
    set_message_request_mode = awaited(on_deferreds.Admin.set_message_request_mode)
    consume_stats = awaited(on_deferreds.Admin.consume_stats)
    broker_consume_stats = awaited(on_deferreds.Admin.broker_consume_stats)
    consumer_offset = awaited(on_deferreds.Admin.consumer_offset)
    update_consumer_offset = awaited(on_deferreds.Admin.update_consumer_offset)
    reset_offsets = awaited(on_deferreds.Admin.reset_offsets)
    clone_offsets = awaited(on_deferreds.Admin.clone_offsets)
    consumer_connections = awaited(on_deferreds.Admin.consumer_connections)
    producer_connections = awaited(on_deferreds.Admin.producer_connections)
    all_producers = awaited(on_deferreds.Admin.all_producers)
    consumer_running_info = awaited(on_deferreds.Admin.consumer_running_info)
    consume_status = awaited(on_deferreds.Admin.consume_status)
    consume_directly = awaited(on_deferreds.Admin.consume_directly)
    message_track = awaited(on_deferreds.Admin.message_track)
    resume_check_half_message = awaited(on_deferreds.Admin.resume_check_half_message)
    consume_time_spans = awaited(on_deferreds.Admin.consume_time_spans)
    cluster_info = awaited(on_deferreds.Admin.cluster_info)
    broker_runtime_info = awaited(on_deferreds.Admin.broker_runtime_info)
    broker_stats = awaited(on_deferreds.Admin.broker_stats)
    broker_config = awaited(on_deferreds.Admin.broker_config)
    update_broker_config = awaited(on_deferreds.Admin.update_broker_config)
    clean_unused_topics = awaited(on_deferreds.Admin.clean_unused_topics)
    clean_expired_queues = awaited(on_deferreds.Admin.clean_expired_queues)
    delete_expired_log = awaited(on_deferreds.Admin.delete_expired_log)
    wipe_write_perm = awaited(on_deferreds.Admin.wipe_write_perm)
    add_write_perm = awaited(on_deferreds.Admin.add_write_perm)
    name_server_configs = awaited(on_deferreds.Admin.name_server_configs)
    update_name_server_config = awaited(on_deferreds.Admin.update_name_server_config)
    put_kv_config = awaited(on_deferreds.Admin.put_kv_config)
    kv_config = awaited(on_deferreds.Admin.kv_config)
    kv_configs = awaited(on_deferreds.Admin.kv_configs)
    delete_kv_config = awaited(on_deferreds.Admin.delete_kv_config)
    update_order_conf = awaited(on_deferreds.Admin.update_order_conf)
    order_conf = awaited(on_deferreds.Admin.order_conf)
    update_access_config = awaited(on_deferreds.Admin.update_access_config)
    delete_access_config = awaited(on_deferreds.Admin.delete_access_config)
    update_global_white_addrs = awaited(on_deferreds.Admin.update_global_white_addrs)
    acl_version = awaited(on_deferreds.Admin.acl_version)
    acl_config = awaited(on_deferreds.Admin.acl_config)
