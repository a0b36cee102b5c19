"""Documents in memory, beyond what tests/contracts asks of every provider."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreDamaged
from pymq.testing.documents import MemoryDocuments


class MemoryDocumentsTests(SynchronousTestCase):
    """What a test sees."""

    def test_texts_and_saves(self) -> None:
        """The compact text, and each save by name."""
        documents = MemoryDocuments()
        documents.save("a.json", {"n": 1})
        documents.save("a.json", {"n": 2})
        self.assertEqual((documents.texts, documents.saves), ({"a.json": b'{"n":2}'}, ["a.json", "a.json"]))

    def test_damaged_text(self) -> None:
        """Is told as a file would tell it."""
        documents = MemoryDocuments()
        documents.texts["a.json"] = b"{"
        self.assertRaises(StoreDamaged, documents.load, "a.json")
