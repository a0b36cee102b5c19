# Tests: tests/broker/test_delayoffsets.py
"""How far each delay level is delivered: level to the next queue offset of its queue (store.md 1.5).

The document has the shape of Apache's delayOffset.json; the version that 5.x writes beside the table is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping

from pymq.errors import StoreDamaged
from pymq.interfaces import IDocuments, IMessageStore
from pymq.message.topics import SCHEDULE_TOPIC

DOCUMENT = "delayOffset.json"


class DelayOffsetManager:
    """The table of delay offsets. The one who delivers sets it and decides when it may be saved."""

    def __init__(self, documents: IDocuments) -> None:
        self._documents = IDocuments(documents)
        self._table: dict[int, int] = {}
        self._saved: dict[int, int] = {}

    @property
    def table(self) -> Mapping[int, int]:
        """Level to the next queue offset to deliver; 0 for a level that is missing. For reading only."""
        return self._table

    def update(self, level: int, offset: int) -> None:
        """Everything of the level below `offset` is delivered."""
        self._table[level] = offset

    def load(self) -> None:
        """Replace the table by the saved one. Raises StoreDamaged when it is not what a broker writes."""
        document = self._documents.load(DOCUMENT)
        try:
            offsets = {} if document is None else document.get("offsetTable", {})
            self._table = {int(level): int(offset) for level, offset in offsets.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise StoreDamaged(f"{DOCUMENT}: offsetTable should be a map of level to offset: {error}") from error
        self._saved = dict(self._table)

    def snapshot(self) -> dict[int, int] | None:
        """A copy of the table for `save`, or None when it has not changed since the last one."""
        return dict(self._table) if self._table != self._saved else None

    def save(self, snapshot: dict[int, int]) -> None:
        """Write a snapshot. A failure goes through, and the next snapshot holds it all."""
        self._documents.save(DOCUMENT, {"offsetTable": snapshot})
        self._saved = snapshot

    def runtime_table(self, store: IMessageStore) -> dict[str, str]:
        """The keys of code 28: for each level the offset that is delivered next and the one of the next message to come."""
        return {
            f"scheduleMessageOffset_{level}": f"{offset},{store.max_offset(SCHEDULE_TOPIC, level - 1)}"
            for level, offset in sorted(self._table.items())
        }
