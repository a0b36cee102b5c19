"""Our admin client on our broker and on Apache's: what it does is seen by a witness, by Java's clients and by mqadmin."""

import contextlib
import functools
import threading

import msgspec
import pytest

from pymq.blocking import (
    Admin,
    ConsumeFromWhere,
    LitePullConsumer,
    Message,
    PlainAccessConfig,
    Producer,
    PushConsumer,
    SubscriptionGroupConfig,
    TopicConfig,
)
from pymq.errors import BrokerRefused, ClientError, NoRoute, NotSupported
from pymq.message.ids import decode_offset_message_id

from . import programs, toolchain, wire
from .apache import ApacheCluster
from .pymq_server import PyMQServer

COUNT = 24
WAIT_S = 180
#: How long our clients wait for answers, for servers may have to wait for the processors.
PATIENT = {"mq_client_api_timeout_s": 60}
PATIENTLY_SENDING = {**PATIENT, "send_msg_timeout_s": 60}
NOT_ONLINE, ACL_NOT_CHANGED = 206, 209
FIRST = ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET


@pytest.fixture(scope="module", params=["pymq", "4.9.7", "5.5.0"])
def server(request):
    """A broker of each kind."""
    with PyMQServer() if request.param == "pymq" else ApacheCluster(request.param) as running:
        yield running


@pytest.fixture
def admin(server):
    """Our client."""
    with Admin(namesrv_addr=server.namesrv, **PATIENT) as client:
        yield client


def mqadmin(server, command, *arguments):
    """What mqadmin prints."""
    done = toolchain.mqadmin(server.java_version, [command, "-n", server.namesrv, *map(str, arguments)])
    assert done.returncode == 0 and "Exception" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


def rows(text, first):
    """The words of each line that starts with `first`."""
    return [line.split() for line in text.splitlines() if line.startswith(first)]


def overseen(server, topic, **flags):
    """What Java's admin client says."""
    return programs.run(f"java-{server.java_version}", "oversee", namesrv=server.namesrv, topic=topic, **flags)


def until(condition, what, wait_s=WAIT_S):
    """Wait for it."""

    def looked():
        with contextlib.suppress(NoRoute, BrokerRefused):
            return condition()

    return wire.wait_until(looked, wait_s, what)


def test_topics_and_groups(server, admin):
    """Made, changed, listed and deleted."""
    topic, group = "admin-made", "CG-admin-made"
    admin.update_topic(TopicConfig(topic, read_queue_nums=6, write_queue_nums=5), server.name)
    until(lambda: admin.topic_route(topic), "the route")
    config = admin.topic_configs(server.broker)[topic]
    assert (config.read_queue_nums, config.write_queue_nums, config.perm) == (6, 5, 6)
    admin.update_topic(msgspec.structs.replace(config, perm=4), "DefaultCluster")
    until(lambda: wire.ask(server.namesrv, wire.ROUTE, {"topic": topic}).json()["queueDatas"][0]["perm"] == 4, "the change")
    assert topic in admin.topics() and topic in admin.topics("DefaultCluster")
    assert [queue.queue_id for queue in admin.topic_stats(topic).queues][:5] == list(range(5))
    admin.update_group(SubscriptionGroupConfig(group, retry_max_times=3, consume_broadcast_enable=False))
    made = admin.group_configs(server.name)[group]
    assert (made.retry_max_times, made.consume_broadcast_enable) == (3, False)
    admin.delete_group(group)
    # 5.x makes it anew at once, with defaults, where groups may be made so.
    left = admin.group_configs(server.name).get(group)
    assert left is None or left.retry_max_times == 16
    admin.delete_topic(topic)
    assert topic not in admin.topics() and topic not in admin.topic_configs(server.name)
    assert wire.ask(server.namesrv, wire.ROUTE, {"topic": topic}).code == wire.TOPIC_NOT_EXIST
    with pytest.raises(ClientError, match=server.name):
        admin.topic_configs("no-such-broker")


def test_a_group_that_is_online(server, admin):
    """A Java consumer is seen, asked, given a message once more, and sent back to the beginning."""
    topic, group = server.create_topic("admin-online"), "CG-admin-online"
    sent = programs.send("python", server, topic, COUNT, size=100, key_prefix="K").of("sent")
    flags = {"namesrv": server.namesrv, "topic": topic, "group": group, "at_once": True}
    with programs.Program(f"java-{server.java_version}", "receive", **flags) as java:
        java.wait_received("P", COUNT)
        connection = until(lambda: admin.consumer_connections(group), "the connection")
        (member,) = connection.connection_set
        assert (member.language, connection.consume_type) == ("JAVA", "CONSUME_PASSIVELY")
        info = admin.consumer_running_info(group, member.client_id, with_stacks=True)
        assert topic in info.status_table and "TID: " in info.jstack
        (message,) = admin.query_message(topic, "K7").messages
        assert message.msg_id == sent[7]["msgId"]
        assert admin.consume_directly(group, member.client_id, message).consume_result == "CR_SUCCESS"
        java.wait_event("received", COUNT + 1)
        assert admin.topic_groups(topic) == [group]

        def consumed():
            (offsets,) = admin.consume_status(group, topic).values()
            return sum(offsets.values()) == COUNT

        until(consumed, "that the listener's calls have ended")
        assert set(admin.reset_offsets(group, topic, 0).values()) == {0}
        java.wait_event("received", 2 * COUNT + 1)


def test_a_group_that_is_away(server, admin):
    """Its offsets are set, by time and to the end, and copied; mqadmin sees that."""
    topic, group, other = server.create_topic("admin-away"), "CG-admin-away", "CG-admin-copy"
    with Producer("PG-admin", namesrv_addr=server.namesrv, **PATIENTLY_SENDING) as producer:
        for number in range(COUNT):
            producer.send(Message(topic, b"%d" % number))
    with LitePullConsumer(group, namesrv_addr=server.namesrv, consume_from_where=FIRST, **PATIENT) as consumer:
        consumer.subscribe(topic)
        got = sum(1 for _ in zip(range(COUNT), consumer.messages(WAIT_S)))
        consumer.commit()
        assert got == COUNT
    until(lambda: admin.consume_stats(group, topic).lag == 0, "the route of the group")
    queue, end = max((queue, offset.max_offset) for queue, offset in admin.topic_stats(topic).queues.items())
    admin.update_consumer_offset(group, queue, end - 1)
    assert (admin.consumer_offset(group, queue), admin.consume_stats(group, topic).lag) == (end - 1, 1)
    assert admin.broker_consume_stats(server.name)[group].queues[queue].lag == 1
    behind = [row for row in rows(mqadmin(server, "brokerConsumeStats", "-b", server.broker), topic) if row[1] == group]
    assert sorted(int(row[6]) for row in behind)[-2:] == [0, 1], behind
    admin.update_group(SubscriptionGroupConfig(other))
    admin.clone_offsets(group, other, topic)
    assert admin.consumer_offset(other, queue) == end - 1
    left = rows(mqadmin(server, "consumerProgress", "-g", group), topic)
    assert sum(int(row[3]) - int(row[4]) for row in left) == 1, left
    assert sum(admin.reset_offsets(group, topic, 0).values()) == 0
    assert admin.consume_stats(group, topic).lag == COUNT
    assert sum(admin.reset_offsets(group, topic).values()) == COUNT
    assert admin.consume_stats(group, topic).lag == 0
    with pytest.raises(BrokerRefused) as refused:
        admin.consumer_connections(group)
    assert refused.value.code == NOT_ONLINE


@contextlib.contextmanager
def pushed_to(server, topic, group, tags="*", listener=lambda messages, context: None, **settings):
    """A push consumer of ours that is online meanwhile."""
    settings = {"namesrv_addr": server.namesrv, "consume_from_where": FIRST, **PATIENT, **settings}
    consumer = PushConsumer(group, listener=listener, **settings)
    consumer.subscribe(topic, tags)
    with consumer:
        yield consumer


def test_what_became_of_a_message(server, admin, tmp_path):
    """In groups of every kind, as Java's admin client has it, but for what that takes for offline (see docs/differences.rst)."""
    topic, hold = server.create_topic("admin-track"), threading.Event()
    sent = programs.send("python", server, topic, 1, tag="A").of("sent")[0]
    expected = {
        "CG-track-java": "CONSUMED",
        "CG-track-b": "CONSUMED_BUT_FILTERED",
        "CG-track-held": "NOT_CONSUME_YET",
        "CG-track-lite": "PULL",
        "CG-track-away": "NOT_ONLINE",
        "CG-track-all": "CONSUME_BROADCASTING",
    }
    java, filtered, held, pulling, away, broadcast = expected
    programs.receive("python", server, topic, 1, group=away)
    with (
        programs.Program(f"java-{server.java_version}", "receive", namesrv=server.namesrv, topic=topic, group=java),
        pushed_to(server, topic, filtered, "B"),
        pushed_to(server, topic, held, listener=lambda messages, context: hold.wait()),
        pushed_to(server, topic, broadcast, message_model="BROADCASTING", offset_store_folder=str(tmp_path)),
        LitePullConsumer(pulling, namesrv_addr=server.namesrv, **PATIENT) as consumer,
    ):
        consumer.subscribe(topic)
        try:
            (message,) = admin.query_message_by_unique_id(topic, sent["msgId"]).messages
            until(lambda: {one.consumer_group: one.track_type for one in admin.message_track(message)} == expected, "tracks")
            until(lambda: admin.consume_stats(held).queues, "an offset, without which Java takes a group for offline")
            seen = overseen(server, topic, id=sent["msgId"]).of("track")
            wanting = {broadcast: "NOT_ONLINE"} if server.java_version == "4.9.8" else {}
            assert {event["group"]: event["type"] for event in seen} == expected | wanting
        finally:
            hold.set()


def test_how_long_messages_wait(server, admin):
    """The times of a queue's messages, as Java has them; and for a group without an offset, where Apache's broker has none."""
    topic, group = server.create_topic("admin-spans", queues=1), "CG-admin-spans"
    sent = programs.send("python", server, topic, COUNT).of("sent")
    times = [admin.view_message(event["offsetMsgId"]).store_timestamp for event in sent]
    (queue,) = admin.topic_stats(topic).queues
    admin.update_group(SubscriptionGroupConfig(group))
    admin.update_consumer_offset(group, queue, 3)
    for name, consumed, following in ((group, times[2], times[3]), ("CG-nobody", times[0], times[0])):
        (span,) = admin.consume_time_spans(name, topic).values()
        assert (span.min_timestamp_ms, span.max_timestamp_ms, span.consume_timestamp_ms) == (times[0], times[-1], consumed)
        (java,) = overseen(server, topic, group=name).of("span")
        assert (java["min"], java["max"], java["consumed"]) == (times[0], times[-1], consumed)
        asked_ms = following + span.delay_ms
        assert times[-1] <= asked_ms, "it waits since it was stored"
        if java["delay"] < times[0]:
            assert asked_ms <= following + java["delay"], "Java asked later"
        else:
            assert name != group and isinstance(server, ApacheCluster), "Apache counts from 1970 where no offset is"


def test_brokers_and_name_servers(server, admin):
    """Settings, permissions and values, as mqadmin and the routes have them."""
    topic = server.create_topic("admin-cluster")
    assert admin.cluster_info().broker_addr_table[server.name].broker_addrs == {0: server.broker}
    assert "bootTimestamp" in admin.broker_runtime_info(server.name)
    before = admin.broker_config(server.name)["fileReservedTime"]
    admin.update_broker_config({"fileReservedTime": "47"}, server.broker)
    assert (before, admin.broker_config(server.broker)["fileReservedTime"]) == ("72", "47")
    said = mqadmin(server, "getBrokerConfig", "-b", server.broker).splitlines()
    assert "47" in next(line for line in said if "fileReservedTime" in line)
    assert admin.wipe_write_perm(server.name) > 0
    assert admin.topic_route(topic).queue_datas[0].perm == 4
    assert admin.add_write_perm(server.name) > 0
    assert admin.topic_route(topic).queue_datas[0].perm == 6
    admin.update_order_conf(topic, {server.name: 2})
    assert (admin.order_conf(topic), admin.kv_config("ORDER_TOPIC_CONFIG", topic)) == ({server.name: 2}, f"{server.name}:2")
    admin.delete_kv_config("ORDER_TOPIC_CONFIG", topic)
    assert admin.order_conf(topic) == {} and admin.kv_configs("no-such-namespace") == {}
    admin.clean_unused_topics()
    admin.clean_expired_queues(server.name)
    admin.delete_expired_log(server.broker)


def test_settings_of_name_servers(server, admin):
    """Changed while they run: mqadmin sees it, and routes tell the order of their topics from then on."""
    topic = server.create_topic("admin-namesrv")
    assert admin.name_server_address_list() == (server.namesrv,)
    admin.update_order_conf(topic, {server.name: 2})
    for value, told in (("true", f"{server.name}:2"), ("false", None)):
        admin.update_name_server_config({"orderMessageEnable": value}, [server.namesrv])
        assert admin.name_server_configs()[server.namesrv]["orderMessageEnable"] == value
        said = mqadmin(server, "getNamesrvConfig").splitlines()
        assert value in next(line for line in said if "orderMessageEnable" in line)
        assert admin.topic_route(topic).order_topic_conf == told
    with pytest.raises(BrokerRefused):
        admin.update_name_server_config({"kvConfigPath": "elsewhere"})


def test_what_is_in_a_topic(server, admin):
    """Its clusters, the units of its queues, and what is counted of it."""
    topic, group = server.create_topic("admin-units", queues=1), "CG-admin-units"
    assert rows(mqadmin(server, "topicClusterList", "-t", topic), "") == [[name] for name in admin.topic_clusters(topic)]
    names = admin.system_topics(server.name)
    assert "TBW102" in names and topic not in names
    sent = programs.send("python", server, topic, COUNT, size=100, tag="A").of("sent")
    (queue,) = admin.topic_stats(topic).queues
    places = [decode_offset_message_id(event["offsetMsgId"])[2] for event in sent]
    body = admin.query_consume_queue(queue, 3, 4)
    assert (body.min_queue_index, body.max_queue_index) == (0, COUNT)
    assert [unit.physic_offset for unit in body.queue_data] == places[3:7]
    said = mqadmin(server, "queryCq", "-t", topic, "-q", 0, "-i", 3, "-c", 4, "-b", server.broker)
    assert all(str(place) in said for place in places[3:7]), said
    assert admin.query_consume_queue(queue, COUNT) is None
    sending = {"namesrv_addr": server.namesrv, **PATIENTLY_SENDING}
    with Producer("PG-admin-units", **sending) as producer, pushed_to(server, topic, group, "A || B"):
        subscribed = until(lambda: admin.query_consume_queue(queue, 0, 1, group).subscription_data, "the subscription")
        assert set(subscribed.tags_set) == {"A", "B"}

        def is_counted():
            producer.send(Message(topic, b"x"))
            return admin.broker_stats(server.name, "TOPIC_PUT_NUMS", topic).stats_minute.sum

        until(is_counted, "the first samples")
        (made,) = until(lambda: admin.all_producers(server.broker).get("PG-admin-units"), "the producer's heartbeat")
        assert (made.client_id, made.language) == (producer.client_id, "PYTHON")
        assert producer.client_id in mqadmin(server, "producer", "-b", server.broker)


def test_copied_offsets(server, admin):
    """Of all topics; of a group that is online, those of a topic that it does not subscribe to only when that is wished."""
    topics, group = [server.create_topic(f"admin-copied-{number}", queues=1) for number in range(2)], "CG-admin-copied"
    for topic in topics:
        programs.send("python", server, topic, COUNT)
    queue, left = (next(iter(admin.topic_stats(topic).queues)) for topic in topics)
    with pushed_to(server, topics[0], group):
        until(lambda: admin.consumer_offset(group, queue) == COUNT, "its progress")
        admin.update_consumer_offset(group, left, 7)
        admin.clone_offsets(group, "CG-copy-refused", left.topic)
        admin.clone_offsets(group, "CG-copy-wished", left.topic, offline=True)
        assert admin.consumer_offset("CG-copy-refused", left) < 7 == admin.consumer_offset("CG-copy-wished", left)
    admin.clone_offsets(group, "CG-copy-all")
    assert [admin.consumer_offset("CG-copy-all", one) for one in (queue, left)] == [COUNT, 7]


def test_a_topic_that_name_servers_forget(server, admin):
    """Has no route until its broker registers it anew; the broker has it meanwhile."""
    topic = server.create_topic("admin-forgotten")

    def is_known():
        return wire.ask(server.namesrv, wire.ROUTE, {"topic": topic}).code != wire.TOPIC_NOT_EXIST

    admin.delete_topic_in_name_server(topic, "no-such-cluster")
    assert is_known()
    admin.delete_topic_in_name_server(topic, "DefaultCluster")
    assert not is_known()
    admin.update_topic(msgspec.structs.replace(admin.topic_configs(server.name)[topic], write_queue_nums=3))
    until(is_known, "the route")
    admin.delete_topic_in_name_server(topic, name_servers=[server.namesrv])
    assert not is_known()


def test_accounts_where_there_is_no_access_control(server, admin):
    """Our brokers and those of 5.5.0 do not know the requests; those of 4.9 refuse them, or are silent."""
    account = PlainAccessConfig("app-orders", "key-of-orders")
    if server.java_version == "4.9.8" and isinstance(server, ApacheCluster):
        hasty = Admin(namesrv_addr=server.namesrv, instance_name="hasty")
        with hasty, pytest.raises(ClientError, match="aclEnable=true"):
            hasty.acl_version(server.broker)
        with pytest.raises(BrokerRefused) as refused:
            admin.update_access_config(account)
        assert refused.value.code == ACL_NOT_CHANGED
        return
    for asking in (
        lambda: admin.update_access_config(account),
        lambda: admin.delete_access_config("app-orders"),
        lambda: admin.update_global_white_addrs(["10.0.0.*"]),
        lambda: admin.acl_version(server.name),
        lambda: admin.acl_config(server.name),
    ):
        with pytest.raises(NotSupported, match="this needs a broker"):
            asking()


@pytest.fixture
def second(server):
    """Another broker of the same kind and cluster, without the template topic: that connects every client to every broker."""
    kind = PyMQServer if isinstance(server, PyMQServer) else functools.partial(ApacheCluster, server.version)
    with kind(namesrv=server.namesrv, brokerName="broker-second", autoCreateTopicEnable="false") as broker:
        yield broker


def test_members_that_are_not_connected_to_all_brokers(server, admin, second):
    """All are seen, each once; what single brokers know is what mqadmin says. This must be the last test of a server."""
    group = "CG-admin-apart"
    flags = {"namesrv": server.namesrv, "group": group, "poll_ms": 600_000}
    with contextlib.ExitStack() as stack:
        for number, broker in enumerate((server, second)):
            topic = broker.create_topic(f"admin-apart-{number}")
            consumer = programs.Program(f"java-{server.java_version}", "receive", topic=topic, instance=f"apart{number}", **flags)
            stack.enter_context(consumer).wait_event("assigned")
            until(lambda: admin.topic_route(f"%RETRY%{group}"), "the group's route")

        def members(broker=None):
            return [one.client_id for one in admin.consumer_connections(group, broker).connection_set]

        until(lambda: len(members(server.name)) == 2, "the second at the broker that has the group's retry topic")
        both = until(lambda: len(found := members()) == 2 and found, "both")
        known = {broker.name: members(broker.name) for broker in (server, second)}
        assert sorted({*known[server.name], *known[second.name]}) == both and len(known[second.name]) == 1, known
        for broker in (server, second):
            said = mqadmin(server, "consumerConnection", "-g", group, "-b", broker.broker)
            assert {name for name in both if name in said} == set(known[broker.name]), said
