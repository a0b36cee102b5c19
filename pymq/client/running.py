# Tests: tests/client/test_running.py
"""What a consumer tells operators about itself (remoting.md 3.11: codes 307 and 309)."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable, Mapping

from pymq.client.instance import MQClientInstance
from pymq.client.listening import ListenerCall
from pymq.client.offsets import OffsetStore
from pymq.client.popsettling import PopProcessQueue
from pymq.client.processqueue import MIB, ProcessQueue
from pymq.client.results import ConsumeContext
from pymq.interfaces import IClock
from pymq.message.message import StoredMessage
from pymq.wire.bodies.connections import ConsumeMessageDirectlyResult, ConsumerRunningInfo, PopProcessQueueInfo, ProcessQueueInfo
from pymq.wire.bodies.heartbeat import SubscriptionData

#: The name that tools show for PROTOCOL_VERSION.
VERSION_NAME = "V4_9_8"


def queue_info(held: ProcessQueue, commit_offset: int) -> ProcessQueueInfo:
    """One queue in hand."""
    first, last, taken_first, taken_last = held.offsets_in_hand()
    return ProcessQueueInfo(
        commit_offset=commit_offset,
        cached_msg_min_offset=first,
        cached_msg_max_offset=last,
        cached_msg_count=held.count,
        cached_msg_size_in_mib=held.size_bytes // MIB,
        transaction_msg_min_offset=taken_first,
        transaction_msg_max_offset=taken_last,
        transaction_msg_count=held.taken_count,
        locked=held.locked,
        last_lock_timestamp=held.last_lock_ms,
        droped=held.dropped,
        last_pull_timestamp=held.last_pull_ms,
        last_consume_timestamp=held.last_consume_ms,
    )


def running_info(
    consume_type: str,
    instance: MQClientInstance,
    group: str,
    *,
    started_ms: int,
    subscriptions: Iterable[SubscriptionData],
    queues: Iterable[ProcessQueue],
    offsets: OffsetStore,
    popped: Iterable[PopProcessQueue] = (),
    more: Mapping[str, str],
) -> ConsumerRunningInfo:
    """The answer to GET_CONSUMER_RUNNING_INFO; `more` are further properties."""
    subscribed = tuple(subscriptions)
    pop_table = {held.queue: PopProcessQueueInfo(held.count, held.dropped, held.last_pop_ms) for held in popped}
    return ConsumerRunningInfo(
        properties={
            "PROP_NAMESERVER_ADDR": ";".join(instance.name_servers),
            "PROP_CONSUME_TYPE": consume_type,
            "PROP_CLIENT_VERSION": VERSION_NAME,
            "PROP_CONSUMER_START_TIMESTAMP": str(started_ms),
            **more,
        },
        subscription_set=subscribed,
        mq_table={held.queue: queue_info(held, offsets.read(held.queue)) for held in queues},  # type: ignore[misc]  # as next
        mq_pop_table=pop_table or None,  # type: ignore[arg-type]  # takes MessageQueues as keys too
        status_table={one.topic: instance.stats.status_of(group, one.topic) for one in subscribed},
    )


def thread_stacks() -> str:
    """Where every thread of this process is now (Java: UtilAll.jstack)."""
    thread_names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sys._current_frames().items():
        stack = "".join(traceback.format_stack(frame))
        parts.append(f"{thread_names.get(ident, 'unknown')}  TID: {ident}\n{stack}")
    return "\n".join(parts)


async def direct_result(
    call: ListenerCall, messages: list[StoredMessage], context: ConsumeContext, is_orderly: bool, clock: IClock
) -> ConsumeMessageDirectlyResult:
    """Call the listener and say how it went: the answer to CONSUME_MESSAGE_DIRECTLY."""
    begin = clock.seconds()
    status, error = await call.directly(messages, context)
    if error is not None:
        verdict = "CR_THROW_EXCEPTION"
    else:
        verdict = "CR_SUCCESS" if status.is_success else "CR_LATER"
    return ConsumeMessageDirectlyResult(
        consume_result=verdict,
        order=is_orderly,
        remark=None if error is None else f"{type(error).__name__}: {error}",
        spent_time_mills=int((clock.seconds() - begin) * 1000),
    )
