# Tests: tests/broker/test_versionedtable.py
"""Configurations by name, under a version that changes with each of them, kept in a document (store.md 1.5; Java: ConfigManager).

A change is seen at once. When its save fails it stays in force, and unsaved: the one who waited for it is told, and the next save
tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from pymq.broker.configmanager import ConfigManager, Snapshot
from pymq.errors import StoreDamaged
from pymq.interfaces import IClock, IDocuments
from pymq.wire.bodies.topics import DataVersion

C = TypeVar("C")
W = TypeVar("W", bound=msgspec.Struct)


class VersionedTable(ConfigManager, Generic[C, W]):
    """A table that begins with what is `built_in`.

    `wrapper_type` is what stands in the document: a Struct whose first two fields are the table and its DataVersion.
    """

    def __init__(
        self, document: str, wrapper_type: type[W], built_in: Mapping[str, C], documents: IDocuments, *, clock: IClock
    ) -> None:
        super().__init__(document, documents)
        self._wrapper_type = wrapper_type
        self._clock = clock
        self._table = dict(built_in)
        #: Names of the table whose last change may not be saved yet, and the number of that change.
        self._unsaved: dict[str, int] = {}
        self._version = self._version_after(-1)

    @property
    def table(self) -> Mapping[str, C]:
        """What is configured, by name. For reading only."""
        return self._table

    @property
    def data_version(self) -> DataVersion:
        """The version of the table; another one after each change."""
        return self._version

    def get(self, name: str) -> C | None:
        """The configuration of that name as it is, or None; makes none."""
        return self._table.get(name)

    def is_saved(self, *names: str) -> bool:
        """Whether the configurations of these names would outlive a crash, or are not there."""
        return not any(self._unsaved.get(name, 0) > self._saved_count for name in names)

    def put(self, configs: Mapping[str, C]) -> None:
        """Add or replace some."""
        self._table.update(configs)
        self._mark_changed()
        self._unsaved.update(dict.fromkeys(configs, self._change_count))

    def delete(self, name: str) -> bool:
        """Remove one; whether it was there."""
        if self._table.pop(name, None) is None:
            return False
        self._unsaved.pop(name, None)
        self._mark_changed()
        return True

    def load(self) -> None:
        """Put what is saved over what is built in. Raises StoreDamaged when the document is not what a broker writes."""
        document = self._documents.load(self.document)
        if document is None:
            return
        try:
            saved = msgspec.convert(document, self._wrapper_type, strict=False, str_keys=True)
        except msgspec.ValidationError as error:
            raise StoreDamaged(f"{self.document}: {error}") from error
        table, self._version, *_ = msgspec.structs.astuple(saved)
        self._table.update(table)

    def wrapper(self) -> W:
        """The table with its version, as it is saved and sent to tools."""
        make: Any = self._wrapper_type
        return make(dict(self._table), self._version)

    def written(self, snapshot: Snapshot) -> None:
        """Note that a snapshot is in the document."""
        super().written(snapshot)
        if not self.has_changed:
            self._unsaved.clear()

    def _content(self) -> W:
        return self.wrapper()

    def _mark_changed(self) -> None:
        super()._mark_changed()
        self._version = self._version_after(self._version.counter)

    def _version_after(self, counter: int) -> DataVersion:
        return DataVersion(timestamp=int(self._clock.seconds() * 1000), counter=counter + 1)
