# Tests: tests/broker/processors/test_consumers.py
"""Who consumes, and how far they are (remoting.md 3.4, 3.5).

GET_CONSUMER_LIST_BY_GROUP (38), QUERY_CONSUMER_OFFSET (14) and UPDATE_CONSUMER_OFFSET (15).
"""

from __future__ import annotations

from zope.interface import implementer

from pymq.broker.consumers import ConsumerManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.wire import javajson
from pymq.wire.bodies.consumerlist import GetConsumerListByGroupResponseBody
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import GetConsumerListByGroupRequestHeader
from pymq.wire.headers.offsets import (
    QueryConsumerOffsetRequestHeader,
    QueryConsumerOffsetResponseHeader,
    UpdateConsumerOffsetRequestHeader,
)


@implementer(IRequestProcessor)
class ConsumerManageProcessor:
    """What a consumer asks and tells when it rebalances and while it runs (Java: ConsumerManageProcessor)."""

    codes = frozenset(
        {RequestCode.GET_CONSUMER_LIST_BY_GROUP, RequestCode.QUERY_CONSUMER_OFFSET, RequestCode.UPDATE_CONSUMER_OFFSET}
    )

    def __init__(self, *, consumers: ConsumerManager, offsets: ConsumerOffsetManager, store: IMessageStore) -> None:
        self._consumers = consumers
        self._offsets = offsets
        self._store = store

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Answer one of the three. Raises RequestError."""
        if request.code == RequestCode.UPDATE_CONSUMER_OFFSET:
            return self._update(request)
        if request.code == RequestCode.QUERY_CONSUMER_OFFSET:
            return self._query(request)
        return self._list(request)

    def _list(self, request: RemotingCommand) -> RemotingCommand:
        group = GetConsumerListByGroupRequestHeader.from_fields(request.ext_fields).consumer_group
        known = self._consumers.group(group)
        if known is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"no consumer for this group, {group}")
        body = GetConsumerListByGroupResponseBody(consumer_id_list=tuple(known.client_ids()))
        return request.reply(body=javajson.encode(body))

    def _query(self, request: RemotingCommand) -> RemotingCommand:
        header = QueryConsumerOffsetRequestHeader.from_fields(request.ext_fields)
        offset = self._offsets.query(header.consumer_group, header.topic, header.queue_id)
        if offset < 0:
            if header.set_zero_if_not_found is False or not self._is_young(header.topic, header.queue_id):
                raise RequestError(
                    ResponseCode.QUERY_NOT_FOUND, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"
                )
            offset = 0
        return request.reply(header=QueryConsumerOffsetResponseHeader(offset=offset))

    def _is_young(self, topic: str, queue_id: int) -> bool:
        """Whether the queue still begins at 0 and its first message, if any, is among those that count as in memory.

        A new group begins at 0 in such a queue, whatever its consumeFromWhere says; the C++ client needs it (remoting.md 8.6).
        """
        if self._store.min_offset(topic, queue_id) > 0:
            return False
        return not self._store.get(topic, queue_id, 0, 1, None).is_behind

    def _update(self, request: RemotingCommand) -> RemotingCommand:
        """Take an offset. What cannot be one is left out without an error, for clients send it every five seconds."""
        header = UpdateConsumerOffsetRequestHeader.from_fields(request.ext_fields)
        self._offsets.commit(header.consumer_group, header.topic, header.queue_id, header.commit_offset)
        return request.reply()
