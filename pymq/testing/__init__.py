"""RocketMQ in your tests, from any framework; and the fakes and builders of PyMQ's own tests.

    RocketMQ          a broker in a process of its own, for tests that block: plain pytest, unittest, asyncio, Django
    EmbeddedRocketMQ  a broker in this process, for tests in which Twisted's reactor runs: trial, pytest-twisted
    pytest_plugin     the fixture `rocketmq` and its sisters, known to pytest once the package is installed
    python -m pymq.testing    the same for tests in other languages, told what to do by lines of JSON

docs/testing.rst tells how to use them. Reading order: commands (what can be asked), handlers, kit (the servers), inventory,
faults, skipping (the clock).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymq.testing.blocking import RocketMQ
    from pymq.testing.commands import ArrivedMessage, CommandError, NotYet
    from pymq.testing.embedded import EmbeddedRocketMQ, RocketMQTestMixin

__all__ = ["ArrivedMessage", "CommandError", "EmbeddedRocketMQ", "NotYet", "RocketMQ", "RocketMQTestMixin"]

_HOMES = {
    "ArrivedMessage": "commands",
    "CommandError": "commands",
    "EmbeddedRocketMQ": "embedded",
    "NotYet": "commands",
    "RocketMQ": "blocking",
    "RocketMQTestMixin": "embedded",
}


def __getattr__(name: str) -> Any:
    """Import a name at its first use: pytest loads this package in every run, and most need none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
