"""How a start that fails looks to the user."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreLocked
from pymq.tap.starting import CannotStart, PlainStart


class Server(Service):
    """Raises `error` at the start, if there is one; its stop takes until `stopped` fires."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.stopped: Deferred[None] = Deferred()

    def startService(self) -> None:
        """Start, or not."""
        if self.error is not None:
            raise self.error
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Stop."""
        super().stopService()
        return self.stopped


class PlainStartTests(SynchronousTestCase):
    """Around servers that start and that do not."""

    def test_a_start_and_a_stop_pass_through(self) -> None:
        """And the stop is waited for."""
        server = Server()
        service = PlainStart(server)
        service.startService()
        self.assertTrue(server.running and service.running)
        self.assertIs(service.stopService(), server.stopped)
        self.assertFalse(server.running or service.running)

    def test_what_the_user_can_mend_is_one_line(self) -> None:
        """Python prints a SystemExit's text without traceback; twistd cleans up after an Exception."""
        for error in (StoreLocked("s/lock is locked"), PermissionError("no entry")):
            raised = self.assertRaises(CannotStart, PlainStart(Server(error)).startService)
            self.assertEqual((raised.code, str(raised)), (str(error), str(error)))
            self.assertIsInstance(raised, SystemExit)
            self.assertIsInstance(raised, Exception)
            self.assertTrue(raised.__suppress_context__)

    def test_our_own_errors_keep_their_traceback(self) -> None:
        """They are reports for us."""
        self.assertRaises(ZeroDivisionError, PlainStart(Server(ZeroDivisionError())).startService)


class LateFailureTests(SynchronousTestCase):
    """A start that fails when the reactor runs already, in a process of its own."""

    def test_status_and_line(self) -> None:
        """Status 1 and the reason alone, though the one who ran the reactor ends as if all were well."""
        program = (
            "from twisted.application.service import Service\n"
            "from twisted.internet import reactor\n"
            "from twisted.internet.defer import Deferred\n"
            "from pymq.errors import StoreLocked\n"
            "from pymq.tap.starting import PlainStart\n"
            "ready = Deferred()\n"
            "service = PlainStart(Service(), when_ready=ready, reactor=reactor)\n"
            "reactor.callWhenRunning(service.startService)\n"
            "reactor.callWhenRunning(reactor.callLater, 0, ready.errback, StoreLocked('the lock is held'))\n"
            "reactor.run()\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=120)
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (1, "", "the lock is held\n"))
