# Tests: tests/testing/test_documents.py
"""Documents in memory that remember every save."""

from __future__ import annotations

from typing import Any

from pymq.store import memorydocuments

__all__ = ["MemoryDocuments"]


class MemoryDocuments(memorydocuments.MemoryDocuments):
    """As the broker's own, and `saves` names every save in order, which shows tests when something was persisted."""

    def __init__(self) -> None:
        super().__init__()
        self.saves: list[str] = []

    def save(self, name: str, document: Any) -> None:
        """Replace it, and note that it was saved."""
        super().save(name, document)
        self.saves.append(name)
