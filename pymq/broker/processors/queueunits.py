# Tests: tests/broker/processors/test_queueunits.py
"""What is in a consume queue: 321 (remoting.md 3.12; Java: AdminBrokerProcessor.queryConsumeQueue)."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
from zope.interface import implementer

from pymq.broker.consumers import ConsumerManager
from pymq.broker.filters import ConsumerFilterData, ConsumerFilterManager, is_tag_type
from pymq.broker.processors.pull import tag_filter_of
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.message.results import ExtUnit
from pymq.message.tags import narrow_code
from pymq.wire import javajson
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.stats import ConsumeQueueData, QueryConsumeQueueResponseBody
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.admin import QueryConsumeQueueRequestHeader

#: Units of one answer.
UNITS_MAX = 1024

#: Tells of a unit's extension whether its message may be for a group.
_MayPass = Callable[[ExtUnit], bool]


@implementer(IRequestProcessor)
class QueueUnitsProcessor:
    """Shows the units of queues, and how a group's filter judges those with an extension."""

    codes = frozenset({RequestCode.QUERY_CONSUME_QUEUE})

    def __init__(
        self, *, store: IMessageStore, topics: TopicConfigManager, consumers: ConsumerManager, filters: ConsumerFilterManager
    ) -> None:
        self._store = store
        self._topics = topics
        self._consumers = consumers
        self._filters = filters

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """The units of a queue from an index on. Raises RequestError for a queue that is not there."""
        header = QueryConsumeQueueRequestHeader.from_fields(request.ext_fields)
        topic, queue_id = header.topic or "", header.queue_id
        known = self._topics.get(topic)
        if known is None or not 0 <= queue_id < max(known.read_queue_nums, known.write_queue_nums):
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"{queue_id}@{topic} is not exist!")
        begin, end = self._store.min_offset(topic, queue_id), self._store.max_offset(topic, queue_id)
        if not begin <= header.index < end:
            return request.reply(remark=f"Index {header.index} of {queue_id}@{topic} is not exist!")
        subscription, filter_text, may_pass = self._filter(header.consumer_group, topic)
        body = QueryConsumeQueueResponseBody(
            queue_data=tuple(self._units(topic, queue_id, header.index, min(header.count, UNITS_MAX), may_pass)),
            min_queue_index=begin,
            max_queue_index=end,
            subscription_data=subscription,
            filter_data=filter_text,
        )
        return request.reply(body=javajson.encode(body))

    def _filter(self, group: str | None, topic: str) -> tuple[SubscriptionData | None, str | None, _MayPass | None]:
        """What a group subscribes to, what is told of its filter, and the filter; nothing when no group is asked for."""
        if group is None:
            return None, None, None
        subscription = self._consumers.find_subscription(group, topic)
        if subscription is None:
            return None, f"{group}@{topic} is not online!", None
        data = self._filters.get(topic, group)
        text = msgspec.json.format(javajson.encode(None if data is None else data.document()), indent=1)
        return subscription, text.decode("utf-8"), _judge(subscription, data)

    def _units(self, topic: str, queue_id: int, index: int, count: int, may_pass: _MayPass | None) -> list[ConsumeQueueData]:
        found: list[ConsumeQueueData] = []
        while len(found) < count:
            units = self._store.units(topic, queue_id, index + len(found), count - len(found))
            if not units:
                break
            for log_offset, size, tags_code in units:
                extension = self._store.extension(topic, queue_id, index + len(found))
                if extension is None:
                    found.append(ConsumeQueueData(log_offset, size, tags_code))
                else:
                    address, kept = extension
                    found.append(_extended(log_offset, size, address, kept, may_pass))
        return found


def _judge(subscription: SubscriptionData, data: ConsumerFilterData | None) -> _MayPass:
    """As a pull does before it reads messages (Java: ExpressionMessageFilter.isMatchedByConsumeQueue)."""
    if is_tag_type(subscription.expression_type) or subscription.class_filter_mode:
        hashes = tag_filter_of(subscription)
        return lambda unit: hashes is None or narrow_code(unit.tags_code) in hashes
    if data is None:
        return lambda unit: True
    may_pass = data.bit_filter()
    return lambda unit: may_pass(unit.store_ms, unit.bit_map)


def _extended(log_offset: int, size: int, address: int, unit: ExtUnit | None, may_pass: _MayPass | None) -> ConsumeQueueData:
    if unit is None:
        return ConsumeQueueData(log_offset, size, address, msg=f"Cq extend not exist!addr: {address}")
    kept: dict[str, int | str] = {"msgStoreTime": unit.store_ms, "size": unit.size, "tagsCode": unit.tags_code}
    if unit.bit_map:
        kept["filterBitMap"] = base64.b64encode(unit.bit_map).decode("ascii")
    return ConsumeQueueData(
        log_offset,
        size,
        address,
        eval=may_pass is not None and may_pass(unit),
        extend_data_json=javajson.encode(kept).decode("ascii"),
        bit_map=bits_text(unit.bit_map) if unit.bit_map else None,
    )


def bits_text(bit_map: bytes) -> str:
    """The bits of a map, the last one first, and a line's end behind each eighth byte from the first (Java: BitsArray)."""
    return "".join(f"{bit_map[at]:08b}" + ("" if at % 8 else "\n") for at in reversed(range(len(bit_map))))
