# Tests: tests/testing/test_embedded.py
"""A broker in the process of the test, for those in which Twisted's reactor runs: what `RocketMQ` can, as Deferreds.

class OrderTests(RocketMQTestMixin, TestCase):
    async def test_one(self):
        await self.rocketmq.create_topic("orders")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred

from pymq.testing import commands
from pymq.testing.commands import (
    MESSAGES_MAX,
    ArrivedMessage,
    Command,
    FaultState,
    GroupProgress,
    Messages,
    Sent,
    ServerStatus,
    Time,
    Waiting,
)
from pymq.testing.handlers import run
from pymq.testing.kit import Kit, Setting

__all__ = ["EmbeddedRocketMQ", "RocketMQTestMixin"]

R = TypeVar("R")


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

    def status(self) -> Deferred[ServerStatus]:
        """Where the broker is, its state and its time."""
        return self.do(commands.Status())

    def create_topic(self, topic: str, queues: int = 4) -> Deferred[str]:
        """Make a topic, which its clients find at once; its name."""
        return self.do(commands.CreateTopic(topic=topic, queues=queues)).addCallback(lambda _: topic)

    def new_topic(self, prefix: str = "topic", queues: int = 4) -> Deferred[str]:
        """Make a topic of a name that this broker did not have before; its name."""
        self._topic_count += 1
        return self.create_topic(f"{prefix}-{self._topic_count}", queues)

    def delete_topic(self, topic: str) -> Deferred[None]:
        """Delete a topic with its messages and offsets."""
        return self.do(commands.DeleteTopic(topic=topic)).addCallback(_nothing)

    def send(
        self,
        topic: str,
        body: bytes | str,
        *,
        tags: str | None = None,
        keys: Iterable[str] = (),
        properties: Mapping[str, str] | None = None,
        queue_id: int | None = None,
        delay_level: int = 0,
    ) -> Deferred[Sent]:
        """Send a message, past all faults."""
        data = body.encode() if isinstance(body, str) else body
        return self.do(
            commands.Send(
                topic=topic,
                body=data,
                tags=tags,
                keys=tuple(keys),
                properties=dict(properties or {}),
                queue_id=queue_id,
                delay_level=delay_level,
            )
        )

    def receive(
        self, topic: str, count: int = 1, *, group: str = "pymq_testing", timeout_s: float = 5.0
    ) -> Deferred[list[ArrivedMessage]]:
        """Consume the next messages of a topic as a group, and acknowledge them. Fails with NotYet."""
        return self.do(commands.Receive(topic=topic, count=count, group=group, timeout_s=timeout_s)).addCallback(_listed)

    def arrived(
        self, topic: str, count: int = 0, *, timeout_s: float = 5.0, skip: int = 0, most: int = MESSAGES_MAX
    ) -> Deferred[list[ArrivedMessage]]:
        """What arrived in a topic, waiting until at least `count` messages did; consumes nothing. Fails with NotYet."""
        asked = commands.Arrived(topic=topic, count=count, timeout_s=timeout_s, skip=skip, most=most)
        return self.do(asked).addCallback(_listed)

    def progress(self, group: str) -> Deferred[GroupProgress]:
        """What a consumer group acknowledged, queue by queue."""
        return self.do(commands.Progress(group=group))

    def lag(self, group: str) -> Deferred[int]:
        """How many messages a consumer group did not acknowledge yet."""
        return self.progress(group).addCallback(lambda progress: progress.lag)

    def waiting(self, most: int = MESSAGES_MAX) -> Deferred[Waiting]:
        """What is delayed or half, and the dead letters."""
        return self.do(commands.ListWaiting(most=most))

    def advance(self, seconds: float | None = None, *, quiet_s: float = 0.02) -> Deferred[Time]:
        """Move the broker's clock forward; without `seconds` to when the next delayed message is due."""
        return self.do(commands.Advance(seconds=seconds, quiet_s=quiet_s))

    def fault(
        self,
        kind: str,
        request: str | int | None = None,
        *,
        topic: str | None = None,
        times: int | None = None,
        code: str | int = "SYSTEM_BUSY",
        remark: str = "refused by a fault of the testing kit",
        delay_s: float = 1.0,
    ) -> Deferred[FaultState]:
        """Let requests fail: refuse, slow, drop, dropAnswer or disconnect. See docs/testing.rst."""
        return self.do(
            commands.SetFault(kind=kind, request=request, topic=topic, times=times, code=code, remark=remark, delay_s=delay_s)
        )

    def faults(self) -> Deferred[list[FaultState]]:
        """The faults in force, with how often each has struck."""
        return self.do(commands.ListFaults()).addCallback(lambda found: list(found.faults))

    def clear_faults(self, fault: int | None = None) -> Deferred[int]:
        """Take back one fault by its number, or all; how many."""
        return self.do(commands.ClearFaults(fault=fault)).addCallback(lambda cleared: cleared.count)

    def disconnect(self) -> Deferred[int]:
        """Cut every connection once; how many."""
        return self.do(commands.Disconnect()).addCallback(lambda cut: cut.count)

    def pause(self) -> Deferred[None]:
        """Let broker and name server hang, until `resume`."""
        return self.do(commands.Pause()).addCallback(_nothing)

    def resume(self) -> Deferred[None]:
        """Go on after `pause`."""
        return self.do(commands.Resume()).addCallback(_nothing)

    def kill(self) -> Deferred[None]:
        """End the broker as SIGKILL does; the name server stays."""
        return self.do(commands.Kill()).addCallback(_nothing)

    def restart(self) -> Deferred[None]:
        """Start the broker on its port with what it stored, having stopped it if it runs."""
        return self.do(commands.Restart()).addCallback(_nothing)

    def reset(self) -> Deferred[None]:
        """Make everything as at the beginning, on the same ports; connections are cut."""
        return self.do(commands.Reset()).addCallback(_nothing)


def _nothing(_: object) -> None:
    """What most commands give."""


def _listed(found: Messages) -> list[ArrivedMessage]:
    return list(found.messages)


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
