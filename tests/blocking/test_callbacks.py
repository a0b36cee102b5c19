"""Callbacks in threads of their own."""

from __future__ import annotations

import asyncio
import threading

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase

from pymq.blocking.callbacks import Callbacks
from tests.blocking.cases import HANG_S


class CallbacksTests(SynchronousTestCase):
    """They run elsewhere and are answered here."""

    def setUp(self) -> None:
        """Those of one client."""
        self.callbacks = Callbacks()
        self.addCleanup(self.callbacks.stop)

    def test_the_outcome_comes_back_to_the_loop(self) -> None:
        """The thread is another one, and the answer is given in the loop's."""
        answered_in = []

        async def main() -> str:
            asked = self.callbacks.in_threads(lambda: threading.current_thread().name)()
            asked.addCallback(lambda name: answered_in.append(threading.current_thread()) or name)
            return await asked.asFuture(asyncio.get_running_loop())

        self.assertTrue(asyncio.run(main()).startswith("pymq-callback"))
        self.assertEqual(answered_in, [threading.current_thread()])

    def test_an_error_comes_back(self) -> None:
        """As it was raised."""

        def fail(reason: str) -> None:
            raise KeyError(reason)

        async def main() -> None:
            await self.callbacks.in_threads(fail)("why").asFuture(asyncio.get_running_loop())

        self.assertEqual(self.assertRaises(KeyError, asyncio.run, main()).args, ("why",))

    def test_of_many_none_is_forgotten(self) -> None:
        """Whatever ends while the loop is told of others."""

        async def chain(length: int) -> int:
            total = 0
            for number in range(length):
                total += await double(number).asFuture(asyncio.get_running_loop())
            return total

        async def main() -> list[int]:
            return await asyncio.wait_for(asyncio.gather(*[chain(50) for _ in range(20)]), HANG_S)

        double = self.callbacks.in_threads(lambda number: 2 * number)
        self.assertEqual(asyncio.run(main()), [50 * 49] * 20)

    def test_one_that_blocks_holds_up_no_other(self) -> None:
        """Each has a thread while it lasts."""
        meeting = threading.Barrier(8)

        async def main() -> None:
            meet = self.callbacks.in_threads(lambda: meeting.wait(HANG_S))
            await gatherResults([meet() for _ in range(8)]).asFuture(asyncio.get_running_loop())

        asyncio.run(main())
        self.assertFalse(meeting.broken)

    def test_nobody_waits_for_one_that_was_cancelled(self) -> None:
        """It goes on, and what it gives is dropped."""
        may_end, is_next_over = threading.Event(), threading.Event()

        async def main() -> Deferred[bool]:
            waiting = self.callbacks.in_threads(lambda: may_end.wait(HANG_S))()
            waiting.cancel()
            may_end.set()
            await self.callbacks.in_threads(is_next_over.set)().asFuture(asyncio.get_running_loop())
            return waiting

        self.failureResultOf(asyncio.run(main()), CancelledError)
