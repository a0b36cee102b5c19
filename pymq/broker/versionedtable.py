# Tests: tests/broker/test_versionedtable.py
"""Configurations by name, under a version that changes with each of them, kept in a document (store.md 1.5; Java: ConfigManager).

Every change is saved before it can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from pymq.errors import StoreDamaged
from pymq.interfaces import IClock, IDocuments
from pymq.wire.bodies.topics import DataVersion

C = TypeVar("C")
W = TypeVar("W", bound=msgspec.Struct)


class VersionedTable(Generic[C, W]):
    """A table that begins with what is `built_in`.

    `wrapper_type` is what stands in the document: a Struct whose first two fields are the table and its DataVersion.
    """

    def __init__(
        self, document: str, wrapper_type: type[W], built_in: Mapping[str, C], documents: IDocuments, *, clock: IClock
    ) -> None:
        self._document = document
        self._wrapper_type = wrapper_type
        self._documents = IDocuments(documents)
        self._clock = clock
        self._table = dict(built_in)
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

    def put(self, configs: Mapping[str, C]) -> None:
        """Add or replace some, all with one save. When saving fails all stays as it was."""
        self._replace({**self._table, **configs})

    def delete(self, name: str) -> bool:
        """Remove one; whether it was there."""
        if name not in self._table:
            return False
        self._replace({other: config for other, config in self._table.items() if other != name})
        return True

    def load(self) -> None:
        """Put what is saved over what is built in. Raises StoreDamaged when the document is not what a broker writes."""
        document = self._documents.load(self._document)
        if document is None:
            return
        try:
            saved = msgspec.convert(document, self._wrapper_type, strict=False, str_keys=True)
        except msgspec.ValidationError as error:
            raise StoreDamaged(f"{self._document}: {error}") from error
        table, self._version, *_ = msgspec.structs.astuple(saved)
        self._table.update(table)

    def save(self) -> None:
        """Save the table; its own changes do so by themselves."""
        self._documents.save(self._document, self.wrapper())

    def wrapper(self) -> W:
        """The table with its version, as it is saved and sent to tools."""
        return self._wrapped(dict(self._table), self._version)

    def _wrapped(self, table: dict[str, C], version: DataVersion) -> W:
        make: Any = self._wrapper_type
        return make(table, version)

    def _replace(self, table: dict[str, C]) -> None:
        version = self._version_after(self._version.counter)
        self._documents.save(self._document, self._wrapped(table, version))
        self._table, self._version = table, version

    def _version_after(self, counter: int) -> DataVersion:
        return DataVersion(timestamp=int(self._clock.seconds() * 1000), counter=counter + 1)
