# Tests: tests/tap/test_starting.py
"""A start that fails ends the program with status 1 and one line, under twistd as from the console scripts."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pymq.errors import PyMQError


class CannotStart(SystemExit, Exception):
    """Ends the program with one line, of which its argument is the text.

    It is a SystemExit, so that Python prints the line alone, without a traceback, and ends with status 1; and an Exception, so
    that a twistd that is to become a daemon takes its pid file away and tells the waiting parent the reason.
    """


class PlainStart(Service):
    """A server as a service whose failure to start is a CannotStart, where the reason is the user's to mend.

    Errors of other kinds are ours, and keep their traceback.
    """

    def __init__(self, server: IService, *, when_ready: Deferred[None] | None = None, reactor: Any = None) -> None:
        """`when_ready` fails when the start does in a later turn; `reactor` is then stopped, and with it the process ends."""
        self.server = server
        self._reactor = reactor
        if when_ready is not None:
            when_ready.addErrback(self._failed_later)

    def startService(self) -> None:
        """Start the server. Raises CannotStart."""
        try:
            self.server.startService()
        except (PyMQError, OSError) as error:
            raise CannotStart(str(error)) from None
        super().startService()

    def _failed_later(self, failure: Failure) -> None:
        end_with_failure(failure.getErrorMessage())
        self._reactor.stop()

    def stopService(self) -> Any:
        """Stop the server; its Deferred. Also after a start that failed, for what that left to be undone."""
        super().stopService()
        return self.server.stopService()


def end_with_failure(reason: str) -> None:
    """See that the process says why and ends with status 1, whatever the one who runs the reactor returns: twistd returns 0."""

    def end() -> None:
        # Not sys.stderr, which twistd gives to its log.
        if sys.__stderr__ is not None:
            sys.__stderr__.write(f"{reason}\n")
            sys.__stderr__.flush()
        os._exit(1)

    atexit.register(end)
