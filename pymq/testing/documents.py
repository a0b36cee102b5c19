# Tests: tests/testing/test_documents.py
"""Documents in memory for tests: the second provider of IDocuments, which also tells when something was saved."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from pymq.interfaces import IDocuments
from pymq.store import memorydocuments

__all__ = ["MemoryDocuments"]


@implementer(IDocuments)
class MemoryDocuments(memorydocuments.MemoryDocuments):
    """The store's memory provider; `saves` names every save in order, which shows tests when something was persisted."""

    def __init__(self) -> None:
        super().__init__()
        self.saves: list[str] = []

    def save(self, name: str, document: Any) -> None:
        """Replace a document and note that it was done."""
        super().save(name, document)
        self.saves.append(name)
