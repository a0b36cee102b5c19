"""Our lite pull consumer among Java's consumers, on our broker and on Apache's."""

import contextlib

import pytest

from pymq.blocking import LitePullConsumer

from . import programs, wire
from .apache import ApacheCluster
from .pymq_server import PyMQServer

QUERY_CONSUMER_OFFSET = 14
QUEUES = 9
COUNT = 900
SETTLE_S = 180


@pytest.fixture(scope="module", params=["pymq", "4.9.7", "5.5.0"])
def server(request):
    """A broker of each kind."""
    with PyMQServer() if request.param == "pymq" else ApacheCluster(request.param) as running:
        yield running


def committed(server, group, topic, queue_id):
    """A group's offset as the broker has it, or None."""
    fields = {"consumerGroup": group, "topic": topic, "queueId": queue_id}
    return int(wire.ask(server.broker, QUERY_CONSUMER_OFFSET, fields).fields.get("offset", -1))


def test_one_group_with_java(server):
    """Java's lite pull and push consumers and ours share the queues; ours takes over what dead ones leave. Nothing is lost."""
    topic = server.create_topic("lite-group", QUEUES)
    base = {"namesrv": server.namesrv, "topic": topic, "group": "CG-lite", "at_once": True}
    java = f"java-{server.java_version}"
    with contextlib.ExitStack() as stack:
        ours, lite, push = (
            stack.enter_context(programs.Program(family, "receive", instance=name, **base, **{name: name == "litepull"}))
            for family, name in (("python", "litepull"), (java, "litepull"), (java, "push"))
        )
        members = (ours, lite, push)
        for member in members:
            member.wait_queues(QUEUES // len(members), SETTLE_S)
        programs.send("python", server, topic, COUNT, prefix="A", mode="ordered", quiet=True)

        def wait_all(prefix, whom):
            def arrived():
                return {event["body_prefix"] for member in whom for event in member.received(prefix)}

            ours.child.wait_for(lambda: len(arrived()) == COUNT, SETTLE_S, f"all of {prefix}")

        wait_all("A", members)
        shares = [{event["queueId"] for event in member.received("A")} for member in members]
        assert set.union(*shares) == set(range(QUEUES)) and sum(map(len, shares)) == QUEUES, shares
        lite.kill()
        push.kill()
        ours.wait_queues(QUEUES, SETTLE_S)
        programs.send("python", server, topic, COUNT, prefix="B", quiet=True)
        wait_all("B", (ours,))
        ours.stop()
    assert sum(committed(server, "CG-lite", topic, queue_id) for queue_id in range(QUEUES)) == 2 * COUNT


def test_java_goes_on_where_ours_committed(server):
    """Ours seeks, and commits; what it polled without that, Java gets."""
    topic, group = server.create_topic("lite-offsets", 1), "CG-lite-offsets"
    programs.send("python", server, topic, 50, quiet=True)
    with LitePullConsumer(group, namesrv_addr=server.namesrv, auto_commit=False, mq_client_api_timeout_s=60) as consumer:
        (queue,) = consumer.fetch_message_queues(topic)
        consumer.assign([queue])
        consumer.seek_to_begin(queue)
        assert [message.queue_offset for message in consumer.poll(SETTLE_S)] == list(range(10))
        consumer.seek(queue, 30)
        assert [message.queue_offset for message in consumer.poll(SETTLE_S)] == list(range(30, 40))
        consumer.commit()
        assert (committed(server, group, topic, 0), consumer.committed(queue)) == (40, 40)
        assert [message.queue_offset for message in consumer.poll(SETTLE_S, 5)] == list(range(40, 45))
    assert committed(server, group, topic, 0) == 40
    got = programs.receive(f"java-{server.java_version}", server, topic, 10, group=group, litepull=True).of("received")
    assert sorted(event["queueOffset"] for event in got) == list(range(40, 50))
