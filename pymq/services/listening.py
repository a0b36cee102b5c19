# Tests: tests/services/test_listening.py
"""Listening sockets as parts that start or raise, and stop with every connection gone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from pymq.errors import PyMQError
from pymq.interfaces import IProcessorTable
from pymq.remoting.protocol import Lane

BACKLOG = 1024
#: How often a pair of free ports with a fixed distance is looked for before giving up.
PAIR_TRIES_MAX = 32

#: Given what serves a port, the table of processors and the lanes, gives the table that the port asks instead. It may empty and
#: fill the lanes as it likes: what no lane takes goes to the table.
Front = Callable[[IProcessorTable, "dict[bytes, Lane]"], IProcessorTable]

log = Logger()


class CannotListen(PyMQError):
    """A port is taken, or may not be listened on; the text says which."""


def listen(reactor: Any, port: int, factory: Any, address: str) -> Any:
    """A listening port of the reactor. Raises CannotListen (T6: an endpoint service would only log)."""
    try:
        return reactor.listenTCP(port, factory, backlog=BACKLOG, interface=address)
    except CannotListenError as error:
        reason = error.socketError.strerror if isinstance(error.socketError, OSError) else error.socketError
        raise CannotListen(f"cannot listen on {address or '*'}:{port}: {reason}") from error


def listen_pair(reactor: Any, port: int, step: int, factory: Any, step_factory: Any, address: str) -> tuple[Any, Any]:
    """Listen on `port` and `port + step`; with port 0 on any free pair of that distance. Raises CannotListen."""
    for attempt in range(PAIR_TRIES_MAX):
        main = listen(reactor, port, factory, address)
        number = main.getHost().port
        try:
            return main, listen(reactor, number + step, step_factory, address)
        except CannotListen:
            main.stopListening()
            if port or attempt == PAIR_TRIES_MAX - 1:
                raise
    raise AssertionError("the loop above returns or raises")


def no_front(table: IProcessorTable, lanes: dict[bytes, Lane]) -> IProcessorTable:
    """The Front of every server but those of tests: nothing stands between."""
    return table


class Listener:
    """A listening port with its factory, as a part of a Sequence: it listens already; stopping also ends its connections."""

    def __init__(self, port: Any, factory: Any) -> None:
        self._port = port
        self._factory = factory

    @property
    def number(self) -> int:
        """The port's number."""
        return int(self._port.getHost().port)

    def start(self) -> None:
        """Nothing: the port was taken when it was made, so that its number could be known."""

    @inlineCallbacks
    def stop(self) -> Any:
        """Stop listening, then close every connection and wait for all to be gone."""
        stopped = self._port.stopListening()
        if isinstance(stopped, Deferred):
            yield stopped
        yield self._factory.close_all()


def local_address() -> str:
    """The address of this machine that others are most likely to reach; 127.0.0.1 when it has no network.

    Connecting a datagram socket sends nothing: it only asks the kernel which of its addresses it would use.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def host_name() -> str:
    """This machine's name, which names a broker that was given none, as in Java."""
    return socket.gethostname() or "DEFAULT_BROKER"
