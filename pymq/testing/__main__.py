"""`python -m pymq.testing`: a broker for tests in any language, told what to do by lines of JSON on its standard input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from pymq.testing.commands import COMMANDS, signature, summary

_HELP = """Starts a RocketMQ broker and a name server on free ports of this machine, in memory, and prints one line of JSON:

  {"nameServer":"127.0.0.1:40001","broker":"127.0.0.1:40002",...}

After that it reads commands, one JSON object a line, and answers each with one line, in their order:

  {"do":"createTopic","topic":"orders"}             -> {"ok":true,"result":{}}
  {"do":"arrived","topic":"orders","count":1}       -> {"ok":true,"result":{"messages":[{"text":"hello",...}],"more":false}}
  {"do":"advance","seconds":3600}                   -> {"ok":true,"result":{"nowMs":...}}
  {"do":"advance","seconds":"x"}                    -> {"ok":false,"error":"advance: Expected ..., allowed is advance(seconds)"}

An `id` in a command comes back in its answer. When it cannot start, its one line has an `error`. It ends at {"do":"stop"} and
when its standard input ends, so also with its parent.
"""


def _parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {signature(kind)}\n      {summary(kind)}" for kind in COMMANDS.values())
    parser = argparse.ArgumentParser(
        prog="python -m pymq.testing",
        description=_HELP,
        epilog=f"The commands, fields that may be left out with their defaults:\n\n{commands}\n\ndocs/testing.rst tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="the broker's port; 0, the default, takes a free one")
    parser.add_argument("--namesrv-port", type=int, default=0, help="the name server's port; 0 takes a free one")
    parser.add_argument(
        "settings", nargs="*", metavar="key=value", help="settings of broker.conf, such as autoCreateTopicEnable=false"
    )
    return parser


async def _serve(reactor: Any, settings: dict[str, str]) -> None:
    from twisted.internet.stdio import StandardIO

    from pymq.testing.jsonlines import JsonLines
    from pymq.testing.kit import Kit

    kit = Kit(settings, reactor=reactor)
    await kit.start()
    lines = JsonLines(kit)
    StandardIO(lines)
    await lines.over


def _log_errors() -> None:
    """Errors go to standard error, and nothing else."""
    from twisted.logger import (
        FilteringLogObserver,
        LogLevel,
        LogLevelFilterPredicate,
        globalLogBeginner,
        textFileLogObserver,
    )

    errors = FilteringLogObserver(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.error)])
    globalLogBeginner.beginLoggingTo([errors], redirectStandardIO=False, discardBuffer=True)


def main(arguments: Sequence[str]) -> None:
    """Run until told to stop. Raises SystemExit."""
    given = _parser().parse_args(arguments)

    from twisted.internet.task import react

    from pymq.errors import PyMQError
    from pymq.settings import parse_words

    async def serve(reactor: Any) -> None:
        try:
            settings = parse_words(given.settings)
            settings.setdefault("listenPort", str(given.port))
            settings.setdefault("embeddedNamesrvListenPort", str(given.namesrv_port))
            await _serve(reactor, settings)
        except PyMQError as error:
            print(json.dumps({"ok": False, "error": str(error)}), flush=True)
            raise SystemExit(1) from None

    _log_errors()
    react(serve)


if __name__ == "__main__":
    main(sys.argv[1:])
