# Tests: tests/broker/processors/test_pull.py
"""PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361): read stored messages of one queue, or wait for them (remoting.md 3.3).

The body of an answer is the stored records as they lie in the log. A pull that finds nothing new is a Deferred, held by the
PullRequestHoldService until a message comes or its time is over, and is then executed once more, without waiting and without
committing an offset again. Java's event in OFFSET_MOVED_EVENT for a moved offset is not written, as in 5.x.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.broker.consumers import ConsumerManager
from pymq.broker.filters import ConsumerFilterManager, FilterFinder, MessageFilter, draft_test, filtered_get, is_tag_type
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.holds import Hold, PullRequestHoldService
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.storesettings import ROLE_SLAVE, StoreSettings
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IClock, IMessageStore, IRequestProcessor
from pymq.message.flags import PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION, PULL_SUSPEND
from pymq.message.record import store_time_at
from pymq.message.results import GetResult, GetStatus
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from pymq.wire.bodies.topics import PERM_READ, SubscriptionGroupConfig, TopicConfig
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import PullMessageRequestHeader, PullMessageResponseHeader

MASTER_ID = 0
BROADCASTING = "BROADCASTING"
_ALL = "*"

#: What the store found -> how the pull is answered. An empty queue is answered by `_empty_queue_code`.
ANSWERS: dict[GetStatus, ResponseCode] = {
    GetStatus.FOUND: ResponseCode.SUCCESS,
    GetStatus.NO_MATCHED_MESSAGE: ResponseCode.PULL_RETRY_IMMEDIATELY,
    GetStatus.MESSAGE_WAS_REMOVING: ResponseCode.PULL_RETRY_IMMEDIATELY,
    GetStatus.OFFSET_FOUND_NULL: ResponseCode.PULL_NOT_FOUND,
    GetStatus.OFFSET_OVERFLOW_ONE: ResponseCode.PULL_NOT_FOUND,
    GetStatus.OFFSET_OVERFLOW_BADLY: ResponseCode.PULL_OFFSET_MOVED,
    GetStatus.OFFSET_TOO_SMALL: ResponseCode.PULL_OFFSET_MOVED,
}


@attrs.frozen
class AdmittedPull:
    """A pull that passed all checks: what is left to do is reading."""

    header: PullMessageRequestHeader
    group: SubscriptionGroupConfig
    tag_filter: frozenset[int] | None
    message_filter: MessageFilter | None


def answer_code(status: GetStatus, queue_offset: int) -> ResponseCode:
    """The response code for what the store found at `queue_offset`. An empty queue is news only to who was further already."""
    if status in ANSWERS:
        return ANSWERS[status]
    return ResponseCode.PULL_NOT_FOUND if queue_offset == 0 else ResponseCode.PULL_OFFSET_MOVED


def tag_filter_of(subscription: SubscriptionData) -> frozenset[int] | None:
    """The tag hashes that a subscription lets through, or None for all of them."""
    if subscription.sub_string in (_ALL, "") or subscription.class_filter_mode or not is_tag_type(subscription.expression_type):
        return None
    return frozenset(subscription.code_set) or None


def count_found(
    stats: BrokerStatsManager, header: PullMessageRequestHeader, result: GetResult, started: float, ended: float
) -> None:
    """Count a pull that found messages, between two times in seconds since the epoch."""
    elapsed_ms = int((ended - started) * 1000)
    stats.found(
        header.consumer_group,
        header.topic,
        header.queue_id,
        len(result.records),
        result.size_bytes,
        elapsed_ms,
        result.behind_bytes,
        int(ended * 1000) - store_time_at(result.records[-1], 0),
    )
    if elapsed_ms:
        stats.store.get_took(elapsed_ms)


@implementer(IRequestProcessor)
class PullMessageProcessor:
    """Answers pulls (Java: PullMessageProcessor)."""

    codes = frozenset({RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE})

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store_config: StoreSettings,
        store: IMessageStore,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        consumers: ConsumerManager,
        filters: ConsumerFilterManager,
        offsets: ConsumerOffsetManager,
        holds: PullRequestHoldService,
        stats: BrokerStatsManager,
        clock: IClock,
    ) -> None:
        self._config = config
        self._store_config = store_config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._consumers = consumers
        self._filters = FilterFinder(config, filters)
        self._offsets = offsets
        self._holds = holds
        self._stats = stats
        self._clock = clock

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Answer a pull, at once or as soon as there is a message. Raises RequestError for one that is refused."""
        pull = self.admit(PullMessageRequestHeader.from_fields(request.ext_fields))
        header = pull.header
        result, code = self._read(pull, header.queue_offset)
        answer: RemotingCommand | Deferred[RemotingCommand]
        if code == ResponseCode.PULL_NOT_FOUND and header.sys_flag & PULL_SUSPEND:
            answer = self._hold(request, pull)
        else:
            answer = self._answer(request, pull, result, code)
        if header.sys_flag & PULL_COMMIT_OFFSET and self._store_config.broker_role != ROLE_SLAVE:
            self._offsets.commit(header.consumer_group, header.topic, header.queue_id, header.commit_offset)
        return answer

    def admit(self, header: PullMessageRequestHeader) -> AdmittedPull:
        """All checks before reading, in Java's order. Raises RequestError."""
        if not self._config.broker_permission & PERM_READ:
            raise RequestError(ResponseCode.NO_PERMISSION, f"the broker [{self._config.broker_name}] may not be read from")
        group = self._groups.find(header.consumer_group)
        if group is None:
            remark = f"subscription group [{header.consumer_group}] does not exist, and may not be made by its first use"
            raise RequestError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        if not group.consume_enable:
            raise RequestError(ResponseCode.NO_PERMISSION, f"subscription group [{header.consumer_group}] may not consume")
        self._check_queue(header, self._topics.get(header.topic))
        subscription, message_filter = self._subscription(header, group)
        return AdmittedPull(header, group, tag_filter_of(subscription), message_filter)

    @staticmethod
    def _check_queue(header: PullMessageRequestHeader, topic: TopicConfig | None) -> None:
        if topic is None:
            raise RequestError(ResponseCode.TOPIC_NOT_EXIST, f"topic[{header.topic}] not exist, apply first please!")
        if not topic.perm & PERM_READ:
            raise RequestError(ResponseCode.NO_PERMISSION, f"the topic[{header.topic}] may not be read from")
        if not 0 <= header.queue_id < topic.read_queue_nums:
            raise RequestError(
                ResponseCode.SYSTEM_ERROR,
                f"queueId[{header.queue_id}] is illegal, topic[{header.topic}] has {topic.read_queue_nums} queues to read from",
            )

    def _subscription(
        self, header: PullMessageRequestHeader, group: SubscriptionGroupConfig
    ) -> tuple[SubscriptionData, MessageFilter | None]:
        """What the pull subscribes to: its own words, or those of the group's heartbeats; and its filter. Raises RequestError."""
        is_own = bool(header.sys_flag & PULL_SUBSCRIPTION)
        subscription = self._parse(header) if is_own else self._registered(header, group)
        if not is_tag_type(subscription.expression_type) and not self._config.enable_property_filter:
            raise RequestError(
                ResponseCode.SYSTEM_ERROR,
                f"The broker does not support consumer to filter message by {subscription.expression_type}",
            )
        name, version = header.consumer_group, header.sub_version
        return subscription, self._filters.find(name, subscription, is_own=is_own, sub_version=version)

    @staticmethod
    def _parse(header: PullMessageRequestHeader) -> SubscriptionData:
        try:
            return build_subscription(header.topic, header.subscription, header.expression_type, sub_version=header.sub_version)
        except ValueError as error:
            remark = f"the consumer's subscription cannot be parsed: {error}"
            raise RequestError(ResponseCode.SUBSCRIPTION_PARSE_FAILED, remark) from error

    def _registered(self, header: PullMessageRequestHeader, group: SubscriptionGroupConfig) -> SubscriptionData:
        members = self._consumers.group(header.consumer_group)
        if members is None:
            remark = f"the consumer group [{header.consumer_group}] has not sent a heartbeat"
            raise RequestError(ResponseCode.SUBSCRIPTION_NOT_EXIST, remark)
        if not group.consume_broadcast_enable and members.message_model == BROADCASTING:
            remark = f"the consumer group [{header.consumer_group}] may not consume by broadcast"
            raise RequestError(ResponseCode.NO_PERMISSION, remark)
        subscription = members.subscriptions.get(header.topic)
        if subscription is None:
            remark = f"the consumer group [{header.consumer_group}] does not subscribe to [{header.topic}]"
            raise RequestError(ResponseCode.SUBSCRIPTION_NOT_EXIST, remark)
        if subscription.sub_version < header.sub_version:
            remark = f"the broker knows subscription version {subscription.sub_version}, the pull has {header.sub_version}"
            raise RequestError(ResponseCode.SUBSCRIPTION_NOT_LATEST, remark)
        return subscription

    def _read(self, pull: AdmittedPull, queue_offset: int) -> tuple[GetResult, ResponseCode]:
        header = pull.header
        started = self._clock.seconds()
        where = (header.topic, header.queue_id, queue_offset, max(1, header.max_msg_nums), pull.tag_filter)
        if pull.message_filter is None:
            result = self._store.get(*where)
        else:
            settings = self._store_config
            result = filtered_get(
                self._store,
                *where,
                pull.message_filter,
                count_limit=settings.max_transfer_count_on_message_in_memory,
                bytes_limit=settings.max_transfer_bytes_on_message_in_memory,
            )
        code = answer_code(result.status, queue_offset)
        if code == ResponseCode.SUCCESS:
            count_found(self._stats, header, result, started, self._clock.seconds())
        else:
            self._count_missed(header, result)
        return result, code

    def _count_missed(self, header: PullMessageRequestHeader, result: GetResult) -> None:
        """Count a pull that found nothing, and note whether its group is at the queue's end or only saw what it does not want."""
        stats, where = self._stats, (header.consumer_group, header.topic, header.queue_id)
        stats.get(header.consumer_group, header.topic, 0, 0)
        if result.status is GetStatus.OFFSET_OVERFLOW_ONE:
            stats.caught_up(*where)
        elif result.behind_bytes:
            stats.fall_behind(*where, result.behind_bytes)

    def _answer(self, request: RemotingCommand, pull: AdmittedPull, result: GetResult, code: ResponseCode) -> RemotingCommand:
        body = b"".join(result.records) if code == ResponseCode.SUCCESS else b""
        reply_header = PullMessageResponseHeader(
            suggest_which_broker_id=self._suggested_broker(pull, result),
            next_begin_offset=result.next_offset,
            min_offset=result.min_offset,
            max_offset=result.max_offset,
        )
        return request.reply(code, result.status.name, reply_header, body)

    def _suggested_broker(self, pull: AdmittedPull, result: GetResult) -> int:
        """Where to pull next: a slow reader at a slave, if slaves may be read from."""
        if not self._config.slave_read_enable:
            return MASTER_ID
        return pull.group.which_broker_when_consume_slowly if result.is_behind else pull.group.broker_id

    def _hold(self, request: RemotingCommand, pull: AdmittedPull) -> Deferred[RemotingCommand]:
        """Wait for a message. Cancelling the Deferred, as the dispatcher does for a closed channel, takes the hold out."""
        header = pull.header
        wait_ms = header.suspend_timeout_millis if self._config.long_polling_enable else self._config.short_polling_time_mills
        waiting: Deferred[RemotingCommand] = Deferred(lambda _: hold.cancel())

        def resume(hold: Hold) -> None:
            try:
                answer = self._resumed(request, hold.offset)
            except Exception:
                waiting.errback()
            else:
                waiting.callback(answer)

        deadline = self._clock.seconds() + max(0, wait_ms) / 1000
        matches = None if pull.message_filter is None else draft_test(pull.message_filter.matches)
        hold = self._holds.hold(header.topic, header.queue_id, header.queue_offset, pull.tag_filter, deadline, resume, matches)
        return waiting

    def _resumed(self, request: RemotingCommand, queue_offset: int) -> RemotingCommand:
        """The second execution: everything is checked again, for much may have changed meanwhile."""
        pull = self.admit(PullMessageRequestHeader.from_fields(request.ext_fields))
        return self._answer(request, pull, *self._read(pull, queue_offset))
