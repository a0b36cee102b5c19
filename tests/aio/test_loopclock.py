"""Twisted's time over an asyncio loop."""

from __future__ import annotations

import asyncio
import time

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.aio.loopclock import LoopClock
from pymq.errors import ClientError

LONG_S = 3600.0


class LoopClockTests(SynchronousTestCase):
    """Calls are made in the loop that runs."""

    def test_interfaces(self) -> None:
        """Twisted's, both."""

        async def work() -> None:
            clock = LoopClock()
            self.assertTrue(verifyObject(IReactorTime, clock))
            call = clock.callLater(LONG_S, print)
            self.assertTrue(verifyObject(IDelayedCall, call))
            call.cancel()

        asyncio.run(work())

    def test_a_call_is_made_with_its_arguments(self) -> None:
        """Soon, not at once."""

        async def work() -> None:
            clock, told = LoopClock(), asyncio.get_running_loop().create_future()
            call = clock.callLater(0, lambda *args, **more: told.set_result((args, more)), 1, a=2)
            self.assertEqual((told.done(), call.active(), clock.getDelayedCalls()), (False, True, [call]))
            self.assertEqual(await told, ((1,), {"a": 2}))
            self.assertEqual((call.active(), clock.getDelayedCalls()), (False, []))
            self.assertRaises(AlreadyCalled, call.cancel)
            self.assertIn("called", repr(call))

        asyncio.run(work())

    def test_a_cancelled_call_is_not_made(self) -> None:
        """And cannot be cancelled again."""

        async def work() -> None:
            clock, made = LoopClock(), []
            call = clock.callLater(0, made.append, 1)
            call.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.assertEqual((made, call.active(), clock.getDelayedCalls()), ([], False, []))
            self.assertRaises(AlreadyCancelled, call.cancel)
            self.assertRaises(AlreadyCancelled, call.reset, 1)

        asyncio.run(work())

    def test_a_call_can_be_moved(self) -> None:
        """Later, and to now."""

        async def work() -> None:
            clock, made = LoopClock(), asyncio.get_running_loop().create_future()
            call = clock.callLater(LONG_S, made.set_result, None)
            due = call.getTime()
            call.delay(LONG_S)
            self.assertAlmostEqual(call.getTime(), due + LONG_S)
            call.reset(0)
            self.assertLess(call.getTime(), due)
            await made

        asyncio.run(work())

    def test_time_is_that_of_the_wall(self) -> None:
        """Born timestamps are made of it."""
        before = time.time()
        self.assertTrue(before <= LoopClock().seconds() <= time.time())

    def test_clocks_of_one_loop_are_equal(self) -> None:
        """Those of two loops, and those that have none yet, are not."""

        async def used() -> LoopClock:
            clock, other = LoopClock(), LoopClock()
            self.assertNotEqual(clock, other)
            self.assertEqual(clock.loop, other.loop)
            self.assertEqual((clock == other, hash(clock) == hash(other)), (True, True))
            return clock

        self.assertNotEqual(asyncio.run(used()), asyncio.run(used()))
        self.assertNotEqual(LoopClock(), 1)

    def test_another_loop_is_refused(self) -> None:
        """Its sockets belong to the first."""
        clock = LoopClock()

        async def use() -> None:
            clock.callLater(LONG_S, print).cancel()

        asyncio.run(use())
        self.assertIn("another event loop", str(self.assertRaises(ClientError, asyncio.run, use())))
