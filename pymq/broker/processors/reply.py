# Tests: tests/broker/processors/test_reply.py
"""SEND_REPLY_MESSAGE (324, 325): a reply goes to the producer that asked, and is stored as well (remoting.md 3.9)."""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.broker.clients import ProducerManager
from pymq.broker.config import BrokerConfig
from pymq.broker.processors.admission import Admission, SendHeader
from pymq.broker.processors.clientcalls import CLIENT_CALL_TIMEOUT_S
from pymq.broker.processors.send import IFlusher, SendAnswers
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import ConnectionClosed, RequestError, RequestTimeout, StoreClosed, StoreError, TooManyRequests
from pymq.interfaces import IChannel, IClock, IMessageStore, IRequestProcessor
from pymq.message.flags import COMPRESSED, COMPRESSION_MASK
from pymq.message.ids import decode_host, encode_host
from pymq.message.properties import PUSH_REPLY_TIME, REPLY_TO_CLIENT, property_of, waits_for_store, with_property
from pymq.message.record import RecordDraft, draft_from
from pymq.message.results import PutResult
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import (
    ReplyMessageRequestHeader,
    SendMessageRequestHeader,
    SendMessageRequestHeaderV2,
    SendMessageResponseHeader,
)

#: The message id in the answer when the reply is not stored: clients cannot read an answer without one.
NOT_STORED_ID = "0"

_Stored = tuple[RecordDraft, PutResult]


@implementer(IRequestProcessor)
class ReplyMessageProcessor:
    """Stores a reply and passes it on; the answer says whether the asking client took it (Java: ReplyMessageProcessor).

    It is stored whether or not the client can be reached, unless `storeReplyMessageEnable` is off, and a failure to store it
    does not change the answer.
    """

    codes = frozenset({RequestCode.SEND_REPLY_MESSAGE, RequestCode.SEND_REPLY_MESSAGE_V2})
    log = Logger()

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store: IMessageStore,
        topics: TopicConfigManager,
        producers: ProducerManager,
        stats: BrokerStatsManager,
        flusher: IFlusher,
        clock: IClock,
        store_host: bytes,
        choose_queue: Callable[[int], int] = random.randrange,
    ) -> None:
        self._config = config
        self._store = store
        self._producers = producers
        self._stats = stats
        self._flusher = flusher
        self._clock = clock
        self._store_host = store_host
        self._choose_queue = choose_queue
        self._admission = Admission(config, topics, clock)
        self._answers = SendAnswers(config, store_host)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Store and pass on one reply. Refusals are answers too, for clients want the send fields in them."""
        try:
            return self._reply(channel, request)
        except RequestError as error:
            return self._answers.refused(request, error)

    def _reply(self, channel: IChannel, request: RemotingCommand) -> Deferred[RemotingCommand]:
        header: SendHeader
        if request.code == RequestCode.SEND_REPLY_MESSAGE:
            header = SendMessageRequestHeader.from_fields(request.ext_fields)
        else:
            header = SendMessageRequestHeaderV2.from_fields(request.ext_fields)
        topic = self._admission.admit(header)
        queue_id = header.queue_id if header.queue_id >= 0 else self._choose_queue(max(1, topic.write_queue_nums))
        # Stored before it is pushed: a replier that hangs up while its reply is on the way must not undo the storing.
        stored = self._put(channel, request, header, queue_id) if self._config.store_reply_message_enable else None
        return self._push(channel, request, header).addCallback(self._answer, request, queue_id, stored)

    # Passing on

    def _push(self, channel: IChannel, request: RemotingCommand, header: SendHeader) -> Deferred[str]:
        """Give the reply to the client that asked; what went wrong, or an empty text."""
        properties = header.properties or ""
        client_id = property_of(properties, REPLY_TO_CLIENT)
        if client_id is None:
            return succeed(f"reply message properties[{REPLY_TO_CLIENT}] is null")
        asking = self._producers.channel_of_client(client_id)
        if asking is None:
            return succeed(f"push reply message fail, channel of <{client_id}> not found.")
        store_ip, store_port = decode_host(self._store_host)
        pushed_header = ReplyMessageRequestHeader(
            producer_group=header.producer_group,
            topic=header.topic,
            default_topic=header.default_topic,
            default_topic_queue_nums=header.default_topic_queue_nums,
            queue_id=header.queue_id,
            sys_flag=header.sys_flag,
            born_timestamp=header.born_timestamp,
            flag=header.flag,
            properties=with_property(properties, PUSH_REPLY_TIME, str(self._now_ms())),
            reconsume_times=header.reconsume_times,
            unit_mode=header.unit_mode,
            born_host=f"{channel.peer[0]}:{channel.peer[1]}",
            store_host=f"{store_ip}:{store_port}",
            store_timestamp=self._now_ms(),
        )
        push = RemotingCommand.request(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT, pushed_header, request.body)
        failed = f"push reply message to {client_id}fail."

        def answered(answer: RemotingCommand) -> str:
            if answer.code == ResponseCode.SUCCESS:
                return ""
            self.log.warn("{client} did not take a reply: {remark}", client=client_id, remark=answer.remark)
            return failed

        def not_answered(failure: Failure) -> str:
            failure.trap(RequestTimeout, ConnectionClosed, TooManyRequests)
            self.log.warn("a reply could not be given to {client}: {error}", client=client_id, error=failure.value)
            return failed

        return asking.request(push, CLIENT_CALL_TIMEOUT_S).addCallbacks(answered, not_answered)

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    # Storing

    def _put(self, channel: IChannel, request: RemotingCommand, header: SendHeader, queue_id: int) -> _Stored | None:
        """Store the reply; None when the store does not take it, which the log says and the answer does not."""
        draft = draft_from(
            header.topic,
            queue_id,
            request.body,
            header.properties or "",
            born_timestamp=header.born_timestamp,
            born_host=encode_host(*channel.peer),
            store_host=self._store_host,
            flag=header.flag,
            sys_flag=header.sys_flag & (COMPRESSED | COMPRESSION_MASK),
            reconsume_times=header.reconsume_times or 0,
            wait=waits_for_store(header.properties or ""),
        )
        try:
            result: PutResult = self._store.put([draft])[0]
        except StoreClosed as error:
            self.log.warn("a reply to {topic} was not stored: {error}", topic=header.topic, error=error)
            return None
        if not result.status.is_stored:
            self.log.warn("a reply to {topic} was not stored: {status}", topic=header.topic, status=result.status.name)
            return None
        self._stats.put(header.topic, 1, result.size, 1)
        return draft, result

    # Answering

    def _answer(
        self, problem: str, request: RemotingCommand, queue_id: int, stored: _Stored | None
    ) -> RemotingCommand | Deferred[RemotingCommand]:
        code = ResponseCode.SYSTEM_ERROR if problem else ResponseCode.SUCCESS
        if stored is None:
            header = None if problem else SendMessageResponseHeader(msg_id=NOT_STORED_ID, queue_id=queue_id, queue_offset=0)
            return request.reply(code, problem or None, header, ext_fields=self._answers.fields())
        draft, result = stored
        answer = self._answers.stored(request, code, queue_id, [result])
        if problem:
            answer = request.reply(code, problem, ext_fields=answer.ext_fields)
        if not (draft.wait and self._flusher.sync):
            return answer
        durable = self._flusher.when_durable(result.log_offset + result.size)
        return durable.addErrback(self._not_durable).addCallback(lambda _: answer)

    def _not_durable(self, failure: Failure) -> None:
        failure.trap(StoreError)
        self.log.warn("a stored reply may be lost: {error}", error=failure.value)
