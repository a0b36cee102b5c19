"""Tests of pymq.broker.delayoffsets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.delayoffsets import DOCUMENT, DelayOffsetManager
from pymq.errors import StoreDamaged
from pymq.testing.documents import MemoryDocuments
from tests.broker.fixtures import draft, open_store, started_clock


class DelayOffsetManagerTests(SynchronousTestCase):
    """The table and its document."""

    def setUp(self) -> None:
        """An empty table."""
        self.documents = MemoryDocuments()
        self.offsets = DelayOffsetManager(self.documents)

    def loaded(self) -> dict[int, int]:
        """What another broker reads."""
        other = DelayOffsetManager(self.documents)
        other.load()
        return dict(other.table)

    def test_nothing_saved(self) -> None:
        """A first start."""
        self.assertEqual(self.loaded(), {})

    def test_saved_table_comes_back(self) -> None:
        """By level, as numbers."""
        self.offsets.update(1, 5)
        self.offsets.update(18, 7)
        self.offsets.save(self.offsets.snapshot())
        self.assertEqual(self.loaded(), {1: 5, 18: 7})

    def test_snapshot_is_what_was_then(self) -> None:
        """What is delivered after it waits for the next save."""
        self.offsets.update(1, 5)
        snapshot = self.offsets.snapshot()
        self.offsets.update(1, 6)
        self.offsets.save(snapshot)
        self.assertEqual(self.loaded(), {1: 5})
        self.assertEqual(self.offsets.snapshot(), {1: 6})

    def test_nothing_new_to_save(self) -> None:
        """Neither after a save nor after a load."""
        self.offsets.update(1, 5)
        self.offsets.save(self.offsets.snapshot())
        self.assertIsNone(self.offsets.snapshot())
        self.offsets.load()
        self.offsets.update(1, 5)
        self.assertIsNone(self.offsets.snapshot())

    def test_document_of_5x(self) -> None:
        """Keys as text, and a version beside the table."""
        self.documents.save(DOCUMENT, {"dataVersion": {"counter": 3}, "offsetTable": {"3": 9}})
        self.assertEqual(self.loaded(), {3: 9})

    def test_damaged_document(self) -> None:
        """Says which one."""
        for document in ([], {"offsetTable": [1]}, {"offsetTable": {"x": 1}}):
            self.documents.save(DOCUMENT, document)
            self.assertIn(DOCUMENT, str(self.assertRaises(StoreDamaged, self.offsets.load)))

    def test_figures_for_operators(self) -> None:
        """Delivered, and stored, for each level."""
        store = open_store(started_clock())
        store.put([draft("SCHEDULE_TOPIC_XXXX", 1), draft("SCHEDULE_TOPIC_XXXX", 1)])
        self.offsets.update(2, 1)
        self.offsets.update(1, 0)
        self.assertEqual(self.offsets.runtime_table(store), {"scheduleMessageOffset_1": "0,0", "scheduleMessageOffset_2": "1,2"})
