"""Message traces: written by Java and by Python, read by Java's mqadmin."""

import re
from collections import Counter

import pytest

from . import programs, toolchain, wire
from .pymq_server import PyMQServer

COUNT = 10
TRACES = "RMQ_SYS_TRACE_TOPIC"
#: From when on, and how often, a broker asks about a transaction whose end it has not got.
CHECK_S = 3
WAIT_S = 180


@pytest.fixture(scope="module")
def pymq():
    """A broker that makes the trace topic at its start and makes no others by itself."""
    settings = {"transactionCheckInterval": CHECK_S * 1000, "traceTopicEnable": "true", "autoCreateTopicEnable": "false"}
    with PyMQServer(**settings) as server:
        yield server


JAVA = ("java-4.9.8", "java-5.5.0")


def rows_of(said, kind):
    """The table's rows of one kind."""
    return [line.split() for line in said.splitlines() if re.match(rf"{kind} ", line)]


#: Who writes the traces, and of which version the tool is that reads them.
PAIRS = [("java-4.9.8", "4.9.8"), ("java-5.5.0", "5.5.0"), ("python", "4.9.8"), ("python", "5.5.0")]


@pytest.mark.parametrize("family, version", PAIRS)
def test_traces_are_read(pymq, family, version):
    """queryMsgTraceById shows who sent a message, who consumed it, and that it went well."""
    topic = pymq.create_topic(f"traced-{family}-{version}".replace(".", "_"))
    group = f"G-{topic}"

    def traced():
        said = toolchain.mqadmin(version, ["queryMsgTraceById", "-n", pymq.namesrv, "-i", sent[3]["msgId"]]).stdout
        return said if rows_of(said, "Pub") and rows_of(said, "Sub") else None

    with programs.Program(family, "trace", namesrv=pymq.namesrv, topic=topic, group=group, count=COUNT) as talker:
        sent = talker.wait_event("sent", COUNT)
        said = wire.wait_until(traced, WAIT_S, "traces")
        talker.stop()
    (published,), (consumed,) = rows_of(said, "Pub"), rows_of(said, "Sub")
    assert published[1:3] == [f"{group}-sends", "127.0.0.1"] and published[-1] == "success", said
    assert consumed[1:3] == [group, "127.0.0.1"] and consumed[-1] == "success", said


def told(server, reader, msg_id, *kinds):
    """What the trace topic tells of a message once it has all these kinds of records, decoded by a Java client.

    Who wrote them must not end before: clients give up at their shutdown on traces that are not sent yet.
    """
    wanted = Counter(kinds)

    def found():
        asked = {"namesrv": server.namesrv, "topic": TRACES, "group": "trace-readers", "id": msg_id}
        with programs.Program(reader, "traces", **asked) as program:
            program.child.wait(WAIT_S)
            traces = program.of("trace")
        return traces if wanted <= Counter(trace["type"] for trace in traces) else None

    return wire.wait_until(found, WAIT_S, f"{kinds} of {msg_id}")


@pytest.mark.parametrize("reader", JAVA)
@pytest.mark.parametrize("family", [*JAVA, "python"])
def test_ends_of_transactions(pymq, family, reader):
    """Java reads what became of a transaction, and whether a broker had to ask for it."""
    topic = pymq.create_topic(f"ended-{family}-{reader}".replace(".", "_"))
    flags = {"namesrv": pymq.namesrv, "topic": topic, "group": f"G-{topic}", "size": 100, "trace": True, "immunity_s": CHECK_S}
    with programs.Program(
        family, "transaction", outcome="unknown,rollback", check="commit", count=2, linger=True, **flags
    ) as sender:
        asked_for, rolled_back = sender.wait_event("sent", 2)
        sender.wait_event("checked")
        # A broker that does not hear the answer before its next round asks again, and gets another.
        traces = told(pymq, reader, asked_for["msgId"], "Pub", *["EndTransaction"] * 2)
        of_rollback = told(pymq, reader, rolled_back["msgId"], "Pub", "EndTransaction")
        sender.stop()
    ends = [trace for trace in traces if trace["state"]]
    assert {(end["state"], end["checked"]) for end in ends} == {("UNKNOW", False), ("COMMIT_MESSAGE", True)}
    assert {(end["group"], end["topic"]) for end in ends} == {(f"G-{topic}", topic)}
    assert {end["storeHost"] for end in ends} == {pymq.broker}
    (end,) = (trace for trace in of_rollback if trace["state"])
    assert (end["state"], end["checked"]) == ("ROLLBACK_MESSAGE", False)


@pytest.mark.parametrize("family, way", [*((java, "litepull") for java in JAVA), ("python", "pull")])
def test_pulled_messages(pymq, family, way):
    """Java reads that a message was pulled: consumed well, before and after by one number."""
    topic = pymq.create_topic(f"pulled-{family}".replace(".", "_"))
    (sent,) = programs.send("python", pymq, topic, 1, size=100).of("sent")
    with programs.Program(
        family, "receive", namesrv=pymq.namesrv, topic=topic, group=f"G-{topic}", size=100, trace=True, **{way: True}
    ) as receiver:
        receiver.wait_received("P", 1)
        before, after = sorted(
            told(pymq, JAVA[0], sent["msgId"], "SubBefore", "SubAfter"), key=lambda trace: trace["type"], reverse=True
        )
        receiver.stop()
    assert after["success"] and before["group"] == f"G-{topic}" and before["requestId"] == after["requestId"]
