# Tests: tests/client/test_offsets.py
"""How far a group has consumed each queue: kept by the broker for a group that shares, in a local file for one that does not.

Both stores hold the offsets in memory; `persist` writes them out. Offsets are queue offsets; -1 stands for none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted.logger import Logger

from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.tasks import all_of
from pymq.errors import ClientError, StoreDamaged
from pymq.interfaces import IDocuments
from pymq.wire.bodies.messagequeue import MessageQueue, parse_queue_key, queue_table
from pymq.wire.javajson import JavaJSONError

OFFSETS_DOCUMENT = "offsets.json"


class OffsetStore(Protocol):
    """What a consumer asks of its offset store (Java: OffsetStore)."""

    def update(self, queue: MessageQueue, offset: int, *, increase_only: bool = False) -> None:
        """Remember an offset; with `increase_only` never a smaller one than before."""

    def read(self, queue: MessageQueue) -> int:
        """The offset in memory, or -1."""

    async def load(self, queue: MessageQueue) -> int:
        """The offset that was persisted, or -1; memory holds it then too. Raises BrokerRefused, NoRoute, TRANSPORT_ERRORS."""

    async def persist(self, queues: Iterable[MessageQueue]) -> None:
        """Write out the offsets of these queues. Failures are logged; the next time comes soon."""

    async def save(self, queue: MessageQueue, offset: int) -> None:
        """Set an offset, and know that it is written out. Raises BrokerRefused, NoRoute, ClientError, TRANSPORT_ERRORS."""

    def remove(self, queue: MessageQueue) -> None:
        """Forget a queue."""

    def table_of(self, topic: str) -> dict[MessageQueue, int]:
        """All offsets of a topic in memory."""


class _Memory:
    """The part that both stores share."""

    _log = Logger()

    def __init__(self) -> None:
        self._offsets: dict[MessageQueue, int] = {}

    def update(self, queue: MessageQueue, offset: int, *, increase_only: bool = False) -> None:
        """Remember an offset; with `increase_only` never a smaller one than before."""
        if not increase_only or offset > self._offsets.get(queue, -1):
            self._offsets[queue] = offset

    def read(self, queue: MessageQueue) -> int:
        """The offset in memory, or -1."""
        return self._offsets.get(queue, -1)

    def remove(self, queue: MessageQueue) -> None:
        """Forget a queue."""
        self._offsets.pop(queue, None)

    def table_of(self, topic: str) -> dict[MessageQueue, int]:
        """All offsets of a topic in memory."""
        return {queue: offset for queue, offset in self._offsets.items() if queue.topic == topic}


class RemoteBrokerOffsetStore(_Memory):
    """Offsets kept by the brokers (Java: RemoteBrokerOffsetStore)."""

    def __init__(self, group: str, instance: MQClientInstance) -> None:
        super().__init__()
        self._group = group
        self._instance = instance

    async def load(self, queue: MessageQueue) -> int:
        """The broker's offset of the queue, or -1. Raises BrokerRefused, NoRoute, TRANSPORT_ERRORS."""
        address, _ = await self._instance.broker_to_read(queue.topic, queue.broker_name)
        offset = await self._instance.api.query_consumer_offset(address, self._group, queue)
        if offset >= 0:
            self.update(queue, offset)
        return offset

    async def persist(self, queues: Iterable[MessageQueue]) -> None:
        """Tell the brokers, one-way."""
        await all_of(self._persist_one(queue) for queue in queues if queue in self._offsets)

    async def _persist_one(self, queue: MessageQueue) -> None:
        try:
            address, _ = await self._instance.broker_to_read(queue.topic, queue.broker_name)
            await self._instance.api.update_consumer_offset(address, self._group, queue, self._offsets[queue])
        except EXPECTED_ERRORS as error:
            self._log.warn("the offset of {queue} could not be committed: {error}", queue=queue, error=error)

    async def save(self, queue: MessageQueue, offset: int) -> None:
        """Set an offset, and have the broker's answer. Raises BrokerRefused, NoRoute, TRANSPORT_ERRORS."""
        self.update(queue, offset)
        address, _ = await self._instance.broker_to_read(queue.topic, queue.broker_name)
        await self._instance.api.update_consumer_offset(address, self._group, queue, offset, oneway=False)


class LocalFileOffsetStore(_Memory):
    """Offsets in a document of this machine, in Java's form (Java: LocalFileOffsetStore)."""

    def __init__(self, documents: IDocuments) -> None:
        super().__init__()
        self._documents = documents
        self._loaded = False

    def _load_all(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        document = self._documents.load(OFFSETS_DOCUMENT)
        table = document.get("offsetTable") if isinstance(document, dict) else None
        try:
            for key, offset in (table or {}).items():
                self._offsets.setdefault(parse_queue_key(key), int(offset))
        except (JavaJSONError, TypeError, ValueError) as error:
            raise StoreDamaged(f"{OFFSETS_DOCUMENT} is not a table of offsets: {error}; mend or remove it") from error

    async def load(self, queue: MessageQueue) -> int:
        """The offset in the document, or -1. Raises StoreDamaged."""
        self._load_all()
        return self.read(queue)

    async def persist(self, queues: Iterable[MessageQueue]) -> None:
        """Replace the document; queues that others of the group wrote stay in it."""
        try:
            self._write()
        except OSError as error:
            self._log.warn("the offsets could not be written: {error}", error=error)

    def _write(self) -> None:
        self._load_all()
        self._documents.save(OFFSETS_DOCUMENT, {"offsetTable": queue_table(self._offsets)})

    async def save(self, queue: MessageQueue, offset: int) -> None:
        """Set an offset and replace the document. Raises ClientError."""
        self.update(queue, offset)
        try:
            self._write()
        except (OSError, StoreDamaged) as error:
            raise ClientError(f"the offsets could not be written: {error}; mend that, or set offset_store_folder") from error

    def remove(self, queue: MessageQueue) -> None:
        """Nothing is forgotten: a queue that comes back goes on where it was."""
