"""Tests of pymq.broker.configmanager; that consumer offsets, filters, topics and groups are kept is tested with each."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.configmanager import ConfigManager, save_at_once
from pymq.testing.documents import MemoryDocuments


class Numbers(ConfigManager):
    """Keeps a list of numbers."""

    def __init__(self, documents: MemoryDocuments) -> None:
        super().__init__("numbers.json", documents)
        self._numbers: list[int] = []

    def add(self, number: int) -> None:
        """One more."""
        self._numbers.append(number)
        self._mark_changed()

    def _content(self) -> Any:
        return {"numbers": list(self._numbers)}


class ConfigManagerTests(SynchronousTestCase):
    """Which changes are saved."""

    def setUp(self) -> None:
        """Nothing kept yet."""
        self.documents = MemoryDocuments()
        self.numbers = Numbers(self.documents)

    def test_nothing_to_save(self) -> None:
        """Costs nothing."""
        self.numbers.save()
        self.assertEqual((self.numbers.has_changed, self.documents.saves), (False, []))

    def test_save(self) -> None:
        """Once for all changes."""
        self.numbers.add(1)
        self.numbers.add(2)
        self.assertTrue(self.numbers.has_changed)
        self.numbers.save()
        self.numbers.save()
        self.assertEqual((self.documents.load("numbers.json"), self.documents.saves), ({"numbers": [1, 2]}, ["numbers.json"]))

    def test_change_during_a_write(self) -> None:
        """Is not in the snapshot, and still to be saved afterwards."""
        self.numbers.add(1)
        snapshot = self.numbers.snapshot()
        self.numbers.add(2)
        self.numbers.write(snapshot)
        self.numbers.written(snapshot)
        self.assertEqual((self.documents.load("numbers.json"), self.numbers.has_changed), ({"numbers": [1]}, True))

    def test_save_at_once(self) -> None:
        """Saved when it returns; a failure is the Deferred's."""
        self.numbers.add(1)
        self.successResultOf(save_at_once(self.numbers))
        self.assertEqual(self.documents.saves, ["numbers.json"])
        self.numbers.add(2)

        def fail(name: str, document: object) -> None:
            raise OSError(28, "No space left on device")

        self.documents.save = fail  # type: ignore[method-assign]
        self.failureResultOf(save_at_once(self.numbers), OSError)
        self.assertTrue(self.numbers.has_changed)
