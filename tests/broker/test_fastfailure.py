"""Tests of pymq.broker.fastfailure."""

from __future__ import annotations

import math
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.fastfailure import TICK_S, BrokerFastFailure
from pymq.broker.storestats import StoreStats
from pymq.errors import RequestError
from pymq.store.config import MessageStoreConfig
from tests.broker.fixtures import NOW_S, broker_config, started_clock

SEND, PULL, HEART_BEAT, END_TRANSACTION, QUERY = 310, 11, 34, 37, 12
BUSY = "broker busy, start flow control for a while, period in queue: "


class BrokerFastFailureTests(SynchronousTestCase):
    """Ticks come when the test says so."""

    def setUp(self) -> None:
        """Apache's defaults."""
        self.build()

    def build(self, store_changes: dict[str, Any] | None = None, **settings: Any) -> None:
        """With these settings, and one tick."""
        self.clock = started_clock()
        self.config = broker_config(**settings)
        self.stats = StoreStats(clock=self.clock)
        self.fast_failure = BrokerFastFailure(
            config=self.config,
            store_config=attrs.evolve(MessageStoreConfig(), **(store_changes or {})),
            store_stats=self.stats,
            clock=self.clock,
        )
        self.fast_failure.tick()

    def remark(self, code: int, waited_s: float = 0.0, queue_size: int = 0) -> str | None:
        """Why a request is refused; it must be SYSTEM_BUSY."""
        refusal = self.fast_failure.late(code, waited_s, queue_size)
        if refusal is None:
            return None
        self.assertEqual(refusal.code, 2)
        return refusal.remark

    def come_round(self) -> None:
        """The reactor makes its calls, reads, and makes those of the next turn."""
        self.fast_failure.tick()
        self.clock.advance(0)

    def reactor_late(self, seconds: float) -> None:
        """Let it be so late at the next look."""
        self.clock.advance(TICK_S + seconds)

    def test_nothing_is_late_while_the_reactor_comes_round(self) -> None:
        """However long ago the broker was started."""
        for _ in range(1000):
            self.clock.advance(TICK_S * 0.9)
            self.assertIsNone(self.fast_failure.late(SEND))
            self.fast_failure.tick()

    def test_a_late_tick_waits_for_what_is_to_be_read(self) -> None:
        """Delayed calls are made before anything is read; one that stops meanwhile leaves nothing behind."""
        self.clock.advance(1)
        self.fast_failure.tick()
        self.fast_failure.tick()
        self.assertIn("period in queue: 950ms", self.remark(SEND) or "")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertIsNone(self.remark(SEND))
        self.clock.advance(1)
        self.fast_failure.tick()
        self.fast_failure.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.remark(SEND)), ([], None))

    def test_nothing_is_late_before_the_first_tick_and_after_the_last(self) -> None:
        """Where nobody ticks, as in a test or a broker that stops."""
        self.fast_failure.stop()
        self.clock.advance(3600)
        self.assertEqual((self.fast_failure.late(SEND), self.fast_failure.due), (None, math.inf))

    def test_each_kind_has_its_limit(self) -> None:
        """In milliseconds; what has none is never refused. A request at its limit is refused, as in Java."""
        limits = {
            SEND: ("waitTimeMillsInSendQueue", 200),
            PULL: ("waitTimeMillsInPullQueue", 5000),
            END_TRANSACTION: ("waitTimeMillsInTransactionQueue", 3000),
            HEART_BEAT: ("waitTimeMillsInHeartbeatQueue", 31_000),
        }
        for code, (key, limit_ms) in limits.items():
            self.build()
            self.reactor_late((limit_ms - 2) / 1000)
            self.assertIsNone(self.remark(code), code)
            self.clock.advance(0.0035)
            said = f"[TIMEOUT_CLEAN_QUEUE]{BUSY}{limit_ms + 1}ms, size of queue: 0, {key}: {limit_ms}ms"
            self.assertEqual(self.remark(code), said)
            self.clock.advance(3600)
            self.assertIsNone(self.remark(QUERY))

    def test_all_kinds_of_sends(self) -> None:
        """And what is sent back waits with them; so do both kinds of pulls."""
        self.reactor_late(6)
        refused = [code for code in (10, 310, 320, 36, 11, 361, 34, 35, 38, 14, 15, 41) if self.remark(code)]
        self.assertEqual(refused, [10, 310, 320, 36, 11, 361])

    def test_what_was_read_earlier_has_waited_longer(self) -> None:
        """The longer of both waits counts."""
        self.assertIsNone(self.remark(SEND, 0.1))
        self.assertIn("period in queue: 250ms, size of queue: 7", self.remark(SEND, 0.25, 7) or "")
        self.reactor_late(0.5)
        self.assertIn("period in queue: 500ms", self.remark(SEND, 0.25) or "")

    def test_since(self) -> None:
        """What is read in time waits from now on; what is read late waits since the reactor was due."""
        self.assertEqual(self.fast_failure.since(NOW_S + 0.01), NOW_S + 0.01)
        self.assertEqual(self.fast_failure.since(NOW_S + 3), NOW_S + TICK_S)

    def test_one_look_at_the_clock_is_enough_for_the_lanes(self) -> None:
        """The limits change with the settings."""
        self.assertEqual(self.fast_failure.send_limit_s, 0.2)
        self.assertAlmostEqual(self.fast_failure.pulls_late_from, NOW_S + TICK_S + 5, places=4)
        object.__setattr__(self.config, "broker_fast_failure_enable", False)
        self.fast_failure.tick()
        self.assertEqual((self.fast_failure.send_limit_s, self.fast_failure.pulls_late_from), (1.0, math.inf))

    def test_it_can_be_switched_off(self) -> None:
        """brokerFastFailureEnable=false."""
        self.build(broker_fast_failure_enable=False)
        self.reactor_late(100)
        self.assertEqual([self.remark(code) for code in (SEND, PULL, HEART_BEAT)], [None] * 3)

    def append_that_took(self, seconds: float) -> None:
        """The reactor stood still in it."""
        self.clock.advance(seconds)
        self.stats.put_took(seconds * 1000)

    def test_page_cache_busy(self) -> None:
        """A send that came while an append took more than a second is told so; a pull waits as ever."""
        self.append_that_took(1.5)
        said = f"[PCBUSY_CLEAN_QUEUE]{BUSY}1450ms, size of queue: 0, an append took 1500ms, osPageCacheBusyTimeOutMills: 1000ms"
        self.assertEqual((self.remark(SEND), self.remark(PULL)), (said, None))
        self.come_round()
        self.assertIsNone(self.remark(SEND))

    def test_page_cache_busy_is_refused_without_fast_failure_too(self) -> None:
        """In the words of Java's processor, which refuses by itself."""
        self.build(broker_fast_failure_enable=False)
        self.append_that_took(1.5)
        said = (
            "[REJECTREQUEST]system busy, start flow control for a while, an append took 1500ms, "
            "osPageCacheBusyTimeOutMills: 1000ms"
        )
        self.assertEqual(self.remark(SEND), said)

    def test_an_append_in_time_is_no_reason(self) -> None:
        """Nor is one that was over before."""
        self.append_that_took(0.9)
        self.assertIn("[TIMEOUT_CLEAN_QUEUE]", self.remark(SEND) or "")
        self.build({"os_page_cache_busy_time_out_mills": 500})
        self.append_that_took(0.9)
        self.assertIn("[PCBUSY_CLEAN_QUEUE]", self.remark(SEND) or "")
        self.come_round()
        self.reactor_late(5)
        self.assertIn("[TIMEOUT_CLEAN_QUEUE]", self.remark(SEND) or "")

    def test_capacity(self) -> None:
        """So many sends may wait for the disk."""
        self.build(send_thread_pool_queue_capacity=2)
        self.fast_failure.sends_waiting = 1
        self.fast_failure.check_capacity()
        self.fast_failure.sends_waiting = 2
        error = self.assertRaises(RequestError, self.fast_failure.check_capacity)
        said = "[OVERLOAD]system busy, start flow control for a while, 2 sends wait for the disk, sendThreadPoolQueueCapacity: 2"
        self.assertEqual((error.code, error.remark), (2, said))

    def test_refusals_are_counted(self) -> None:
        """For the water marks."""
        self.reactor_late(1)
        self.remark(SEND)
        self.remark(QUERY)
        self.fast_failure.sends_waiting = 10_000
        self.assertRaises(RequestError, self.fast_failure.check_capacity)
        self.assertEqual(self.fast_failure.refused_count, 2)
