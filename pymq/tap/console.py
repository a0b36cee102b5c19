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
from twisted.python import usage

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
    """Parse, start, and serve until a signal comes; leaves through SystemExit when the start fails."""
    try:
        options.parseOptions(list(arguments))
    except usage.UsageError as error:
        raise SystemExit(f"{error}\nTry --help.") from error
    begin_logging()
    service = make_service(options)
    from twisted.internet import reactor

    failures: list[str] = []

    def start() -> None:
        try:
            service.startService()
        except BaseException as error:
            failures.append(str(error) or type(error).__name__)
            reactor.stop()
        else:
            reactor.addSystemEventTrigger("before", "shutdown", service.stopService)

    reactor.callWhenRunning(start)
    reactor.run()
    if failures:
        raise SystemExit(failures[0])


def begin_logging() -> None:
    """Send what matters to standard error; standard output keeps the lines that tools wait for."""
    threshold = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [threshold])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
