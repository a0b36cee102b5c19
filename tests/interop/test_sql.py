"""SQL92 subscriptions: Java's clients at our broker, our client at Apache's, and the same messages for both."""

import json

import pytest

from pymq.admin.folder import StoreFolder
from pymq.admin.queuecheck import QueueUnits
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles

from . import programs
from .programs import Program
from .pymq_server import PyMQServer

COUNT = 40
#: Keys are the numbers 10, 11, ... 19, 110, ... 139: "1" and the message's own. `>` makes numbers of them.
WANTED = "TAGS = 'A' AND KEYS BETWEEN 15 AND 119 AND missing IS NULL"
WANTED_SEQS = {*range(5, 20)}
ALLOWED = {"enablePropertyFilter": "true"}
JAVA = ("java-4.9.8", "java-5.5.0")


@pytest.fixture(scope="module")
def pymq():
    """One broker that filters by properties."""
    with PyMQServer(**ALLOWED) as server:
        yield server


@pytest.fixture(scope="module")
def extended():
    """One broker that keeps filter bit maps."""
    with PyMQServer(**ALLOWED, enableConsumeQueueExt="true", enableCalcFilterBitMap="true") as server:
        yield server


def put(server, topic):
    """Messages with two tags; those with the tag A have the numbers of WANTED among theirs."""
    server.create_topic(topic)
    programs.send("python", server, topic, COUNT, prefix="A", tag="A", key_prefix="1", size=128, quiet=True)
    programs.send("python", server, topic, COUNT, prefix="B", tag="B", key_prefix="1", size=128, quiet=True)


def seqs(program):
    """The numbers of the messages that came; all must be of the tag A."""
    events = program.of("received")
    assert {event["tags"] for event in events} == {"A"}
    return {int(event["body_prefix"].split(":")[1]) for event in events}


def check(family, server, topic, **flags):
    """What is there, and what comes later, arrives if it is wanted, and nothing else does."""
    put(server, topic)
    with Program(
        family, "receive", namesrv=server.namesrv, topic=topic, group=f"CG-{topic}", sql=WANTED, size=128, **flags
    ) as receiver:
        receiver.wait_received("A", len(WANTED_SEQS))
        programs.send("python", server, topic, 3, prefix="Z", tag="B", key_prefix="1", size=128, quiet=True)
        programs.send("python", server, topic, 8, prefix="Y", tag="A", key_prefix="1", size=128, quiet=True)
        receiver.wait_received("Y", 3)
        receiver.stop()
        assert seqs(receiver) == WANTED_SEQS
        assert {event["body_prefix"].split(":")[0] for event in receiver.of("received")} == {"A", "Y"}


@pytest.mark.parametrize("way", ["push", "litepull"])
@pytest.mark.parametrize("family", JAVA)
def test_java_at_pymq(pymq, family, way):
    """By the heartbeat's expression, and by the pull's own. (Its oldest consumer pulls before it knows a broker's version.)"""
    check(family, pymq, f"sql-{family.replace('.', '_')}-{way}", **({} if way == "push" else {way: True}))


@pytest.mark.parametrize("family", [*JAVA, "python"])
def test_with_bit_maps(extended, family):
    """What is there before the filter is read, what comes later is chosen by its bits; the same messages arrive."""
    topic = f"sql-bits-{family.replace('.', '_')}"
    check(family, extended, topic)
    extended.stop()
    folder = StoreFolder(DiskFiles(str(extended.store), read_only=True), MessageStoreConfig())
    bits = {}
    for name, queue_id in folder.queues():
        if name == topic:
            queue = QueueUnits(folder, name, queue_id, lambda finding: pytest.fail(finding.sentence()))
            for _, (_, _, code) in queue.written():
                unit = queue.ext_unit(code)
                bits[unit.bit_map] = bits.get(unit.bit_map, 0) + 1
    extended.start()
    passing = [bit_map for bit_map in bits if any(bit_map)]
    assert len(passing) == 1 and bits[passing[0]] == 3
    assert bits[bytes(14)] == 8 and bits[b""] == 2 * COUNT


@pytest.mark.parametrize("way", ["push", "pull"])
def test_python_at_pymq(pymq, way):
    """Our client at our broker."""
    check("python", pymq, f"sql-python-{way}", **({} if way == "push" else {way: True}))


def test_filters_are_kept(pymq):
    """In Apache's file, over a restart; the consumer that was there goes on."""
    topic = "sql-kept"
    put(pymq, topic)
    with Program("python", "receive", namesrv=pymq.namesrv, topic=topic, group=f"CG-{topic}", sql=WANTED, size=128) as receiver:
        receiver.wait_received("A", len(WANTED_SEQS))
        pymq.stop()
        kept = json.loads((pymq.store / "config" / "consumerFilter.json").read_text())
        pymq.start()
        entry = kept["filterDataByTopic"][topic]["groupFilterData"][f"CG-{topic}"]
        assert (entry["expression"], entry["expressionType"], entry["dead"]) == (WANTED, "SQL92", True)
        programs.send("python", pymq, topic, 8, prefix="Y", tag="A", key_prefix="1", size=128, quiet=True)
        receiver.wait_received("Y", 3)
        receiver.stop()


@pytest.mark.parametrize("family", [*JAVA, "python"])
def test_an_expression_that_is_none(pymq, family):
    """The start of the consumer fails, as it does at Apache."""
    topic = f"sql-bad-{family.replace('.', '_')}"
    pymq.create_topic(topic)
    with Program(family, "receive", namesrv=pymq.namesrv, topic=topic, group=f"CG-{topic}", sql="a >") as receiver:
        assert receiver.child.wait(programs.START_S) != 0
        assert not receiver.of("ready")
