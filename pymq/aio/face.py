# Tests: tests/aio/test_face.py
"""How a client on Deferreds becomes one for asyncio: each method is named once, its types and its docstring come along."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from pymq.client.member import Member
from pymq.client.results import ServiceState

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Member[Any])
F = TypeVar("F", bound="Face[Any]")


def awaited(method: Callable[Concatenate[Any, P], Deferred[T]]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """The method of a client as a coroutine. Cancelling the task cancels the work."""

    @functools.wraps(method)
    async def call(self: Face[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await method(self.client, *args, **kwargs).asFuture(asyncio.get_running_loop())

    return call


def passed(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """The method of a client as it is."""

    @functools.wraps(method)
    def call(self: Face[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self.client, *args, **kwargs)

    return call


def bridged(function: Callable[P, Any]) -> Callable[P, Any]:
    """A user's function that may be a coroutine function of asyncio, as one that gives a Deferred then.

    A task that was cancelled fails it with Twisted's CancelledError, not with asyncio's, which nothing below knows.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        outcome = function(*args, **kwargs)
        if inspect.isawaitable(outcome) and not isinstance(outcome, Deferred):
            return Deferred.fromFuture(asyncio.ensure_future(outcome)).addErrback(_translated)
        return outcome

    return call


def _translated(failure: Failure) -> Failure:
    return Failure(CancelledError()) if failure.check(asyncio.CancelledError) else failure


class Face(Generic[M]):
    """What all clients have. `async with` starts a client and shuts it down.

    A client may be made before an event loop runs, and belongs to the loop in which it is started.
    """

    client: M

    @property
    def group(self) -> str:
        """The group's name."""
        return self.client.group

    @property
    def client_id(self) -> str:
        """The id under which brokers know this client. Raises NotStarted."""
        return self.client.client_id

    @property
    def state(self) -> ServiceState:
        """Where it is in its life."""
        return self.client.state

    def __repr__(self) -> str:
        return f"<aio {self.client!r}>"

    async def __aenter__(self: F) -> F:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.shutdown()

    start = awaited(Member.start)
    shutdown = awaited(Member.shutdown)
    name_server_address_list = passed(Member.name_server_address_list)
    update_name_server_address_list = passed(Member.update_name_server_address_list)
    create_topic = awaited(Member.create_topic)
    max_offset = awaited(Member.max_offset)
    min_offset = awaited(Member.min_offset)
    search_offset = awaited(Member.search_offset)
    earliest_store_time = awaited(Member.earliest_store_time)
    view_message = awaited(Member.view_message)
    query_message = awaited(Member.query_message)
    query_message_by_unique_id = awaited(Member.query_message_by_unique_id)
