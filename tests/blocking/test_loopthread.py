"""The one thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.blocking.loopthread import LoopThread
from pymq.errors import ClientError


class LoopThreadTests(SynchronousTestCase):
    """It is there while it is needed."""

    def setUp(self) -> None:
        """One of our own."""
        self.loop_thread = LoopThread()

    def acquired(self) -> LoopThread:
        """With the thread running until the test is over."""
        self.loop_thread.acquire()
        self.addCleanup(self.loop_thread.release)
        return self.loop_thread

    def test_it_lives_from_the_first_to_the_last(self) -> None:
        """And again."""
        for _ in range(2):
            self.loop_thread.acquire()
            self.loop_thread.acquire()
            self.loop_thread.release()
            self.assertTrue(self.loop_thread.is_running)
            self.loop_thread.release()
            self.assertFalse(self.loop_thread.is_running)

    def test_work_runs_there(self) -> None:
        """Its result and its errors come back."""

        async def where() -> str:
            return threading.current_thread().name

        async def fail() -> None:
            raise KeyError("x")

        self.assertEqual(self.acquired().run(where), "pymq-client")
        self.assertRaises(KeyError, self.loop_thread.run, fail)

    def test_without_a_started_client(self) -> None:
        """There is nothing to wait for."""

        async def work() -> None:
            """Nothing."""

        self.assertRaises(ClientError, self.loop_thread.run, work)

    def test_a_callback_must_not_wait(self) -> None:
        """It would wait for itself."""

        async def work() -> None:
            """Nothing."""

        async def callback() -> str:
            return str(self.assertRaises(ClientError, self.loop_thread.run, work))

        self.assertIn("wait for itself", self.acquired().run(callback))

    def test_a_timeout_cancels_the_work(self) -> None:
        """Nothing of it goes on."""
        cancelled = threading.Event()

        async def work() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        self.assertRaises(TimeoutError, self.acquired().run, work, 0.01)
        self.assertTrue(cancelled.wait(30))

    def test_who_waits_at_the_end_is_told(self) -> None:
        """By an error, whether what was asked for had begun or not."""
        asked = threading.Event()
        errors = []

        async def wait() -> None:
            await asyncio.get_running_loop().create_future()

        def work() -> Coroutine[Any, Any, None]:
            asked.set()
            return wait()

        self.loop_thread.acquire()
        asking = threading.Thread(target=lambda: errors.append(self.assertRaises(ClientError, self.loop_thread.run, work)))
        asking.start()
        self.assertTrue(asked.wait(30))
        self.loop_thread.release()
        asking.join(30)
        self.assertIn("meanwhile", str(errors))

    def test_the_end_cancels_what_is_left(self) -> None:
        """And waits for it."""
        told = []

        async def left() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                told.append("cancelled")

        async def begin() -> None:
            self.task = asyncio.create_task(left())
            await asyncio.sleep(0)

        self.loop_thread.acquire()
        self.loop_thread.run(begin)
        self.loop_thread.release()
        self.assertEqual(told, ["cancelled"])
