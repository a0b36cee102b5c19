# Tests: tests/client/test_rebalance.py
"""Which queues are ours: compare our share with what we hold, let go of the rest, take up what is new (Java: RebalanceImpl)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.offsets import OffsetStore
from pymq.client.processqueue import ProcessQueue
from pymq.client.share import Share
from pymq.client.tasks import all_of
from pymq.errors import NoRoute
from pymq.message.topics import is_retry_topic
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue

#: Finds where a queue that is taken up begins: a coroutine function that gives a queue offset.
FirstOffset = Callable[[MessageQueue], Coroutine[Any, Any, int]]


class Rebalancer:
    """The queues of one consumer. `taken` is told of each one taken up and its first offset, `let_go` of each given up.

    `share` says which are ours; with `locks_queues` none is taken up without the broker's lock on it. `changed` is told when a
    round ends with other queues than it began with.
    """

    _log = Logger()

    def __init__(
        self,
        group: str,
        instance: MQClientInstance,
        *,
        share: Share,
        locks_queues: bool,
        offsets: OffsetStore,
        subscriptions: Mapping[str, SubscriptionData],
        first_offset: FirstOffset,
        taken: Callable[[ProcessQueue, int], None],
        let_go: Callable[[ProcessQueue], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._group = group
        self._instance = instance
        self._share = share
        self._locks_queues = locks_queues
        self._offsets = offsets
        self._subscriptions = subscriptions
        self._first_offset = first_offset
        self._taken = taken
        self._let_go = let_go
        self._changed = changed
        self._closed = False
        self.queues: dict[MessageQueue, ProcessQueue] = {}

    async def rebalance(self) -> bool:
        """One round over all topics; False when it should be repeated soon."""
        balanced = True
        if self._closed:
            return balanced
        before = set(self.queues)
        for topic in sorted(self._subscriptions):
            try:
                balanced = await self._rebalance_topic(topic) and balanced
            except NoRoute as error:
                self._log.debug("{topic} is not shared out yet: {error}", topic=topic, error=error)
            except EXPECTED_ERRORS as error:
                balanced = False
                if not is_retry_topic(topic):
                    self._log.warn("{topic} could not be shared out: {error}", topic=topic, error=error)
        for queue, held in list(self.queues.items()):
            if queue.topic not in self._subscriptions:
                balanced = await self._give_up(held) and balanced
        if set(self.queues) != before:
            self._log.info("{group} has {count} queues now", group=self._group, count=len(self.queues))
            self._changed()
        return balanced

    async def _rebalance_topic(self, topic: str) -> bool:
        queues = self._instance.routes.subscribe_queues(topic)
        if queues is None:
            return True
        mine = set(await self._share(topic, queues))
        balanced = True
        now_ms = self._instance.now_ms()
        for queue, held in list(self.queues.items()):
            if queue.topic != topic:
                continue
            if queue not in mine or held.is_pull_expired(now_ms):
                balanced = await self._give_up(held) and balanced
            else:
                held.leaving = False
        return await self._take_up([queue for queue in sorted(mine) if queue not in self.queues]) and balanced

    async def _give_up(self, held: ProcessQueue) -> bool:
        """Let a queue go. An ordered one only between two calls of the listener, so that the next owner does not overtake it."""
        held.leaving = True
        if self._locks_queues and held.in_listener:
            return False
        held.dropped = True
        self.queues.pop(held.queue, None)
        self._let_go(held)
        await self._offsets.persist([held.queue])
        self._offsets.remove(held.queue)
        if self._locks_queues:
            await self._unlock([held.queue])
        return True

    async def _take_up(self, queues: list[MessageQueue]) -> bool:
        if not queues:
            return True
        locked = await self._lock(queues) if self._locks_queues else set(queues)
        balanced = len(locked) == len(queues)
        ready = [queue for queue in queues if queue in locked]
        for queue in ready:
            self._offsets.remove(queue)
        begins = await all_of(self._first_offset(queue) for queue in ready)
        if self._closed:
            return True
        for queue, begin in zip(ready, begins):
            if isinstance(begin, Failure):
                begin.trap(CancelledError, *EXPECTED_ERRORS)
                self._log.warn("where to begin with {queue} could not be asked: {error}", queue=queue, error=begin.value)
                balanced = False
            elif queue not in self.queues and isinstance(begin, int) and begin >= 0:
                self._take(queue, begin)
        return balanced

    def _take(self, queue: MessageQueue, begin: int) -> None:
        held = ProcessQueue(queue, self._instance.now_ms())
        held.locked = self._locks_queues
        self.queues[queue] = held
        self._taken(held, begin)

    def forget(self, held: ProcessQueue) -> None:
        """A queue is to be taken up anew by the next round."""
        held.dropped = True
        if self.queues.get(held.queue) is held:
            del self.queues[held.queue]
        self._let_go(held)

    def begin_anew(self, held: ProcessQueue, offset: int) -> None:
        """Go on with a queue of ours at another offset; what is in hand of it is forgotten."""
        self.forget(held)
        self._take(held.queue, offset)

    def take_no_more(self) -> None:
        """Take up no queue from now on, also in a round that is under way."""
        self._closed = True

    async def close(self) -> None:
        """Let all queues go, for good."""
        self._closed = True
        held = list(self.queues.values())
        self.queues.clear()
        for one in held:
            one.dropped = True
            self._let_go(one)
        if self._locks_queues:
            await self._unlock([one.queue for one in held])

    # Locks, for consumption in order

    async def lock_all(self) -> None:
        """Renew the broker's locks on all our queues; those that it refuses rest until it gives them again."""
        queues = list(self.queues)
        locked, refused = await self._ask_locks(queues)
        now_ms = self._instance.now_ms()
        for queue in queues:
            held = self.queues.get(queue)
            if held is None:
                continue
            if queue in locked:
                held.locked, held.last_lock_ms = True, now_ms
            elif queue in refused and held.locked:
                held.locked = False
                self._log.warn("the broker gave the lock on {queue} to another; the queue rests", queue=queue)

    async def lock_one(self, held: ProcessQueue) -> bool:
        """Ask for one lock."""
        if held.queue in await self._lock([held.queue]):
            held.locked, held.last_lock_ms = True, self._instance.now_ms()
            return True
        return False

    async def _lock(self, queues: Iterable[MessageQueue]) -> set[MessageQueue]:
        return (await self._ask_locks(queues))[0]

    async def _ask_locks(self, queues: Iterable[MessageQueue]) -> tuple[set[MessageQueue], set[MessageQueue]]:
        """(queues whose locks we hold now, queues that a broker refused); one whose broker did not answer is in neither."""
        parts = _by_broker(queues)
        outcomes = await all_of(self._lock_at(name, part) for name, part in parts.items())
        locked: set[MessageQueue] = set()
        refused: set[MessageQueue] = set()
        for outcome, part in zip(outcomes, parts.values()):
            if isinstance(outcome, Failure):
                outcome.trap(CancelledError, *EXPECTED_ERRORS)
                self._log.warn("the broker {name} gave no locks: {error}", name=part[0].broker_name, error=outcome.value)
            else:
                locked |= outcome
                refused |= set(part) - outcome
        return locked, refused

    async def _lock_at(self, broker_name: str, queues: list[MessageQueue]) -> set[MessageQueue]:
        address = await self._instance.broker_address(queues[0].topic, broker_name)
        return await self._instance.api.lock_batch(address, self._group, self._instance.client_id, queues)

    async def _unlock(self, queues: Iterable[MessageQueue]) -> None:
        await all_of(self._unlock_at(name, part) for name, part in _by_broker(queues).items())

    async def _unlock_at(self, broker_name: str, queues: list[MessageQueue]) -> None:
        try:
            address = await self._instance.broker_address(queues[0].topic, broker_name)
            await self._instance.api.unlock_batch(address, self._group, self._instance.client_id, queues)
        except EXPECTED_ERRORS as error:
            self._log.debug("the broker {name} kept its locks: {error}", name=broker_name, error=error)


def _by_broker(queues: Iterable[MessageQueue]) -> dict[str, list[MessageQueue]]:
    parts: dict[str, list[MessageQueue]] = {}
    for queue in queues:
        parts.setdefault(queue.broker_name, []).append(queue)
    return parts
