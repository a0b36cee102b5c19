# Tests: tests/client/test_beginning.py
"""Where consumption of a queue begins (Java: RebalancePushImpl.computePullFromWhere)."""

from __future__ import annotations

from pymq.client.config import BalancedConfig, ConsumeFromWhere
from pymq.client.instance import MQClientInstance
from pymq.client.offsets import OffsetStore
from pymq.message.topics import is_retry_topic
from pymq.wire.bodies.messagequeue import MessageQueue


def begin_time_ms(consume_timestamp_s: float, started_s: float) -> int:
    """The time to begin at in milliseconds; a negative setting counts back from the start of the consumer."""
    return int((consume_timestamp_s if consume_timestamp_s >= 0 else started_s + consume_timestamp_s) * 1000)


async def first_offset(
    queue: MessageQueue, offsets: OffsetStore, instance: MQClientInstance, config: BalancedConfig, time_ms: int
) -> int:
    """The group's persisted offset, or what `consume_from_where` says for a group that has none.

    Raises what asking the broker can raise: the queue is then not taken up, rather than begun at a wrong place.
    """
    offset = await offsets.load(queue)
    if offset >= 0:
        return offset
    where = config.consume_from_where
    if where is ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET:
        return 0
    if where is ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET and is_retry_topic(queue.topic):
        return 0
    address = await instance.broker_address(queue.topic, queue.broker_name)
    if where is ConsumeFromWhere.CONSUME_FROM_TIMESTAMP and not is_retry_topic(queue.topic):
        return await instance.api.search_offset(address, queue, time_ms)
    return await instance.api.max_offset(address, queue)
