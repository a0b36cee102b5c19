# Tests: tests/testing/test_blocking.py
"""What a broker for tests is asked, named once: `RocketMQ` waits for the answers, `EmbeddedRocketMQ` gives Deferreds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import attrs

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

T = TypeVar("T")


@attrs.frozen
class Question(Generic[T]):
    """A command, and what is given of its answer."""

    command: Command[Any]
    read: Callable[[Any], T]


def _whole(answer: T) -> T:
    return answer


def _nothing(_: object) -> None:
    """What most commands give."""


def _listed(found: Messages) -> list[ArrivedMessage]:
    return list(found.messages)


class Questions:
    """One method for each; they fail with CommandError, and with NotYet where something is waited for."""

    def status(self) -> Question[ServerStatus]:
        """Where the broker is, its state and its time."""
        return Question(commands.Status(), _whole)

    def create_topic(self, topic: str, queues: int = 4) -> Question[str]:
        """Make a topic, which its clients find at once; its name."""
        return Question(commands.CreateTopic(topic=topic, queues=queues), lambda _: topic)

    def delete_topic(self, topic: str) -> Question[None]:
        """Delete a topic with its messages and offsets."""
        return Question(commands.DeleteTopic(topic=topic), _nothing)

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
    ) -> Question[Sent]:
        """Send a message, past all faults."""
        command = commands.Send(
            topic=topic,
            body=body.encode() if isinstance(body, str) else body,
            tags=tags,
            keys=tuple(keys),
            properties=dict(properties or {}),
            queue_id=queue_id,
            delay_level=delay_level,
        )
        return Question(command, _whole)

    def receive(
        self, topic: str, count: int = 1, *, group: str = "pymq_testing", timeout_s: float = 5.0
    ) -> Question[list[ArrivedMessage]]:
        """Consume the next messages of a topic as a group, and acknowledge them; NotYet when they do not come in time."""
        return Question(commands.Receive(topic=topic, count=count, group=group, timeout_s=timeout_s), _listed)

    def arrived(
        self, topic: str, count: int = 0, *, timeout_s: float = 5.0, skip: int = 0, most: int = MESSAGES_MAX
    ) -> Question[list[ArrivedMessage]]:
        """What arrived in a topic, waiting until at least `count` messages did, else NotYet; consumes nothing."""
        return Question(commands.Arrived(topic=topic, count=count, timeout_s=timeout_s, skip=skip, most=most), _listed)

    def progress(self, group: str) -> Question[GroupProgress]:
        """What a consumer group acknowledged, queue by queue."""
        return Question(commands.Progress(group=group), _whole)

    def lag(self, group: str) -> Question[int]:
        """How many messages a consumer group did not acknowledge yet."""
        return Question(commands.Progress(group=group), lambda progress: int(progress.lag))

    def waiting(self, most: int = MESSAGES_MAX) -> Question[Waiting]:
        """What is delayed or half, and the dead letters."""
        return Question(commands.ListWaiting(most=most), _whole)

    def advance(self, seconds: float | None = None, *, quiet_s: float = 0.02) -> Question[Time]:
        """Move the broker's clock forward; without `seconds` to when the next delayed message is due."""
        return Question(commands.Advance(seconds=seconds, quiet_s=quiet_s), _whole)

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
    ) -> Question[FaultState]:
        """Let requests fail: refuse, slow, drop, dropAnswer or disconnect. See docs/testing.rst."""
        command = commands.SetFault(
            kind=kind, request=request, topic=topic, times=times, code=code, remark=remark, delay_s=delay_s
        )
        return Question(command, _whole)

    def faults(self) -> Question[list[FaultState]]:
        """The faults in force, with how often each has struck."""
        return Question(commands.ListFaults(), lambda found: list(found.faults))

    def clear_faults(self, fault: int | None = None) -> Question[int]:
        """Take back one fault by its number, or all; how many."""
        return Question(commands.ClearFaults(fault=fault), lambda cleared: int(cleared.count))

    def disconnect(self) -> Question[int]:
        """Cut every connection once; how many."""
        return Question(commands.Disconnect(), lambda cut: int(cut.count))

    def pause(self) -> Question[None]:
        """Let broker and name server hang, until `resume`."""
        return Question(commands.Pause(), _nothing)

    def resume(self) -> Question[None]:
        """Go on after `pause`."""
        return Question(commands.Resume(), _nothing)

    def kill(self) -> Question[None]:
        """End the broker as SIGKILL does; the name server stays."""
        return Question(commands.Kill(), _nothing)

    def restart(self) -> Question[None]:
        """Start the broker on its port with what it stored, having stopped it if it runs."""
        return Question(commands.Restart(), _nothing)

    def reset(self) -> Question[None]:
        """Make everything as at the beginning, on the same ports; connections are cut."""
        return Question(commands.Reset(), _nothing)
