# Tests: tests/client/test_admin.py
"""Operations on topics (Java: DefaultMQAdminExt)."""

from __future__ import annotations

from pymq.client.adminbase import AdminBase, operation
from pymq.client.results import TopicStats
from pymq.errors import ClientError
from pymq.message.topics import check_topic
from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue, by_queue
from pymq.wire.bodies.routes import TopicRouteData
from pymq.wire.bodies.stats import QueryConsumeQueueResponseBody
from pymq.wire.bodies.topics import GroupList, TopicConfig, TopicConfigSerializeWrapper, TopicList, TopicStatsTable
from pymq.wire.codes import RequestCode
from pymq.wire.headers.admin import QueryConsumeQueueRequestHeader
from pymq.wire.headers.routes import DeleteKVConfigRequestHeader
from pymq.wire.headers.topics import (
    CreateTopicRequestHeader,
    DeleteTopicRequestHeader,
    GetTopicsByClusterRequestHeader,
    GetTopicStatsInfoRequestHeader,
    QueryTopicConsumeByWhoRequestHeader,
)

#: The name servers' namespace of the topics whose messages are sent in order even while a broker is away.
ORDER_TOPIC_CONFIG = "ORDER_TOPIC_CONFIG"
_TEMPLATE = "TBW102"


class TopicAdmin(AdminBase):
    """Topics, by name, configuration, route and content."""

    @operation
    async def update_topic(self, config: TopicConfig, where: str | None = None) -> None:
        """Create a topic, or change it into what `config` says. Its route is known when the brokers have registered it.

        Fails with ClientError for a name that cannot be, or no such place; with BrokerRefused.
        """
        try:
            check_topic(config.topic_name)
        except ValueError as error:
            raise ClientError(str(error)) from error
        header = CreateTopicRequestHeader(
            topic=self.namespace.wrap(config.topic_name),
            default_topic=_TEMPLATE,
            read_queue_nums=config.read_queue_nums,
            write_queue_nums=config.write_queue_nums,
            perm=config.perm,
            topic_filter_type=config.topic_filter_type,
            topic_sys_flag=config.topic_sys_flag,
            order=config.order,
            attributes=",".join(f"+{key}={value}" for key, value in (config.attributes or {}).items()) or None,
        )
        masters = await self._masters(where)
        await self._at_all(masters, lambda address: self._api.ask(address, RequestCode.UPDATE_AND_CREATE_TOPIC, header))

    @operation
    async def delete_topic(self, topic: str, cluster: str | None = None) -> None:
        """Delete a topic with its messages at the brokers of a cluster, or of all, and its route and order configuration.

        A broker that does not have it is no error.
        """
        topic = self.namespace.wrap(topic)
        header = DeleteTopicRequestHeader(topic=topic)
        masters = await self._masters(cluster)
        await self._at_all(
            masters, lambda address: self._api.ask(address, RequestCode.DELETE_TOPIC_IN_BROKER, header, timeout_s=self._long_s)
        )
        servers = self._api.name_servers
        of_cluster = DeleteTopicRequestHeader(topic=topic, cluster_name=cluster)
        await servers.ask_all(RequestCode.DELETE_TOPIC_IN_NAMESRV, of_cluster, self._timeout_s)
        order = DeleteKVConfigRequestHeader(namespace=ORDER_TOPIC_CONFIG, key=topic)
        await servers.ask_all(RequestCode.DELETE_KV_CONFIG, order, self._timeout_s)

    @operation
    async def topics(self, cluster: str | None = None) -> list[str]:
        """The names of all topics that the name server knows, or of those of a cluster, sorted."""
        servers, timeout_s = self._api.name_servers, self._timeout_s
        if cluster is None:
            answer = await servers.ask(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, None, timeout_s)
        else:
            header = GetTopicsByClusterRequestHeader(cluster=cluster)
            answer = await servers.ask(RequestCode.GET_TOPICS_BY_CLUSTER, header, timeout_s)
        return sorted(javajson.decode_as(answer.body, TopicList).topic_list)

    @operation
    async def topic_configs(self, broker: str) -> dict[str, TopicConfig]:
        """All topics of one broker, given by name or address, as they are configured there."""
        address = await self._master(broker)
        answer = await self._api.ask(address, RequestCode.GET_ALL_TOPIC_CONFIG, timeout_s=self._long_s)
        return javajson.decode_as(answer.body, TopicConfigSerializeWrapper).topic_config_table

    @operation
    async def topic_route(self, topic: str) -> TopicRouteData:
        """The brokers and queues of a topic, as the name server knows them. Fails with NoRoute."""
        return await self._route(self.namespace.wrap(topic))

    @operation
    async def topic_stats(self, topic: str) -> TopicStats:
        """From where to where each queue of a topic goes, and when it got its last message. Fails with NoRoute."""
        topic = self.namespace.wrap(topic)
        header = GetTopicStatsInfoRequestHeader(topic=topic)
        answers = await self._at_all(
            await self._brokers_of_topic(topic),
            lambda address: self._api.ask(address, RequestCode.GET_TOPIC_STATS_INFO, header),
        )
        tables = [by_queue(javajson.decode_as(answer.body, TopicStatsTable).offset_table) for answer in answers]
        merged = {self.namespace.unwrap_queue(queue): offset for table in tables for queue, offset in table.items()}
        return TopicStats(dict(sorted(merged.items())))

    @operation
    async def topic_groups(self, topic: str) -> list[str]:
        """The consumer groups that have offsets of a topic or consume it now, sorted. Fails with NoRoute."""
        topic = self.namespace.wrap(topic)
        header = QueryTopicConsumeByWhoRequestHeader(topic=topic)
        answers = await self._at_all(
            await self._brokers_of_topic(topic),
            lambda address: self._api.ask(address, RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, header),
        )
        groups = {group for answer in answers for group in javajson.decode_as(answer.body, GroupList).group_list}
        return sorted(self.namespace.unwrap(group) for group in groups)

    @operation
    async def topic_clusters(self, topic: str) -> list[str]:
        """The clusters whose brokers have a topic, sorted. Fails with NoRoute. Java: getTopicClusterList."""
        route = await self._route(self.namespace.wrap(topic))
        return sorted({data.cluster for data in route.broker_datas})

    @operation
    async def system_topics(self, broker: str) -> list[str]:
        """Those topics of one broker, given by name or address, that are not its users', sorted; other than of retries.

        Java: getSystemTopicListFromBroker.
        """
        answer = await self._api.ask(await self._master(broker), RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER)
        return sorted(javajson.decode_as(answer.body, TopicList).topic_list)

    @operation
    async def query_consume_queue(
        self, queue: MessageQueue, index: int, count: int = 10, group: str | None = None
    ) -> QueryConsumeQueueResponseBody | None:
        """Units of a queue from an index on, as its broker has them: where in the log a message is, how long, with which tag.

        With a group also its subscription, and whether its filter lets a unit pass that has a bit map. None where no unit is.
        Fails with NoRoute, BrokerRefused. Java: queryConsumeQueue.
        """
        queue = self.namespace.wrap_queue(queue)
        header = QueryConsumeQueueRequestHeader(
            topic=queue.topic,
            queue_id=queue.queue_id,
            index=index,
            count=count,
            consumer_group=None if group is None else self.namespace.wrap(group),
        )
        address = await self.instance.broker_address(queue.topic, queue.broker_name)
        answer = await self._api.ask(address, RequestCode.QUERY_CONSUME_QUEUE, header)
        return javajson.decode_as(answer.body, QueryConsumeQueueResponseBody) if answer.body else None
