# Tests: tests/broker/test_queuelocks.py
"""Which client owns a queue for reading it in order (remoting.md 3.6; Java: RebalanceLockManager)."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.logger import Logger

from pymq.interfaces import IClock
from pymq.wire.bodies.messagequeue import MessageQueue

#: A lock that was not renewed for so long is free; clients renew every 20 s.
LOCK_LIFE_MS = 60_000
#: Locks at one time, over all groups; above it a lock is not granted until others were released or ran out.
QUEUE_LOCKS_MAX = 1_000_000


class RebalanceLockManager:
    """Locks by group and queue. A lock belongs to a client id and lives for LOCK_LIFE_MS after its last renewal."""

    log = Logger()

    def __init__(self, *, clock: IClock) -> None:
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
                del locks[queue]
                self._count -= 1
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
                del locks[queue]
                self._count -= 1
            if not locks:
                del self._locks[group]

    def _has_room(self, group: str) -> bool:
        if self._count < QUEUE_LOCKS_MAX:
            return True
        self.log.warn("group {group} gets no more locks: {most} are held", group=group, most=QUEUE_LOCKS_MAX)
        return False

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)
