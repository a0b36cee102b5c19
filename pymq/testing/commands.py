# Tests: tests/testing/test_commands.py
"""What the testing kit can be told, and what it answers: one class for each command, and one for each kind of answer.

A command is a JSON object whose `do` is its name (`createTopic`) beside its fields (`{"do": "createTopic", "topic": "orders"}`),
the same from every language. The names of fields are Java's; bytes are base64. Who runs commands is `pymq.testing.handlers`.
"""

from __future__ import annotations

import difflib
import typing
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

__all__ = ["COMMANDS", "Command", "CommandError", "NotYet", "decode_command", "signature", "summary"]

#: Messages of one answer.
MESSAGES_MAX = 10_000
#: The longest wait for messages, and the longest time that can be skipped at once: a week, which takes two seconds.
WAIT_S_MAX = 600
ADVANCE_S_MAX = 7 * 86_400
SLOW_S_MAX = 600
QUIET_S_MAX = 10
#: Queues that one topic may be made with.
QUEUES_MAX = 1024

Name = Annotated[str, Meta(min_length=1, max_length=255)]
WaitS = Annotated[float, Meta(ge=0, le=WAIT_S_MAX)]
Count = Annotated[int, Meta(ge=0, le=MESSAGES_MAX)]

R = TypeVar("R")


class CommandError(Exception):
    """A command that the kit cannot do; the text says what is wrong and what is allowed. `line_id` is the command's `id`."""

    def __init__(self, text: str, line_id: Any = None) -> None:
        super().__init__(text)
        self.line_id = line_id


class NotYet(CommandError):
    """What was waited for did not come in time; it may come later."""


class Command(Struct, Generic[R], frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Something to do. `R` is what comes of it; its docstring begins with the line that `help` says."""


class _Answer(Struct, frozen=True, kw_only=True, rename="camel"):
    """The base of answers."""


# Answers


class ServerStatus(_Answer, frozen=True, kw_only=True):
    """Where the broker is and how it is. `state` is running, paused or killed; `now_ms` its clock, `skipped_s` ahead of ours."""

    name_server: str
    broker: str
    broker_name: str
    cluster: str
    state: str
    now_ms: int
    skipped_s: float
    pid: int
    version: str


class ArrivedMessage(_Answer, frozen=True, kw_only=True):
    """A message as it is stored. `text` is the body when that is UTF-8; `due_ms` only tells of one that is delayed."""

    topic: str
    queue_id: int
    queue_offset: int
    msg_id: str
    offset_msg_id: str
    body: bytes
    text: str | None
    tags: str | None
    keys: tuple[str, ...]
    properties: dict[str, str]
    born_timestamp: int
    store_timestamp: int
    reconsume_times: int
    due_ms: int | None = None


class Messages(_Answer, frozen=True, kw_only=True):
    """Messages in the order in which they were stored; `more` when there are more than asked for."""

    messages: tuple[ArrivedMessage, ...]
    more: bool


class Sent(_Answer, frozen=True, kw_only=True):
    """Where a message is stored now."""

    msg_id: str
    offset_msg_id: str
    queue_id: int
    queue_offset: int


class QueueProgress(_Answer, frozen=True, kw_only=True):
    """How far a group is in a queue: `consumer_offset` is the next it will consume, -1 while it committed none."""

    topic: str
    queue_id: int
    consumer_offset: int
    broker_offset: int


class GroupProgress(_Answer, frozen=True, kw_only=True):
    """How far a group is. `lag` is what it did not acknowledge yet, of all its topics."""

    group: str
    lag: int
    queues: tuple[QueueProgress, ...]


class Waiting(_Answer, frozen=True, kw_only=True):
    """What is stored and waits: messages that are delayed or to be tried again, half messages, dead letters."""

    delayed: tuple[ArrivedMessage, ...]
    half: tuple[ArrivedMessage, ...]
    dead_letters: tuple[ArrivedMessage, ...]
    more: bool


class Time(_Answer, frozen=True, kw_only=True):
    """The broker's clock after it was moved by `seconds`."""

    now_ms: int
    seconds: float
    skipped_s: float


class FaultState(_Answer, frozen=True, kw_only=True):
    """A fault that is in force. `left` is how often it will still strike, None for until it is cleared."""

    fault: int
    kind: str
    request: str | None
    topic: str | None
    left: int | None
    struck: int


class Faults(_Answer, frozen=True, kw_only=True):
    """The faults in force."""

    faults: tuple[FaultState, ...]


class Counted(_Answer, frozen=True, kw_only=True):
    """How many of what the command is about there were."""

    count: int


class Done(_Answer, frozen=True, kw_only=True):
    """It is done."""


class CommandList(_Answer, frozen=True, kw_only=True):
    """Every command with its fields and what it does."""

    commands: dict[str, str]


# Commands


class Status(Command[ServerStatus], frozen=True, kw_only=True, tag_field="do", tag="status"):
    """Tell the addresses, the state and the time of the broker."""


class CreateTopic(Command[Done], frozen=True, kw_only=True, tag_field="do", tag="createTopic"):
    """Make a topic, known to the name server when the answer comes."""

    topic: Name
    queues: Annotated[int, Meta(ge=1, le=QUEUES_MAX)] = 4


class DeleteTopic(Command[Done], frozen=True, kw_only=True, tag_field="do", tag="deleteTopic"):
    """Delete a topic with its messages and offsets."""

    topic: Name


class Send(Command[Sent], frozen=True, kw_only=True, tag_field="do", tag="send"):
    """Send a message past all faults; give its body as `text` or, in base64, as `body`."""

    topic: Name
    text: str | None = None
    body: bytes | None = None
    tags: str | None = None
    keys: tuple[str, ...] = ()
    properties: dict[str, str] = {}
    queue_id: Annotated[int, Meta(ge=0)] | None = None
    delay_level: Annotated[int, Meta(ge=0)] = 0


class Receive(Command[Messages], frozen=True, kw_only=True, tag_field="do", tag="receive"):
    """Consume the next `count` messages of a topic as a group, and acknowledge them; fail when they do not come in time."""

    topic: Name
    count: Annotated[int, Meta(ge=1, le=MESSAGES_MAX)] = 1
    group: Name = "pymq_testing"
    timeout_s: WaitS = 5.0


class Arrived(Command[Messages], frozen=True, kw_only=True, tag_field="do", tag="arrived"):
    """List what arrived in a topic, when at least `count` messages did; fail when they do not in time. Consumes nothing."""

    topic: Name
    count: Count = 0
    timeout_s: WaitS = 5.0
    skip: Annotated[int, Meta(ge=0)] = 0
    most: Count = 1000


class Progress(Command[GroupProgress], frozen=True, kw_only=True, tag_field="do", tag="progress"):
    """Tell what a group acknowledged, and what it did not yet."""

    group: Name


class ListWaiting(Command[Waiting], frozen=True, kw_only=True, tag_field="do", tag="waiting"):
    """List what waits: delayed messages and retries with the time at which they are due, half messages, dead letters."""

    most: Count = 1000


class Advance(Command[Time], frozen=True, kw_only=True, tag_field="do", tag="advance"):
    """Move the broker's clock forward, without `seconds` to when the next delayed message is due; see docs/testing.rst.

    Whenever something was delivered on the way clients have time to react, until all was quiet for `quiet_s`; 0 for no time.
    """

    seconds: Annotated[float, Meta(ge=0, le=ADVANCE_S_MAX)] | None = None
    quiet_s: Annotated[float, Meta(ge=0, le=QUIET_S_MAX)] = 0.02


class SetFault(Command[FaultState], frozen=True, kw_only=True, tag_field="do", tag="fault"):
    """Let requests fail: refuse (answer `code` and `remark`), slow (first wait `delayS`), drop, dropAnswer or disconnect."""

    kind: str
    request: str | int | None = None
    topic: Name | None = None
    times: Annotated[int, Meta(ge=1)] | None = None
    code: str | int = "SYSTEM_BUSY"
    remark: str = "refused by a fault of the testing kit"
    delay_s: Annotated[float, Meta(ge=0, le=SLOW_S_MAX)] = 1.0


class ListFaults(Command[Faults], frozen=True, kw_only=True, tag_field="do", tag="faults"):
    """List the faults in force, with how often each has struck."""


class ClearFaults(Command[Counted], frozen=True, kw_only=True, tag_field="do", tag="clearFaults"):
    """Take back one fault by its number, or all."""

    fault: int | None = None


class Disconnect(Command[Counted], frozen=True, kw_only=True, tag_field="do", tag="disconnect"):
    """Cut every connection, of clients to the broker and to the name server, once."""


class Pause(Command[Done], frozen=True, kw_only=True, tag_field="do", tag="pause"):
    """Read nothing and accept nobody until `resume`: to clients the broker hangs."""


class Resume(Command[Done], frozen=True, kw_only=True, tag_field="do", tag="resume"):
    """Go on after `pause`."""


class Kill(Command[Done], frozen=True, kw_only=True, tag_field="do", tag="kill"):
    """End the broker as SIGKILL does: what is stored stays, offsets are those last saved. The name server stays."""


class Restart(Command[ServerStatus], frozen=True, kw_only=True, tag_field="do", tag="restart"):
    """Stop the broker, unless it is killed, and start it on the same port with what it has stored."""


class Reset(Command[ServerStatus], frozen=True, kw_only=True, tag_field="do", tag="reset"):
    """Make everything as at the beginning, on the same ports: no messages, no faults, no connections, the real time."""


class Stop(Command[Done], frozen=True, kw_only=True, tag_field="do", tag="stop"):
    """End."""


class Help(Command[CommandList], frozen=True, kw_only=True, tag_field="do", tag="help"):
    """List all commands."""


def _tag_of(command: type[Command[Any]]) -> str:
    return str(command.__struct_config__.tag)


#: Every command by its name.
COMMANDS: dict[str, type[Command[Any]]] = {_tag_of(command): command for command in Command.__subclasses__()}


class _Named(Struct):
    """What every command line has. `id` comes back with the answer."""

    do: str
    id: Any = None


def signature(command: type[Command[Any]]) -> str:
    """A command's name and fields for people: `createTopic(topic, queues=4)`."""
    words = [
        field.encode_name if field.required else f"{field.encode_name}={_shown(field.default)}"
        for field in msgspec.structs.fields(command)
    ]
    return f"{_tag_of(command)}({', '.join(words)})"


def summary(command: type[Command[Any]]) -> str:
    """What a command does, in a line."""
    return (command.__doc__ or "").partition("\n")[0]


def _shown(default: Any) -> str:
    return msgspec.json.encode({} if default is msgspec.NODEFAULT else default).decode()


def decode_command(line: bytes) -> tuple[Any, Command[Any]]:
    """(id, command) of a line. Raises CommandError."""
    try:
        named = msgspec.json.decode(line, type=_Named)
    except msgspec.MsgspecError as error:
        raise CommandError(f"a line must be a JSON object with the name of a command as `do`, see help: {error}") from None
    kind = COMMANDS.get(named.do)
    if kind is None:
        near = difflib.get_close_matches(named.do, COMMANDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise CommandError(f"there is no command {named.do!r}.{hint} There are: {', '.join(COMMANDS)}", named.id)
    fields = {name: value for name, value in msgspec.json.decode(line, type=dict[str, Any]).items() if name != "id"}
    try:
        return named.id, msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise CommandError(f"{named.do}: {error}; allowed is {signature(kind)}", named.id) from None


def answer_type(command: type[Command[Any]]) -> Any:
    """The class of a command's answer."""
    base = command.__orig_bases__[0]  # type: ignore[attr-defined]
    return typing.get_args(base)[0]
