"""Tests of pymq.broker.filterbitmaps, and of what the filters make of the maps."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.filterbitmaps import FilterBitMaps
from pymq.broker.filters import ConsumerFilterManager, FilterFinder, filtered_get
from pymq.message.record import check_record, decode_record
from pymq.message.results import GetResult
from pymq.testing.builders import draft, record
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from tests.broker.fixtures import NOW_MS, broker_config, open_store, started_clock


def sql(expression: str, version: int = 1) -> SubscriptionData:
    """A subscription of T."""
    return build_subscription("T", expression, "SQL92", sub_version=version)


class FilterBitMapsTests(SynchronousTestCase):
    """Maps of messages."""

    def setUp(self) -> None:
        """G wants a > 1, H wants b = 'x'."""
        self.clock = started_clock()
        self.documents = MemoryDocuments()
        self.build(enable_calc_filter_bit_map=True)

    def build(self, **changes: Any) -> None:
        """Filters with other settings, over the same documents."""
        self.config = broker_config(**changes)
        self.filters = ConsumerFilterManager(self.config, self.documents, clock=self.clock)
        self.maps = FilterBitMaps(self.config, self.filters)
        self.filters.load()
        self.filters.register("G", [sql("a > 1")])
        self.filters.register("H", [sql("b = 'x'")])

    def may_pass(self, group: str, store_ms: int, bit_map: bytes | None) -> bool:
        """What the pull of a group makes of a map."""
        found = FilterFinder(self.config, self.filters).find(group, sql("z = 0"), is_own=False, sub_version=1)
        assert found is not None and found.may_pass is not None and bit_map is not None
        return found.may_pass(store_ms, bit_map)

    def test_the_bits_of_those_that_it_passes(self) -> None:
        """Java's positions of `group#topic`."""
        of = {group: self.filters.get("T", group) for group in "GH"}
        assert of["G"] is not None and of["H"] is not None
        for properties, expected in (
            ({}, 0), ({"a": "2"}, of["G"].mask), ({"b": "x"}, of["H"].mask), ({"a": "2", "b": "x"}, of["G"].mask | of["H"].mask),
        ):  # fmt: skip
            bit_map = self.maps.bit_map_of(draft("T", more=properties))
            self.assertEqual(bit_map, expected.to_bytes(14, "little"))
            self.assertEqual(self.maps.bit_map_of(check_record(record("T", more=properties))), bit_map)

    def test_none(self) -> None:
        """Where nobody filters the topic, and where none are to be reckoned."""
        self.assertIsNone(self.maps.bit_map_of(draft("U", more={"a": "2"})))
        self.build()
        self.assertIsNone(self.maps.bit_map_of(draft("T", more={"a": "2"})))

    def test_who_may_pass(self) -> None:
        """By the map, if it is of the right size and the message is younger than the filter."""
        bit_map = self.maps.bit_map_of(draft("T", more={"a": "2"}))
        self.assertTrue(self.may_pass("G", NOW_MS + 1, bit_map))
        self.assertFalse(self.may_pass("H", NOW_MS + 1, bit_map))
        self.assertTrue(self.may_pass("H", NOW_MS, bit_map))
        self.assertTrue(self.may_pass("H", NOW_MS + 1, bytes(13)))

    def test_a_changed_filter_is_saved_at_once(self) -> None:
        """An older one, loaded after a crash, would take its bits for its own."""
        self.filters.register("G", [sql("a > 5", 2)])
        again = ConsumerFilterManager(self.config, self.documents, clock=self.clock)
        again.load()
        data = again.get("T", "G")
        assert data is not None
        self.assertEqual(data.expression, "a > 5")

    def test_maps_of_another_size(self) -> None:
        """Filters that are loaded under other settings are born anew: old maps say nothing of them."""
        self.filters.save()
        old = self.maps.bit_map_of(draft("T"))
        self.clock.advance(10)
        self.build(enable_calc_filter_bit_map=True, expect_consumer_num_use_filter=64)
        self.assertEqual(len(self.maps.bit_map_of(draft("T")) or b""), 27)
        data = self.filters.get("T", "H")
        assert data is not None
        self.assertEqual(data.born_time, NOW_MS + 10_000)
        self.assertTrue(self.may_pass("H", NOW_MS + 5000, old))

    def test_dead_filters_count(self) -> None:
        """Their consumers may come again, and find what came meanwhile; those that are forgotten do not."""
        self.filters.unregister("G")
        self.assertNotEqual(self.maps.bit_map_of(draft("T", more={"a": "2"})), bytes(14))
        self.clock.advance(86_400)
        self.filters.forget_dead()
        self.assertEqual(self.maps.bit_map_of(draft("T", more={"a": "2"})), bytes(14))
        self.filters.unregister("H")
        self.clock.advance(86_400)
        self.filters.forget_dead()
        self.assertIsNone(self.maps.bit_map_of(draft("T", more={"a": "2"})))


class StoredMapsTests(SynchronousTestCase):
    """Maps in a store."""

    def setUp(self) -> None:
        """A filter, and then messages of which one in ten passes."""
        self.clock = started_clock()
        self.config = broker_config(enable_calc_filter_bit_map=True)
        self.filters = ConsumerFilterManager(self.config, MemoryDocuments(), clock=self.clock)
        self.filters.register("G", [sql("a = '7'")])
        self.clock.advance(1)
        self.store = open_store(self.clock, enable_consume_queue_ext=True, mapped_file_size_consume_queue_ext=4096)
        self.store.keep_bit_maps(FilterBitMaps(self.config, self.filters).bit_map_of)
        self.store.put([draft("T", b"%d" % number, more={"a": str(number % 10)}) for number in range(200)])

    def pull(self, group: str = "G", version: int = 1) -> tuple[list[int], int, GetResult]:
        """Bodies that come, how many records were read for them, and the result."""
        found = FilterFinder(self.config, self.filters).find(group, sql("z = 0", version), is_own=False, sub_version=version)
        assert found is not None
        read, matches = [], found.matches
        result = filtered_get(
            self.store, "T", 0, 0, 32, None, type(found)(lambda fields: read.append(fields) or matches(fields), found.may_pass)
        )
        return [int(decode_record(one).raw_body) for one in result.records], len(read), result

    def test_only_what_may_pass_is_read(self) -> None:
        """One message in ten."""
        bodies, read, result = self.pull()
        self.assertEqual((bodies, read, result.next_offset), (list(range(7, 200, 10)), 20, 200))

    def test_a_false_hit_is_read_and_refused(self) -> None:
        """Maps with all bits set say that all may pass."""
        self.store.keep_bit_maps(lambda record: b"\xff" * 14)
        self.store.put([draft("T", b"%d" % number, more={"a": str(number % 10)}) for number in range(200, 220)])
        bodies, read, _ = self.pull()
        self.assertEqual((bodies, read), (list(range(7, 220, 10)), 40))

    def test_a_filter_that_came_later(self) -> None:
        """Reads what was stored before it."""
        self.filters.register("LATE", [sql("a = '7'")])
        bodies, read, _ = self.pull("LATE")
        self.assertEqual((bodies, read), (list(range(7, 200, 10)), 200))

    def test_a_filter_that_changed(self) -> None:
        """Is born anew: no message is missed because of what the old one said."""
        self.clock.advance(1)
        self.filters.register("G", [sql("a = '8'", 2)])
        bodies, read, _ = self.pull(version=2)
        self.assertEqual((bodies, read), (list(range(8, 200, 10)), 200))
