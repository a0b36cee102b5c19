# Tests: tests/testing/test_documents.py
"""Documents in memory, for a broker that keeps nothing on disk."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from pymq.errors import StoreDamaged
from pymq.interfaces import IDocuments
from pymq.wire import javajson

__all__ = ["MemoryDocuments"]


@implementer(IDocuments)
class MemoryDocuments:
    """Keeps the JSON text of each document, by name in `texts`, so that what is loaded is as plain as from a file."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def load(self, name: str) -> Any:
        """The document, or None. Raises StoreDamaged when text was put there that cannot be parsed."""
        text = self.texts.get(name)
        try:
            return None if text is None else javajson.decode(text)
        except javajson.JavaJSONError as error:
            raise StoreDamaged(f"{name}: {error}") from error

    def save(self, name: str, document: Any) -> None:
        """Replace it."""
        self.texts[name] = javajson.encode(document)
