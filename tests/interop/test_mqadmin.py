"""Java's mqadmin, 4.9.8 and 5.5.0, against PyMQ: what it prints is read and compared."""

import json
import re

import pytest

from . import programs, toolchain, wire
from .pymq_server import PyMQServer

TOPIC, GROUP, COUNT = "admin-topic", "admin-consumers", 40
PRODUCER_CONNECTIONS, BROKER_STATS = 204, 315
WAIT_S = 120


@pytest.fixture(scope="module")
def pymq():
    """A PyMQ with a topic, messages in it, and a group that has read them."""
    with PyMQServer() as server:
        server.create_topic(TOPIC)
        server.sent = programs.send("java-4.9.8", server, TOPIC, COUNT, key_prefix="K").of("sent")
        programs.receive("java-4.9.8", server, TOPIC, COUNT, group=GROUP)
        yield server


@pytest.fixture(params=["4.9.8", "5.5.0"])
def admin(request, pymq):
    """A call of mqadmin of one version that gives what it printed."""

    def call(command, *arguments):
        done = toolchain.mqadmin(request.param, [command, "-n", pymq.namesrv, *map(str, arguments)])
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Exception" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout

    call.version = request.param
    return call


def rows(text, first):
    """The words of each line that starts with `first`."""
    return [line.split() for line in text.splitlines() if line.startswith(first)]


def test_topic_route(admin, pymq):
    """topicRoute shows the queues and the broker's address."""
    route = json.loads(re.sub(r"([{,]\s*)(\d+):", r'\1"\2":', admin("topicRoute", "-t", TOPIC)))
    assert route["queueDatas"][0]["readQueueNums"] == 4 and route["queueDatas"][0]["perm"] == 6
    assert route["brokerDatas"][0]["brokerName"] == pymq.name
    assert route["brokerDatas"][0]["brokerAddrs"] == {"0": pymq.broker}


def test_cluster_list(admin, pymq):
    """clusterList shows the broker with its id and address."""
    (row,) = rows(admin("clusterList"), "DefaultCluster")
    assert row[:4] == ["DefaultCluster", pymq.name, "0", pymq.broker]


def test_update_and_delete_topic(admin, pymq):
    """updateTopic makes a topic that has a route, deleteTopic takes it away."""
    topic = f"admin-new-{admin.version.replace('.', '_')}"
    said = admin("updateTopic", "-b", pymq.broker, "-t", topic, "-r", 6, "-w", 5)
    assert f"create topic to {pymq.broker} success." in said

    def routed():
        answer = wire.ask(pymq.namesrv, wire.ROUTE, {"topic": topic})
        return answer.json() if answer.code == wire.SUCCESS else None

    route = wire.wait_until(routed, WAIT_S, "route")
    assert (route["queueDatas"][0]["readQueueNums"], route["queueDatas"][0]["writeQueueNums"]) == (6, 5)
    said = admin("deleteTopic", "-c", "DefaultCluster", "-t", topic)
    assert f"delete topic [{topic}] from cluster [DefaultCluster] success." in said
    assert wire.ask(pymq.namesrv, wire.ROUTE, {"topic": topic}).code == wire.TOPIC_NOT_EXIST


def test_update_topic_of_a_cluster(admin, pymq):
    """updateTopic finds the masters of a cluster."""
    topic = f"admin-cluster-{admin.version.replace('.', '_')}"
    assert f"create topic to {pymq.broker} success." in admin("updateTopic", "-c", "DefaultCluster", "-t", topic)


def test_topic_status(admin, pymq):
    """topicStatus shows the ends of each queue."""
    found = rows(admin("topicStatus", "-t", TOPIC), pymq.name)
    assert [row[1] for row in found] == ["0", "1", "2", "3"]
    assert {row[2] for row in found} == {"0"} and sum(int(row[3]) for row in found) == COUNT


def test_consumer_progress(admin, pymq):
    """consumerProgress shows that the group has read all."""
    found = [row for row in rows(admin("consumerProgress", "-g", GROUP), TOPIC) if row[1] == pymq.name]
    assert len(found) == 4 and sum(int(row[3]) for row in found) == COUNT
    assert all(row[3] == row[4] for row in found), "broker offset and consumer offset differ"


def test_consumer_connection(admin, pymq):
    """consumerConnection shows a client that is there, with its subscription."""
    with programs.Program("java-4.9.8", "receive", namesrv=pymq.namesrv, topic=TOPIC, group="admin-online") as consumer:
        consumer.wait_queues(4)
        said = admin("consumerConnection", "-g", "admin-online")
        assert re.search(r"127\.0\.0\.1:\d+ +JAVA +V4_9_8", said), said
        assert re.search(rf"^{TOPIC} +\* *$", said, re.MULTILINE), said
        assert "CONSUME_PASSIVELY" in said and "CLUSTERING" in said, said
        consumer.stop()


def test_producer_connection(admin, pymq):
    """producerConnection shows a producer that is there."""
    with programs.Program(
        "java-5.5.0", "send", namesrv=pymq.namesrv, topic=f"{TOPIC}-stream", group="admin-producers", forever=True, interval_ms=20
    ) as producer:
        producer.wait_event("sent")
        # Its first heartbeat may come after its first messages.
        asked = {"producerGroup": "admin-producers"}
        wire.wait_until(lambda: wire.ask(pymq.broker, PRODUCER_CONNECTIONS, asked).code == wire.SUCCESS, WAIT_S, "a heartbeat")
        said = admin("producerConnection", "-g", "admin-producers", "-t", f"{TOPIC}-stream")
        assert re.search(r"127\.0\.0\.1:\d+ +JAVA +V5_5_0", said), said
        producer.stop()


def test_broker_status(admin, pymq):
    """brokerStatus shows the runtime table with the keys that people read."""
    table = dict(re.findall(r"^(\w+) *: ?(.*)$", admin("brokerStatus", "-b", pymq.broker), re.MULTILINE))
    for key in ("brokerVersionDesc", "bootTimestamp", "putTps", "getTotalTps", "msgPutTotalTodayNow", "commitLogMaxOffset"):
        assert table.get(key), f"{key} is missing in {sorted(table)}"
    assert int(table["msgPutTotalTodayNow"]) >= COUNT
    for queue in ("send", "pull", "query"):
        assert int(table[f"{queue}ThreadPoolQueueCapacity"]) > 0 and int(table[f"{queue}ThreadPoolQueueSize"]) >= 0, table
        assert int(table[f"{queue}ThreadPoolQueueHeadWaitTimeMills"]) >= 0, table
    assert table["dispatchBehindBytes"] == "0" and int(table["pageCacheLockTimeMills"]) >= 0, table


def test_stats_all(admin, pymq):
    """statsAll shows what goes into a topic and comes out of it to a group, by the counters of the last minute."""
    topic, group = f"{TOPIC}-stats-{admin.version.replace('.', '_')}", "admin-stats"
    pymq.create_topic(topic)
    flags = {"namesrv": pymq.namesrv, "topic": topic}
    with (
        programs.Program("python", "send", group="admin-stats-producers", forever=True, interval_ms=20, **flags) as producer,
        programs.Program("python", "receive", group=group, **flags) as consumer,
    ):
        consumer.wait_event("received", 100)
        keys = {"TOPIC_PUT_NUMS": topic, "GROUP_GET_NUMS": f"{topic}@{group}"}

        def is_sampled():
            answers = [wire.ask(pymq.broker, BROKER_STATS, {"statsName": name, "statsKey": key}) for name, key in keys.items()]
            return all(answer.code == wire.SUCCESS and answer.json()["statsMinute"]["sum"] > 50 for answer in answers)

        wire.wait_until(is_sampled, WAIT_S, "the first samples")
        (row,) = rows(admin("statsAll", "-t", topic), topic[:20])
        producer.stop()
        consumer.stop()
    assert row[:2] == [topic, group], row
    assert all(float(figure) > 0 for figure in row[3:7]), row


def test_broker_consume_stats(admin, pymq):
    """brokerConsumeStats shows every group's progress, and the sum of what is left."""
    said = admin("brokerConsumeStats", "-b", pymq.broker)
    found = [row for row in rows(said, TOPIC) if row[:2] == [TOPIC, GROUP]]
    assert [row[3] for row in found] == ["0", "1", "2", "3"], said
    assert sum(int(row[4]) for row in found) == COUNT and {row[6] for row in found} == {"0"}, said
    assert re.search(r"^Diff Total: \d+$", said, re.MULTILINE), said


def test_query_by_id(admin, pymq):
    """queryMsgById finds a message by its place in the log."""
    event = pymq.sent[3]
    topic = [] if admin.version.startswith("4.") else ["-t", TOPIC]
    said = admin("queryMsgById", "-i", event["offsetMsgId"], *topic)
    table = dict(re.findall(r"^([A-Z][\w ]+?): +(.*)$", said, re.MULTILINE))
    assert table["Topic"] == TOPIC and table["Keys"] == "[K3]", said
    assert (table["Queue ID"], table["Queue Offset"]) == (str(event["queueId"]), str(event["queueOffset"])), said


def test_query_by_key(admin, pymq):
    """queryMsgByKey finds a message by its key."""
    event = pymq.sent[7]
    said = admin("queryMsgByKey", "-t", TOPIC, "-k", "K7")
    (row,) = rows(said, event["msgId"])
    assert row[1:3] == [str(event["queueId"]), str(event["queueOffset"])], said
