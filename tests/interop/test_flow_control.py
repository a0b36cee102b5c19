"""Requests that waited too long, groups that are too far behind, and what tools see of it, with Java's clients."""

import contextlib
import os
import signal
import time

import pytest

from . import programs, toolchain, wire
from .pymq_server import PyMQServer

STOPPED_S = 1.5
SYSTEM_BUSY, NO_PERMISSION = 2, 16
PULL, REGISTER_FILTER_SERVER, UPDATE_CONFIG, RUNTIME_INFO, ALL_GROUPS = 11, 301, 25, 28, 201
NOT_SUPPORTED = 3
#: protectBroker looks every three minutes.
PROTECTED_S = 240


@pytest.fixture
def pymq():
    """A PyMQ whose sends may wait as long as Apache's."""
    with PyMQServer(waitTimeMillsInSendQueue=200) as server:
        yield server


@contextlib.contextmanager
def stopped(server):
    """The broker's process does not run meanwhile; what is sent to it waits."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def received_numbers(server, topic, count):
    """The numbers of all messages in a topic."""
    done = programs.receive("python", server, topic, count, size=100)
    return sorted(int(event["body_prefix"].split(":")[1]) for event in done.of("received"))


@pytest.mark.parametrize("family", ["java-4.9.8", "java-5.5.0"])
def test_what_came_while_the_broker_stood_still_is_refused(pymq, family):
    """Java's producer gets SYSTEM_BUSY with the words it knows, and goes on; nothing that was refused is stored."""
    topic = f"busy-{family.replace('.', '_')}"
    pymq.create_topic(topic)
    with programs.Program(
        family, "send", namesrv=pymq.namesrv, topic=topic, group="busy", mode="async", forever=True, interval_ms=20, size=100
    ) as producer:
        producer.wait_event("sent", 20)
        with stopped(pymq):
            time.sleep(STOPPED_S)
        refused = producer.wait_event("failed")
        producer.wait_event("sent", len(producer.of("sent")) + 50)
        producer.stop()
    refused = producer.of("failed")
    for event in refused:
        assert "CODE: 2  DESC: [TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while" in event["message"], event
        assert "waitTimeMillsInSendQueue: 200ms" in event["message"], event
    sent = {event["seq"] for event in producer.of("sent")}
    assert not sent & {event["seq"] for event in refused}
    assert received_numbers(pymq, topic, len(sent)) == sorted(sent)


def test_5x_sends_once_more_by_itself(pymq):
    """A synchronous send of 5.x is tried again after SYSTEM_BUSY; its user sees nothing of it. (4.9's raises.)"""
    topic = "busy-sync"
    pymq.create_topic(topic)
    with programs.Program(
        "java-5.5.0", "send", namesrv=pymq.namesrv, topic=topic, group="busy", forever=True, interval_ms=20, size=100
    ) as producer:
        producer.wait_event("sent", 20)
        with stopped(pymq):
            time.sleep(STOPPED_S)
        producer.wait_event("sent", len(producer.of("sent")) + 50)
        producer.stop()
    assert not producer.of("failed")
    sent = [event["seq"] for event in producer.of("sent")]
    assert received_numbers(pymq, topic, len(sent)) == sent


def test_fast_failure_can_be_switched_off(pymq):
    """While the broker runs; then what waited is served, however late."""
    topic = "patient"
    pymq.create_topic(topic)
    assert wire.ask(pymq.broker, UPDATE_CONFIG, body=b"brokerFastFailureEnable=false").code == wire.SUCCESS
    with programs.Program(
        "java-4.9.8", "send", namesrv=pymq.namesrv, topic=topic, group="busy", forever=True, interval_ms=20, size=100
    ) as producer:
        producer.wait_event("sent", 20)
        with stopped(pymq):
            time.sleep(STOPPED_S)
        producer.wait_event("sent", len(producer.of("sent")) + 20)
        producer.stop()
    assert not producer.of("failed")


def test_codes_and_keys(pymq):
    """301 is as unknown as to 4.9.8, which has no filter servers any more; 28 has the figures of what waits."""
    answer = wire.ask(pymq.broker, REGISTER_FILTER_SERVER, {"filterServerAddr": "127.0.0.1:1"})
    assert (answer.code, answer.remark) == (NOT_SUPPORTED, f" request type {REGISTER_FILTER_SERVER} not supported")
    table = wire.ask(pymq.broker, RUNTIME_INFO).json()["table"]
    assert (table["sendThreadPoolQueueCapacity"], table["sendThreadPoolQueueSize"]) == ("10000", "0")
    assert table[f"commitLogDiskRatio_{pymq.store}/commitlog"] == table["commitLogDiskRatio"]


def test_protect_broker():
    """A group that is too far behind may not consume any more, says the broker to Java's consumer; until it is allowed again."""
    topic, group, count = "protected", "slow", 400
    with PyMQServer(disableConsumeIfConsumerReadSlowly="true", consumerFallbehindThreshold=20_000) as server:
        server.create_topic(topic)
        programs.send("python", server, topic, count, size=1024)
        programs.receive("java-4.9.8", server, topic, 32, group=group, pull=True)

        def is_disabled():
            table = wire.ask(server.broker, ALL_GROUPS).json()["subscriptionGroupTable"]
            return not table[group]["consumeEnable"]

        assert not is_disabled()
        wire.wait_until(is_disabled, PROTECTED_S, "protectBroker")
        with programs.Program("java-5.5.0", "receive", namesrv=server.namesrv, topic=topic, group=group) as consumer:
            consumer.wait_queues(4)
            pull = {
                "consumerGroup": group, "topic": topic, "queueId": 0, "queueOffset": 0, "maxMsgNums": 32, "sysFlag": 4,
                "commitOffset": 0, "suspendTimeoutMillis": 1000, "subscription": "*", "subVersion": 0,
            }  # fmt: skip
            answer = wire.ask(server.broker, PULL, pull)
            assert (answer.code, "may not consume" in answer.remark) == (NO_PERMISSION, True)
            assert not consumer.of("received")
            # So high a threshold that reading on does not end the same way.
            wire.ask(server.broker, UPDATE_CONFIG, body=b"consumerFallbehindThreshold=1000000000")
            done = toolchain.mqadmin(
                "4.9.8", ["updateSubGroup", "-n", server.namesrv, "-b", server.broker, "-g", group, "-s", "true"]
            )
            assert "success" in done.stdout, done.stdout + done.stderr
            # The first consumer took 32 from each queue at the most.
            consumer.wait_event("received", count - 4 * 32)
            consumer.stop()
