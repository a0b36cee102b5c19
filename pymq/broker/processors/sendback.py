# Tests: tests/broker/processors/test_sendback.py
"""CONSUMER_SEND_MSG_BACK (36): a consumer could not use a message, and wants it again later (remoting.md 3.7).

The stored message is copied to the group's retry topic by way of a delay level; one that came too often, or that the consumer
gave up, to its dead letter topic. The consumer goes on behind it either way.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.broker.configmanager import WhenSaved, save_at_once
from pymq.broker.delays import redirected
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.processors.storesettings import StoreSettings
from pymq.broker.retries import DLQ_QUEUES, make_dead_letter_topic, retries_max, retry_level
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import DecodeError, RequestError, StoreClosed
from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.message.message import StoredMessage
from pymq.message.properties import DELAY, ORIGIN_MESSAGE_ID, RETRY_TOPIC, WAIT, encode_properties
from pymq.message.record import RecordDraft, decode_record, draft_from
from pymq.message.topics import retry_topic
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE, TOPIC_UNIT_SUBSCRIPTION, SubscriptionGroupConfig
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import ConsumerSendMsgBackRequestHeader


@implementer(IRequestProcessor)
class SendBackProcessor:
    """Stores copies of messages for another try (Java: SendMessageProcessor.asyncConsumerSendMsgBack).

    `choose_queue(count)` picks one of the retry topic's queues.
    """

    codes = frozenset({RequestCode.CONSUMER_SEND_MSG_BACK})

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store_config: StoreSettings,
        store: IMessageStore,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        stats: BrokerStatsManager,
        when_saved: WhenSaved = save_at_once,
        choose_queue: Callable[[int], int] = random.randrange,
    ) -> None:
        self._when_saved = when_saved
        self._config = config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._stats = stats
        self._choose_queue = choose_queue
        self._level_max = len(store_config.delay_levels_ms)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Take one message back. Raises RequestError when that cannot be; the consumer then sends a copy."""
        header = ConsumerSendMsgBackRequestHeader.from_fields(request.ext_fields)
        group = self._groups.find(header.group)
        if group is None:
            raise RequestError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"subscription group [{header.group}] does not exist")
        if not self._config.broker_permission & PERM_WRITE:
            remark = f"the broker [{self._config.broker_name}] may not be written to"
            raise RequestError(ResponseCode.NO_PERMISSION, remark)
        if group.retry_queue_nums <= 0:
            return request.reply()
        topic = self._make_retry_topic(header, group)
        message = self._look_up(header.offset)
        message.properties.setdefault(RETRY_TOPIC, message.topic)
        # Nobody waits for the disk; Java leaves it in the stored properties.
        message.properties[WAIT] = "false"
        message.properties.setdefault(ORIGIN_MESSAGE_ID, message.offset_msg_id)
        limit = retries_max(group, request.version, header.max_reconsume_times)
        if header.delay_level < 0 or message.reconsume_times >= limit:
            message.properties[DELAY] = "0"
            topic = make_dead_letter_topic(self._topics, header.group)
            draft = _copy(message, topic, self._choose_queue(DLQ_QUEUES))
        else:
            message.properties[DELAY] = str(retry_level(header.delay_level, message.reconsume_times))
            draft = redirected(_copy(message, topic, self._choose_queue(group.retry_queue_nums)), self._level_max)
        self._put(draft)
        self._stats.send_back(header.group, message.properties[RETRY_TOPIC])
        if self._topics.is_saved(topic):
            return request.reply()
        return self._when_saved(self._topics).addCallback(lambda _: request.reply())

    def _make_retry_topic(self, header: ConsumerSendMsgBackRequestHeader, group: SubscriptionGroupConfig) -> str:
        """The name of the group's retry topic, which is made if need be."""
        sys_flag = TOPIC_UNIT_SUBSCRIPTION if header.unit_mode else 0
        topic = self._topics.create_on_send_back(
            retry_topic(header.group), group.retry_queue_nums, PERM_READ | PERM_WRITE, sys_flag
        )
        if not topic.perm & PERM_WRITE:
            raise RequestError(ResponseCode.NO_PERMISSION, f"the topic[{topic.topic_name}] may not be written to")
        return topic.topic_name

    def _look_up(self, log_offset: int) -> StoredMessage:
        try:
            record = self._store.read_at(log_offset)
            if record is None:
                raise DecodeError("no record begins there")
            return decode_record(record)
        except StoreClosed as error:
            raise RequestError(ResponseCode.SERVICE_NOT_AVAILABLE, f"the store gives no messages: {error}") from error
        except DecodeError as error:
            remark = f"look message by offset failed, {log_offset}: {error}"
            raise RequestError(ResponseCode.SYSTEM_ERROR, remark) from error

    def _put(self, draft: RecordDraft) -> None:
        (result,) = self._store.put([draft])
        if not result.status.is_stored:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"{result.status.name} {result.reason}".rstrip())
        self._stats.put(draft.topic, 1, result.size)
        self._stats.queue_put(draft.topic, draft.queue_id, 1, result.size)


def _copy(message: StoredMessage, topic: str, queue_id: int) -> RecordDraft:
    """The message for another topic, consumed once more than before."""
    return draft_from(
        topic,
        queue_id,
        message.raw_body,
        encode_properties(message.properties),
        born_timestamp=message.born_timestamp,
        born_host=message.born_host_bytes,
        store_host=message.store_host_bytes,
        flag=message.flag,
        sys_flag=message.sys_flag,
        reconsume_times=message.reconsume_times + 1,
        wait=False,
    )
