# Tests: tests/broker/processors/test_groups.py
"""Administration of consumer and producer groups: 200, 201, 203, 204, 207, 328, 343, 345, 352 (remoting.md 3.12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pymq.broker.clients import ClientChannelInfo, ProducerManager
from pymq.broker.configmanager import WhenSaved, save_at_once
from pymq.broker.consumers import ConsumerManager
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.storesettings import StoreSettings, check_master
from pymq.broker.stats import BrokerStatsManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.wire import javajson
from pymq.wire.bodies.connections import Connection, ConsumerConnection, ProducerConnection, ProducerInfo, ProducerTableInfo
from pymq.wire.bodies.topics import SubscriptionGroupConfig, TopicList
from pymq.wire.codes import LanguageCode, RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.admin import DeleteSubscriptionGroupRequestHeader, GetSubscriptionGroupConfigRequestHeader
from pymq.wire.headers.clients import (
    GetConsumerConnectionListRequestHeader,
    GetProducerConnectionListRequestHeader,
    QuerySubscriptionByConsumerRequestHeader,
    QueryTopicsByConsumerRequestHeader,
)


def address_text(peer: tuple[str, int]) -> str:
    """An address as tools print it."""
    return f"{peer[0]}:{peer[1]}"


def language_name(language: int | None) -> str | None:
    """A client's language as JSON bodies name it; None for one that we do not know."""
    return None if language is None else LanguageCode(language).name


def connections(members: Iterable[ClientChannelInfo]) -> tuple[Connection, ...]:
    """The members of a group as tools are told of them."""
    return tuple(
        Connection(info.client_id, address_text(info.channel.peer), language_name(info.language), info.version)
        for info in members
    )


@implementer(IRequestProcessor)
class GroupAdminProcessor:
    """What tools ask and change about groups, and who is connected (Java: AdminBrokerProcessor)."""

    def __init__(
        self,
        *,
        store_config: StoreSettings,
        groups: SubscriptionGroupManager,
        consumers: ConsumerManager,
        producers: ProducerManager,
        offsets: ConsumerOffsetManager,
        stats: BrokerStatsManager,
        when_saved: WhenSaved = save_at_once,
    ) -> None:
        self._when_saved = when_saved
        self._store_config = store_config
        self._groups = groups
        self._consumers = consumers
        self._producers = producers
        self._offsets = offsets
        self._stats = stats
        self._answers: dict[int, Callable[[RemotingCommand], RemotingCommand | Deferred[RemotingCommand]]] = {
            RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: self._update,
            RequestCode.DELETE_SUBSCRIPTIONGROUP: self._delete,
            RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG: self._all,
            RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG: self._one,
            RequestCode.GET_CONSUMER_CONNECTION_LIST: self._consumer_connections,
            RequestCode.GET_PRODUCER_CONNECTION_LIST: self._producer_connections,
            RequestCode.GET_ALL_PRODUCER_INFO: self._producer_table,
            RequestCode.QUERY_TOPICS_BY_CONSUMER: self._topics_of,
            RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER: self._subscription,
        }
        self.codes = frozenset(self._answers)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Answer one of the codes above. Raises RequestError."""
        return self._answers[request.code](request)

    def _update(self, request: RemotingCommand) -> Deferred[RemotingCommand]:
        check_master(self._store_config)
        try:
            config = javajson.decode_as(request.body, SubscriptionGroupConfig)
        except javajson.JavaJSONError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the group's configuration cannot be read: {error}") from error
        self._groups.update(config)
        return self._when_saved(self._groups).addCallback(lambda _: request.reply())

    def _delete(self, request: RemotingCommand) -> Deferred[RemotingCommand]:
        check_master(self._store_config)
        header = DeleteSubscriptionGroupRequestHeader.from_fields(request.ext_fields)
        self._groups.delete(header.group_name)
        if header.remove_offset or header.clean_offset:
            self._offsets.remove_group(header.group_name)
        self._stats.group_deleted(header.group_name)
        return self._when_saved(self._groups).addCallback(lambda _: request.reply())

    def _all(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(body=javajson.encode(self._groups.wrapper()))

    def _one(self, request: RemotingCommand) -> RemotingCommand:
        name = GetSubscriptionGroupConfigRequestHeader.from_fields(request.ext_fields).group
        known = self._groups.get(name)
        if known is None:
            raise RequestError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"No group in this broker. group: {name}")
        return request.reply(body=javajson.encode(known))

    def _consumer_connections(self, request: RemotingCommand) -> RemotingCommand:
        name = GetConsumerConnectionListRequestHeader.from_fields(request.ext_fields).consumer_group
        group = self._consumers.group(name)
        if group is None:
            raise RequestError(ResponseCode.CONSUMER_NOT_ONLINE, f"the consumer group[{name}] not online")
        body = ConsumerConnection(
            connection_set=connections(group.members),
            subscription_table=dict(group.subscriptions),
            consume_type=group.consume_type or None,
            message_model=group.message_model or None,
            consume_from_where=group.consume_from_where or None,
        )
        return request.reply(body=javajson.encode(body))

    def _producer_connections(self, request: RemotingCommand) -> RemotingCommand:
        name = GetProducerConnectionListRequestHeader.from_fields(request.ext_fields).producer_group
        members = self._producers.group(name)
        if members is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the producer group[{name}] not exist")
        return request.reply(body=javajson.encode(ProducerConnection(connection_set=connections(members))))

    def _producer_table(self, request: RemotingCommand) -> RemotingCommand:
        table = {
            group: [
                ProducerInfo(
                    client_id=info.client_id,
                    remote_ip="/" + address_text(info.channel.peer),
                    language=language_name(info.language),
                    version=info.version,
                    last_update_timestamp=info.last_update_ms,
                )
                for info in members
            ]
            for group, members in self._producers.table.items()
        }
        return request.reply(body=javajson.encode(ProducerTableInfo(data=table)))

    def _topics_of(self, request: RemotingCommand) -> RemotingCommand:
        group = QueryTopicsByConsumerRequestHeader.from_fields(request.ext_fields).group
        return request.reply(body=javajson.encode(TopicList(topic_list=tuple(sorted(self._offsets.topics_of(group))))))

    def _subscription(self, request: RemotingCommand) -> RemotingCommand:
        """What the group subscribes to of a topic; without a subscription only the question comes back (5.x)."""
        header = QuerySubscriptionByConsumerRequestHeader.from_fields(request.ext_fields)
        subscription = None if header.topic is None else self._consumers.find_subscription(header.group, header.topic)
        body = {"group": header.group, "topic": header.topic, "subscriptionData": subscription}
        return request.reply(body=javajson.encode(body))
