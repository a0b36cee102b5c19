# Tests: tests/admin/test_console.py
"""The console script `pymq-admin`: a table of commands, each with subcommands of its own.

Exit status of every command: 0 done, 1 done and something is wrong, 2 it could not be done at all (also: wrong arguments).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

import pymq
from pymq.admin import storecommand
from pymq.admin.output import Output

#: Each adds its parsers below one word of the command line, and sets `run` to what carries it out.
COMMANDS: dict[str, Callable[[argparse._SubParsersAction[argparse.ArgumentParser]], None]] = {
    "store": storecommand.add_parsers,
}


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="pymq-admin", description="Looks after RocketMQ stores, of PyMQ and of Apache.")
    top.add_argument("--version", action="version", version=pymq.__version__)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for add_parsers in COMMANDS.values():
        add_parsers(commands)
    return top


def run(arguments: Sequence[str], output: Output) -> int:
    """Carry out one command line; the exit status. Raises SystemExit for one that cannot be understood."""
    options = parser().parse_args(arguments)
    output.as_json = options.as_json
    return int(options.run(options, output))


def main() -> None:
    """The entry point."""
    output = Output(sys.stdout, sys.stderr)
    try:
        status = run(sys.argv[1:], output)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us, such as `head`, has enough. Nothing must be flushed at exit into what is closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
