# Tests: tests/client/test_trackadmin.py
"""What became of messages: in each group that consumes them, and how long they wait (Java: DefaultMQAdminExt)."""

from __future__ import annotations

from pymq.client.adminbase import operation
from pymq.client.config import MessageModel
from pymq.client.instance import EXPECTED_ERRORS
from pymq.client.memberadmin import MemberAdmin
from pymq.client.queries import address_of
from pymq.client.results import MessageTrack, QueueTimes, TrackType
from pymq.client.topicadmin import TopicAdmin
from pymq.errors import BrokerRefused
from pymq.message.ids import decode_offset_message_id
from pymq.message.message import StoredMessage
from pymq.wire import javajson
from pymq.wire.bodies.connections import ConsumerConnection
from pymq.wire.bodies.heartbeat import SUBSCRIBE_ALL
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.offsets import QueryConsumeTimeSpanBody, QueueTimeSpan
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.headers.admin import QueryConsumeTimeSpanRequestHeader
from pymq.wire.headers.transactions import ResumeCheckHalfMessageRequestHeader

_PULLS, _IS_PUSHED_TO = "CONSUME_ACTIVELY", "CONSUME_PASSIVELY"


class TrackAdmin(TopicAdmin, MemberAdmin):
    """Messages and queues as groups see them."""

    @operation
    async def message_track(self, message: StoredMessage) -> list[MessageTrack]:
        """What became of a stored message in every group that has offsets of its topic or is online, by group.

        A group that pulls is only told to be so, and one that broadcasts: the broker has no offsets of its members. CONSUMED is
        what lies before the group's offset, also when it went to the retry topic from there; CONSUMED_BUT_FILTERED what lies
        there but has another tag than the group wants. What could not be found out for one group is UNKNOWN, with the error.
        Fails with NoRoute, or when nobody could be asked for the groups. Java: messageTrackDetail.
        """
        groups = await self.topic_groups(message.topic)
        return await self._at_all(groups, lambda group: self._track(message, group))

    async def _track(self, message: StoredMessage, group: str) -> MessageTrack:
        try:
            connection = await self.consumer_connections(group)
            return MessageTrack(group, await self._track_type(message, group, connection))
        except EXPECTED_ERRORS as error:
            is_offline = isinstance(error, BrokerRefused) and error.code == ResponseCode.CONSUMER_NOT_ONLINE
            return MessageTrack(group, TrackType.NOT_ONLINE if is_offline else TrackType.UNKNOWN, str(error))

    async def _track_type(self, message: StoredMessage, group: str, connection: ConsumerConnection) -> TrackType:
        if connection.consume_type == _PULLS:
            return TrackType.PULL
        if connection.consume_type != _IS_PUSHED_TO:
            return TrackType.UNKNOWN
        if connection.message_model == MessageModel.BROADCASTING:
            return TrackType.CONSUME_BROADCASTING
        topic = self.namespace.wrap(message.topic)
        # Asked where it is stored, the broker's name does not matter.
        queue = MessageQueue(topic, "", message.queue_id)
        address = address_of(*message.store_host)
        if await self._api.query_consumer_offset(address, self.namespace.wrap(group), queue) <= message.queue_offset:
            return TrackType.NOT_CONSUME_YET
        subscription = connection.subscription_table.get(topic)
        if subscription is None or not subscription.tags_set or {message.tags, SUBSCRIBE_ALL} & set(subscription.tags_set):
            return TrackType.CONSUMED
        return TrackType.CONSUMED_BUT_FILTERED

    @operation
    async def resume_check_half_message(self, offset_msg_id: str) -> None:
        """Have the producer be asked once more about a transactional message that its broker gave up asking about.

        Such messages lie in the topic TRANS_CHECK_MAX_TIME_TOPIC. Fails with BrokerRefused, DecodeError.
        Java: resumeCheckHalfMessage.
        """
        host, port, _ = decode_offset_message_id(offset_msg_id)
        header = ResumeCheckHalfMessageRequestHeader(msg_id=offset_msg_id)
        await self._api.ask(address_of(host, port), RequestCode.RESUME_CHECK_HALF_MESSAGE, header)

    @operation
    async def consume_time_spans(self, group: str, topic: str) -> dict[MessageQueue, QueueTimes]:
        """When the first, the last and the last consumed message of each queue of a topic were stored, and how long a group lags.

        Fails with NoRoute, BrokerRefused. Java: queryConsumeTimeSpan.
        """
        topic = self.namespace.wrap(topic)
        header = QueryConsumeTimeSpanRequestHeader(topic=topic, group=self.namespace.wrap(group))
        answers = await self._at_all(
            await self._brokers_of_topic(topic),
            lambda address: self._api.ask(address, RequestCode.QUERY_CONSUME_TIME_SPAN, header, timeout_s=self._long_s),
        )
        spans = [
            one for answer in answers for one in javajson.decode_as(answer.body, QueryConsumeTimeSpanBody).consume_time_span_set
        ]
        spans.sort(key=lambda span: span.message_queue)
        return {self.namespace.unwrap_queue(span.message_queue): _times(span) for span in spans}


def _times(span: QueueTimeSpan) -> QueueTimes:
    """What a broker says. Where the next message cannot be found, as for a group without an offset, Apache's counts from -1."""
    oldest, newest, delay = span.min_time_stamp, span.max_time_stamp, span.delay_time
    if delay > newest:
        now = delay - 1
        delay = now - oldest if oldest >= 0 else 0
    return QueueTimes(oldest, newest, span.consume_time_stamp, delay)
