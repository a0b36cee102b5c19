"""kill -9, again and again, while a Java client sends under SYNC_FLUSH and another consumes: what was acknowledged is there.

`PYMQ_KILL_ROUNDS` says how often, 50 times if nothing does; `pytest -s` shows the figures at the end.
"""

import os
import random
import time
from functools import partial

from . import wire, witness
from .programs import Program
from .pymq_server import PyMQServer

ROUNDS = int(os.environ.get("PYMQ_KILL_ROUNDS", "50"))
SEED = 20_261_122
QUEUES = 4
#: In each round, before the kill.
ACKNOWLEDGED_LEAST = 20
PERSIST_S = 0.5
#: A save takes a moment, and so does a sample of ours.
SLACK_S = 1.0


def read_queue(broker, topic, queue, offset):
    """{queue offset: number of the message} from `offset` to the end of a queue."""
    return {found.offset: int(found.body.split(b":")[1]) for found in witness.read_queue(broker, topic, queue, offset)}


def committed(broker, group, topic):
    """The offset that the broker knows of a group in each queue; -1 for none."""
    return witness.committed(broker, group, topic, QUEUES)


class Acknowledged:
    """What the sender was told is stored, read from the file to which it appends as answers come."""

    def __init__(self, path):
        self._path = path
        self._read_bytes = 0
        self.places = {}

    def has(self, count):
        """Were so many acknowledged by now?"""
        self.refresh()
        return len(self.places) >= count

    def refresh(self):
        """Read what was appended since; a line without its end is left for the next time."""
        with open(self._path, "rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            seq, queue, offset = (int(word) for word in line.split())
            known = self.places.setdefault((queue, offset), seq)
            assert known == seq, f"queue {queue} offset {offset} was given to {known} and to {seq}"


def test_nothing_acknowledged_is_lost(tmp_path):
    """Each acknowledged message is where the broker said after each restart; offsets went back by a persist interval at most."""
    chance = random.Random(SEED)
    topic, group, ack_file = "KillTopic", "CG-kill", tmp_path / "acks"
    ack_file.touch()
    acknowledged, stored, verified = Acknowledged(ack_file), {}, 0
    with PyMQServer(flushDiskType="SYNC_FLUSH", flushConsumerOffsetInterval=int(PERSIST_S * 1000)) as server:
        server.create_topic(topic, QUEUES)
        with (
            Program(
                "java-4.9.8",
                "send",
                namesrv=server.namesrv,
                topic=topic,
                group="PG-kill",
                count=1_000_000_000,
                size=256,
                mode="sync",
                forever=True,
                interval_ms=1,
                quiet=True,
                ack_file=ack_file,
            ) as sender,
            Program(
                "java-4.9.8",
                "receive",
                namesrv=server.namesrv,
                topic=topic,
                group=group,
                size=256,
                expect=1_000_000_000,
                timeout_s=3600,
                from_="first",
            ) as consumer,
        ):
            consumer.wait_event("ready", timeout_s=60)
            for number in range(ROUNDS):
                wanted = len(acknowledged.places) + ACKNOWLEDGED_LEAST
                wire.wait_until(partial(acknowledged.has, wanted), 60, f"answers in round {number}", sender.child.running)
                samples = sample_until(server.broker, group, topic, time.monotonic() + chance.uniform(0.05, 0.8))
                server.kill()
                killed = time.monotonic()
                server.start()
                acknowledged.refresh()
                check_messages(server.broker, topic, acknowledged, stored)
                verified = len(acknowledged.places)
                check_offsets(committed(server.broker, group, topic), samples, killed)
            assert consumer.child.running()
    print(f"{ROUNDS} rounds, {verified} acknowledged messages read back")
    assert verified > ROUNDS * ACKNOWLEDGED_LEAST


def sample_until(broker, group, topic, deadline):
    """(time, committed offsets), taken again and again until `deadline`; at least once."""
    samples = []
    while not samples or time.monotonic() < deadline:
        samples.append((time.monotonic(), committed(broker, group, topic)))
        time.sleep(0.02)
    return samples


def check_messages(broker, topic, acknowledged, stored):
    """Read what is new in each queue, and compare all that was acknowledged with what is stored."""
    for queue in range(QUEUES):
        first = 1 + max((offset for known, offset in stored if known == queue), default=-1)
        for offset, seq in read_queue(broker, topic, queue, max(0, first - 64)).items():
            known = stored.setdefault((queue, offset), seq)
            assert known == seq, f"queue {queue} offset {offset} held message {known} and holds {seq} now"
    lost = {place: seq for place, seq in acknowledged.places.items() if stored.get(place) != seq}
    assert not lost, f"{len(lost)} of {len(acknowledged.places)} acknowledged messages are lost, such as {list(lost.items())[:5]}"


def check_offsets(now, samples, killed):
    """Nothing older than a persist interval before the kill may have been forgotten."""
    old = [offsets for at, offsets in samples if at < killed - PERSIST_S - SLACK_S]
    if old:
        assert all(new >= saved for new, saved in zip(now, old[-1])), f"offsets went back from {old[-1]} to {now}"
