# Tests: tests/namesrv/test_kvconfig.py
"""Key-value configuration by namespace, kept over restarts (Java: KVConfigManager). Clients keep the order of topics in it."""

from __future__ import annotations

from pymq.errors import RequestError, StoreDamaged
from pymq.interfaces import IDocuments
from pymq.wire import javajson
from pymq.wire.codes import ResponseCode

#: Its keys are topics, its values `broker-a:4;broker-b:4`.
ORDER_TOPIC_CONFIG = "ORDER_TOPIC_CONFIG"

_TABLE = "configTable"
#: Values of all namespaces together; a further one is refused.
VALUES_MAX = 65_536


class KVConfigManager:
    """Text by namespace and key. Every change is saved before it is answered, in the file of Java's form."""

    def __init__(self, documents: IDocuments, *, name: str = "kvConfig.json") -> None:
        self._documents = documents
        self._name = name
        self._table: dict[str, dict[str, str]] = {}
        self._generation = 0

    @property
    def generation(self) -> int:
        """Grows with every change, so that answers made of the table can be kept until then."""
        return self._generation

    def load(self) -> None:
        """Read the document; none is an empty table. Raises StoreDamaged."""
        document = self._documents.load(self._name)
        table = document.get(_TABLE) if isinstance(document, dict) else None
        try:
            self._table = javajson.convert_as(table or {}, dict[str, dict[str, str]])
        except javajson.JavaJSONError as error:
            raise StoreDamaged(f"{self._name}: {error}") from error
        self._generation += 1

    def put(self, namespace: str, key: str, value: str) -> None:
        """Set a value. Raises RequestError (SYSTEM_ERROR) for a new key above VALUES_MAX."""
        if self.get(namespace, key) is None and sum(map(len, self._table.values())) >= VALUES_MAX:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the most is {VALUES_MAX} values; delete some first")
        self._replace(namespace, {**self._table.get(namespace, {}), key: value})

    def get(self, namespace: str, key: str) -> str | None:
        """A value, or None."""
        return self._table.get(namespace, {}).get(key)

    def delete(self, namespace: str, key: str) -> None:
        """Remove a value; nothing happens when there is none."""
        table = self._table.get(namespace, {})
        if key in table:
            self._replace(namespace, {other: value for other, value in table.items() if other != key})

    def namespace(self, namespace: str) -> dict[str, str] | None:
        """All of a namespace, or None when nobody ever put anything there."""
        table = self._table.get(namespace)
        return None if table is None else dict(table)

    def _replace(self, namespace: str, table: dict[str, str]) -> None:
        """Saved first: what cannot be kept is not answered with either."""
        whole = {**self._table, namespace: table}
        self._documents.save(self._name, {_TABLE: whole})
        self._table = whole
        self._generation += 1
