# Tests: tests/broker/processors/test_offsetcontrol.py
"""What tools do with the offsets of whole groups: reset them, ask the members for theirs, copy them (remoting.md 3.11, 3.12).

INVOKE_BROKER_TO_RESET_OFFSET (222) is for groups that are online: the members are told (220) where to go on, and they commit it.
INVOKE_BROKER_TO_GET_CONSUMER_STATUS (223) asks the members (221). CLONE_GROUP_OFFSET (314) stays inside the broker.
Java: AdminBrokerProcessor, Broker2Client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from zope.interface import implementer

from pymq.broker.clients import ClientChannelInfo
from pymq.broker.config import BrokerConfig
from pymq.broker.consumers import ConsumerManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue, queue_table
from pymq.wire.bodies.offsets import GetConsumerStatusBody, MessageQueueForC, ResetOffsetBody, ResetOffsetBodyForC
from pymq.wire.codes import LanguageCode, RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.admin import CloneGroupOffsetRequestHeader
from pymq.wire.headers.clients import GetConsumerStatusRequestHeader, ResetOffsetRequestHeader

#: How long a member may take to tell its offsets.
STATUS_TIMEOUT_S = 5.0
#: Older clients know neither 220 nor 221: V3_0_7_SNAPSHOT (remoting.md 1.6).
CLIENT_VERSION_MIN = 28
#: The time that means "behind the last message".
LATEST = -1

Answer = RemotingCommand | Deferred[RemotingCommand]


@implementer(IRequestProcessor)
class OffsetControlProcessor:
    """Serves 222, 223 and 314."""

    log = Logger()

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store: IMessageStore,
        topics: TopicConfigManager,
        consumers: ConsumerManager,
        offsets: ConsumerOffsetManager,
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._consumers = consumers
        self._offsets = offsets
        self._answers: dict[int, Callable[[RemotingCommand], Answer]] = {
            RequestCode.INVOKE_BROKER_TO_RESET_OFFSET: self._reset,
            RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS: self._status,
            RequestCode.CLONE_GROUP_OFFSET: self._clone,
        }
        self.codes = frozenset(self._answers)

    def process(self, channel: IChannel, request: RemotingCommand) -> Answer:
        """Answer one of the codes above. Raises RequestError."""
        return self._answers[request.code](request)

    # 222

    def _reset(self, request: RemotingCommand) -> RemotingCommand:
        """Tell every member where to go on. What is committed stays as it is until they commit that."""
        header = ResetOffsetRequestHeader.from_fields(request.ext_fields)
        table = self._targets(header)
        members = self._members(header.group)
        if not members:
            remark = (
                f"Consumer not online, so can not reset offset, Group: {header.group} Topic: {header.topic} "
                f"Timestamp: {header.timestamp}"
            )
            raise RequestError(ResponseCode.CONSUMER_NOT_ONLINE, remark)
        _check_versions(members)
        told = ResetOffsetRequestHeader(topic=header.topic, group=header.group, timestamp=header.timestamp)
        for info in members:
            listed = LanguageCode.CPP in (info.language, request.language)
            body = _listed(table) if listed else ResetOffsetBody(offset_table=queue_table(table))
            code = RequestCode.RESET_CONSUMER_CLIENT_OFFSET
            info.channel.send(RemotingCommand.request(code, told, javajson.encode(body), oneway=True))
            self.log.info("{client} of {group} is to go on at other offsets", client=info.client_id, group=header.group)
        return request.reply(body=javajson.encode(ResetOffsetBody(offset_table=queue_table(table))))

    def _targets(self, header: ResetOffsetRequestHeader) -> dict[MessageQueue, int]:
        """Where the group is to go on in each queue; without `isForce` never ahead of where it is. Raises RequestError."""
        topic = self._topics.get(header.topic)
        if topic is None:
            remark = f"[reset-offset] reset offset failed, no topic in this broker. topic={header.topic}"
            raise RequestError(ResponseCode.SYSTEM_ERROR, remark)
        table = {}
        for queue_id in range(topic.write_queue_nums):
            consumed = self._offsets.query(header.group, header.topic, queue_id)
            if consumed < 0:
                raise RequestError(ResponseCode.SYSTEM_ERROR, f"THe consumer group <{header.group}> not exist")
            if header.timestamp == LATEST:
                target = self._store.max_offset(header.topic, queue_id)
            else:
                target = self._store.offset_at(header.topic, queue_id, header.timestamp)
            target = max(0, target)
            queue = MessageQueue(header.topic, self._config.broker_name, queue_id)
            table[queue] = target if header.is_force else min(target, consumed)
        return table

    # 223

    def _status(self, request: RemotingCommand) -> Deferred[RemotingCommand]:
        """What every member, or the one whose client id is given, says of its offsets; the silent ones are left out."""
        header = GetConsumerStatusRequestHeader.from_fields(request.ext_fields)
        members = self._members(header.group)
        if not members:
            remark = f"No Any Consumer online in the consumer group: [{header.group}]"
            raise RequestError(ResponseCode.SYSTEM_ERROR, remark)
        _check_versions(members)
        wanted = (header.client_addr or "").strip()
        asked = [info for info in members if wanted in ("", info.client_id)]
        question = GetConsumerStatusRequestHeader(topic=header.topic, group=header.group)
        command = RemotingCommand.request(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT, question)
        waiting = [info.channel.request(command, STATUS_TIMEOUT_S).addCallback(_table_in) for info in asked]

        def told(outcomes: list[tuple[bool, dict[str, int] | None]]) -> RemotingCommand:
            tables: dict[str, dict[str, int]] = {}
            for info, (is_told, table) in zip(asked, outcomes, strict=True):
                if not is_told:
                    self.log.warn("{client} does not tell its offsets: {why}", client=info.client_id, why=table)
                elif table is not None:
                    tables[info.client_id] = table
            return request.reply(body=javajson.encode(GetConsumerStatusBody(consumer_table=tables)))

        # Cancelling the list cancels what it waits for.
        return DeferredList(waiting, consumeErrors=True).addCallback(told)

    def _members(self, group: str) -> list[ClientChannelInfo]:
        state = self._consumers.group(group)
        return [] if state is None else list(state.members)

    # 314

    def _clone(self, request: RemotingCommand) -> RemotingCommand:
        """Give one group the offsets of another, in one topic or in all.

        While the source is online, only topics count that it subscribes to; `offline` says that it does not matter.
        """
        header = CloneGroupOffsetRequestHeader.from_fields(request.ext_fields)
        topics: Iterable[str] = [header.topic] if header.topic else sorted(self._offsets.topics_of(header.src_group))
        source = self._consumers.group(header.src_group)
        for topic in topics:
            if self._topics.get(topic) is None:
                self.log.warn("offsets in {topic} are not copied: there is no such topic", topic=topic)
            elif not header.offline and source is not None and source.subscriptions and topic not in source.subscriptions:
                self.log.warn(
                    "offsets in {topic} are not copied: {group} does not subscribe to it", topic=topic, group=source.name
                )
            else:
                self._offsets.clone(header.src_group, header.dest_group, topic)
        return request.reply()


def _check_versions(members: Iterable[ClientChannelInfo]) -> None:
    """Raise RequestError when one of the members is too old to be asked."""
    for info in members:
        if info.version < CLIENT_VERSION_MIN:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the client does not support this feature. version={info.version}")


def _listed(table: dict[MessageQueue, int]) -> ResetOffsetBodyForC:
    """The same offsets as clients in C++ read them."""
    return ResetOffsetBodyForC(
        offset_table=tuple(
            MessageQueueForC(queue.topic, queue.broker_name, queue.queue_id, offset) for queue, offset in table.items()
        )
    )


def _table_in(answer: RemotingCommand) -> dict[str, int] | None:
    """The offsets in a member's answer; None when it has none to tell. Raises DecodeError."""
    if answer.code != ResponseCode.SUCCESS or not answer.body:
        return None
    return javajson.decode_as(answer.body, GetConsumerStatusBody).message_queue_table
