# Tests: tests/client/test_localfile.py
"""The folder on this machine in which a broadcast group keeps its offsets. The one place where the client touches a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zope.interface import implementer

from pymq.errors import StoreDamaged
from pymq.interfaces import IDocuments
from pymq.wire import javajson

#: Under the home folder, as Java's rocketmq.client.localOffsetStoreDir.
DEFAULT_FOLDER = ".rocketmq_offsets"


def offsets_folder(root: str, client_id: str, group: str) -> Path:
    """Where a group of a client keeps its offsets; `root` empty is ~/.rocketmq_offsets."""
    base = Path(root) if root else Path.home() / DEFAULT_FOLDER
    return base / client_id / group


@implementer(IDocuments)
class LocalDocuments:
    """JSON documents in a folder, replaced atomically, the one before kept as .bak."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> Any:
        """The document, or the one before when it cannot be read, or None. Raises StoreDamaged."""
        problem: Exception | None = None
        for path in (self._folder / name, self._folder / f"{name}.bak"):
            try:
                return javajson.decode(path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, javajson.JavaJSONError) as error:
                problem = error
        if problem is not None:
            raise StoreDamaged(f"neither {self._folder / name} nor its .bak can be read: {problem}; mend or remove them")
        return None

    def save(self, name: str, document: Any) -> None:
        """Replace the document. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path, fresh = self._folder / name, self._folder / f"{name}.tmp"
        fresh.write_bytes(javajson.encode(document))
        if path.exists():
            path.replace(self._folder / f"{name}.bak")
        fresh.replace(path)
