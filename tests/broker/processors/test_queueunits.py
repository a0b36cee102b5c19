"""Tests of pymq.broker.processors.queueunits."""

from __future__ import annotations

import base64
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.filterbitmaps import FilterBitMaps
from pymq.broker.processors.queueunits import QueueUnitsProcessor, bits_text
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.message.tags import java_hash
from pymq.testing.builders import draft as built
from pymq.wire import javajson
from pymq.wire.bodies.heartbeat import build_subscription
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import draft, member, subscribe
from tests.broker.processors.parts import Parts

FIRST_ADDRESS = -(2**63)


class UnitsCase(SynchronousTestCase):
    """Asks for the units of queue 0 of T."""

    parts: Parts
    processor: QueueUnitsProcessor

    def build(self, store_changes: dict[str, Any] | None = None, **changes: Any) -> None:
        """A broker with these settings."""
        self.parts = parts = Parts(store_changes, **changes)
        self.processor = QueueUnitsProcessor(
            store=parts.store, topics=parts.topics, consumers=parts.consumers, filters=parts.filters
        )

    def answer(self, **fields: str) -> RemotingCommand:
        """To QUERY_CONSUME_QUEUE."""
        wanted = {"topic": "T", "queueId": "0", "index": "0", "count": "10", **fields}
        return self.processor.process(self.parts.channel, RemotingCommand(321, 1, ext_fields=wanted))

    def body(self, **fields: str) -> Any:
        """What it says."""
        return javajson.decode(self.answer(**fields).body)

    def subscribe(self, expression: str, kind: str = "TAG", group: str = "G") -> None:
        """A member of the group comes."""
        wanted = [build_subscription("T", expression, kind, sub_version=1)]
        self.parts.consumers.register(group, member(), "C", "CLUSTERING", "X", wanted, False)


class QueueUnitsTests(UnitsCase):
    """The units of plain queues."""

    def setUp(self) -> None:
        """Three messages."""
        self.build()
        self.parts.store.put([draft(tag="A"), draft(), draft()])

    def test_it_is_a_processor(self) -> None:
        """For one code."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {321})

    def test_units(self) -> None:
        """Place, size and tag hash of each message, in Java's member order."""
        body = self.body()
        first, second = self.parts.stored()[:2]
        unit = {"eval": False, "physicOffset": 0, "physicSize": first.size, "tagsCode": java_hash("A")}
        self.assertEqual((body["minQueueIndex"], body["maxQueueIndex"], len(body["queueData"])), (0, 3, 3))
        self.assertEqual(list(body["queueData"][0].items()), list(unit.items()))
        self.assertEqual((body["queueData"][1]["physicOffset"], body["queueData"][1]["tagsCode"]), (second.log_offset, 0))
        (only,) = self.body(index="2", count="1")["queueData"]
        self.assertEqual(only["physicOffset"], self.parts.stored()[2].log_offset)

    def test_units_of_delayed_messages(self) -> None:
        """In the place of the tag they have the time at which the message is due."""
        self.parts.make_topic("SCHEDULE_TOPIC_XXXX")
        self.parts.store.put([built("SCHEDULE_TOPIC_XXXX", queue_id=1, more={"DELAY": "2"})])
        (unit,) = self.body(topic="SCHEDULE_TOPIC_XXXX", queueId="1")["queueData"]
        self.assertEqual(unit["tagsCode"], self.parts.stored("SCHEDULE_TOPIC_XXXX", 1)[0].store_timestamp + 5000)

    def test_a_group_beside_the_units(self) -> None:
        """If one is named: what it subscribes to, and its filter if it has one; or that it is not there."""
        self.assertEqual(self.body(consumerGroup="G")["filterData"], "G@T is not online!")
        self.assertEqual(self.body(consumerGroup="")["filterData"], "@T is not online!")
        self.parts.consumers.register("G", member(), "C", "CLUSTERING", "X", [subscribe()], False)
        body = self.body(consumerGroup="G")
        self.assertEqual((body["subscriptionData"]["subString"], body["filterData"]), ("*", "null"))
        self.subscribe("a > 2", "SQL92", "S")
        told = javajson.decode(self.body(consumerGroup="S")["filterData"])
        self.assertEqual((told["consumerGroup"], told["expression"], told["dead"]), ("S", "a > 2", False))
        self.assertEqual(len(told["bloomFilterData"]["bitPos"]), self.parts.filters.bloom.hash_count)

    def test_queues_and_indexes_that_are_not_there(self) -> None:
        """Java answers a missing index with success, a remark and no body."""
        for fields in ({"topic": "N"}, {"queueId": "9"}, {"queueId": "-1"}):
            error = self.assertRaises(RequestError, self.answer, **fields)
            self.assertIn("is not exist!", error.remark)
        answer = self.answer(index="3")
        self.assertEqual((answer.code, answer.body, answer.remark), (0, b"", "Index 3 of 0@T is not exist!"))


class ExtendedUnitsTests(UnitsCase):
    """The units of queues with an extension."""

    def setUp(self) -> None:
        """A group that filters, and after it two messages with bit maps, the second of which it wants."""
        self.build({"enable_consume_queue_ext": True}, enable_calc_filter_bit_map=True)
        self.subscribe("a > 2", "SQL92")
        self.parts.clock.advance(1)
        self.parts.store.keep_bit_maps(FilterBitMaps(self.parts.config, self.parts.filters).bit_map_of)
        self.parts.store.put([built("T", tags="A", more={"a": "1"}), built("T", tags="B", more={"a": "3"})])

    def test_what_an_address_leads_to(self) -> None:
        """Is told as JSON, and its bits as text."""
        first, second = self.body()["queueData"]
        self.assertEqual((first["tagsCode"], first["physicSize"]), (FIRST_ADDRESS, self.parts.stored()[0].size))
        kept = javajson.decode(first["extendDataJson"])
        bits = base64.b64decode(kept.pop("filterBitMap"))
        size = second["tagsCode"] - FIRST_ADDRESS
        store_ms = self.parts.stored()[0].store_timestamp
        self.assertEqual(kept, {"msgStoreTime": store_ms, "size": size, "tagsCode": java_hash("A")})
        self.assertEqual((bits, size), (bytes(size - 20), 20 + self.parts.filters.bloom.bytes_count))
        self.assertEqual(first["bitMap"].replace("\n", ""), "0" * 8 * len(bits))
        (data,) = self.parts.filters.of_topic("T")
        self.assertEqual(second["bitMap"].count("1"), len(set(data.bloom.bit_pos)))

    def judged(self, **fields: str) -> list[bool]:
        """Which units pass."""
        return [unit["eval"] for unit in self.body(**fields)["queueData"]]

    def test_a_filter_judges(self) -> None:
        """By bits or by tags, if the group is online; a group without a filter wants all."""
        self.assertEqual(self.judged(), [False, False])
        self.assertEqual(self.judged(consumerGroup="away"), [False, False])
        self.assertEqual(self.judged(consumerGroup="G"), [False, True])
        for group, expression, kind, passes in (
            ("tags", "A || C", "TAG", [True, False]),
            ("all", "*", "TAG", [True, True]),
            ("bad", "a >", "SQL92", [True, True]),
        ):
            self.subscribe(expression, kind, group)
            self.assertEqual(self.judged(consumerGroup=group), passes, group)

    def test_without_bits(self) -> None:
        """Everybody may want the message."""
        self.parts.store.keep_bit_maps(lambda record: None)
        self.parts.store.put([built("T")])
        (unit,) = self.body(index="2", consumerGroup="G")["queueData"]
        self.assertEqual((unit["eval"], "bitMap" in unit, "filterBitMap" in unit["extendDataJson"]), (True, False, False))

    def test_an_address_that_leads_nowhere(self) -> None:
        """Is told as such."""
        files = self.parts.store._files
        (name,) = files.list("consumequeue_ext/T/0")
        view = files.open(f"consumequeue_ext/T/0/{name}").view()
        view[:] = bytes(len(view))
        first, _ = self.body(consumerGroup="G")["queueData"]
        self.assertEqual((first["msg"], first["eval"]), (f"Cq extend not exist!addr: {FIRST_ADDRESS}", False))


class BitsTests(SynchronousTestCase):
    """A bit map as text."""

    def test_as_java_has_it(self) -> None:
        """The last byte first, the highest bit first, lines from the first byte on."""
        self.assertEqual(bits_text(b"\x01\x80"), "1000000000000001\n")
        self.assertEqual(bits_text(bytes(8) + b"\x03"), "00000011\n" + "0" * 64 + "\n")
