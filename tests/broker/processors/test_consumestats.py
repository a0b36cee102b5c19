"""Tests of pymq.broker.processors.consumestats."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.consumestats import ConsumeStatsProcessor, time_text
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue, by_queue
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_MS, draft, member, subscribe
from tests.broker.processors.parts import Parts

FILE_SIZE = 4096


class ConsumeStatsProcessorTests(SynchronousTestCase):
    """Groups and how far they are behind."""

    def setUp(self) -> None:
        """T has two queues: three messages in 0, a second apart, and one in 1; G consumed two of queue 0."""
        self.parts = parts = Parts(
            {"mapped_file_size_commit_log": FILE_SIZE, "delete_when": ";".join(f"{hour:02d}" for hour in range(24))},
            broker_ip1="10.0.0.9",
        )
        parts.make_topic("T", read_queue_nums=2, write_queue_nums=2)
        for _ in range(3):
            parts.store.put([draft()])
            parts.clock.advance(1)
        parts.store.put([draft(queue_id=1)])
        parts.groups.find("G")
        parts.offsets.commit("G", "T", 0, 2)
        self.processor = ConsumeStatsProcessor(
            config=parts.config, store=parts.store, topics=parts.topics, groups=parts.groups, consumers=parts.consumers,
            offsets=parts.offsets, stats=parts.stats, clock=parts.clock,
        )  # fmt: skip

    def ask(self, code: int, **fields: str) -> Any:
        """The body of one answer."""
        return javajson.decode(self.processor.process(self.parts.channel, RemotingCommand(code, 1, ext_fields=fields)).body)

    def test_it_is_a_processor(self) -> None:
        """For these codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {208, 303, 308, 317})

    def test_progress_of_a_group(self) -> None:
        """By queue: the end, the place, and when the last consumed message was stored; no offset counts as 0."""
        for fields in ({}, {"topic": "T"}):
            body = self.ask(208, consumerGroup="G", **fields)
            table = by_queue(body["offsetTable"])
            expected = {"brokerOffset": 3, "consumerOffset": 2, "lastTimestamp": NOW_MS + 1000}
            self.assertEqual(table[MessageQueue("T", "broker-a", 0)], expected)
            self.assertEqual(
                table[MessageQueue("T", "broker-a", 1)], {"brokerOffset": 1, "consumerOffset": 0, "lastTimestamp": 0}
            )
            self.assertEqual(body["consumeTps"], 0)

    def test_rate_of_a_group(self) -> None:
        """What it pulled within the last minute."""
        self.parts.stats.get("G", "T", 30, 1000)
        self.parts.clock.advance(10)
        self.parts.stats.sample(self.parts.clock.seconds())
        self.assertGreater(self.ask(208, consumerGroup="G")["consumeTps"], 0)

    def test_topics_that_are_left_out(self) -> None:
        """Deleted ones, and those that the group, being online, does not subscribe to."""
        self.parts.offsets.commit("G", "GONE", 0, 1)
        self.assertEqual(len(self.ask(208, consumerGroup="G")["offsetTable"]), 2)
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [subscribe("OTHER")], False)
        self.assertEqual(self.ask(208, consumerGroup="G")["offsetTable"], {})
        self.assertEqual(self.ask(208, consumerGroup="NOBODY")["offsetTable"], {})

    def test_progress_of_all_groups(self) -> None:
        """And by how many messages they are behind together."""
        body = self.ask(317, isOrder="false")
        self.assertEqual((body["brokerAddr"], body["totalDiff"]), ("10.0.0.9:10911", 2))
        (stats,) = next(entry["G"] for entry in body["consumeStatsList"] if "G" in entry)
        self.assertEqual(len(stats["offsetTable"]), 2)

    def test_ordered_topics_only(self) -> None:
        """When asked for."""
        self.assertEqual(self.ask(317, isOrder="true")["totalDiff"], 0)
        self.parts.make_topic("T", order=True, read_queue_nums=2, write_queue_nums=2)
        self.assertEqual(self.ask(317, isOrder="true")["totalDiff"], 2)

    def test_time_spans(self) -> None:
        """Oldest, newest and last consumed message of a queue, and how old the next one is."""
        first, second = self.ask(303, topic="T", group="G")["consumeTimeSpanSet"]
        self.assertEqual((first["minTimeStamp"], first["maxTimeStamp"]), (NOW_MS, NOW_MS + 2000))
        self.assertEqual((first["consumeTimeStamp"], first["delayTime"]), (NOW_MS + 1000, 1000))
        self.assertEqual((first["messageQueue"]["queueId"], first["consumeTimeStampStr"]), (0, time_text(NOW_MS + 1000)))
        self.assertEqual((second["consumeTimeStamp"], second["delayTime"]), (NOW_MS + 3000, 0))
        self.parts.offsets.commit("G", "T", 0, 3)
        self.assertEqual(self.ask(303, topic="T", group="G")["consumeTimeSpanSet"][0]["delayTime"], 0)
        error = self.assertRaises(RequestError, self.ask, 303, topic="N", group="G")
        self.assertEqual(error.code, 17)

    def test_time_spans_of_messages_that_are_gone(self) -> None:
        """What a group without an offset, or with one before the first message, consumes next is the first that is left."""
        store, clock = self.parts.store, self.parts.clock
        store.put([draft(body=bytes(FILE_SIZE // 2))])
        clock.advance(80 * 3600)
        store.put([draft(body=bytes(FILE_SIZE // 2))])
        store.run_maintenance(int(clock.seconds() * 1000))
        stored_ms = int(clock.seconds() * 1000)
        self.assertEqual(store.min_offset("T", 0), 4)
        clock.advance(2)
        for group in ("G", "never"):
            span = self.ask(303, topic="T", group=group)["consumeTimeSpanSet"][0]
            self.assertEqual((span["minTimeStamp"], span["maxTimeStamp"], span["delayTime"]), (stored_ms, stored_ms, 2000))

    def test_corrections(self) -> None:
        """The least offset of the other groups, but none where the compared group is further back."""
        self.parts.offsets.commit("G2", "T", 0, 1)
        self.parts.offsets.commit("G2", "T", 1, 1)
        self.assertEqual(self.ask(308, topic="T", compareGroup="G")["correctionOffsets"], {"0": 1, "1": 1})
        ignoring = self.ask(308, topic="T", compareGroup="G2", filterGroups="G2,G3")
        self.assertEqual(ignoring["correctionOffsets"], {"0": 2**63 - 1})

    def test_time_text(self) -> None:
        """As Java's tools write local times; nothing is the epoch."""
        expected = datetime.fromtimestamp(NOW_MS / 1000).strftime("%Y-%m-%d#%H:%M:%S:") + "007"
        self.assertEqual(time_text(NOW_MS + 7), expected)
        self.assertEqual(time_text(-1), time_text(0))
