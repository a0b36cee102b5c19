# Tests: tests/client/test_popping.py
"""One pop, and what is said of the messages that it brought: acknowledged, or to come again later (5.x).

A popped message is hidden from its group for a while, its invisible time, and comes again after that unless it is acknowledged.
Its receipt, the property POP_CK, says which pop is meant. Java: PullAPIWrapper.popAsync, MQClientAPIImpl.processPopResponse.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

import attrs
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.client.config import ConsumeFromWhere
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.pulling import matching
from pymq.client.results import POP_STATUS_OF_CODE, PopResult, PopStatus
from pymq.client.tasks import all_of
from pymq.errors import BrokerRefused, DecodeError
from pymq.message import properties as names
from pymq.message.message import StoredMessage
from pymq.message.namespaces import NO_NAMESPACE, Namespace
from pymq.message.receipt import Receipt, entries_in, retry_flag_of
from pymq.message.record import iter_records
from pymq.wire.bodies.batchack import BatchAck, BatchAckMessageRequestBody, bit_set
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.pop import (
    AckMessageRequestHeader,
    ChangeInvisibleTimeRequestHeader,
    PeekMessageRequestHeader,
    PopMessageRequestHeader,
    PopMessageResponseHeader,
)

#: The queue id that means all queues of the broker.
ALL_QUEUES = -1
POP_COUNT_MAX = 32
#: An answer may come so long after the broker's wait is over (Java: 10 s).
PATIENCE_S = 10.0
#: Where a group begins that has no offset yet (Java: ConsumeInitMode).
_FROM_FIRST, _FROM_LAST = 0, 1


class PopClient:
    """Pops for one group. Messages have the topic that was popped; their users may take the namespace off it."""

    _log = Logger()

    def __init__(
        self,
        group: str,
        instance: MQClientInstance,
        begin: ConsumeFromWhere = ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET,
        namespace: Namespace = NO_NAMESPACE,
    ) -> None:
        """`begin` is where the group begins in queues that it never read; a time cannot be told, and is the last message."""
        self._group = group
        self._instance = instance
        self._init_mode = _FROM_FIRST if begin is ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET else _FROM_LAST
        self._namespace = namespace
        #: The names of pops in order that nobody answered; at most one for each queue or broker that is popped.
        self._unanswered: dict[MessageQueue, str] = {}

    async def pop(
        self,
        queue: MessageQueue,
        subscription: SubscriptionData,
        *,
        count_max: int,
        invisible_s: float,
        wait_s: float,
        order: bool = False,
    ) -> PopResult:
        """Messages of a queue, or with ALL_QUEUES of a broker; it waits for some for so long. With `order` a queue gives none
        before those that it gave are all acknowledged, or come again; or are asked for once more, when the answer was lost.

        Raises BrokerRefused for an answer that is no PopStatus, NotSupported, NoRoute, DecodeError, or one of TRANSPORT_ERRORS.
        """
        address = await self._instance.broker_address(queue.topic, queue.broker_name)
        attempt_id = self._unanswered.pop(queue, None) or str(uuid4()) if order else None
        header = PopMessageRequestHeader(
            consumer_group=self._group,
            topic=queue.topic,
            queue_id=queue.queue_id,
            max_msg_nums=count_max,
            invisible_time=int(invisible_s * 1000),
            poll_time=int(wait_s * 1000),
            # Java sends its own time, and gets nothing where its clock is behind; 0 is the broker's.
            born_time=0,
            init_mode=self._init_mode,
            exp_type=subscription.expression_type,
            exp=subscription.sub_string,
            order=order,
            attempt_id=attempt_id,
            broker_name=queue.broker_name,
        )
        try:
            response = await self._instance.api.pop_message(address, header, wait_s + PATIENCE_S)
        except BaseException:
            # The broker may have given messages, which block their queue; whoever gives the same name gets them again.
            if attempt_id is not None:
                self._unanswered[queue] = attempt_id
            raise
        status, answer = _understood(response, address)
        if status is not PopStatus.FOUND:
            return PopResult(status, answer.rest_num)
        messages = list(_with_receipts(iter_records(response.body), answer, queue))
        wanted = matching(messages, subscription)
        if len(wanted) < len(messages):
            await self._pass_over([message for message in messages if not any(message is one for one in wanted)])
        return PopResult(status, answer.rest_num, wanted)

    async def peek(self, queue: MessageQueue, *, count_max: int) -> PopResult:
        """What is next in a queue, or with ALL_QUEUES in those of a broker, without popping it: the messages have no receipts.

        Raises what `pop` does.
        """
        address = await self._instance.broker_address(queue.topic, queue.broker_name)
        header = PeekMessageRequestHeader(
            consumer_group=self._group,
            topic=queue.topic,
            queue_id=queue.queue_id,
            max_msg_nums=count_max,
            broker_name=queue.broker_name,
        )
        response = await self._instance.api.peek_message(address, header)
        status, answer = _understood(response, address)
        messages = list(iter_records(response.body))
        for message in messages:
            message.broker_name, message.topic = queue.broker_name, queue.topic
        return PopResult(status, answer.rest_num, messages)

    async def _pass_over(self, messages: Sequence[StoredMessage]) -> None:
        """What nobody asked for is acknowledged, for else it would come again."""
        for outcome in await all_of(self.ack(message) for message in messages):
            if isinstance(outcome, Failure):
                outcome.trap(*EXPECTED_ERRORS)
                self._log.debug("a message that was not asked for comes again: {error}", error=outcome.value)

    async def ack(self, message: StoredMessage) -> None:
        """A popped message is consumed. A broker does not tell whether it was in time.

        Raises DecodeError for a message without a receipt, BrokerRefused, NoRoute, or one of TRANSPORT_ERRORS.
        """
        receipt, topic = self._receipt_of(message)
        address = await self._instance.broker_address(topic, receipt.broker_name)
        header = AckMessageRequestHeader(
            consumer_group=self._group,
            topic=receipt.real_topic(topic, self._group),
            queue_id=receipt.queue_id,
            extra_info=message.properties[names.POP_CK],
            offset=receipt.queue_offset,
            broker_name=receipt.broker_name,
        )
        await self._instance.api.ack_message(address, header)

    async def ack_all(self, messages: Iterable[StoredMessage]) -> None:
        """Many of them, with one request to each broker. Raises what `ack` does; the other brokers are told all the same."""
        parts: dict[str, list[tuple[Receipt, str]]] = {}
        for message in messages:
            receipt, topic = self._receipt_of(message)
            parts.setdefault(receipt.broker_name, []).append((receipt, topic))
        for outcome in await all_of(self._ack_at(name, part) for name, part in parts.items()):
            if isinstance(outcome, Failure):
                outcome.raiseException()

    async def _ack_at(self, broker_name: str, popped: Sequence[tuple[Receipt, str]]) -> None:
        address = await self._instance.broker_address(popped[0][1], broker_name)
        body = BatchAckMessageRequestBody(broker_name, tuple(_batch_acks(self._group, popped)))
        await self._instance.api.batch_ack_message(address, body)

    async def give_back(self, message: StoredMessage) -> None:
        """The message comes again at once, and on brokers from 5.5 on as if it had not come here. Raises what `ack` does."""
        await self.change_invisible_time(message, 0, is_untouched=True)

    async def change_invisible_time(self, message: StoredMessage, invisible_s: float, *, is_untouched: bool = False) -> None:
        """The message comes again after so long from now on, unless it is acknowledged with the receipt that it has then.

        `is_untouched` says that this was no attempt to consume it. Raises what `ack` does.
        """
        receipt, topic = self._receipt_of(message)
        address = await self._instance.broker_address(topic, receipt.broker_name)
        header = ChangeInvisibleTimeRequestHeader(
            consumer_group=self._group,
            topic=receipt.real_topic(topic, self._group),
            queue_id=receipt.queue_id,
            extra_info=message.properties[names.POP_CK],
            offset=receipt.queue_offset,
            invisible_time=int(invisible_s * 1000),
            suspend=True if is_untouched else None,
            broker_name=receipt.broker_name,
        )
        answer = await self._instance.api.change_invisible_time(address, header)
        message.properties[names.POP_CK] = str(
            Receipt(
                start_offset=receipt.queue_offset,
                pop_time_ms=answer.pop_time,
                invisible_ms=answer.invisible_time,
                revive_queue_id=answer.revive_queue_id,
                retry_flag=receipt.retry_flag,
                broker_name=receipt.broker_name,
                queue_id=receipt.queue_id,
                queue_offset=receipt.queue_offset,
            )
        )

    def _receipt_of(self, message: StoredMessage) -> tuple[Receipt, str]:
        """(receipt, topic as the brokers know it). Raises DecodeError."""
        return Receipt.parse(message.properties.get(names.POP_CK)), self._namespace.wrap(message.topic)


def _understood(response: RemotingCommand, address: str) -> tuple[PopStatus, PopMessageResponseHeader]:
    """Raises BrokerRefused for an answer that is no PopStatus."""
    status = POP_STATUS_OF_CODE.get(response.code)
    if status is None:
        raise BrokerRefused(response.code, response.remark, address)
    return status, PopMessageResponseHeader.from_fields(response.ext_fields)


def _with_receipts(
    messages: Iterable[StoredMessage], answer: PopMessageResponseHeader, queue: MessageQueue
) -> Iterator[StoredMessage]:
    """Popped messages with broker, topic, receipt and the time of their first pop. Raises DecodeError."""
    starts = entries_in(answer.start_offset_info)
    counts = entries_in(answer.order_count_info)
    offsets = {key: iter(text.split(",")) for key, text in entries_in(answer.msg_offset_info).items()}
    for message in messages:
        flag = _written_flag(message, answer)
        key = (retry_flag_of(message.topic) if flag is None else flag, str(message.queue_id))
        # The n-th message of a queue has the n-th offset. Brokers before the two texts began to read at the first message.
        start = starts.setdefault(key, str(message.queue_offset))
        offset = next(offsets[key], None) if key in offsets else str(message.queue_offset)
        try:
            receipt = Receipt(
                start_offset=int(start),
                pop_time_ms=answer.pop_time,
                invisible_ms=answer.invisible_time,
                revive_queue_id=answer.revive_queue_id,
                retry_flag=key[0],
                broker_name=queue.broker_name,
                queue_id=message.queue_id,
                queue_offset=int(offset or ""),
            )
            # What is popped in order comes again as it is stored, so its attempts are counted for each message or for its queue.
            count = counts.get((key[0], f"qo{message.queue_id}%{offset}"), counts.get(key))
            message.reconsume_times = int(count or 0) or message.reconsume_times
        except ValueError as error:
            raise DecodeError(f"the offsets {answer.msg_offset_info!r} do not go with the messages popped: {error}") from error
        if flag is None:
            message.properties[names.POP_CK] = str(receipt)
        message.properties.setdefault(names.FIRST_POP_TIME, str(answer.pop_time))
        message.broker_name, message.topic = queue.broker_name, queue.topic
        yield message


def _written_flag(message: StoredMessage, answer: PopMessageResponseHeader) -> str | None:
    """The retry flag in the receipt that the broker gave a message which comes again.

    None when it gave none; a receipt of another pop was only copied from another message.
    """
    text = message.properties.get(names.POP_CK)
    if text is None:
        return None
    try:
        receipt = Receipt.parse(text)
    except DecodeError:
        return None
    return receipt.retry_flag if receipt.pop_time_ms == answer.pop_time else None


def _batch_acks(group: str, popped: Sequence[tuple[Receipt, str]]) -> Iterator[BatchAck]:
    """One for the messages of each queue that one pop brought."""
    parts: dict[tuple[str, Receipt], list[int]] = {}
    for receipt, topic in popped:
        first = attrs.evolve(receipt, queue_offset=receipt.start_offset)
        parts.setdefault((topic, first), []).append(receipt.queue_offset - receipt.start_offset)
    for (topic, first), places in parts.items():
        yield BatchAck(
            group,
            topic,
            first.retry_flag,
            first.start_offset,
            first.queue_id,
            first.revive_queue_id,
            first.pop_time_ms,
            first.invisible_ms,
            bit_set(places),
        )
