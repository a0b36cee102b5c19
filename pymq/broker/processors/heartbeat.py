# Tests: tests/broker/processors/test_heartbeat.py
"""Clients come, stay and go: HEART_BEAT (34), UNREGISTER_CLIENT (35), CHECK_CLIENT_CONFIG (46) (remoting.md 3.4)."""

from __future__ import annotations

from zope.interface import implementer

from pymq.broker.clients import ClientChannelInfo, ProducerManager
from pymq.broker.config import BrokerConfig
from pymq.broker.consumers import ConsumerManager
from pymq.broker.filters import compile_filter, is_tag_type
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import DecodeError, RequestError
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.message.topics import retry_topic
from pymq.wire import javajson
from pymq.wire.bodies.heartbeat import CheckClientRequestBody, ConsumerData, HeartbeatData, decode_heartbeat
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE, TOPIC_UNIT_SUBSCRIPTION
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import UnregisterClientRequestHeader


@implementer(IRequestProcessor)
class ClientManageProcessor:
    """Keeps the tables of connected clients (Java: ClientManageProcessor)."""

    codes = frozenset({RequestCode.HEART_BEAT, RequestCode.UNREGISTER_CLIENT, RequestCode.CHECK_CLIENT_CONFIG})

    def __init__(
        self,
        *,
        config: BrokerConfig,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        producers: ProducerManager,
        consumers: ConsumerManager,
    ) -> None:
        self._config = config
        self._topics = topics
        self._groups = groups
        self._producers = producers
        self._consumers = consumers

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Answer one of the three. Raises RequestError."""
        if request.code == RequestCode.HEART_BEAT:
            return self._heartbeat(channel, request)
        if request.code == RequestCode.UNREGISTER_CLIENT:
            return self._unregister(channel, request)
        return self._check(request)

    def _heartbeat(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        heartbeat = _read_heartbeat(request)
        if not channel.is_open:
            # Nobody would tell us again that it closed.
            return request.reply()
        info = ClientChannelInfo(channel, heartbeat.client_id, request.language, request.version)
        for consumer in heartbeat.consumer_data_set:
            self._register(info, consumer)
        for producer in heartbeat.producer_data_set:
            self._producers.register(producer.group_name, info)
        # Without IS_SUPPORT_HEART_BEAT_V2 among the answer's fields 5.x clients repeat their subscriptions each time.
        return request.reply()

    def _register(self, info: ClientChannelInfo, consumer: ConsumerData) -> None:
        """Enter a consumer. A group that may not be made is entered as well, as with 4.9; its pulls will be refused."""
        group = self._groups.find(consumer.group_name)
        if group is not None:
            sys_flag = TOPIC_UNIT_SUBSCRIPTION if consumer.unit_mode else 0
            self._topics.create_on_send_back(
                retry_topic(consumer.group_name), group.retry_queue_nums, PERM_READ | PERM_WRITE, sys_flag
            )
        self._consumers.register(
            consumer.group_name,
            info,
            consumer.consume_type,
            consumer.message_model,
            consumer.consume_from_where,
            consumer.subscription_data_set,
            notify=group is None or group.notify_consumer_ids_changed_enable,
        )

    def _unregister(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = UnregisterClientRequestHeader.from_fields(request.ext_fields)
        if header.producer_group is not None:
            self._producers.unregister(header.producer_group, channel)
        if header.consumer_group is not None:
            group = self._groups.get(header.consumer_group)
            notify = group is None or group.notify_consumer_ids_changed_enable
            self._consumers.unregister(header.consumer_group, channel, notify=notify)
        return request.reply()

    def _check(self, request: RemotingCommand) -> RemotingCommand:
        """Say whether a subscription could be served; clients ask at start, for other types than TAG only."""
        try:
            body = javajson.decode_as(request.body, CheckClientRequestBody)
        except DecodeError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the body of {request.name} cannot be read: {error}") from error
        subscription = body.subscription_data
        if subscription is None or is_tag_type(subscription.expression_type):
            return request.reply()
        kind = subscription.expression_type
        if not self._config.enable_property_filter:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"The broker does not support consumer to filter message by {kind}")
        try:
            compile_filter(kind, subscription.sub_string)
        except ValueError as error:
            raise RequestError(ResponseCode.SUBSCRIPTION_PARSE_FAILED, str(error)) from error
        return request.reply()


def _read_heartbeat(request: RemotingCommand) -> HeartbeatData:
    try:
        return decode_heartbeat(request.body)
    except DecodeError as error:
        raise RequestError(ResponseCode.SYSTEM_ERROR, f"the heartbeat cannot be read: {error}") from error
