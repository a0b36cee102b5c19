# Tests: tests/broker/processors/test_consumestats.py
"""How far consumer groups are behind: 208, 303, 308, 317 (remoting.md 3.12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.broker.consumers import ConsumerManager
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IClock, IMessageStore, IRequestProcessor
from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue, queue_table
from pymq.wire.bodies.offsets import (
    ConsumeStats,
    ConsumeStatsList,
    OffsetWrapper,
    QueryConsumeTimeSpanBody,
    QueryCorrectionOffsetBody,
    QueueTimeSpan,
)
from pymq.wire.bodies.topics import TopicConfig
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.admin import (
    GetConsumeStatsInBrokerHeader,
    GetConsumeStatsRequestHeader,
    QueryConsumeTimeSpanRequestHeader,
    QueryCorrectionOffsetHeader,
)

#: "Do not correct this queue", in the answer to 308.
_NO_CORRECTION = 2**63 - 1


@implementer(IRequestProcessor)
class ConsumeStatsProcessor:
    """Compares the offsets of groups with the ends of queues (Java: AdminBrokerProcessor)."""

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store: IMessageStore,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        consumers: ConsumerManager,
        offsets: ConsumerOffsetManager,
        stats: BrokerStatsManager,
        clock: IClock,
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._consumers = consumers
        self._offsets = offsets
        self._stats = stats
        self._clock = clock
        self._answers: dict[int, Callable[[RemotingCommand], RemotingCommand]] = {
            RequestCode.GET_CONSUME_STATS: self._of_group,
            RequestCode.GET_BROKER_CONSUME_STATS: self._of_broker,
            RequestCode.QUERY_CONSUME_TIME_SPAN: self._time_spans,
            RequestCode.QUERY_CORRECTION_OFFSET: self._corrections,
        }
        self.codes = frozenset(self._answers)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Answer one of the codes above. Raises RequestError."""
        return self._answers[request.code](request)

    def _of_group(self, request: RemotingCommand) -> RemotingCommand:
        header = GetConsumeStatsRequestHeader.from_fields(request.ext_fields)
        if header.topic:
            names: Iterable[str] = [header.topic]
        else:
            names = sorted(self._offsets.topics_of(header.consumer_group))
        table: dict[MessageQueue, OffsetWrapper] = {}
        tps = 0.0
        for topic in self._consumed(header.consumer_group, names):
            table.update(self._progress(header.consumer_group, topic, topic.read_queue_nums))
            tps += self._stats.consume_tps(header.consumer_group, topic.topic_name)
        return request.reply(body=javajson.encode(ConsumeStats(offset_table=queue_table(table), consume_tps=tps)))

    def _consumed(self, group: str, names: Iterable[str]) -> Iterable[TopicConfig]:
        """Those of the topics that exist and that the group, if it is online, really subscribes to."""
        members = self._consumers.group(group)
        for name in names:
            topic = self._topics.get(name)
            is_subscribed = members is None or not members.subscriptions or name in members.subscriptions
            if topic is not None and is_subscribed:
                yield topic

    def _progress(self, group: str, topic: TopicConfig, queues: int) -> dict[MessageQueue, OffsetWrapper]:
        """Every queue's end, the group's place in it and when the message before that place was stored."""
        name = topic.topic_name
        progress = {}
        for queue_id in range(queues):
            consumed = max(0, self._offsets.query(group, name, queue_id))
            progress[MessageQueue(name, self._config.broker_name, queue_id)] = OffsetWrapper(
                broker_offset=max(0, self._store.max_offset(name, queue_id)),
                consumer_offset=consumed,
                last_timestamp=max(0, self._store.store_time(name, queue_id, consumed - 1)) if consumed else 0,
            )
        return progress

    def _of_broker(self, request: RemotingCommand) -> RemotingCommand:
        is_order = GetConsumeStatsInBrokerHeader.from_fields(request.ext_fields).is_order
        stats_by_group: list[dict[str, list[ConsumeStats]]] = []
        behind = 0
        for group in sorted(self._groups.table):
            listed = []
            for topic in self._consumed(group, sorted(self._offsets.topics_of(group))):
                if is_order and not topic.order:
                    continue
                progress = self._progress(group, topic, topic.write_queue_nums)
                behind += sum(queue.broker_offset - queue.consumer_offset for queue in progress.values())
                tps = self._stats.consume_tps(group, topic.topic_name)
                listed.append(ConsumeStats(offset_table=queue_table(progress), consume_tps=tps))
            stats_by_group.append({group: listed})
        address = f"{self._config.broker_ip1}:{self._config.listen_port}"
        body = ConsumeStatsList(consume_stats_list=tuple(stats_by_group), broker_addr=address, total_diff=behind)
        return request.reply(body=javajson.encode(body))

    def _time_spans(self, request: RemotingCommand) -> RemotingCommand:
        """When the oldest, the newest and the last consumed message of every queue were stored."""
        header = QueryConsumeTimeSpanRequestHeader.from_fields(request.ext_fields)
        topic = self._topics.get(header.topic)
        if topic is None:
            raise RequestError(ResponseCode.TOPIC_NOT_EXIST, f"topic[{header.topic}] not exist")
        spans = tuple(self._time_span(header.group, header.topic, queue_id) for queue_id in range(topic.write_queue_nums))
        return request.reply(body=javajson.encode(QueryConsumeTimeSpanBody(consume_time_span_set=spans)))

    def _time_span(self, group: str, topic: str, queue_id: int) -> QueueTimeSpan:
        store = self._store
        begin, end = store.min_offset(topic, queue_id), store.max_offset(topic, queue_id)
        oldest = store.store_time(topic, queue_id, begin)
        newest = store.store_time(topic, queue_id, end - 1)
        consumed = self._offsets.query(group, topic, queue_id)
        last_consumed = store.store_time(topic, queue_id, consumed - 1) if consumed > 0 else oldest
        next_time = store.store_time(topic, queue_id, max(begin, consumed)) if consumed < end else -1
        return QueueTimeSpan(
            message_queue=MessageQueue(topic, self._config.broker_name, queue_id),
            min_time_stamp=oldest,
            max_time_stamp=newest,
            consume_time_stamp=last_consumed,
            delay_time=int(self._clock.seconds() * 1000) - next_time if next_time >= 0 else 0,
            min_time_stamp_str=time_text(oldest),
            max_time_stamp_str=time_text(newest),
            consume_time_stamp_str=time_text(last_consumed),
        )

    def _corrections(self, request: RemotingCommand) -> RemotingCommand:
        """The least offset of all groups in each queue, but none where the compared group is behind it already."""
        header = QueryCorrectionOffsetHeader.from_fields(request.ext_fields)
        ignored = set((header.filter_groups or "").split(","))
        least: dict[int, int] = {}
        for group in self._offsets.groups_of(header.topic) - ignored:
            for queue_id, offset in self._offsets.query_all(group, header.topic).items():
                if offset >= self._store.min_offset(header.topic, queue_id):
                    least[queue_id] = min(offset, least.get(queue_id, offset))
        for queue_id, offset in self._offsets.query_all(header.compare_group, header.topic).items():
            if least.get(queue_id, offset) > offset:
                least[queue_id] = _NO_CORRECTION
        return request.reply(body=javajson.encode(QueryCorrectionOffsetBody(correction_offsets=least)))


def time_text(time_ms: int) -> str:
    """A time as Java's tools write it, in local time: `yyyy-MM-dd#HH:mm:ss:SSS`."""
    moment = datetime.fromtimestamp(max(0, time_ms) / 1000)
    return f"{moment:%Y-%m-%d#%H:%M:%S}:{max(0, time_ms) % 1000:03d}"
