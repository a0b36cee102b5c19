# Tests: tests/broker/processors/test_pulllane.py
"""The hot lane of PULL_MESSAGE (11): a pull that is in order and finds messages is answered with stored bytes, uncopied.

An optimisation of `pymq.broker.processors.pull`, not a second broker: `take` says False, without having done anything, as soon as
something is not plain or there is nothing to deliver, and the general path serves the frame from its beginning. Both are held
equal by tests/broker/processors/test_lanes_equal.py.
"""

from __future__ import annotations

import msgspec

from pymq.broker.config import BrokerConfig
from pymq.broker.consumers import ConsumerManager
from pymq.broker.fastfailure import BrokerFastFailure
from pymq.broker.filters import is_tag_type
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.compactfields import CompactFields
from pymq.broker.processors.jsonfields import json_decoder
from pymq.broker.processors.pull import BROADCASTING, MASTER_ID, count_found, tag_filter_of
from pymq.broker.processors.storesettings import ROLE_SLAVE, StoreSettings
from pymq.broker.processors.templates import answer_templates
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.interfaces import IBufferedChannel, IClock, IMessageStore
from pymq.message.flags import PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION
from pymq.message.results import GetStatus
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from pymq.wire.bodies.topics import PERM_READ, SubscriptionGroupConfig
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.headers.messages import PullMessageRequestHeader, PullMessageResponseHeader

#: Subscription texts whose filters are remembered; when there are more, all are forgotten.
FILTERS_MAX = 4096

_CODE = int(RequestCode.PULL_MESSAGE)
_RESPONSE_OR_ONEWAY = 3


_decode_json = json_decoder(PullMessageRequestHeader)


class _NotPlainError(Exception):
    """The pull's subscription needs the general path."""


class PullLane:
    """Answers plain pulls; see the module."""

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store_config: StoreSettings,
        store: IMessageStore,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        consumers: ConsumerManager,
        offsets: ConsumerOffsetManager,
        stats: BrokerStatsManager,
        fast_failure: BrokerFastFailure,
        clock: IClock,
    ) -> None:
        self._config = config
        self._store_config = store_config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._consumers = consumers
        self._offsets = offsets
        self._stats = stats
        self._fast_failure = fast_failure
        self._clock = clock
        self._compact = CompactFields(PullMessageRequestHeader)
        holes = {"nextBeginOffset": b"%d", "minOffset": b"%d", "maxOffset": b"%d"}
        self._templates = answer_templates(_found, holes)
        #: Parsed subscription texts of pulls that bring their own.
        self._filters: dict[str | None, frozenset[int] | None] = {}

    def take(self, channel: IBufferedChannel, header_type: int, header: bytes, body: bytes) -> bool:
        """Answer one frame of code 11; False when the general path must serve it, which nothing has touched then."""
        try:
            if header_type == 0:
                frame = _decode_json(header)
                if frame.code != _CODE:
                    return False
                pull, opaque, flag = frame.extFields, frame.opaque, frame.flag
            else:
                read = self._compact.read(header)
                if read is None:
                    return False
                pull, opaque, flag = read
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        if flag & _RESPONSE_OR_ONEWAY:
            return False
        group = self._groups.get(pull.consumer_group)
        topic = self._topics.get(pull.topic)
        if group is None or topic is None or not group.consume_enable or not topic.perm & PERM_READ:
            return False
        config = self._config
        if not 0 <= pull.queue_id < topic.read_queue_nums or not config.broker_permission & PERM_READ or config.slave_read_enable:
            return False
        try:
            tag_filter = self._own_filter(pull) if pull.sys_flag & PULL_SUBSCRIPTION else self._registered_filter(pull, group)
        except _NotPlainError:
            return False
        now, count_max = self._clock.seconds, pull.max_msg_nums
        started = now()
        if started >= self._fast_failure.pulls_late_from:
            return False
        result = self._store.get(pull.topic, pull.queue_id, pull.queue_offset, count_max if count_max > 1 else 1, tag_filter)
        if result.status is not GetStatus.FOUND:
            return False
        count_found(self._stats, pull, result, started, now())
        if pull.sys_flag & PULL_COMMIT_OFFSET and self._store_config.broker_role != ROLE_SLAVE:
            self._offsets.commit(pull.consumer_group, pull.topic, pull.queue_id, pull.commit_offset)
        values = (result.next_offset, result.min_offset, result.max_offset)
        answer = self._templates[header_type].fill(opaque, values, result.size_bytes)
        channel.write_parts([answer, *result.records])
        return True

    def _own_filter(self, pull: PullMessageRequestHeader) -> frozenset[int] | None:
        """The filter of a subscription that came with the pull. Raises _NotPlainError."""
        if not is_tag_type(pull.expression_type):
            raise _NotPlainError
        text = pull.subscription
        try:
            return self._filters[text]
        except KeyError:
            pass
        try:
            tag_filter = tag_filter_of(build_subscription(pull.topic, text, sub_version=0))
        except ValueError:
            raise _NotPlainError from None
        if len(self._filters) >= FILTERS_MAX:
            self._filters.clear()
        self._filters[text] = tag_filter
        return tag_filter

    def _registered_filter(self, pull: PullMessageRequestHeader, group: SubscriptionGroupConfig) -> frozenset[int] | None:
        """The filter that the group's heartbeats named. Raises _NotPlainError."""
        members = self._consumers.group(pull.consumer_group)
        if members is None or (not group.consume_broadcast_enable and members.message_model == BROADCASTING):
            raise _NotPlainError
        subscription: SubscriptionData | None = members.subscriptions.get(pull.topic)
        if subscription is None or subscription.sub_version < pull.sub_version or not is_tag_type(subscription.expression_type):
            raise _NotPlainError
        return tag_filter_of(subscription)


def _found(kind: SerializeType) -> RemotingCommand:
    """The general path's answer to a pull that finds messages."""
    header = PullMessageResponseHeader(suggest_which_broker_id=MASTER_ID, next_begin_offset=0, min_offset=0, max_offset=0)
    request = RemotingCommand(RequestCode.PULL_MESSAGE, serialize_type=kind)
    return request.reply(ResponseCode.SUCCESS, GetStatus.FOUND.name, header)
