# Tests: tests/broker/test_offsets.py
"""How far each consumer group has read: the next queue offset to consume, by topic, group and queue.

The document has the shape of Apache's consumerOffset.json (store.md 1.5), with `topic@group` as key. A topic's name never holds
an `@`, so the first one parts the key. Java: ConsumerOffsetManager.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twisted.logger import Logger

from pymq.broker.configmanager import ConfigManager
from pymq.errors import StoreDamaged
from pymq.interfaces import IDocuments

DOCUMENT = "consumerOffset.json"

#: Pairs of topic and group that are remembered; a commit for one more is refused, and counted in `refused_count`.
OFFSET_PAIRS_MAX = 262_144
#: Queues of one topic that are remembered for one group; commits beyond are refused likewise.
QUEUES_PER_PAIR_MAX = 65_536

_NOT_FOUND = -1


class ConsumerOffsetManager(ConfigManager):
    """The table of consumer offsets; committed in memory, and saved every few seconds.

    That is Apache's own promise: after a crash a group goes back by at most one interval.
    """

    log = Logger()

    def __init__(self, documents: IDocuments) -> None:
        super().__init__(DOCUMENT, documents)
        self._table: dict[str, dict[int, int]] = {}
        self.negative_count = 0
        self.refused_count = 0

    @property
    def table(self) -> Mapping[str, Mapping[int, int]]:
        """`topic@group` to queue id to the next offset. For reading only."""
        return self._table

    def commit(self, group: str, topic: str, queue_id: int, offset: int) -> bool:
        """Remember the next offset that the group will consume; lower than before is allowed, resets need that.

        A negative offset is no offset (ali-ons sends -1 for "none yet", remoting.md 8.4): it is counted and changes nothing, nor
        does a commit beyond the bounds or for a name that no topic has. Returns whether the offset was taken.
        """
        if offset < 0 or queue_id < 0:
            self.negative_count += 1
            return False
        key = f"{topic}@{group}"
        queues = self._table.get(key)
        if queues is None:
            if len(self._table) >= OFFSET_PAIRS_MAX or "@" in topic:
                return self._refuse(key, queue_id)
            queues = self._table[key] = {}
        if queues.get(queue_id) != offset:
            if len(queues) >= QUEUES_PER_PAIR_MAX and queue_id not in queues:
                return self._refuse(key, queue_id)
            queues[queue_id] = offset
            self._mark_changed()
        return True

    def _refuse(self, key: str, queue_id: int) -> bool:
        self.refused_count += 1
        if self.refused_count == 1:
            self.log.warn(
                "the offset of {key} queue {queue_id} is not kept: the table is full, or no topic has that name",
                key=key,
                queue_id=queue_id,
            )
        return False

    def query(self, group: str, topic: str, queue_id: int) -> int:
        """The committed offset, or -1 when there is none."""
        queues = self._table.get(f"{topic}@{group}")
        return _NOT_FOUND if queues is None else queues.get(queue_id, _NOT_FOUND)

    def query_all(self, group: str, topic: str) -> dict[int, int]:
        """A copy of the group's offsets in a topic, by queue id; empty when there are none."""
        return dict(self._table.get(f"{topic}@{group}", ()))

    def topics_of(self, group: str) -> set[str]:
        """The topics in which the group has offsets."""
        return {topic for topic, owner in self._pairs() if owner == group}

    def groups_of(self, topic: str) -> set[str]:
        """The groups that have offsets in the topic."""
        return {group for owned, group in self._pairs() if owned == topic}

    def clone(self, source_group: str, target_group: str, topic: str) -> None:
        """Give the target group the source group's offsets in a topic; nothing happens when there are none (code 314)."""
        for queue_id, offset in self.query_all(source_group, topic).items():
            self.commit(target_group, topic, queue_id, offset)

    def remove_group(self, group: str) -> None:
        """Forget all offsets of a group."""
        self._remove(f"{topic}@{owner}" for topic, owner in list(self._pairs()) if owner == group)

    def remove_topic(self, topic: str) -> None:
        """Forget all offsets in a topic."""
        self._remove(f"{owned}@{group}" for owned, group in list(self._pairs()) if owned == topic)

    def load(self) -> None:
        """Replace the table by the saved one. Raises StoreDamaged when it is not what a broker writes."""
        document = self._documents.load(DOCUMENT)
        self._table = {} if document is None else dict(_read(document))

    def _content(self) -> dict[str, Any]:
        return {"offsetTable": {key: dict(queues) for key, queues in self._table.items()}}

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """(topic, group) of every key."""
        for key in self._table:
            topic, _, group = key.partition("@")
            yield topic, group

    def _remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            del self._table[key]
            self._mark_changed()


def _read(document: Any) -> Iterator[tuple[str, dict[int, int]]]:
    """The pairs of a loaded document: bare and quoted queue ids are both integers here, negative offsets are left out."""
    try:
        for key, queues in document.get("offsetTable", {}).items():
            offsets = {int(queue_id): int(offset) for queue_id, offset in queues.items()}
            yield key, {queue_id: offset for queue_id, offset in offsets.items() if offset >= 0}
    except (AttributeError, TypeError, ValueError) as error:
        raise StoreDamaged(f"{DOCUMENT}: offsetTable should hold maps of queue id to offset: {error}") from error
