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
import functools
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from pymq.testing.commands import Command, CommandError, NotYet, ServerStatus, answer_type
from pymq.testing.questions import Question, Questions

__all__ = ["RocketMQ"]

#: How long a start, an answer and an orderly end may take.
START_S = 30.0
ANSWER_S = 60.0
END_S = 5.0
#: A wait is asked for in parts, so that another thread gets its turn.
WAIT_PART_S = 0.1

_READ_BYTES = 1 << 16
_HERE = str(Path(__file__).resolve().parents[2])

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class _Said(msgspec.Struct):
    """A line of the process."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"{}")
    error: str = ""
    notYet: bool = False


def waited(question: Callable[Concatenate[Any, P], Question[T]]) -> Callable[Concatenate[Any, P], T]:
    """A question as a method that waits for its answer."""

    @functools.wraps(question)
    def ask(self: RocketMQ, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._ask(question(self, *args, **kwargs))

    return ask


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

    def _ask(self, question: Question[T]) -> T:
        """Ask and wait for the answer. What may take time is asked for in parts. Raises CommandError, NotYet."""
        command: Any = question.command
        if not hasattr(command, "timeout_s"):
            return question.read(self.do(command))
        deadline = time.monotonic() + command.timeout_s
        while True:
            left_s = deadline - time.monotonic()
            try:
                part = msgspec.structs.replace(command, timeout_s=max(0.0, min(left_s, WAIT_PART_S)))
                return question.read(self.do(part))
            except NotYet as error:
                if left_s <= WAIT_PART_S:
                    raise NotYet(f"{error}, after {command.timeout_s:g} s") from None

    def new_topic(self, prefix: str = "topic", queues: int = 4) -> str:
        """Make a topic of a name that this broker did not have before; its name."""
        with self._lock:
            self._topic_count += 1
            return self.create_topic(f"{prefix}-{self._topic_count}", queues)

    status = waited(Questions.status)
    create_topic = waited(Questions.create_topic)
    delete_topic = waited(Questions.delete_topic)
    send = waited(Questions.send)
    receive = waited(Questions.receive)
    arrived = waited(Questions.arrived)
    progress = waited(Questions.progress)
    lag = waited(Questions.lag)
    waiting = waited(Questions.waiting)
    advance = waited(Questions.advance)
    fault = waited(Questions.fault)
    faults = waited(Questions.faults)
    clear_faults = waited(Questions.clear_faults)
    disconnect = waited(Questions.disconnect)
    pause = waited(Questions.pause)
    resume = waited(Questions.resume)
    kill = waited(Questions.kill)
    restart = waited(Questions.restart)
    reset = waited(Questions.reset)
