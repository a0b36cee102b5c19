"""A broker in memory that lets consumers pop: pop-and-timer.md, as far as a client can tell.

Popped messages are hidden until their time is over; then they stand in the group's retry topic, with one attempt more. Every
answer has the texts of a real broker's, retried messages have the topic that was asked for, and a receipt.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred

from pymq.message.properties import encode_properties
from pymq.message.receipt import Receipt, retry_flag_of
from pymq.message.record import decode_record, draft_from, encode_record
from pymq.message.topics import pop_retry_topic, pop_retry_topic_v2
from pymq.wire import javajson
from pymq.wire.bodies.assignment import (
    MODE_PULL,
    MessageQueueAssignment,
    QueryAssignmentRequestBody,
    QueryAssignmentResponseBody,
    SetMessageRequestModeRequestBody,
)
from pymq.wire.bodies.batchack import BatchAckMessageRequestBody, places_in
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import ResponseCode as Answer
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.pop import (
    AckMessageRequestHeader,
    ChangeInvisibleTimeRequestHeader,
    ChangeInvisibleTimeResponseHeader,
    PeekMessageRequestHeader,
    PopMessageRequestHeader,
    PopMessageResponseHeader,
)
from tests.client.fakecluster import QUEUES, FakeBroker, FakeCluster
from tests.client.fakeorder import ORDERED, Blocks

#: (group, topic as it is stored, queue id, queue offset, time of the pop).
Key = tuple[str, str, int, int, int]


@attrs.define
class Hidden:
    """A popped message that nobody acknowledged yet."""

    data: bytes
    again: Any


class PopBroker(FakeBroker):
    """A broker that pops too. `modes` is what was set; `v2` chooses the retry topics."""

    v2 = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.modes: dict[tuple[str, str], str] = {}
        self.knows_members = True
        self.popped_to: dict[tuple[str, str, int], int] = {}
        self.hidden: dict[Key, Hidden] = {}
        self.blocks = Blocks()
        self.waiting: list[tuple[RemotingCommand, Deferred[RemotingCommand], Any]] = []

    def _query_assignment(self, request: RemotingCommand) -> RemotingCommand:
        body = javajson.decode_as(request.body, QueryAssignmentRequestBody)
        if not self.knows_members or body.client_id not in self.members.get(body.consumer_group, ()):
            return request.reply(body=javajson.encode(QueryAssignmentResponseBody()))
        mode = self.modes.get((body.topic, body.consumer_group), MODE_PULL)
        count = 1 if body.topic.startswith("%RETRY%") else QUEUES
        ids = list(range(count)) if mode == MODE_PULL else [-1]
        given = tuple(MessageQueueAssignment(MessageQueue(body.topic, self.name, one), mode) for one in ids)
        return request.reply(body=javajson.encode(QueryAssignmentResponseBody(given)))

    def _set_message_request_mode(self, request: RemotingCommand) -> RemotingCommand:
        body = javajson.decode_as(request.body, SetMessageRequestModeRequestBody)
        self.modes[body.topic, body.consumer_group] = body.mode
        return request.reply()

    def put(self, *arguments: Any, **more: Any) -> int:
        """Store a message, and tell those who wait for it."""
        offset = super().put(*arguments, **more)
        for request, answer, giving_up in list(self.waiting):
            found = self.popped(request)
            if found is not None:
                self.waiting.remove((request, answer, giving_up))
                giving_up.cancel()
                answer.callback(found)
        return offset

    def _pop_message(self, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        found = self.popped(request)
        header = PopMessageRequestHeader.from_fields(request.ext_fields)
        nothing = request.reply(Answer.POLLING_TIMEOUT, "NO_MESSAGE_IN_QUEUE", header=PopMessageResponseHeader(rest_num=0))
        if found is not None or not header.poll_time:
            return nothing if found is None else found
        answer: Deferred[RemotingCommand] = Deferred(lambda _: None)

        def give_up() -> None:
            self.waiting.remove((request, answer, giving_up))
            answer.callback(nothing)

        giving_up = self.clock.callLater(header.poll_time / 1000, give_up)
        self.waiting.append((request, answer, giving_up))
        return answer

    def forget_waiting(self) -> None:
        """As when the connections of those who wait are closed."""
        for _, _, giving_up in self.waiting:
            giving_up.cancel()
        self.waiting.clear()

    def _peek_message(self, request: RemotingCommand) -> RemotingCommand:
        header = PeekMessageRequestHeader.from_fields(request.ext_fields)
        records: list[bytes] = []
        for topic, queue_id in self.wanted(header.topic, header.consumer_group, header.queue_id):
            begin = self.popped_to.get((header.consumer_group, topic, queue_id), 0)
            records += self.queues.get((topic, queue_id), [])[begin:]
        answer = PopMessageResponseHeader(rest_num=len(records))
        if not records:
            return request.reply(Answer.PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE", header=answer)
        return request.reply(remark="FOUND", header=answer, body=b"".join(records[: header.max_msg_nums]))

    def wanted(self, topic: str, group: str, queue_id: int) -> list[tuple[str, int]]:
        """The queues that a pop reads."""
        retries = [(self.retry_topic(topic, group), 0)] if queue_id < 0 else []
        return retries + [(topic, n) for n in range(QUEUES) if queue_id in (-1, n)]

    def popped(self, request: RemotingCommand) -> RemotingCommand | None:
        """An answer with messages, if there are any."""
        header = PopMessageRequestHeader.from_fields(request.ext_fields)
        if header.order:
            return self.popped_in_order(request, header)
        now_ms = int(self.clock.seconds() * 1000)
        starts, offsets, records = [], [], []
        for topic, queue_id in self.wanted(header.topic, header.consumer_group, header.queue_id):
            queue, place = self.queues.get((topic, queue_id), []), (header.consumer_group, topic, queue_id)
            begin = self.popped_to.get(place, 0)
            found = queue[begin : begin + header.max_msg_nums - len(records)]
            if not found:
                continue
            self.popped_to[place] = begin + len(found)
            starts.append(f"{retry_flag_of(topic)} {queue_id} {begin}")
            numbers = range(begin, begin + len(found))
            offsets.append(f"{retry_flag_of(topic)} {queue_id} {','.join(map(str, numbers))}")
            for offset, data in zip(numbers, found):
                self.hide((header.consumer_group, topic, queue_id, offset, now_ms), data, header.invisible_time)
                records.append(self.delivered(data, header, topic, begin, offset, now_ms))
        if not records:
            return None
        answer = PopMessageResponseHeader(
            pop_time=now_ms,
            invisible_time=header.invisible_time,
            revive_queue_id=3,
            rest_num=0,
            start_offset_info=";".join(starts),
            msg_offset_info=";".join(offsets),
        )
        return request.reply(remark="FOUND", header=answer, body=b"".join(records))

    def popped_in_order(self, request: RemotingCommand, header: PopMessageRequestHeader) -> RemotingCommand | None:
        """The same of queues that are not blocked; where they are read moves with the acknowledgements."""
        now_ms = int(self.clock.seconds() * 1000)
        starts, offsets, counts, records = [], [], [], []
        for topic, queue_id in self.wanted(header.topic, header.consumer_group, header.queue_id):
            queue, place = self.queues.get((topic, queue_id), []), (header.consumer_group, topic, queue_id)
            begin = self.popped_to.get(place, 0)
            found = queue[begin : begin + header.max_msg_nums - len(records)]
            if not found or self.blocks.is_blocked(place, now_ms, header.attempt_id):
                continue
            numbers = range(begin, begin + len(found))
            starts.append(f"0 {queue_id} {begin}")
            offsets.append(f"0 {queue_id} {','.join(map(str, numbers))}")
            counts.append(self.blocks.give(place, numbers, now_ms, header.invisible_time, header.attempt_id))
            records += found
        answer = PopMessageResponseHeader(
            pop_time=now_ms,
            invisible_time=header.invisible_time,
            revive_queue_id=ORDERED,
            start_offset_info=";".join(starts),
            msg_offset_info=";".join(offsets),
            order_count_info=";".join(counts),
        )
        return request.reply(remark="FOUND", header=answer, body=b"".join(records)) if records else None

    def retry_topic(self, topic: str, group: str) -> str:
        """Where messages come again."""
        return (pop_retry_topic_v2 if self.v2 else pop_retry_topic)(topic, group)

    def delivered(self, data: bytes, header: PopMessageRequestHeader, topic: str, begin: int, offset: int, now_ms: int) -> bytes:
        """A record as the answer has it: one that comes again is written anew."""
        if topic == header.topic:
            return data
        message = decode_record(data)
        receipt = Receipt(
            start_offset=begin,
            pop_time_ms=now_ms,
            invisible_ms=header.invisible_time,
            revive_queue_id=3,
            retry_flag=retry_flag_of(topic),
            broker_name=self.name,
            queue_id=0,
            queue_offset=offset,
        )
        draft = draft_from(
            topic=header.topic,
            queue_id=0,
            flag=message.flag,
            sys_flag=message.sys_flag,
            born_timestamp=message.born_timestamp,
            born_host=message.born_host_bytes,
            store_host=message.store_host_bytes,
            body=message.raw_body,
            properties=encode_properties({**message.properties, "POP_CK": str(receipt)}),
            reconsume_times=message.reconsume_times,
        )
        draft.queue_offset, draft.log_offset = message.queue_offset, message.log_offset
        draft.store_timestamp = message.store_timestamp
        return bytes(encode_record(draft))

    def hide(self, key: Key, data: bytes, invisible_ms: int) -> None:
        """Let a message come again after a while."""
        self.hidden[key] = Hidden(data, self.clock.callLater(invisible_ms / 1000, self.comes_again, key))

    def comes_again(self, key: Key) -> None:
        """Its time is over."""
        message = decode_record(self.hidden.pop(key).data)
        topic = message.topic if message.topic.startswith("%RETRY%") else self.retry_topic(message.topic, key[0])
        properties = encode_properties(message.properties)
        self.put(topic, 0, message.raw_body, properties, reconsume_times=message.reconsume_times + 1)

    def show(self, key: Key) -> bytes | None:
        """The message is hidden no more."""
        hidden = self.hidden.pop(key, None)
        if hidden is None:
            return None
        if hidden.again.active():
            hidden.again.cancel()
        return hidden.data

    def _ack_message(self, request: RemotingCommand) -> RemotingCommand:
        header = AckMessageRequestHeader.from_fields(request.ext_fields)
        receipt = Receipt.parse(header.extra_info)
        place = (header.consumer_group, header.topic, header.queue_id)
        self.acked(place, header.offset, receipt.pop_time_ms, receipt.revive_queue_id)
        return request.reply()

    def acked(self, place: tuple[str, str, int], offset: int, pop_time_ms: int, revive_queue_id: int) -> None:
        """A message is done."""
        if revive_queue_id != ORDERED:
            self.show((*place, offset, pop_time_ms))
            return
        moved = self.blocks.ack(place, offset, pop_time_ms)
        self.popped_to[place] = self.popped_to.get(place, 0) if moved is None else moved

    def _batch_ack_message(self, request: RemotingCommand) -> RemotingCommand:
        for ack in javajson.decode_as(request.body, BatchAckMessageRequestBody).acks:
            topic = ack.topic if ack.retry == "0" else self.retry_topic(ack.topic, ack.consumer_group)
            for place in places_in(ack.bit_set):
                queue = (ack.consumer_group, topic, ack.queue_id)
                self.acked(queue, ack.start_offset + place, ack.pop_time, ack.revive_queue_id)
        return request.reply()

    def _change_message_invisibletime(self, request: RemotingCommand) -> RemotingCommand:
        header = ChangeInvisibleTimeRequestHeader.from_fields(request.ext_fields)
        receipt, now_ms = Receipt.parse(header.extra_info), int(self.clock.seconds() * 1000)
        pop_time_ms = receipt.pop_time_ms
        if receipt.revive_queue_id == ORDERED:
            place = (header.consumer_group, header.topic, header.queue_id)
            self.blocks.change(place, header.offset, pop_time_ms, now_ms + header.invisible_time)
            lasts_ms = now_ms + header.invisible_time - pop_time_ms
            return request.reply(
                header=ChangeInvisibleTimeResponseHeader(pop_time=pop_time_ms, invisible_time=lasts_ms, revive_queue_id=ORDERED)
            )
        data = self.show((header.consumer_group, header.topic, header.queue_id, header.offset, pop_time_ms))
        if data is not None:
            key = (header.consumer_group, header.topic, header.queue_id, header.offset, now_ms)
            self.hide(key, data, header.invisible_time)
        answer = ChangeInvisibleTimeResponseHeader(pop_time=now_ms, invisible_time=header.invisible_time, revive_queue_id=3)
        return request.reply(header=answer)


def let_pop(cluster: FakeCluster) -> list[PopBroker]:
    """Have all brokers of a fresh cluster be such ones."""
    brokers = [PopBroker(cluster.clock, old.name, old.address) for old in cluster.brokers]
    for old, new in zip(cluster.brokers, brokers):
        new.topics |= old.topics
    cluster.brokers[:] = brokers
    return brokers
