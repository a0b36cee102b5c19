# Tests: tests/broker/test_queuelocks.py
"""Which client owns a queue for reading it in order (remoting.md 3.6; Java: RebalanceLockManager).

Locks outlive the broker, which Apache's do not: after a restart the client that reports first is alone in its group for as long
as the others are silent, so it asks for all their queues; and they go on consuming what they have in hand until a renewal of
theirs is refused or their lock runs out, which is up to 30 s. A lock that was loaded lives as if it had just been renewed; who
gives one must save it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from twisted.logger import Logger

from pymq.broker.configmanager import ConfigManager
from pymq.errors import StoreDamaged
from pymq.interfaces import IClock, IDocuments
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.queuelocks import LockBatchRequestBody
from pymq.wire.javajson import JavaJSONError, convert_as

DOCUMENT = "queueLocks.json"

#: A lock that was not renewed for so long is free; clients renew every 20 s.
LOCK_LIFE_MS = 60_000
#: Locks at one time, over all groups; above it a lock is not granted until others were released or ran out.
QUEUE_LOCKS_MAX = 262_144


class _Saved(msgspec.Struct, rename="camel", frozen=True):
    """The document: who had locked what, in the words in which it was asked for."""

    locks: list[LockBatchRequestBody] = msgspec.field(default_factory=list)


class RebalanceLockManager(ConfigManager):
    """Locks by group and queue. A lock belongs to a client id and lives for LOCK_LIFE_MS after its last renewal.

    A change of owners is a change to be saved, a renewal is none.
    """

    log = Logger()

    def __init__(self, documents: IDocuments, *, clock: IClock) -> None:
        super().__init__(DOCUMENT, documents)
        self._clock = clock
        self._locks: dict[str, dict[MessageQueue, tuple[str, int]]] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """How many locks are kept, those that ran out but were not swept yet included."""
        return self._count

    def lock_batch(self, group: str, queues: Iterable[MessageQueue], client_id: str) -> set[MessageQueue]:
        """Lock or renew each queue for the client, where no other client holds it; the set of those that it holds now.

        The queues in the set are those that were given, so that a reply repeats their broker names exactly.
        """
        now_ms = self._now_ms()
        locks = self._locks.get(group, {})
        granted = set()
        for queue in queues:
            lock = locks.get(queue)
            if lock is None and not self._has_room(group):
                continue
            if lock is None or lock[0] == client_id or now_ms - lock[1] > LOCK_LIFE_MS:
                self._count += lock is None
                locks[queue] = (client_id, now_ms)
                if lock is None or lock[0] != client_id:
                    self._mark_changed()
                granted.add(queue)
        if locks:
            self._locks[group] = locks
        return granted

    def unlock_batch(self, group: str, queues: Iterable[MessageQueue], client_id: str) -> None:
        """Release those of the queues that the client holds."""
        locks = self._locks.get(group)
        if locks is None:
            return
        for queue in queues:
            lock = locks.get(queue)
            if lock is not None and lock[0] == client_id:
                self._forget(locks, queue)
        if not locks:
            del self._locks[group]

    def owner(self, group: str, queue: MessageQueue) -> str | None:
        """The client id that holds a queue of the group, or None."""
        lock = self._locks.get(group, {}).get(queue)
        return None if lock is None or self._now_ms() - lock[1] > LOCK_LIFE_MS else lock[0]

    def expire(self, now_ms: int) -> None:
        """Forget the locks that ran out; without it a group that never comes back would be remembered for ever."""
        for group, locks in list(self._locks.items()):
            for queue in [queue for queue, lock in locks.items() if now_ms - lock[1] > LOCK_LIFE_MS]:
                self._forget(locks, queue)
            if not locks:
                del self._locks[group]

    def load(self) -> None:
        """Grant the saved locks anew. Raises StoreDamaged when the document is not what a broker writes."""
        document = self._documents.load(DOCUMENT)
        try:
            saved = _Saved() if document is None else convert_as(document, _Saved)
        except JavaJSONError as error:
            raise StoreDamaged(f"{DOCUMENT}: locks should be a list of groups, clients and queues: {error}") from error
        for lock in saved.locks:
            self.lock_batch(lock.consumer_group, lock.mq_set, lock.client_id)
        self.written(self.snapshot())

    def _content(self) -> _Saved:
        return _Saved(locks=[*self._held()])

    def _held(self) -> Iterator[LockBatchRequestBody]:
        """The locks, those of one client in one group together."""
        for group, locks in self._locks.items():
            held: dict[str, list[MessageQueue]] = {}
            for queue, (client_id, _) in locks.items():
                held.setdefault(client_id, []).append(queue)
            for client_id, queues in held.items():
                yield LockBatchRequestBody(consumer_group=group, client_id=client_id, mq_set=frozenset(queues))

    def _forget(self, locks: dict[MessageQueue, tuple[str, int]], queue: MessageQueue) -> None:
        del locks[queue]
        self._count -= 1
        self._mark_changed()

    def _has_room(self, group: str) -> bool:
        if self._count < QUEUE_LOCKS_MAX:
            return True
        self.log.warn("group {group} gets no more locks: {most} are held", group=group, most=QUEUE_LOCKS_MAX)
        return False

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)
