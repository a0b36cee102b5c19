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
ANSWERS_S = 120
PERSIST_MS = 100
#: Java's client may not notice that a connection is gone from which it waits for an answer.
REQUEST_TIMEOUT_MS = 2000
#: In every so many rounds offsets are saved before the kill. In most they are not, for Java's consumer, which failed to pull from
#: a broker that was away, waits 3 s before it goes on.
OFFSETS_EVERY = 10


def read_queue(broker, topic, queue, offset):
    """{queue offset: number of the message} from `offset` to the end of a queue."""
    return {found.offset: int(found.body.split(b":")[1]) for found in witness.read_queue(broker, topic, queue, offset)}


class Samples:
    """What a group had committed in each queue, again and again, and which version of all offsets the broker had saved then."""

    def __init__(self, server, group, topic):
        self._server, self._group, self._topic, self._taken = server, group, topic, []

    def committed(self):
        """The offsets now; -1 for none."""
        return witness.committed(self._server.broker, self._group, self._topic, QUEUES)

    def take_until(self, condition, what, alive=lambda: True):
        """Some more, until the condition holds; `alive` may end it early."""
        wire.wait_until(lambda: condition() or self._take(), ANSWERS_S, what, alive)

    def _take(self):
        committed = self.committed()
        self._taken.append((committed, self._saved_ns()))

    def _saved_ns(self):
        """The version: when it was saved, for however busy the machine is, the next one begins only after that."""
        try:
            return (self._server.store / "config" / "consumerOffset.json").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def safe(self):
        """The last one before a save that both began and ended, as the second of two that ended does; None if there is none."""
        versions = sorted({saved_ns for _, saved_ns in self._taken})
        before = [committed for committed, saved_ns in self._taken if saved_ns in versions[:-2]]
        return before[-1] if before else None


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
    acknowledged, stored, verified, compared = Acknowledged(ack_file), {}, 0, 0
    with PyMQServer(flushDiskType="SYNC_FLUSH", flushConsumerOffsetInterval=PERSIST_MS) as server:
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
                request_timeout_ms=REQUEST_TIMEOUT_MS,
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
            consumer.wait_event("ready")
            for number in range(ROUNDS):
                samples, wanted = Samples(server, group, topic), len(acknowledged.places) + ACKNOWLEDGED_LEAST
                samples.take_until(partial(acknowledged.has, wanted), f"answers in round {number}", sender.child.running)
                if number % OFFSETS_EVERY == 0:
                    samples.take_until(samples.safe, f"offsets that were saved in round {number}", consumer.child.running)
                samples.take_until(partial(is_over, time.monotonic() + chance.uniform(0.05, 0.8)), "the time to kill")
                server.kill()
                server.start()
                acknowledged.refresh()
                check_messages(server.broker, topic, acknowledged, stored)
                verified = len(acknowledged.places)
                compared += check_offsets(samples.committed(), samples.safe())
            assert consumer.child.running()
    print(f"{ROUNDS} rounds, {verified} acknowledged messages read back, {compared} times offsets that were saved")
    assert verified > ROUNDS * ACKNOWLEDGED_LEAST


def is_over(deadline):
    """Has that moment of time.monotonic() passed?"""
    return time.monotonic() > deadline


def check_messages(broker, topic, acknowledged, stored):
    """Read what is new in each queue, and compare all that was acknowledged with what is stored."""
    for queue in range(QUEUES):
        first = 1 + max((offset for known, offset in stored if known == queue), default=-1)
        for offset, seq in read_queue(broker, topic, queue, max(0, first - 64)).items():
            known = stored.setdefault((queue, offset), seq)
            assert known == seq, f"queue {queue} offset {offset} held message {known} and holds {seq} now"
    lost = {place: seq for place, seq in acknowledged.places.items() if stored.get(place) != seq}
    assert not lost, f"{len(lost)} of {len(acknowledged.places)} acknowledged messages are lost, such as {list(lost.items())[:5]}"


def check_offsets(now, safe):
    """Nothing that was safe may have been forgotten; whether anything was."""
    assert safe is None or all(new >= saved for new, saved in zip(now, safe)), f"offsets went back from {safe} to {now}"
    return safe is not None
