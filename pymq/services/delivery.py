# Tests: tests/services/test_delivery.py
"""Delivers delayed messages when they are due (store.md 6.1; Java: ScheduleMessageService).

Java looks at each level every 100 ms. Within a level messages are due in the order in which they were stored, so we know when the
next one is: one timer waits for the first of all levels, and an arrival wakes a level that had nothing to wait for. What is
overdue, after a restart or in a flood, is delivered in turns of bounded size, and the reactor serves others in between.

Delivery is at least once: an offset is saved only when everything delivered below it is on the disk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from pymq.broker.delayoffsets import DelayOffsetManager
from pymq.broker.delays import delay_of, due_ms, restored
from pymq.broker.stats import BrokerStatsManager
from pymq.errors import DecodeError
from pymq.interfaces import IArrivalListener, IClock, IMessageStore
from pymq.message.record import RecordDraft
from pymq.message.results import PutResult
from pymq.message.topics import SCHEDULE_CONSUMER_GROUP, SCHEDULE_TOPIC
from pymq.periodic import Periodic
from pymq.services.flusher import Flusher, RunBlocking
from pymq.store.config import MessageStoreConfig

#: Messages of one turn, of all levels together, and the bytes from which a level's part of it is large enough.
TURN_MESSAGES_MAX = 128
TURN_BYTES_MAX = 1024 * 1024
#: A message that the store refused is tried again after so long, a level that failed for another reason after so long.
REFUSED_PAUSE_S = 0.1
FAILED_PAUSE_S = 10.0
#: A broker that crashes again and again sooner than `flushDelayOffsetInterval` must save too: else it delivers all that was ever
#: delayed again each time, and every retry that a consumer gets again makes a new one.
FIRST_SAVE_S = 1.0
#: As many levels are served at least, though the settings have fewer: messages may wait there from before.
LEVELS_MIN = 18

_SLAVE = "SLAVE"


class _Level:
    """One delay level. `wake_s` is when to look at it next, in seconds since the epoch; infinite while nothing waits in it.

    `ahead` are the offsets beyond `offset` that are delivered already, because the store refused only some of a turn.
    """

    __slots__ = ("ahead", "delay_ms", "is_refused", "number", "offset", "wake_s")

    def __init__(self, number: int, delay_ms: float, offset: int) -> None:
        self.number = number
        self.delay_ms = delay_ms
        self.offset = offset
        self.wake_s = 0.0
        self.ahead: set[int] = set()
        self.is_refused = False


@implementer(IArrivalListener)
class DelayedDelivery:
    """Brings the messages of SCHEDULE_TOPIC_XXXX to their topics. Idle at a slave, whose master delivers.

    A part of a Sequence, to be started behind the flusher and stopped before it.
    """

    _log = Logger()
    name = "delayed delivery"

    def __init__(
        self,
        store: IMessageStore,
        store_config: MessageStoreConfig,
        delay_offsets: DelayOffsetManager,
        *,
        flusher: Flusher,
        stats: BrokerStatsManager,
        clock: IClock,
        run_blocking: RunBlocking = maybeDeferred,
    ) -> None:
        self._run_blocking = run_blocking
        self._store = store
        self._config = store_config
        self._offsets = delay_offsets
        self._flusher = flusher
        self._stats = stats
        self._clock = clock
        self._levels: dict[int, _Level] = {}
        self._timer: Any = None
        #: The log offset behind the last delivered record.
        self._delivered_end = 0
        save_s = store_config.flush_delay_offset_interval / 1000
        self._saving = Periodic(clock, save_s, self.save, name="saving delay offsets", initial_delay_s=min(save_s, FIRST_SAVE_S))
        store.watch(self)

    def start(self) -> None:
        """Deliver what is overdue, and from now on what becomes due."""
        if self._config.broker_role == _SLAVE:
            return
        delays_ms = self._config.delay_levels_ms
        table = self._offsets.table
        for number in range(1, max(len(delays_ms), LEVELS_MIN, *table) + 1):
            offset = self._corrected(number, table.get(number, 0))
            self._levels[number] = _Level(number, delay_of(number, delays_ms), offset)
            if number in table:
                self._offsets.update(number, offset)
        self._set_timer()
        self._saving.start()

    async def stop(self) -> None:
        """Deliver no more, and save how far each level came."""
        self._levels = {}
        self._set_timer()
        await self._saving.stop()
        await self.save()

    async def save(self) -> None:
        """Save the offsets, once all that was delivered is on the disk; when that takes too long, leave it to the next time."""
        snapshot = self._offsets.snapshot()
        if snapshot is not None and await self._flusher.when_durable(self._delivered_end):
            await self._run_blocking(self._offsets.save, snapshot)

    def messages_arrived(self, arrivals: Sequence[RecordDraft]) -> None:
        """Wake the levels that had nothing to wait for."""
        woken = False
        for draft in arrivals:
            if draft.topic == SCHEDULE_TOPIC:
                level = self._levels.get(draft.queue_id + 1)
                if level is not None and level.wake_s == math.inf:
                    level.wake_s = 0.0
                    woken = True
        if woken:
            self._set_timer()

    def _corrected(self, number: int, offset: int) -> int:
        """An offset moved into the level's queue (Java: correctDelayOffset)."""
        first = self._store.min_offset(SCHEDULE_TOPIC, number - 1)
        end = self._store.max_offset(SCHEDULE_TOPIC, number - 1)
        corrected = min(max(offset, first), end)
        if corrected != offset:
            self._log.warn(
                "delay level {number} goes on at {corrected}, for {offset} is outside its queue, {first} to {end}",
                number=number,
                corrected=corrected,
                offset=offset,
                first=first,
                end=end,
            )
        return corrected

    def _set_timer(self) -> None:
        """Wake up when the first level wants to, or not at all."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        wake_s = min((level.wake_s for level in self._levels.values()), default=math.inf)
        if wake_s != math.inf:
            self._timer = self._clock.callLater(max(0.0, wake_s - self._clock.seconds()), self._turn)

    def _turn(self) -> None:
        """Deliver what is due, the longest overdue level first, up to a turn's bound."""
        self._timer = None
        now_s = self._clock.seconds()
        room = TURN_MESSAGES_MAX
        for level in sorted(self._levels.values(), key=lambda level: level.wake_s):
            if room <= 0 or level.wake_s > now_s:
                break
            # Of levels that are overdue alike the one is next that was not served the longest.
            self._levels[level.number] = self._levels.pop(level.number)
            try:
                room -= self._deliver(level, now_s, room)
            except Exception:
                self._log.failure("delay level {number} failed", number=level.number)
                level.wake_s = now_s + FAILED_PAUSE_S
        self._set_timer()

    def _deliver(self, level: _Level, now_s: float, count_max: int) -> int:
        """Deliver up to `count_max` messages of a level, and say when to look at it next; how many were looked at."""
        units = self._store.units(SCHEDULE_TOPIC, level.number - 1, level.offset, count_max)
        if not units:
            level.offset = self._corrected(level.number, level.offset)
            is_empty = level.offset == self._store.max_offset(SCHEDULE_TOPIC, level.number - 1)
            level.wake_s = math.inf if is_empty else now_s + REFUSED_PAUSE_S
            return 0
        due = self._take_due(level, units, now_s)
        drafts = {offset: draft for offset, draft in due.items() if draft is not None}
        refused = self._put(level, drafts)
        end = min(refused, default=level.offset + len(due))
        level.ahead = {offset for offset in (*level.ahead, *due) if offset > end and offset not in refused}
        if refused:
            level.wake_s = now_s + REFUSED_PAUSE_S
        if end != level.offset:
            level.offset = end
            self._offsets.update(level.number, end)
        return len(due)

    def _take_due(self, level: _Level, units: list[tuple[int, int, int]], now_s: float) -> dict[int, RecordDraft | None]:
        """What is due at the head of a level, by offset: drafts, and None for what needs no delivery (any more)."""
        now_ms = int(now_s * 1000)
        due: dict[int, RecordDraft | None] = {}
        size_bytes = 0
        level.wake_s = now_s
        for offset, (log_offset, record_bytes, code) in enumerate(units, level.offset):
            due_at_ms = due_ms(code, now_ms, level.delay_ms)
            if due_at_ms > now_ms:
                level.wake_s = due_at_ms / 1000
                break
            if size_bytes >= TURN_BYTES_MAX:
                break
            due[offset] = None if offset in level.ahead else self._restored(level, offset, log_offset)
            size_bytes += record_bytes
        return due

    def _restored(self, level: _Level, offset: int, log_offset: int) -> RecordDraft | None:
        """The message of a unit; None when its record cannot be read: it is passed over, lest it block all that follow."""
        record = self._store.read_at(log_offset)
        try:
            if record is None:
                raise DecodeError("there is no record")
            return restored(record)
        except DecodeError as error:
            self._log.error(
                "message {offset} of delay level {number}, at {log_offset}, cannot be delivered: {error}",
                offset=offset,
                number=level.number,
                log_offset=log_offset,
                error=error,
            )
            return None

    def _put(self, level: _Level, drafts: dict[int, RecordDraft]) -> set[int]:
        """Store messages by their offset in the level's queue; the offsets of those that the store refused."""
        if not drafts:
            return set()
        results = self._store.put(list(drafts.values()))
        refused = {offset: result for offset, result in zip(drafts, results) if not result.status.is_stored}
        counts: dict[str, list[int]] = {}
        for draft, result in zip(drafts.values(), results):
            if result.status.is_stored:
                count = counts.setdefault(draft.topic, [0, 0])
                count[0] += 1
                count[1] += result.size
                self._delivered_end = result.log_offset + result.size
        for topic, (count_messages, size_bytes) in counts.items():
            self._stats.put(topic, count_messages, size_bytes)
            self._stats.get(SCHEDULE_CONSUMER_GROUP, SCHEDULE_TOPIC, count_messages, size_bytes)
            queue_id = level.number - 1
            self._stats.queue_get(SCHEDULE_CONSUMER_GROUP, SCHEDULE_TOPIC, queue_id, count_messages, size_bytes)
        self._tell_refused(level, refused)
        return set(refused)

    def _tell_refused(self, level: _Level, refused: dict[int, PutResult]) -> None:
        """Say once that the store takes no messages of a level, and once that it does again."""
        if bool(refused) == level.is_refused:
            return
        level.is_refused = bool(refused)
        if refused:
            offset, result = next(iter(refused.items()))
            self._log.warn(
                "message {offset} of delay level {number} was refused and is tried again every {pause:g} s: {status} {reason}",
                offset=offset,
                number=level.number,
                pause=REFUSED_PAUSE_S,
                status=result.status.name,
                reason=result.reason,
            )
        else:
            self._log.info("delay level {number} is delivered again", number=level.number)
