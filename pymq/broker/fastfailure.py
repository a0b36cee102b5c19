# Tests: tests/broker/test_fastfailure.py
"""Refuses requests that waited too long before they were handled, and sends beyond what may wait (Java: BrokerFastFailure).

Java's requests wait in the queues of thread pools, which are cleaned every ten milliseconds. Here one reactor serves all, and a
request is handled as soon as it is read. It can wait nevertheless:

- The reactor comes late: a turn took long, or the process did not run. Whatever is read then has waited as long as the reactor
  is late, which is known by `due`: the reactor should come round every TICK_S, and `tick` is called when it does. A reactor makes
  its delayed calls before it reads; so a tick that comes late leaves `due` as it is until what is there to be read was read.
- A plain send is collected until the turn's end (`pymq.broker.processors.sendlane`).
- Frames are left unhandled while their peer does not read its answers (`pymq.remoting.protocol`).

What waited so for longer than its kind may is refused before anything of it is done: never a message that is in the log already.
With SYNC_FLUSH stored messages wait for the disk, and their number is bounded here too.

An append that blocks, the page cache being busy, blocks the reactor with it. Java refuses what comes meanwhile; here it is
refused when the append is over.
"""

from __future__ import annotations

import math
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from pymq.broker.config import BrokerConfig
from pymq.broker.storestats import StoreStats
from pymq.errors import RequestError
from pymq.interfaces import IClock
from pymq.wire.codes import RequestCode, ResponseCode

#: How often the reactor should come round; how late it is is known to no better than this.
TICK_S = 0.05

_SENDS = frozenset(
    {
        RequestCode.SEND_MESSAGE,
        RequestCode.SEND_MESSAGE_V2,
        RequestCode.SEND_BATCH_MESSAGE,
        RequestCode.CONSUMER_SEND_MSG_BACK,
    }
)
_PULLS = frozenset({RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE})

#: Request code -> the setting that says how long such a request may wait, ms, and its key in broker.conf.
LIMITS: dict[int, tuple[str, str]] = {
    **dict.fromkeys(map(int, _SENDS), ("wait_time_mills_in_send_queue", "waitTimeMillsInSendQueue")),
    **dict.fromkeys(map(int, _PULLS), ("wait_time_mills_in_pull_queue", "waitTimeMillsInPullQueue")),
    int(RequestCode.HEART_BEAT): ("wait_time_mills_in_heartbeat_queue", "waitTimeMillsInHeartbeatQueue"),
    int(RequestCode.END_TRANSACTION): ("wait_time_mills_in_transaction_queue", "waitTimeMillsInTransactionQueue"),
}


class PageCacheSettings(Protocol):
    """The part of `pymq.store.config.MessageStoreConfig` that is asked for here."""

    @property
    def os_page_cache_busy_time_out_mills(self) -> int:
        """An append that takes longer means that the page cache is busy, ms."""


class BrokerFastFailure:
    """Says which requests are refused; see the module. Nothing is late until `tick` is called for the first time.

    `due` is when the reactor is to come round next, in seconds since the epoch. `send_limit_s` and `pulls_late_from` are made
    from it and from the settings at each tick, so that the hot lanes have one number to compare with. `sends_waiting` counts the
    stored sends that wait for the disk: who stores them adds and subtracts.
    """

    def __init__(self, *, config: BrokerConfig, store_config: PageCacheSettings, store_stats: StoreStats, clock: IClock) -> None:
        self._config = config
        self._store_config = store_config
        self._store_stats = store_stats
        self._clock = clock
        self.due = self.pulls_late_from = self.send_limit_s = math.inf
        self._reading: IDelayedCall | None = None
        self.sends_waiting = 0
        #: Requests refused so far.
        self.refused_count = 0

    def tick(self) -> None:
        """The reactor comes round: to be called every TICK_S."""
        if self._clock.seconds() < self.due + TICK_S:
            self._come_round()
        elif self._reading is None:
            self._reading = self._clock.callLater(0, self._read)

    def _read(self) -> None:
        """Everything that waited while the reactor was late has been read."""
        self._reading = None
        self._come_round()

    def _come_round(self) -> None:
        config = self._config
        self.due = self._clock.seconds() + TICK_S
        limit_ms = self._store_config.os_page_cache_busy_time_out_mills
        if config.broker_fast_failure_enable:
            limit_ms = min(limit_ms, config.wait_time_mills_in_send_queue)
            self.pulls_late_from = self.due + config.wait_time_mills_in_pull_queue / 1000
        else:
            self.pulls_late_from = math.inf
        self.send_limit_s = limit_ms / 1000

    def stop(self) -> None:
        """No more ticks will come, and nothing is late any more."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self.due = self.pulls_late_from = self.send_limit_s = math.inf

    def since(self, now: float) -> float:
        """Since when a request that is read at `now` has waited: since the reactor was due, if that is past."""
        return now if now < self.due else self.due

    def late(self, code: int, waited_s: float = 0.0, queue_size: int = 0) -> RequestError | None:
        """Why a request is to be refused that is about to be handled and was read `waited_s` ago; None when it is not.

        `queue_size` is how many wait beside it.
        """
        now = self._clock.seconds()
        if now < self.due and not waited_s:
            return None
        waited_ms = int(max(waited_s, now - self.due) * 1000)
        refusal = self._page_cache_busy(now, waited_ms, queue_size) if code in _SENDS else None
        if refusal is None and self._config.broker_fast_failure_enable and code in LIMITS:
            field, key = LIMITS[code]
            limit_ms = getattr(self._config, field)
            if waited_ms >= limit_ms:
                refusal = f"{_busy('TIMEOUT', waited_ms, queue_size)}, {key}: {limit_ms}ms"
        if refusal is None:
            return None
        self.refused_count += 1
        return RequestError(ResponseCode.SYSTEM_BUSY, refusal)

    def _page_cache_busy(self, now: float, waited_ms: int, queue_size: int) -> str | None:
        """The remark for a send that came while an append took too long."""
        limit_ms = self._store_config.os_page_cache_busy_time_out_mills
        ended_s, took_ms = self._store_stats.slow_put
        if took_ms <= limit_ms or waited_ms < limit_ms or ended_s < now - waited_ms / 1000:
            return None
        why = f"an append took {took_ms}ms, osPageCacheBusyTimeOutMills: {limit_ms}ms"
        if self._config.broker_fast_failure_enable:
            return f"{_busy('PCBUSY', waited_ms, queue_size)}, {why}"
        return f"[REJECTREQUEST]system busy, start flow control for a while, {why}"

    def check_capacity(self) -> None:
        """Raise RequestError (SYSTEM_BUSY) when no further send may wait for the disk (sendThreadPoolQueueCapacity)."""
        if self.sends_waiting >= self._config.send_thread_pool_queue_capacity:
            self.refused_count += 1
            remark = (
                f"[OVERLOAD]system busy, start flow control for a while, {self.sends_waiting} sends wait for the disk, "
                f"sendThreadPoolQueueCapacity: {self._config.send_thread_pool_queue_capacity}"
            )
            raise RequestError(ResponseCode.SYSTEM_BUSY, remark)


def _busy(what: str, waited_ms: int, queue_size: int) -> str:
    """Java's words, by which clients and operators know the cleaners of its queues."""
    return (
        f"[{what}_CLEAN_QUEUE]broker busy, start flow control for a while, "
        f"period in queue: {waited_ms}ms, size of queue: {queue_size}"
    )
