# Tests: tests/broker/processors/test_topics.py
"""Administration of topics: 17, 21, 202, 215, 300, 305, 351 (remoting.md 3.12)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.broker.configmanager import WhenSaved, save_at_once
from pymq.broker.consumers import ConsumerManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.storesettings import StoreSettings, check_master
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.message import topics as names
from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue, queue_table
from pymq.wire.bodies.topics import GroupList, TopicConfig, TopicList, TopicOffset, TopicStatsTable
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.topics import (
    CreateTopicRequestHeader,
    DeleteTopicRequestHeader,
    GetTopicConfigRequestHeader,
    GetTopicStatsInfoRequestHeader,
    QueryTopicConsumeByWhoRequestHeader,
)

_FILTER_TYPES = ("SINGLE_TAG", "MULTI_TAG")
_PERMISSION_MAX = 15


def system_topics(config: BrokerConfig) -> frozenset[str]:
    """The topics that no administrator makes or deletes: the fixed ones and those named after this broker."""
    cluster = config.broker_cluster_name
    return names.SYSTEM_TOPICS | {cluster, config.broker_name, names.reply_topic(cluster), config.msg_trace_topic_name}


def parse_attributes(text: str | None, current: dict[str, str] | None) -> dict[str, str] | None:
    """A topic's attributes after `+name=value,-name`, a 5.x tool's words for what to set and what to take away.

    None when there are none. Raises RequestError (SYSTEM_ERROR) for words of another form.
    """
    attributes = dict(current or {})
    for word in filter(None, (part.strip() for part in (text or "").split(","))):
        name, equals, value = word[1:].partition("=")
        if word[0] == "+" and equals and name:
            attributes[name] = value
        elif word[0] == "-" and name and not equals:
            attributes.pop(name, None)
        else:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the attribute {word!r} is neither +name=value nor -name")
    return attributes or None


@implementer(IRequestProcessor)
class TopicAdminProcessor:
    """What tools ask and change about topics (Java: AdminBrokerProcessor)."""

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store_config: StoreSettings,
        store: IMessageStore,
        topics: TopicConfigManager,
        consumers: ConsumerManager,
        offsets: ConsumerOffsetManager,
        stats: BrokerStatsManager,
        when_saved: WhenSaved = save_at_once,
        when_told: Callable[[], Deferred[None]] = lambda: succeed(None),
    ) -> None:
        self._when_saved = when_saved
        self._when_told = when_told
        self._config = config
        self._store_config = store_config
        self._store = store
        self._topics = topics
        self._consumers = consumers
        self._offsets = offsets
        self._stats = stats
        self._answers: dict[int, Callable[[RemotingCommand], RemotingCommand | Deferred[RemotingCommand]]] = {
            RequestCode.UPDATE_AND_CREATE_TOPIC: self._update,
            RequestCode.DELETE_TOPIC_IN_BROKER: self._delete,
            RequestCode.GET_ALL_TOPIC_CONFIG: self._all,
            RequestCode.GET_TOPIC_CONFIG: self._one,
            RequestCode.GET_TOPIC_STATS_INFO: self._queue_ends,
            RequestCode.QUERY_TOPIC_CONSUME_BY_WHO: self._consumed_by,
            RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER: self._system_list,
        }
        self.codes = frozenset(self._answers)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Answer one of the codes above. Raises RequestError."""
        return self._answers[request.code](request)

    def _update(self, request: RemotingCommand) -> Deferred[RemotingCommand]:
        """Make or change a topic, and answer when it is saved and the name servers know: who made it may ask for its route.

        `order` is ignored, as in 4.9: what is ordered is written at the name server.
        """
        check_master(self._store_config)
        header = CreateTopicRequestHeader.from_fields(request.ext_fields)
        self._check_changeable(header.topic)
        if header.topic_filter_type not in _FILTER_TYPES:
            remark = f"topicFilterType {header.topic_filter_type!r} is unknown, it is one of {' and '.join(_FILTER_TYPES)}"
            raise RequestError(ResponseCode.SYSTEM_ERROR, remark)
        if not 0 <= header.perm <= _PERMISSION_MAX:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"perm {header.perm} is unknown: 2 is write, 4 is read, 6 is both")
        known = self._topics.get(header.topic)
        self._topics.update(
            TopicConfig(
                topic_name=header.topic,
                read_queue_nums=header.read_queue_nums,
                write_queue_nums=header.write_queue_nums,
                perm=header.perm,
                topic_filter_type=header.topic_filter_type,
                topic_sys_flag=header.topic_sys_flag or 0,
                attributes=parse_attributes(header.attributes, None if known is None else known.attributes),
            )
        )
        saved = self._when_saved(self._topics)
        return saved.addCallback(lambda _: self._when_told()).addCallback(lambda _: request.reply())

    def _delete(self, request: RemotingCommand) -> Deferred[RemotingCommand]:
        """Forget a topic with its queues, and how far groups read it: made anew, its queues begin at 0.

        Java removes the queues of all topics that it does not know, together with this one's; after the loss of `topics.json`
        these would be all that there are. Who wants that asks for CLEAN_UNUSED_TOPIC.
        """
        check_master(self._store_config)
        topic = DeleteTopicRequestHeader.from_fields(request.ext_fields).topic
        self._check_changeable(topic)
        self._topics.delete(topic)
        self._offsets.remove_topic(topic)
        self._stats.topic_deleted(topic)
        self._store.drop_queues(lambda name: name == topic)
        return self._when_saved(self._topics).addCallback(lambda _: request.reply())

    def _check_changeable(self, topic: str) -> None:
        try:
            names.check_topic(topic)
        except ValueError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error
        if topic in system_topics(self._config) or names.is_system_topic(topic):
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"The topic[{topic}] is conflict with system topic.")

    def _all(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(body=javajson.encode(self._topics.wrapper()))

    def _one(self, request: RemotingCommand) -> RemotingCommand:
        topic = GetTopicConfigRequestHeader.from_fields(request.ext_fields).topic
        return request.reply(body=javajson.encode(self._existing(topic)))

    def _existing(self, topic: str) -> TopicConfig:
        known = self._topics.get(topic)
        if known is None:
            raise RequestError(ResponseCode.TOPIC_NOT_EXIST, f"topic[{topic}] not exist")
        return known

    def _queue_ends(self, request: RemotingCommand) -> RemotingCommand:
        """Where every queue that is written to begins and ends; a new topic's queues are there before their first message."""
        topic = self._existing(GetTopicStatsInfoRequestHeader.from_fields(request.ext_fields).topic)
        name = topic.topic_name
        table = {}
        for queue_id in range(topic.write_queue_nums):
            end = self._store.max_offset(name, queue_id)
            table[MessageQueue(name, self._config.broker_name, queue_id)] = TopicOffset(
                min_offset=max(0, self._store.min_offset(name, queue_id)),
                max_offset=end,
                last_update_timestamp=max(0, self._store.store_time(name, queue_id, end - 1)) if end > 0 else 0,
            )
        return request.reply(body=javajson.encode(TopicStatsTable(offset_table=queue_table(table))))

    def _consumed_by(self, request: RemotingCommand) -> RemotingCommand:
        topic = QueryTopicConsumeByWhoRequestHeader.from_fields(request.ext_fields).topic
        groups = self._consumers.groups_of_topic(topic) | self._offsets.groups_of(topic)
        return request.reply(body=javajson.encode(GroupList(group_list=tuple(sorted(groups)))))

    def _system_list(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(body=javajson.encode(TopicList(topic_list=tuple(sorted(system_topics(self._config))))))
