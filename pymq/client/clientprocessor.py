# Tests: tests/client/test_clientprocessor.py
"""What brokers ask of clients (remoting.md 3.9, 3.11; Java: ClientRemotingProcessor)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from pymq.client.instance import MQClientInstance
from pymq.client.membership import ConsumerMember, TransactionMember
from pymq.client.request import pushed_reply
from pymq.client.running import thread_stacks
from pymq.errors import DecodeError, RequestError
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.message.message import StoredMessage
from pymq.message.properties import PGROUP
from pymq.message.record import decode_record
from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue, by_queue
from pymq.wire.bodies.offsets import GetConsumerStatusBody, ResetOffsetBody, ResetOffsetBodyForC
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import (
    ConsumeMessageDirectlyResultRequestHeader,
    GetConsumerRunningInfoRequestHeader,
    GetConsumerStatusRequestHeader,
    NotifyConsumerIdsChangedRequestHeader,
    ResetOffsetRequestHeader,
)
from pymq.wire.headers.messages import ReplyMessageRequestHeader
from pymq.wire.headers.transactions import CheckTransactionStateRequestHeader


@implementer(IRequestProcessor)
class ClientRemotingProcessor:
    """Serves the members of one instance."""

    def __init__(self, instance: MQClientInstance) -> None:
        self._instance = instance
        self._handlers: dict[int, Callable[[RemotingCommand], Any]] = {
            int(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED): self._consumer_ids_changed,
            int(RequestCode.RESET_CONSUMER_CLIENT_OFFSET): self._reset_offset,
            int(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT): self._consumer_status,
            int(RequestCode.GET_CONSUMER_RUNNING_INFO): self._running_info,
            int(RequestCode.CONSUME_MESSAGE_DIRECTLY): self._consume_directly,
            int(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT): self._reply_arrived,
        }
        self.codes = frozenset({*self._handlers, int(RequestCode.CHECK_TRANSACTION_STATE)})

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand] | None:
        """Answer a broker's request. Raises RequestError."""
        if request.code == RequestCode.CHECK_TRANSACTION_STATE:
            self._check_transaction(channel, request)
            return None
        outcome: RemotingCommand | Deferred[RemotingCommand] | None = self._handlers[request.code](request)
        return outcome

    def _consumer(self, group: str) -> ConsumerMember:
        consumer = self._instance.consumers.get(group)
        if consumer is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"The Consumer Group <{group}> not exist in this consumer")
        return consumer

    def _consumer_ids_changed(self, request: RemotingCommand) -> None:
        NotifyConsumerIdsChangedRequestHeader.from_fields(request.ext_fields)
        self._instance.rebalance_soon()

    def _check_transaction(self, channel: IChannel, request: RemotingCommand) -> None:
        header = CheckTransactionStateRequestHeader.from_fields(request.ext_fields)
        message = _message_in(request.body)
        group = message.properties.get(PGROUP, "")
        producer = self._instance.producers.get(group)
        if not isinstance(producer, TransactionMember):
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"no producer of transactions is in the group {group} of this client")
        producer.check_transaction(channel, header, message)

    def _reset_offset(self, request: RemotingCommand) -> None:
        header = ResetOffsetRequestHeader.from_fields(request.ext_fields)
        consumer = self._consumer(header.group)
        self._instance.tasks.spawn(consumer.reset_offsets(_offsets_in(request.body)), f"reset of the offsets of {header.group}")

    def _consumer_status(self, request: RemotingCommand) -> RemotingCommand:
        header = GetConsumerStatusRequestHeader.from_fields(request.ext_fields)
        table = self._consumer(header.group).offsets_of(header.topic)
        body = GetConsumerStatusBody(message_queue_table=table)  # type: ignore[arg-type]  # takes MessageQueues as keys too
        return request.reply(body=javajson.encode(body))

    def _running_info(self, request: RemotingCommand) -> RemotingCommand:
        header = GetConsumerRunningInfoRequestHeader.from_fields(request.ext_fields)
        info = self._consumer(header.consumer_group).running_info()
        if header.jstack_enable:
            info = msgspec.structs.replace(info, jstack=thread_stacks())
        return request.reply(body=javajson.encode(info))

    def _consume_directly(self, request: RemotingCommand) -> Deferred[RemotingCommand]:
        header = ConsumeMessageDirectlyResultRequestHeader.from_fields(request.ext_fields)
        consumer = self._consumer(header.consumer_group)
        message = _message_in(request.body)
        message.broker_name = header.broker_name or ""

        async def consumed() -> RemotingCommand:
            return request.reply(body=javajson.encode(await consumer.consume_directly(message)))

        return self._instance.tasks.hold(consumed())

    def _reply_arrived(self, request: RemotingCommand) -> RemotingCommand:
        """Success also for a reply that nobody waits for any more, as Java answers."""
        header = ReplyMessageRequestHeader.from_fields(request.ext_fields)
        try:
            reply = pushed_reply(header, request.body, self._instance.now_ms())
        except DecodeError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"process reply message fail: {error}") from error
        self._instance.replies.arrived(reply)
        return request.reply()


def _message_in(body: bytes) -> StoredMessage:
    """The message that a request carries. Raises RequestError."""
    try:
        return decode_record(body)
    except DecodeError as error:
        raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error


def _offsets_in(body: bytes) -> dict[MessageQueue, int]:
    """The table of RESET_CONSUMER_CLIENT_OFFSET in either of its two shapes. Raises RequestError."""
    try:
        plain = javajson.decode(body)
        table = plain.get("offsetTable") if isinstance(plain, dict) else None
        if isinstance(table, list):
            listed = javajson.decode_as(body, ResetOffsetBodyForC).offset_table
            return {MessageQueue(entry.topic, entry.broker_name, entry.queue_id): entry.offset for entry in listed}
        return by_queue(javajson.decode_as(body, ResetOffsetBody).offset_table)
    except DecodeError as error:
        raise RequestError(ResponseCode.SYSTEM_ERROR, f"the table of offsets cannot be read: {error}") from error
