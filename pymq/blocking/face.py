# Tests: tests/blocking/test_face.py
"""How a client for asyncio becomes one that blocks: each method is named once, its types and its docstring come along."""

from __future__ import annotations

import atexit
import contextlib
import functools
import weakref
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pymq import aio
from pymq.blocking.callbacks import Callbacks
from pymq.blocking.loopthread import LOOP_THREAD
from pymq.client.results import ServiceState
from pymq.errors import ClientError, PyMQError

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A", bound="aio.Face[Any]")
F = TypeVar("F", bound="Face[Any]")

#: What a client that nobody shut down gets for it at the end of the process.
EXIT_TIMEOUT_S = 3.0


def waited(method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Any, P], T]:
    """The coroutine method of a client as one that returns its result."""

    @functools.wraps(method)
    def call(self: Face[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
        client = self.here()
        return LOOP_THREAD.run(lambda: method(client, *args, **kwargs))

    return call


def handed(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """The plain method of a client, called in the thread of the loop while the client runs."""

    @functools.wraps(method)
    def call(self: Face[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
        client = self.here()
        if client.state is not ServiceState.RUNNING:
            return method(client, *args, **kwargs)

        async def called() -> T:
            return method(client, *args, **kwargs)

        return LOOP_THREAD.run(called)

    return call


class Face(Generic[A]):
    """What all clients have. `with` starts a client and shuts it down; so does the end of the process, if nobody did.

    Methods may be called from any thread. In a child process of a fork a started producer starts anew by itself when it is used
    first; a consumer must be made there.
    """

    _survives_fork = False

    def __init__(self, make: Callable[[Callbacks], A]) -> None:
        """`make` makes the client, with what calls callbacks that may block."""
        self._make = make
        self._born()

    def _born(self) -> None:
        self._generation = LOOP_THREAD.generation
        self._callbacks = Callbacks()
        self._client = self._make(self._callbacks)

    def here(self) -> A:
        """The client of this process. Raises ClientError for a consumer that the parent process started."""
        if self._generation != LOOP_THREAD.generation:
            was_running = self._client.state is ServiceState.RUNNING
            if was_running and not self._survives_fork:
                raise ClientError(f"{self._client!r} was started before the fork; make one in this process")
            self._born()
            if was_running:
                self.start()
        return self._client

    @property
    def group(self) -> str:
        """The group's name."""
        return self._client.group

    @property
    def client_id(self) -> str:
        """The id under which brokers know this client. Raises NotStarted."""
        return self.here().client_id

    @property
    def state(self) -> ServiceState:
        """Where it is in its life."""
        return self._client.state

    def __repr__(self) -> str:
        return f"<blocking {self._client.client!r}>"

    def __enter__(self: F) -> F:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()

    def start(self) -> None:
        """Begin; when it returns the client can be used. Raises NoNameServer, NotStarted, ClientError."""
        client = self.here()
        LOOP_THREAD.acquire()
        try:
            LOOP_THREAD.run(client.start)
        except BaseException:
            self._end()
            raise
        _started.add(self)

    def shutdown(self, timeout_s: float | None = None) -> None:
        """End: nothing of this client runs any more when it returns. Before `start`, and a second time, it does nothing.

        Raises TimeoutError when it takes longer.
        """
        if self._generation != LOOP_THREAD.generation or self not in _started:
            return
        _started.discard(self)
        try:
            LOOP_THREAD.run(self._client.shutdown, timeout_s)
        finally:
            self._end()

    def _end(self) -> None:
        LOOP_THREAD.release()
        self._callbacks.stop()

    name_server_address_list = handed(aio.Face.name_server_address_list)
    update_name_server_address_list = handed(aio.Face.update_name_server_address_list)
    create_topic = waited(aio.Face.create_topic)
    max_offset = waited(aio.Face.max_offset)
    min_offset = waited(aio.Face.min_offset)
    search_offset = waited(aio.Face.search_offset)
    earliest_store_time = waited(aio.Face.earliest_store_time)
    view_message = waited(aio.Face.view_message)
    query_message = waited(aio.Face.query_message)
    query_message_by_unique_id = waited(aio.Face.query_message_by_unique_id)


_started: weakref.WeakSet[Face[Any]] = weakref.WeakSet()


@atexit.register
def _shut_down_all() -> None:
    for client in list(_started):
        with contextlib.suppress(PyMQError, TimeoutError, RuntimeError):
            client.shutdown(EXIT_TIMEOUT_S)
