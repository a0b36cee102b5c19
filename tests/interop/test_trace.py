"""Message traces: written by Java and by Python, read by Java's mqadmin."""

import re

import pytest

from . import programs, toolchain, wire
from .pymq_server import PyMQServer

COUNT = 10


@pytest.fixture(scope="module")
def pymq():
    """A broker that makes the trace topic at its start and makes no others by itself."""
    with PyMQServer(traceTopicEnable="true", autoCreateTopicEnable="false") as server:
        yield server


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
    sent = programs.run(family, "trace", namesrv=pymq.namesrv, topic=topic, group=group, count=COUNT).of("sent")

    def traced():
        said = toolchain.mqadmin(version, ["queryMsgTraceById", "-n", pymq.namesrv, "-i", sent[3]["msgId"]]).stdout
        return said if rows_of(said, "Pub") and rows_of(said, "Sub") else None

    said = wire.wait_until(traced, 20, "traces")
    (published,), (consumed,) = rows_of(said, "Pub"), rows_of(said, "Sub")
    assert published[1:3] == [f"{group}-sends", "127.0.0.1"] and published[-1] == "success", said
    assert consumed[1:3] == [group, "127.0.0.1"] and consumed[-1] == "success", said
