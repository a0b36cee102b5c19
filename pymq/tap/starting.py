# Tests: tests/tap/test_starting.py
"""A start that fails ends the program with status 1 and one line, under twistd as from the console scripts."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService, Service

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

    def __init__(self, server: IService) -> None:
        self.server = server

    def startService(self) -> None:
        """Start the server. Raises CannotStart."""
        try:
            self.server.startService()
        except (PyMQError, OSError) as error:
            raise CannotStart(str(error)) from None
        super().startService()

    def stopService(self) -> Any:
        """Stop the server; its Deferred. Also after a start that failed, for what that left to be undone."""
        super().stopService()
        return self.server.stopService()
