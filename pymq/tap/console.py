# Tests: tests/tap/test_console.py
"""The console scripts `pymq-broker` and `pymq-namesrv`, for people who do not know twistd.

They run in the foreground, log to standard error, and end with status 1 and one line when the start fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import IService
from twisted.logger import FilteringLogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner, textFileLogObserver

from pymq.tap.options import ServerOptions


def broker() -> None:
    """Run a broker."""
    from pymq.tap import broker as tap

    run(tap.Options(), tap.makeService, sys.argv[1:])


def namesrv() -> None:
    """Run a name server."""
    from pymq.tap import namesrv as tap

    run(tap.Options(), tap.makeService, sys.argv[1:])


def run(options: ServerOptions, make_service: Callable[[Any], IService], arguments: Sequence[str]) -> None:
    """Parse, start, and serve until a signal comes. Raises CannotStart, and what is no fault of the user as it is."""
    options.parseOptions(list(arguments))
    begin_logging()
    service = make_service(options)
    from twisted.internet import reactor

    failures: list[BaseException] = []

    def start() -> None:
        # Also after a start that failed: what was begun is then being undone, and is waited for.
        reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        try:
            service.startService()
        except BaseException as error:
            failures.append(error)
            reactor.stop()

    reactor.callWhenRunning(start)
    reactor.run()
    if failures:
        raise failures[0]


def begin_logging() -> None:
    """Send what matters to standard error; standard output keeps the lines that tools wait for."""
    threshold = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [threshold])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
