"""Tests of pymq.broker.versionedtable, on a table of groups; what topics and groups add is tested with them."""

from __future__ import annotations

import unittest.mock

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.versionedtable import VersionedTable
from pymq.errors import StoreDamaged
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.topics import DataVersion, SubscriptionGroupConfig, SubscriptionGroupWrapper
from tests.broker.fixtures import NOW_MS, started_clock

NAME = "groups.json"
A, B = SubscriptionGroupConfig("a"), SubscriptionGroupConfig("b")


class VersionedTableTests(SynchronousTestCase):
    """One table and its document."""

    def setUp(self) -> None:
        """A table that has `a` from the start."""
        self.clock = started_clock()
        self.documents = MemoryDocuments()
        self.table = self.build()

    def build(self) -> VersionedTable[SubscriptionGroupConfig, SubscriptionGroupWrapper]:
        """Another one over the same document."""
        return VersionedTable(NAME, SubscriptionGroupWrapper, {"a": A}, self.documents, clock=self.clock)

    def test_begins_with_what_is_built_in(self) -> None:
        """At version 0, and nothing is saved."""
        self.assertEqual((dict(self.table.table), self.table.data_version), ({"a": A}, DataVersion(NOW_MS, 0)))
        self.assertEqual(self.documents.saves, [])

    def test_each_change_has_a_version(self) -> None:
        """Several at once are one change; its time is the clock's."""
        self.clock.advance(5)
        self.table.put({"b": B, "c": B})
        self.table.delete("b")
        self.assertEqual(self.table.data_version, DataVersion(NOW_MS + 5000, 2))
        self.assertEqual(set(self.table.table), {"a", "c"})

    def test_delete_of_nothing_is_no_change(self) -> None:
        """It says so."""
        self.assertFalse(self.table.delete("x"))
        self.assertEqual(self.table.data_version.counter, 0)

    def test_saved_lies_over_what_is_built_in(self) -> None:
        """The next one goes on from the saved version."""
        changed = SubscriptionGroupConfig("a", retry_max_times=3)
        self.table.put({"a": changed, "b": B})
        self.table.save()
        again = self.build()
        again.load()
        self.assertEqual((dict(again.table), again.data_version), ({"a": changed, "b": B}, self.table.data_version))

    def test_wrapper_is_a_copy(self) -> None:
        """What is sent does not change under the one who sends it."""
        wrapper = self.table.wrapper()
        self.table.put({"b": B})
        self.assertEqual(set(wrapper.subscription_group_table), {"a"})

    def test_document_of_another_shape(self) -> None:
        """Is refused by name, rather than forgotten."""
        self.documents.save(NAME, {"subscriptionGroupTable": 7})
        self.assertIn(NAME, str(self.assertRaises(StoreDamaged, self.table.load)))

    def test_saved_or_not(self) -> None:
        """Name by name; what was changed after the snapshot is not saved by it."""
        self.assertTrue(self.table.is_saved("a", "b"))
        self.table.put({"b": B})
        snapshot = self.table.snapshot()
        self.table.put({"a": A})
        self.table.write(snapshot)
        self.table.written(snapshot)
        self.assertEqual([self.table.is_saved(name) for name in "ab"], [False, True])
        self.assertFalse(self.table.is_saved("a", "b"))
        self.table.save()
        self.assertTrue(self.table.is_saved("a", "b"))

    def test_deleted_is_not_waited_for_by_name(self) -> None:
        """Else names of the past would pile up while a disk is full."""
        self.table.put({"b": B})
        self.table.delete("b")
        self.assertTrue(self.table.is_saved("b"))
        self.assertTrue(self.table.has_changed)

    def test_failed_save(self) -> None:
        """The change stays in force, and unsaved until a save succeeds."""

        def fail(name: str, document: object) -> None:
            raise OSError(28, "No space left on device")

        self.table.put({"b": B})
        with self.assertRaises(OSError), unittest.mock.patch.object(self.documents, "save", fail):
            self.table.save()
        self.assertEqual((self.table.get("b"), self.table.is_saved("b")), (B, False))
        self.table.save()
        again = self.build()
        again.load()
        self.assertEqual(again.get("b"), B)
