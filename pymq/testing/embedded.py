# Tests: tests/testing/test_embedded.py
"""A broker in the process of the test, for those in which Twisted's reactor runs: what `RocketMQ` can, as Deferreds.

class OrderTests(RocketMQTestMixin, TestCase):
    async def test_one(self):
        await self.rocketmq.create_topic("orders")
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

from pymq.testing.commands import Command
from pymq.testing.handlers import run
from pymq.testing.kit import Kit, Setting
from pymq.testing.questions import Question, Questions

__all__ = ["EmbeddedRocketMQ", "RocketMQTestMixin"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def deferred(question: Callable[Concatenate[Any, P], Question[T]]) -> Callable[Concatenate[Any, P], Deferred[T]]:
    """A question as a method that gives a Deferred."""

    @functools.wraps(question)
    def ask(self: EmbeddedRocketMQ, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        asked = question(self, *args, **kwargs)
        return self.do(asked.command).addCallback(asked.read)

    return ask


class EmbeddedRocketMQ:
    """One broker with its name server on `reactor`, the process's own by default. `settings` have Apache's keys.

    Every Deferred fails with CommandError when the command cannot be done. Raises ConfigError for settings that cannot be.
    """

    def __init__(self, *, reactor: Any = None, **settings: Setting) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._kit = Kit(settings, reactor=reactor)
        self._topic_count = 0

    def __repr__(self) -> str:
        return f"<EmbeddedRocketMQ {self.name_server}>"

    async def __aenter__(self) -> EmbeddedRocketMQ:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> Deferred[EmbeddedRocketMQ]:
        """Start; fires with this when clients can connect. Fails with CannotListen."""
        return Deferred.fromCoroutine(self._kit.start()).addCallback(lambda _: self)

    def stop(self) -> Deferred[None]:
        """Stop; nothing is left on the reactor when it fires. Again is harmless."""
        return Deferred.fromCoroutine(self._kit.stop())

    @property
    def name_server(self) -> str:
        """The name server's address, for clients: host:port."""
        return self._kit.name_server

    @property
    def broker(self) -> str:
        """The broker's address, for tools: host:port."""
        return self._kit.status().broker

    @property
    def broker_name(self) -> str:
        """The broker's name."""
        return self._kit.status().broker_name

    def do(self, command: Command[R]) -> Deferred[R]:
        """Do any command of `pymq.testing.commands`."""
        return Deferred.fromCoroutine(run(self._kit, command))

    def new_topic(self, prefix: str = "topic", queues: int = 4) -> Deferred[str]:
        """Make a topic of a name that this broker did not have before; its name."""
        self._topic_count += 1
        return self.create_topic(f"{prefix}-{self._topic_count}", queues)

    status = deferred(Questions.status)
    create_topic = deferred(Questions.create_topic)
    delete_topic = deferred(Questions.delete_topic)
    send = deferred(Questions.send)
    receive = deferred(Questions.receive)
    arrived = deferred(Questions.arrived)
    progress = deferred(Questions.progress)
    lag = deferred(Questions.lag)
    waiting = deferred(Questions.waiting)
    advance = deferred(Questions.advance)
    fault = deferred(Questions.fault)
    faults = deferred(Questions.faults)
    clear_faults = deferred(Questions.clear_faults)
    disconnect = deferred(Questions.disconnect)
    pause = deferred(Questions.pause)
    resume = deferred(Questions.resume)
    kill = deferred(Questions.kill)
    restart = deferred(Questions.restart)
    reset = deferred(Questions.reset)


class RocketMQTestMixin:
    """For `twisted.trial.unittest.TestCase`, to be named before it: each test has a broker of its own as `self.rocketmq`.

    A class may give settings in `rocketmq_settings`, by Apache's keys.
    """

    rocketmq_settings: ClassVar[Mapping[str, Setting]] = {}
    rocketmq: EmbeddedRocketMQ

    async def setUp(self) -> None:
        """Start it. A `setUp` of the test's own must await this one."""
        self.rocketmq = EmbeddedRocketMQ(**self.rocketmq_settings)
        self.addCleanup(self.rocketmq.stop)  # type: ignore[attr-defined]
        await self.rocketmq.start()
