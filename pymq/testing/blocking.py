# Tests: tests/testing/test_blocking.py
"""A broker for tests that block: in a process of its own, asked over its standard input and output (`python -m pymq.testing`).

with RocketMQ() as rocketmq:
    rocketmq.create_topic("orders")
    ...                                         # the code under test, which connects to rocketmq.name_server
    (message,) = rocketmq.arrived("orders", 1)
    assert message.body == b"one"
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pymq.testing import commands
from pymq.testing.commands import (
    MESSAGES_MAX,
    ArrivedMessage,
    Command,
    CommandError,
    FaultState,
    GroupProgress,
    NotYet,
    Sent,
    ServerStatus,
    Time,
    Waiting,
    answer_type,
)

__all__ = ["RocketMQ"]

#: How long a start, an answer and an orderly end may take.
START_S = 30.0
ANSWER_S = 60.0
END_S = 5.0
#: A wait is asked for in parts, so that another thread gets its turn.
WAIT_PART_S = 0.1

_READ_BYTES = 1 << 16
_HERE = str(Path(__file__).resolve().parents[2])

R = TypeVar("R")


class _Said(msgspec.Struct):
    """A line of the process."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"{}")
    error: str = ""
    notYet: bool = False


class RocketMQ:
    """One broker with its name server. `settings` have Apache's keys, such as `autoCreateTopicEnable=False`.

    It may be used by several threads, one command at a time. Every method raises CommandError when it cannot be done.
    """

    def __init__(self, **settings: str | int | float | bool) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._lock = threading.RLock()
        self._status: ServerStatus | None = None
        self._topic_count = 0

    def __repr__(self) -> str:
        return f"<RocketMQ {self._status.name_server if self.is_running and self._status else 'not running'}>"

    # Its life

    def start(self) -> RocketMQ:
        """Start the process, unless it runs. Raises CommandError with what it said when it cannot start."""
        with self._lock:
            if self.is_running:
                return self
            words = [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in self._settings.items()]
            path = os.pathsep.join(filter(None, (_HERE, os.environ.get("PYTHONPATH"))))
            self._unread = b""
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pymq.testing", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
                # Ctrl-C is for the tests; this process ends when they do.
                start_new_session=True,
            )
            line = self._read_line(START_S)
            if b'"error"' in line:
                raise CommandError(msgspec.json.decode(line, type=_Said).error)
            self._status = msgspec.json.decode(line, type=ServerStatus)
        return self

    def stop(self) -> None:
        """End the process. Again is harmless."""
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return
            assert process.stdin is not None and process.stdout is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def __enter__(self) -> RocketMQ:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def name_server(self) -> str:
        """The name server's address, for clients: host:port."""
        return self._known().name_server

    @property
    def broker(self) -> str:
        """The broker's address, for tools: host:port."""
        return self._known().broker

    @property
    def broker_name(self) -> str:
        """The broker's name."""
        return self._known().broker_name

    def _known(self) -> ServerStatus:
        if self._status is None or not self.is_running:
            raise CommandError("the broker does not run; start() starts it, as `with` does")
        return self._status

    # Commands

    def do(self, command: Command[R]) -> R:
        """Do any command of `pymq.testing.commands` and give its answer. Raises CommandError, NotYet."""
        with self._lock:
            self._known()
            assert self._process is not None and self._process.stdin is not None
            try:
                self._process.stdin.write(msgspec.json.encode(command) + b"\n")
                self._process.stdin.flush()
            except OSError as error:
                raise self._gone() from error
            said = msgspec.json.decode(self._read_line(ANSWER_S + getattr(command, "timeout_s", 0)), type=_Said)
        if not said.ok:
            raise NotYet(said.error) if said.notYet else CommandError(said.error)
        answer: R = msgspec.json.decode(said.result, type=answer_type(type(command)))
        return answer

    def _read_line(self, timeout_s: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._process.kill()
                    raise CommandError(f"the broker's process gave no answer for {timeout_s:g} s and was ended")
                data = os.read(self._process.stdout.fileno(), _READ_BYTES)
                if not data:
                    raise self._gone()
                self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _gone(self) -> CommandError:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        return CommandError(f"the broker's process has ended ({self._process.returncode}); what it said is on standard error")

    def _do_in_time(self, make: Any, timeout_s: float) -> Any:
        """Ask for what may take time, in parts."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = deadline - time.monotonic()
            try:
                return self.do(make(max(0.0, min(left_s, WAIT_PART_S))))
            except NotYet as error:
                if left_s <= WAIT_PART_S:
                    raise NotYet(f"{error}, after {timeout_s:g} s") from None

    def status(self) -> ServerStatus:
        """Where the broker is, its state and its time."""
        return self.do(commands.Status())

    def create_topic(self, topic: str, queues: int = 4) -> str:
        """Make a topic, which its clients find at once; its name."""
        self.do(commands.CreateTopic(topic=topic, queues=queues))
        return topic

    def new_topic(self, prefix: str = "topic", queues: int = 4) -> str:
        """Make a topic of a name that this broker did not have before; its name."""
        with self._lock:
            self._topic_count += 1
            return self.create_topic(f"{prefix}-{self._topic_count}", queues)

    def delete_topic(self, topic: str) -> None:
        """Delete a topic with its messages and offsets."""
        self.do(commands.DeleteTopic(topic=topic))

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
    ) -> Sent:
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

    def receive(self, topic: str, count: int = 1, *, group: str = "pymq_testing", timeout_s: float = 5.0) -> list[ArrivedMessage]:
        """Consume the next messages of a topic as a group, and acknowledge them. Raises NotYet."""
        found = self._do_in_time(
            lambda part_s: commands.Receive(topic=topic, count=count, group=group, timeout_s=part_s), timeout_s
        )
        return list(found.messages)

    def arrived(
        self, topic: str, count: int = 0, *, timeout_s: float = 5.0, skip: int = 0, most: int = MESSAGES_MAX
    ) -> list[ArrivedMessage]:
        """What arrived in a topic, waiting until at least `count` messages did; consumes nothing. Raises NotYet."""
        found = self._do_in_time(
            lambda part_s: commands.Arrived(topic=topic, count=count, timeout_s=part_s, skip=skip, most=most), timeout_s
        )
        return list(found.messages)

    def progress(self, group: str) -> GroupProgress:
        """What a consumer group acknowledged, queue by queue."""
        return self.do(commands.Progress(group=group))

    def lag(self, group: str) -> int:
        """How many messages a consumer group did not acknowledge yet."""
        return self.progress(group).lag

    def waiting(self, most: int = MESSAGES_MAX) -> Waiting:
        """What is delayed or half, and the dead letters."""
        return self.do(commands.ListWaiting(most=most))

    def advance(self, seconds: float | None = None, *, quiet_s: float = 0.02) -> Time:
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
    ) -> FaultState:
        """Let requests fail: refuse, slow, drop, dropAnswer or disconnect. See docs/testing.rst."""
        return self.do(
            commands.SetFault(kind=kind, request=request, topic=topic, times=times, code=code, remark=remark, delay_s=delay_s)
        )

    def faults(self) -> list[FaultState]:
        """The faults in force, with how often each has struck."""
        return list(self.do(commands.ListFaults()).faults)

    def clear_faults(self, fault: int | None = None) -> int:
        """Take back one fault by its number, or all; how many."""
        return self.do(commands.ClearFaults(fault=fault)).count

    def disconnect(self) -> int:
        """Cut every connection once; how many."""
        return self.do(commands.Disconnect()).count

    def pause(self) -> None:
        """Let broker and name server hang, until `resume`."""
        self.do(commands.Pause())

    def resume(self) -> None:
        """Go on after `pause`."""
        self.do(commands.Resume())

    def kill(self) -> None:
        """End the broker as SIGKILL does; the name server stays."""
        self.do(commands.Kill())

    def restart(self) -> None:
        """Start the broker on its port with what it stored, having stopped it if it runs."""
        self.do(commands.Restart())

    def reset(self) -> None:
        """Make everything as at the beginning, on the same ports; connections are cut."""
        self.do(commands.Reset())
