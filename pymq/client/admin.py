# Tests: tests/client/test_admin.py
"""The admin client: what operators ask of brokers and name servers, for programs (Java: DefaultMQAdminExt)."""

from __future__ import annotations

from pymq.client.acladmin import AclAdmin
from pymq.client.clusteradmin import ClusterAdmin
from pymq.client.groupadmin import GroupAdmin
from pymq.client.nameserveradmin import NameServerAdmin
from pymq.client.trackadmin import TrackAdmin


class Admin(TrackAdmin, GroupAdmin, ClusterAdmin, NameServerAdmin, AclAdmin):
    """Looks after topics, consumer groups, brokers, name servers and accounts.

    ::

        admin = Admin(namesrv_addr="127.0.0.1:9876")
        await admin.start()
        await admin.update_topic(TopicConfig("orders", read_queue_nums=8, write_queue_nums=8))
        print((await admin.consume_stats("billing")).lag)
        await admin.shutdown()

    Where an operation takes `where`, that is the address of a broker as `host:port`, the name of a broker or that of a cluster;
    None stands for all brokers. Messages and offsets are asked for as with every client: `view_message`, `query_message`,
    `query_message_by_unique_id`, `search_offset`, `max_offset`, `min_offset`, `earliest_store_time`.
    """
