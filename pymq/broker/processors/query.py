# Tests: tests/broker/processors/test_query.py
"""QUERY_MESSAGE (12) and VIEW_MESSAGE_BY_ID (33): stored messages by key and by place (remoting.md 3.10)."""

from __future__ import annotations

from zope.interface import implementer

from pymq.broker.processors.storesettings import StoreSettings
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import QueryMessageRequestHeader, QueryMessageResponseHeader, ViewMessageRequestHeader

#: Bytes of all messages of one answer; what does not fit into a frame cannot be sent, so the rest is left out.
ANSWER_BYTES_MAX = 12 * 1024 * 1024


@implementer(IRequestProcessor)
class QueryMessageProcessor:
    """Finds messages (Java: QueryMessageProcessor)."""

    codes = frozenset({RequestCode.QUERY_MESSAGE, RequestCode.VIEW_MESSAGE_BY_ID})

    def __init__(self, *, store_config: StoreSettings, store: IMessageStore) -> None:
        self._store_config = store_config
        self._store = store

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Answer a query. Raises RequestError, also for finding nothing by a log offset."""
        if request.code == RequestCode.VIEW_MESSAGE_BY_ID:
            return self._view(request)
        return self._query(request)

    def _query(self, request: RemotingCommand) -> RemotingCommand:
        header = QueryMessageRequestHeader.from_fields(request.ext_fields)
        wanted = self._store_config.default_query_max_num if header.unique_key_query else header.max_num
        count_max = max(0, min(wanted, self._store_config.max_msgs_num_batch))
        found = self._store.find_by_key(header.topic, header.key, count_max, header.begin_timestamp, header.end_timestamp)
        reply_header = QueryMessageResponseHeader(
            index_last_update_timestamp=found.last_time_ms, index_last_update_phyoffset=found.last_log_offset
        )
        records = _first_bytes(found.records)
        if not records:
            remark = "can not find message, maybe time range not correct"
            return request.reply(ResponseCode.QUERY_NOT_FOUND, remark, reply_header)
        return request.reply(header=reply_header, body=b"".join(records))

    def _view(self, request: RemotingCommand) -> RemotingCommand:
        offset = ViewMessageRequestHeader.from_fields(request.ext_fields).offset
        record = self._store.read_at(offset) if offset >= 0 else None
        if record is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"can not find message by the offset, {offset}")
        return request.reply(body=bytes(record))


def _first_bytes(records: list[memoryview]) -> list[memoryview]:
    """As many of the records as fit into one answer; at least the first."""
    kept: list[memoryview] = []
    size_bytes = 0
    for record in records:
        size_bytes += len(record)
        if kept and size_bytes > ANSWER_BYTES_MAX:
            break
        kept.append(record)
    return kept
