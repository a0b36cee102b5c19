# Tests: tests/store/test_documents.py
"""Small JSON files, replaced atomically, the previous one kept as `.bak` (store.md 1.4 to 1.6; Java: ConfigManager).

Written is standard JSON, a line for each member, integer keys quoted: fastjson takes quoted ones for integer maps too, and 5.x
refuses bare ones. Read is whatever Java writes, bare keys included.
"""

from __future__ import annotations

from typing import Any

import msgspec
from zope.interface import implementer

from pymq.errors import StoreDamaged
from pymq.interfaces import IDocuments, IFiles
from pymq.wire import javajson

__all__ = ["FileDocuments", "format_document"]


def format_document(document: Any) -> bytes:
    """The text of a document: sorted members, null members left out, every key quoted, a line for each member."""
    value = javajson.decode(javajson.encode(document))  # through text, so that bare keys become plain ones
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


@implementer(IDocuments)
class FileDocuments:
    """Documents as files `folder/name`; `name` is the file's whole name, such as `topics.json`.

    A save costs two durable replacements, one for the previous text and one for the new; one that changes nothing costs none.
    """

    def __init__(self, files: IFiles, folder: str = "config") -> None:
        self._files = files
        self._folder = folder
        self._saved: dict[str, bytes] = {}

    def load(self, name: str) -> Any:
        """The document, from `.bak` when the file is missing, empty or cannot be parsed; None when there is neither.

        Raises StoreDamaged, naming the file, when there is text but none that can be parsed: to start afresh then would forget
        what the file was kept for. (Java starts afresh when the file is damaged and `.bak` missing.)
        """
        path = f"{self._folder}/{name}"
        damage = []
        for candidate in (path, path + ".bak"):
            text = self._read(candidate)
            if not text.strip():
                continue
            try:
                value = javajson.decode(text)
            except javajson.JavaJSONError as error:
                damage.append(f"{candidate}: {error}")
            else:
                if candidate == path:
                    self._saved[name] = text
                return value
        if damage:
            raise StoreDamaged(f"no readable version of {path} ({'; '.join(damage)}); restore it, or delete it to start without")
        return None

    def save(self, name: str, document: Any) -> None:
        """Replace a document: keep a readable previous text as `.bak`, then put the new one in place. Raises OSError."""
        path = f"{self._folder}/{name}"
        text = format_document(document)
        previous = self._saved.get(name)
        if previous == text and self._files.exists(path):
            return
        if previous is None:
            previous = self._readable(path)
        if previous:
            self._files.replace(path + ".bak", previous)
        self._files.replace(path, text)
        self._saved[name] = text

    def _read(self, path: str) -> bytes:
        try:
            data: bytes = self._files.read_bytes(path)
        except FileNotFoundError:
            return b""
        return data

    def _readable(self, path: str) -> bytes:
        """The text of a file if it can be parsed: a damaged one must not take the place of a good `.bak`."""
        text = self._read(path)
        try:
            javajson.decode(text)
        except javajson.JavaJSONError:
            return b""
        return text
