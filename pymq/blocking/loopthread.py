# Tests: tests/blocking/test_loopthread.py
"""The thread in which all blocking clients of a process do their work. It lives only while one of them is started."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from pymq.errors import ClientError

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own, from the first `acquire` to the last `release`.

    A child process of a fork has neither; `generation` is another number there. What the parent's loop held in the child is kept
    as it is for ever: closing it would take the parent's connections out of the poll set that both share.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._left_behind: list[Any] = []
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def forked(self) -> None:
        """This is a child process now."""
        self.generation += 1
        self._left_behind.append(self._loop)
        self._reset()

    @property
    def is_running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def acquire(self) -> None:
        """Have the thread for oneself and others."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._loop = loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(loop,), name="pymq-client", daemon=True)
                self._thread.start()

    def release(self) -> None:
        """Need it no more. The last one ends the thread, and waits for that."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        assert loop is not None and thread is not None, "there was a user"
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None) -> T:
        """The outcome of a coroutine that runs there. Ctrl-C, and the timeout, cancel it. Raises ClientError, TimeoutError."""
        if threading.current_thread() is self._thread:
            raise ClientError("a hook, selector or other callback must not call a blocking client: it would wait for itself")
        # With the lock the coroutine is there before the loop is told to stop, which ends what is there.
        with self._lock:
            if self._loop is None:
                raise ClientError("no blocking client of this process is started")
            future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return future.result(timeout_s)
        except CancelledError:
            raise ClientError("the last blocking client of this process was shut down meanwhile") from None
        except BaseException:
            future.cancel()
            raise


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped, and leave nothing of it."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(_cancelled(loop))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _cancelled(loop: asyncio.AbstractEventLoop) -> None:
    others = asyncio.all_tasks(loop) - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


#: The one of the process.
LOOP_THREAD = LoopThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LOOP_THREAD.forked)
