# Tests: tests/broker/processors/test_offsets.py
"""Where a queue begins and ends, and which offset belongs to a time: codes 29 to 32 (remoting.md 3.3).

As with 4.9 nothing is checked: a queue that does not exist is an empty one.
"""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.offsets import (
    GetEarliestMsgStoretimeRequestHeader,
    GetEarliestMsgStoretimeResponseHeader,
    GetMaxOffsetRequestHeader,
    GetMaxOffsetResponseHeader,
    GetMinOffsetRequestHeader,
    GetMinOffsetResponseHeader,
    SearchOffsetRequestHeader,
    SearchOffsetResponseHeader,
)


@implementer(IRequestProcessor)
class QueueOffsetProcessor:
    """SEARCH_OFFSET_BY_TIMESTAMP, GET_MAX_OFFSET, GET_MIN_OFFSET and GET_EARLIEST_MSG_STORETIME (Java: AdminBrokerProcessor)."""

    def __init__(self, *, store: IMessageStore) -> None:
        self._store = store
        self._answers: dict[int, Callable[[RemotingCommand], CommandHeader]] = {
            RequestCode.SEARCH_OFFSET_BY_TIMESTAMP: self._search,
            RequestCode.GET_MAX_OFFSET: self._max,
            RequestCode.GET_MIN_OFFSET: self._min,
            RequestCode.GET_EARLIEST_MSG_STORETIME: self._earliest,
        }
        self.codes = frozenset(self._answers)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Answer one of the four. Raises RequestError."""
        return request.reply(header=self._answers[request.code](request))

    def _search(self, request: RemotingCommand) -> CommandHeader:
        """The offset nearest to the time, for either boundary that a 5.x client may name: so 4.9 does it."""
        header = SearchOffsetRequestHeader.from_fields(request.ext_fields)
        return SearchOffsetResponseHeader(offset=self._store.offset_at(header.topic, header.queue_id, header.timestamp))

    def _max(self, request: RemotingCommand) -> CommandHeader:
        header = GetMaxOffsetRequestHeader.from_fields(request.ext_fields)
        return GetMaxOffsetResponseHeader(offset=self._store.max_offset(header.topic, header.queue_id))

    def _min(self, request: RemotingCommand) -> CommandHeader:
        header = GetMinOffsetRequestHeader.from_fields(request.ext_fields)
        return GetMinOffsetResponseHeader(offset=self._store.min_offset(header.topic, header.queue_id))

    def _earliest(self, request: RemotingCommand) -> CommandHeader:
        header = GetEarliestMsgStoretimeRequestHeader.from_fields(request.ext_fields)
        first = self._store.min_offset(header.topic, header.queue_id)
        return GetEarliestMsgStoretimeResponseHeader(timestamp=self._store.store_time(header.topic, header.queue_id, first))
