"""Tests of pymq.broker.filters."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import filters as module
from pymq.broker.filters import (
    ConsumerFilterManager,
    FilterFinder,
    MessageFilter,
    compile_filter,
    draft_test,
    filtered_get,
    is_tag_type,
)
from pymq.errors import RequestError, StoreDamaged
from pymq.message.properties import RETRY_TOPIC
from pymq.message.record import decode_record
from pymq.message.results import GetResult, GetStatus
from pymq.message.sql92 import compile_sql
from pymq.testing.builders import draft
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from tests.broker.fixtures import NOW_MS, broker_config, open_store, started_clock, subscribe

DAY_S = 86_400


def sql(expression: str = "a > 1", version: int = 1, topic: str = "T") -> SubscriptionData:
    """A subscription by SQL92."""
    return build_subscription(topic, expression, "SQL92", sub_version=version)


class ConsumerFilterManagerTests(SynchronousTestCase):
    """The filters that heartbeats bring."""

    def setUp(self) -> None:
        """None yet."""
        self.clock = started_clock()
        self.documents = MemoryDocuments()
        self.filters = self.build()

    def build(self, **changes: Any) -> ConsumerFilterManager:
        """A manager over the same documents."""
        return ConsumerFilterManager(broker_config(**changes), self.documents, clock=self.clock)

    def of(self, topic: str = "T") -> tuple[str, int, bool] | None:
        """Expression, version and whether the filter is dead."""
        data = self.filters.get(topic, "G")
        return None if data is None else (data.expression, data.client_version, data.is_dead)

    def test_newer_ones_replace_older_ones(self) -> None:
        """By version; a new version of the same text is the same filter."""
        self.filters.register("G", [sql(), subscribe("U")])
        self.assertEqual((self.of(), self.of("U")), (("a > 1", 1, False), None))
        self.filters.register("G", [sql("a > 2", 1)])
        self.assertEqual(self.of(), ("a > 1", 1, False))
        self.filters.register("G", [sql("a > 2", 2)])
        self.filters.register("G", [sql("a > 3", 1)])
        self.assertEqual(self.of(), ("a > 2", 2, False))
        self.filters.register("G", [sql("a > 2", 7)])
        self.assertEqual(self.of(), ("a > 2", 7, False))

    def test_what_cannot_be_understood(self) -> None:
        """Is not taken in, and takes the older one away, so that the client is told at its pull."""
        self.filters.register("G", [sql("a >")])
        self.assertIsNone(self.of())
        self.filters.register("G", [sql()])
        self.filters.register("G", [sql("a >", 2)])
        self.assertIsNone(self.of())

    def test_they_die_and_come_to_life(self) -> None:
        """With the group, or when the topic is not subscribed any more; the same version brings them back."""
        self.filters.register("G", [sql()])
        self.filters.unregister("other")
        self.assertEqual(self.of(), ("a > 1", 1, False))
        self.filters.unregister("G")
        self.assertEqual(self.of(), ("a > 1", 1, True))
        self.filters.register("G", [sql()])
        self.assertEqual(self.of(), ("a > 1", 1, False))
        self.filters.register("G", [subscribe("U")])
        self.assertEqual(self.of(), ("a > 1", 1, True))

    def test_the_document_is_apache_s(self) -> None:
        """And is written when something changed."""
        self.filters.save()
        self.assertIsNone(self.documents.load("consumerFilter.json"))
        self.filters.register("G", [sql()])
        self.filters.save()
        entry = {
            "bloomFilterData": {"bitNum": 112, "bitPos": [24, 26, 83]}, "bornTime": NOW_MS,
            "clientVersion": 1, "consumerGroup": "G", "dead": False, "deadTime": 0, "expression": "a > 1",
            "expressionType": "SQL92", "topic": "T",
        }  # fmt: skip
        expected = {"filterDataByTopic": {"T": {"groupFilterData": {"G": entry}, "topic": "T"}}}
        self.assertEqual(self.documents.load("consumerFilter.json"), expected)

    def test_loaded_ones_are_dead(self) -> None:
        """Since 30 seconds, until their consumers come again; they pass as before, for pulls may come first."""
        self.filters.register("G", [sql()])
        self.clock.advance(60)
        self.filters.save()
        self.filters = self.build()
        self.filters.load()
        data = self.filters.get("T", "G")
        assert data is not None
        self.assertEqual((data.dead_time, data.matches({"a": "2"})), (NOW_MS + 30_000, True))

    def test_java_s_document(self) -> None:
        """Bloom data is passed over, and so is an expression that cannot be read; another shape is damage."""
        entry = {
            "bloomFilterData": {"bitNum": 112, "bitPos": [3, 40, 77]}, "bornTime": 5, "clientVersion": 6, "consumerGroup": "G",
            "dead": False, "deadTime": 0, "expression": "a > 1", "expressionType": "SQL92", "topic": "T",
        }  # fmt: skip
        groups = {"G": entry, "H": {**entry, "consumerGroup": "H", "expression": "a >"}}
        self.documents.save("consumerFilter.json", {"filterDataByTopic": {"T": {"groupFilterData": groups, "topic": "T"}}})
        self.filters.load()
        self.assertEqual((self.of(), self.filters.get("T", "H")), (("a > 1", 6, True), None))
        self.documents.save("consumerFilter.json", {"filterDataByTopic": {"T": 7}})
        self.assertRaises(StoreDamaged, self.filters.load)

    def test_the_long_dead_are_forgotten(self) -> None:
        """After a day, or what filterDataCleanTimeSpan says."""
        self.filters.register("G", [sql()])
        self.filters.unregister("G")
        self.clock.advance(DAY_S - 1)
        self.filters.forget_dead()
        self.assertIsNotNone(self.of())
        self.clock.advance(1)
        self.filters.forget_dead()
        self.filters.save()
        self.assertIsNone(self.of())
        self.assertEqual(self.documents.load("consumerFilter.json"), {"filterDataByTopic": {}})

    def test_their_number_is_bounded(self) -> None:
        """One too many is not taken in."""
        self.patch(module, "FILTERS_MAX", 1)
        self.filters.register("G", [sql(), sql(topic="U")])
        self.assertEqual((self.of(), self.of("U")), (("a > 1", 1, False), None))


class FilterFinderTests(SynchronousTestCase):
    """Which filter serves a pull."""

    def setUp(self) -> None:
        """G has one of version 5."""
        self.filters = ConsumerFilterManager(broker_config(), MemoryDocuments(), clock=started_clock())
        self.filters.register("G", [sql(version=5)])
        self.finder = FilterFinder(broker_config(), self.filters)

    def refusal(self, group: str = "G", expression: str = "a > 1", is_own: bool = False, version: int = 5) -> int:
        """The code with which it is refused."""
        error = self.assertRaises(RequestError, self.finder.find, group, sql(expression), is_own=is_own, sub_version=version)
        return error.code

    def test_by_tags_alone(self) -> None:
        """There is none; nor where a class filters."""
        self.assertIsNone(self.finder.find("G", subscribe(), is_own=True, sub_version=1))
        by_class = SubscriptionData("T", "x", expression_type="SQL92", class_filter_mode=True)
        self.assertIsNone(self.finder.find("G", by_class, is_own=True, sub_version=1))

    def test_the_group_s(self) -> None:
        """As its heartbeats brought it: missing 27, older 28."""
        found = self.finder.find("G", sql(version=5), is_own=False, sub_version=5)
        assert found is not None
        self.assertEqual((found.matches({"a": "2"}), found.matches({"a": "1"})), (True, False))
        assert found.may_pass is not None
        self.assertFalse(found.may_pass(NOW_MS + 1, bytes(14)))
        self.assertEqual((self.refusal("H"), self.refusal(version=6)), (27, 28))

    def test_the_pull_s_own(self) -> None:
        """Compiled anew, refused by 23."""
        found = self.finder.find("H", sql(), is_own=True, sub_version=9)
        assert found is not None
        self.assertIsNone(found.may_pass)
        self.assertEqual(self.refusal(expression="a >", is_own=True), 23)

    def test_retries(self) -> None:
        """Pass by the filter of their first topic, if filterSupportRetry says so; else as they are."""
        retries = subscribe("%RETRY%G")
        self.assertIsNone(self.finder.find("G", retries, is_own=False, sub_version=1))
        self.finder = FilterFinder(broker_config(filter_support_retry=True), self.filters)
        found = self.finder.find("G", retries, is_own=False, sub_version=1)
        assert found is not None and found.may_pass is None
        matches = found.matches
        self.assertTrue(matches({"a": "2", RETRY_TOPIC: "T"}))
        self.assertFalse(matches({"a": "1", RETRY_TOPIC: "T"}))
        self.assertTrue(matches({"a": "1", RETRY_TOPIC: "other"}))
        self.assertTrue(matches({}))

    def test_types(self) -> None:
        """TAG has three spellings, SQL92 one."""
        self.assertTrue(is_tag_type(None) and is_tag_type("") and is_tag_type("TAG"))
        self.assertFalse(is_tag_type("SQL92"))
        self.assertRaises(ValueError, compile_filter, "JMS", "a > 1")


class FilteredGetTests(SynchronousTestCase):
    """Reading only what passes."""

    def setUp(self) -> None:
        """A hundred messages with the property a from 0 on, tagged A and B in turn."""
        self.store = open_store(started_clock())
        self.store.put([draft("T", more={"a": str(number)}, tags="AB"[number % 2]) for number in range(100)])

    def get(
        self, expression: str, offset: int = 0, count: int = 32, tags: frozenset[int] | None = None, **limits: int
    ) -> GetResult:
        """Read."""
        return filtered_get(self.store, "T", 0, offset, count, tags, MessageFilter(compile_sql(expression)), **limits)

    def numbers(self, result: GetResult) -> list[int]:
        """The property a of what was found, and the result's own figures fit it."""
        self.assertEqual((result.count, result.size_bytes), (len(result.records), sum(map(len, result.records))))
        return [int(decode_record(record).properties["a"]) for record in result.records]

    def test_reads_on_until_there_are_enough(self) -> None:
        """Over what does not pass, and stops behind the last one."""
        result = self.get("a IN ('3', '40', '77')")
        self.assertEqual((result.status, self.numbers(result), result.next_offset), (GetStatus.FOUND, [3, 40, 77], 100))
        result = self.get("a >= 50", count=4)
        self.assertEqual((self.numbers(result), result.next_offset), ([50, 51, 52, 53], 54))
        self.assertEqual((result.min_offset, result.max_offset), (0, 100))

    def test_nothing_passes(self) -> None:
        """It says how far it looked; at the queue's end it says what the store says."""
        result = self.get("z = 1", 10)
        self.assertEqual((result.status, self.numbers(result), result.next_offset), (GetStatus.NO_MATCHED_MESSAGE, [], 100))
        self.assertEqual(self.get("z = 1", 100).status, GetStatus.OFFSET_OVERFLOW_ONE)

    def test_one_pull_does_not_look_at_everything(self) -> None:
        """Nor take more bytes than an answer may have."""
        self.patch(module, "SCAN_RECORDS_MIN", 40)
        result = self.get("z = 1", count=8)
        self.assertEqual((result.status, result.next_offset), (GetStatus.NO_MATCHED_MESSAGE, 40))
        result = self.get("a NOT IN ('0', '1')", count=8, bytes_limit=1)
        self.assertEqual((self.numbers(result), result.next_offset), ([2, 3, 4, 5, 6, 7], 8))

    def test_one_pull_gives_no_more_messages_than_any_other(self) -> None:
        """However many were asked for."""
        self.assertEqual(self.numbers(self.get("a >= 0", count=90)), list(range(32)))
        self.assertEqual(self.numbers(self.get("a >= 10", count=90, count_limit=5)), [10, 11, 12, 13, 14])

    def test_both_filters(self) -> None:
        """Tags are looked at first."""
        result = self.get("a < 4", tags=frozenset({ord("A")}))
        self.assertEqual(self.numbers(result), [0, 2])

    def test_drafts(self) -> None:
        """Pass as they will when they are stored."""
        passes = draft_test(compile_sql("a > 1"))
        self.assertTrue(passes(draft(more={"a": "2"})))
        self.assertFalse(passes(draft(more={"a": "1"})))
        self.assertFalse(passes(draft()))
