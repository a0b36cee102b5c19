# Tests: tests/testing/test_handlers.py
"""How each command of the testing kit is done: one function for each, and the table of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout

from pymq.errors import PyMQError, RequestError
from pymq.interfaces import IProcessorTable
from pymq.message.properties import DELAY, KEY_SEPARATOR, KEYS, TAGS, UNIQ_KEY, encode_properties
from pymq.message.topics import AUTO_CREATE_TOPIC
from pymq.testing.channels import FakeChannel
from pymq.testing.commands import (
    COMMANDS,
    Advance,
    Arrived,
    ArrivedMessage,
    ClearFaults,
    Command,
    CommandError,
    CommandList,
    Counted,
    CreateTopic,
    DeleteTopic,
    Disconnect,
    Done,
    Faults,
    FaultState,
    GroupProgress,
    Help,
    Kill,
    ListFaults,
    ListWaiting,
    Messages,
    NotYet,
    Pause,
    Progress,
    Receive,
    Reset,
    Restart,
    Resume,
    Send,
    Sent,
    ServerStatus,
    SetFault,
    Status,
    Stop,
    Time,
    Waiting,
    signature,
    summary,
)
from pymq.testing.inventory import described
from pymq.testing.kit import HOST, Kit
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import SendMessageRequestHeaderV2, SendMessageResponseHeader
from pymq.wire.headers.offsets import UpdateConsumerOffsetRequestHeader
from pymq.wire.headers.topics import CreateTopicRequestHeader, DeleteTopicRequestHeader

__all__ = ["HANDLERS", "run"]

PRODUCER_GROUP = "pymq_testing"

R = TypeVar("R")


async def run(kit: Kit, command: Command[R]) -> R:
    """Do a command. Raises CommandError."""
    try:
        return await HANDLERS[type(command)](kit, command)
    except PyMQError as error:
        raise CommandError(str(error)) from error


async def _ask(table: IProcessorTable, code: RequestCode, header: Any, body: bytes = b"") -> RemotingCommand:
    """The answer to a request that comes from nowhere, past ports and faults. Raises CommandError when it is a refusal."""
    processor = table.lookup(code)
    if processor is None:
        raise CommandError(f"{code.name} is not served")
    channel = FakeChannel(peer=(HOST, 0), local=(HOST, 0))
    try:
        answer: RemotingCommand = await maybeDeferred(processor.process, channel, RemotingCommand.request(code, header, body))
    except RequestError as error:
        raise CommandError(error.remark) from error
    if answer.code != ResponseCode.SUCCESS:
        raise CommandError(f"{answer.name}: {answer.remark}")
    return answer


# Topics and messages


async def _create_topic(kit: Kit, command: CreateTopic) -> Done:
    kit.check_runs()
    header = CreateTopicRequestHeader(
        topic=command.topic,
        default_topic=AUTO_CREATE_TOPIC,
        read_queue_nums=command.queues,
        write_queue_nums=command.queues,
        perm=PERM_READ | PERM_WRITE,
        topic_filter_type="SINGLE_TAG",
    )
    await _ask(kit.broker_table, RequestCode.UPDATE_AND_CREATE_TOPIC, header)
    return Done()


async def _delete_topic(kit: Kit, command: DeleteTopic) -> Done:
    kit.check_runs()
    header = DeleteTopicRequestHeader(topic=command.topic)
    await _ask(kit.broker_table, RequestCode.DELETE_TOPIC_IN_BROKER, header)
    await _ask(kit.namesrv_table, RequestCode.DELETE_TOPIC_IN_NAMESRV, header)
    return Done()


async def _send(kit: Kit, command: Send) -> Sent:
    kit.check_runs()
    if (command.text is None) == (command.body is None):
        raise CommandError("send: exactly one of text and body is needed")
    body = command.text.encode() if command.text is not None else command.body or b""
    queues = kit.inventory.queues(command.topic)
    properties = dict(command.properties)
    properties[UNIQ_KEY] = kit.ids.next()
    delay = str(command.delay_level) if command.delay_level else ""
    for name, value in ((TAGS, command.tags), (KEYS, KEY_SEPARATOR.join(command.keys)), (DELAY, delay)):
        if value:
            properties[name] = value
    try:
        text = encode_properties(properties)
    except ValueError as error:
        raise CommandError(f"send: {error}") from error
    queue_id = kit.next_queue(queues) if command.queue_id is None else command.queue_id
    header = SendMessageRequestHeaderV2(
        producer_group=PRODUCER_GROUP,
        topic=command.topic,
        default_topic=AUTO_CREATE_TOPIC,
        default_topic_queue_nums=4,
        queue_id=queue_id,
        sys_flag=0,
        born_timestamp=int(kit.clock.seconds() * 1000),
        flag=0,
        properties=text,
    )
    answer = await _ask(kit.broker_table, RequestCode.SEND_MESSAGE_V2, header, body)
    place = SendMessageResponseHeader.from_fields(answer.ext_fields)
    return Sent(msg_id=properties[UNIQ_KEY], offset_msg_id=place.msg_id, queue_id=place.queue_id, queue_offset=place.queue_offset)


async def _wait(kit: Kit, is_enough: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it is enough in time, which is the real one."""
    deadline = kit.reactor.seconds() + timeout_s
    while not is_enough():
        left_s = deadline - kit.reactor.seconds()
        if left_s <= 0:
            return False
        try:
            await kit.arrivals.next().addTimeout(left_s, kit.reactor)
        except DeferredTimeout:
            continue
        except CancelledError:
            raise CommandError("the broker was stopped meanwhile") from None
    return True


def _too_few(kit: Kit, topic: str, found: int, count: int) -> NotYet:
    hint = "" if kit.inventory.queues(topic) else "; there is no topic of that name"
    return NotYet(f"{found} of {count} messages are in {topic}{hint}")


async def _arrived(kit: Kit, command: Arrived) -> Messages:
    kit.check_runs()
    topic, count = command.topic, command.count
    if not await _wait(kit, lambda: kit.inventory.count(topic) >= count, command.timeout_s):
        raise _too_few(kit, topic, kit.inventory.count(topic), count)
    return kit.inventory.arrived(topic, command.skip, command.most)


async def _receive(kit: Kit, command: Receive) -> Messages:
    kit.check_runs()
    topic, group, count = command.topic, command.group, command.count

    def lag() -> int:
        done = kit.inventory.offsets(group, topic)
        return kit.inventory.count(topic) - sum(done.values())

    if not await _wait(kit, lambda: lag() >= count, command.timeout_s):
        raise _too_few(kit, topic, lag(), count)
    offsets = kit.inventory.offsets(group, topic)
    found: list[ArrivedMessage] = []
    for message in kit.inventory.messages(topic, offsets):
        if len(found) == count:
            break
        found.append(described(message))
        offsets[message.queue_id] = message.queue_offset + 1
    for queue_id, offset in offsets.items():
        header = UpdateConsumerOffsetRequestHeader(consumer_group=group, topic=topic, queue_id=queue_id, commit_offset=offset)
        await _ask(kit.broker_table, RequestCode.UPDATE_CONSUMER_OFFSET, header)
    return Messages(messages=tuple(found), more=lag() > 0)


async def _progress(kit: Kit, command: Progress) -> GroupProgress:
    kit.check_runs()
    return kit.inventory.progress(command.group)


async def _waiting(kit: Kit, command: ListWaiting) -> Waiting:
    kit.check_runs()
    return kit.inventory.waiting(command.most)


# Time


async def _advance(kit: Kit, command: Advance) -> Time:
    seconds = command.seconds
    if seconds is None:
        kit.check_runs()
        first = next(kit.inventory.delayed(), None)
        if first is None or first.due_ms is None:
            raise CommandError("advance without seconds goes to the next delayed message, and none is delayed")
        # A call at that very millisecond is due when the clock stands a little behind its beginning.
        seconds = max(0.0, (first.due_ms + 1) / 1000 - kit.clock.seconds())
    await kit.advance(seconds, command.quiet_s)
    return Time(now_ms=int(kit.clock.seconds() * 1000), seconds=round(seconds, 3), skipped_s=round(kit.clock.skipped_s, 3))


# Faults


async def _set_fault(kit: Kit, command: SetFault) -> FaultState:
    return kit.faults.add(command)


async def _list_faults(kit: Kit, command: ListFaults) -> Faults:
    return Faults(faults=kit.faults.states)


async def _clear_faults(kit: Kit, command: ClearFaults) -> Counted:
    return Counted(count=kit.faults.clear(command.fault))


async def _disconnect(kit: Kit, command: Disconnect) -> Counted:
    return Counted(count=await kit.disconnect())


async def _pause(kit: Kit, command: Pause) -> Done:
    kit.pause()
    return Done()


async def _resume(kit: Kit, command: Resume) -> Done:
    kit.resume()
    return Done()


async def _kill(kit: Kit, command: Kill) -> Done:
    await kit.kill()
    return Done()


# The whole


async def _status(kit: Kit, command: Status) -> ServerStatus:
    return kit.status()


async def _restart(kit: Kit, command: Restart) -> ServerStatus:
    await kit.restart()
    return kit.status()


async def _reset(kit: Kit, command: Reset) -> ServerStatus:
    await kit.reset()
    return kit.status()


async def _stop(kit: Kit, command: Stop) -> Done:
    await kit.stop()
    return Done()


async def _help(kit: Kit, command: Help) -> CommandList:
    return CommandList(commands={name: f"{signature(kind)}: {summary(kind)}" for name, kind in COMMANDS.items()})


#: What does each command.
HANDLERS: dict[type[Command[Any]], Callable[[Kit, Any], Awaitable[Any]]] = {
    Status: _status,
    CreateTopic: _create_topic,
    DeleteTopic: _delete_topic,
    Send: _send,
    Receive: _receive,
    Arrived: _arrived,
    Progress: _progress,
    ListWaiting: _waiting,
    Advance: _advance,
    SetFault: _set_fault,
    ListFaults: _list_faults,
    ClearFaults: _clear_faults,
    Disconnect: _disconnect,
    Pause: _pause,
    Resume: _resume,
    Kill: _kill,
    Restart: _restart,
    Reset: _reset,
    Stop: _stop,
    Help: _help,
}
