# Tests: tests/broker/test_configmanager.py
"""What a broker keeps in small documents, and which of its changes are saved (Java: ConfigManager).

Changes are seen at once and saved later, by whoever looks after the manager: in a broker `pymq.services.documentsaver`, off the
reactor's thread and many changes together. An answer that promises a change waits for `when_saved`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred

from pymq.interfaces import IDocuments


@attrs.frozen
class Snapshot:
    """A manager's content as plain values that nobody changes any more, and up to which change it goes."""

    document: Any
    change_count: int


class ConfigManager(ABC):
    """The content of one document. `snapshot` belongs to the reactor's thread; `write` may block, and runs in any.

    Subclasses give the content in `_content`, and call `_mark_changed` after every change.
    """

    def __init__(self, document: str, documents: IDocuments) -> None:
        #: The document's name, such as topics.json.
        self.document = document
        self._documents = IDocuments(documents)
        self._change_count = 0
        self._saved_count = 0

    @property
    def has_changed(self) -> bool:
        """Whether there are changes that are not saved."""
        return self._change_count != self._saved_count

    def snapshot(self) -> Snapshot:
        """The content as it is now."""
        return Snapshot(self._content(), self._change_count)

    def write(self, snapshot: Snapshot) -> None:
        """Put a snapshot into the document. Raises OSError; the changes then stay unsaved."""
        self._documents.save(self.document, snapshot.document)

    def written(self, snapshot: Snapshot) -> None:
        """Note that a snapshot is in the document."""
        self._saved_count = snapshot.change_count

    def save(self) -> None:
        """Save what changed, in this thread. Raises OSError; the next call tries again."""
        if self.has_changed:
            snapshot = self.snapshot()
            self.write(snapshot)
            self.written(snapshot)

    @abstractmethod
    def _content(self) -> Any:
        """A copy of the content: anything that wire.javajson can encode."""

    def _mark_changed(self) -> None:
        self._change_count += 1


#: Sees that all changes of a manager so far are saved; fires when they are, or fails with an OSError.
WhenSaved = Callable[[ConfigManager], "Deferred[None]"]


def save_at_once(manager: ConfigManager) -> Deferred[None]:
    """The WhenSaved that blocks: for tests, and for parts that nobody gave another."""
    return maybeDeferred(manager.save)
