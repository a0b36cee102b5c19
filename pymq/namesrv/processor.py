# Tests: tests/namesrv/test_processor.py
"""Answers everything that brokers, clients and admins ask a name server (remoting.md 3.1; Java: DefaultRequestProcessor)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from twisted.logger import Logger
from zope.interface import implementer

from pymq.errors import ConfigError, DecodeError, RequestError
from pymq.interfaces import IChannel, IChannelListener, IClock, IRequestProcessor
from pymq.namesrv.config import NamesrvConfig
from pymq.namesrv.kvconfig import ORDER_TOPIC_CONFIG, KVConfigManager
from pymq.namesrv.routes import BrokerIdentity, RouteInfoManager
from pymq.settings import lines_of, parse_properties, read_settings
from pymq.wire import javajson
from pymq.wire.bodies.routes import (
    BrokerMemberGroup,
    GetBrokerMemberGroupResponseBody,
    decode_register_body,
    decode_route,
    encode_cluster_info,
    encode_route,
)
from pymq.wire.bodies.topics import DataVersion, KVTable, TopicList
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers import routes as headers
from pymq.wire.headers.topics import DeleteTopicRequestHeader, GetTopicsByClusterRequestHeader

#: From this version of a peer on (V4_9_4) routes are written as standard JSON.
STANDARD_JSON_VERSION = 401

FAQ_HINT = "\nSee http://rocketmq.apache.org/docs/faq/ for further details."

_CRC_MASK = 0x7FFFFFFF
#: These can never be changed by mqadmin, whatever the black list says.
_NEVER_CHANGED = frozenset({"configBlackList", "configStorePath", "kvConfigPath"})

Handler = Callable[[IChannel, RemotingCommand], RemotingCommand]


@implementer(IRequestProcessor, IChannelListener)
class NameServerProcessor:
    """All of a name server's codes. As a listener of its channels it drops a broker the moment its connection closes.

    `store_config` is called with the text of all settings when mqadmin changed one.
    """

    _log = Logger()

    def __init__(
        self,
        routes: RouteInfoManager,
        kv_config: KVConfigManager,
        config: NamesrvConfig,
        *,
        clock: IClock,
        store_config: Callable[[str], None] | None = None,
    ) -> None:
        self._routes = routes
        self._kv_config = kv_config
        self._config = config
        self._store_config = store_config
        self._clock = clock
        self._started_s = clock.seconds()
        self._route_bodies: dict[tuple[str, bool], bytes] = {}
        self._route_bodies_of = (-1, -1, config)
        self._handlers: dict[int, Handler] = self._table()
        self.codes = frozenset(int(code) for code in self._handlers)

    def _table(self) -> dict[int, Handler]:
        return {
            RequestCode.PUT_KV_CONFIG: self._put_kv,
            RequestCode.GET_KV_CONFIG: self._get_kv,
            RequestCode.DELETE_KV_CONFIG: self._delete_kv,
            RequestCode.GET_KVLIST_BY_NAMESPACE: self._list_kv,
            RequestCode.REGISTER_BROKER: self._register_broker,
            RequestCode.UNREGISTER_BROKER: self._unregister_broker,
            RequestCode.QUERY_DATA_VERSION: self._query_data_version,
            RequestCode.BROKER_HEARTBEAT: self._broker_heartbeat,
            RequestCode.REGISTER_TOPIC_IN_NAMESRV: self._register_topic,
            RequestCode.GET_ROUTEINFO_BY_TOPIC: self._route,
            RequestCode.GET_BROKER_CLUSTER_INFO: self._cluster_info,
            RequestCode.GET_BROKER_MEMBER_GROUP: self._member_group,
            RequestCode.WIPE_WRITE_PERM_OF_BROKER: self._wipe_write_perm,
            RequestCode.ADD_WRITE_PERM_OF_BROKER: self._add_write_perm,
            RequestCode.DELETE_TOPIC_IN_NAMESRV: self._delete_topic,
            RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER: self._all_topics,
            RequestCode.GET_TOPICS_BY_CLUSTER: self._topics_of_cluster,
            RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS: self._system_topics,
            RequestCode.GET_UNIT_TOPIC_LIST: self._listing(self._routes.unit_topics),
            RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST: self._listing(self._routes.unit_subscription_topics),
            RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST: self._listing(self._routes.unit_subscription_topics_without_unit),
            RequestCode.UPDATE_NAMESRV_CONFIG: self._update_config,
            RequestCode.GET_NAMESRV_CONFIG: self._get_config,
        }

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Answer one request. Raises RequestError."""
        return self._handlers[request.code](channel, request)

    def channel_opened(self, channel: IChannel) -> None:
        """Nothing: a channel says who it is by what it asks."""

    def channel_closed(self, channel: IChannel, reason: str) -> None:
        """Drop the brokers that registered over it."""
        for address in self._routes.channel_closed(channel):
            self._log.info("the connection of broker {address} closed: {reason}", address=address, reason=reason)

    def scan_silent_brokers(self) -> None:
        """Drop brokers that were silent for too long, and close their connections."""
        for channel in self._routes.expire():
            channel.close()

    # Brokers

    def _register_broker(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.RegisterBrokerRequestHeader.from_fields(request.ext_fields)
        if header.body_crc32 and zlib.crc32(request.body) & _CRC_MASK != header.body_crc32:
            raise RequestError(ResponseCode.SYSTEM_ERROR, "crc32 not match")
        try:
            body = decode_register_body(request.body, header.compressed, request.version)
        except DecodeError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the registration cannot be read: {error}") from error
        master = self._routes.register(
            _identity(header),
            channel,
            topics=body.topic_config_table,
            data_version=body.data_version,
            filter_servers=body.filter_server_list,
            ha_address=header.ha_server_addr,
            expiry_ms=header.heartbeat_timeout_millis,
        )
        answer = headers.RegisterBrokerResponseHeader()
        if master is not None:
            answer = headers.RegisterBrokerResponseHeader(master_addr=master[0], ha_server_addr=master[1])
        orders = self._kv_config.namespace(ORDER_TOPIC_CONFIG) if self._config.return_order_topic_config_to_broker else None
        return request.reply(header=answer, body=b"" if orders is None else javajson.encode(KVTable(orders)))

    def _unregister_broker(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        self._routes.unregister(_identity(headers.UnRegisterBrokerRequestHeader.from_fields(request.ext_fields)))
        return request.reply()

    def _query_data_version(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.QueryDataVersionRequestHeader.from_fields(request.ext_fields)
        version = _data_version(request.body)
        changed = self._routes.is_changed(header.broker_addr, version)
        if not changed:
            self._routes.touch(header.broker_addr)
        known = self._routes.data_version_of(header.broker_addr)
        body = b"" if known is None else javajson.encode(known)
        return request.reply(header=headers.QueryDataVersionResponseHeader(changed=changed), body=body)

    def _broker_heartbeat(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        self._routes.touch(headers.BrokerHeartbeatRequestHeader.from_fields(request.ext_fields).broker_addr)
        return request.reply()

    def _register_topic(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.RegisterTopicRequestHeader.from_fields(request.ext_fields)
        try:
            route = decode_route(request.body) if request.body else None
        except DecodeError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the route cannot be read: {error}") from error
        if route is not None:
            self._routes.register_topic(header.topic, route.queue_datas)
        return request.reply()

    def _wipe_write_perm(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.WipeWritePermOfBrokerRequestHeader.from_fields(request.ext_fields)
        count = self._routes.wipe_write_perm(header.broker_name)
        return request.reply(header=headers.WipeWritePermOfBrokerResponseHeader(wipe_topic_count=count))

    def _add_write_perm(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.AddWritePermOfBrokerRequestHeader.from_fields(request.ext_fields)
        count = self._routes.add_write_perm(header.broker_name)
        return request.reply(header=headers.AddWritePermOfBrokerResponseHeader(add_topic_count=count))

    # Routes

    def _route(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        config = self._config
        if config.need_wait_for_service and self._clock.seconds() < self._started_s + config.wait_seconds_for_service:
            raise RequestError(ResponseCode.SYSTEM_ERROR, "name server not ready")
        header = headers.GetRouteInfoRequestHeader.from_fields(request.ext_fields)
        standard_json = request.version >= STANDARD_JSON_VERSION or bool(header.accept_standard_json_only)
        return request.reply(body=self._route_body(header.topic, standard_json))

    def _route_body(self, topic: str, standard_json: bool) -> bytes:
        """The encoded route, kept until anything changes: clients ask for every topic every 30 seconds."""
        state = (self._routes.generation, self._kv_config.generation, self._config)
        if state != self._route_bodies_of:
            self._route_bodies.clear()
            self._route_bodies_of = state
        body = self._route_bodies.get((topic, standard_json))
        if body is None:
            body = self._route_bodies[topic, standard_json] = self._encode_route(topic, standard_json)
        return body

    def _encode_route(self, topic: str, standard_json: bool) -> bytes:
        order = self._kv_config.get(ORDER_TOPIC_CONFIG, topic) if self._config.order_message_enable else None
        route = self._routes.route(topic, order)
        if route is None:
            remark = f"No topic route info in name server for the topic: {topic}{FAQ_HINT}"
            raise RequestError(ResponseCode.TOPIC_NOT_EXIST, remark)
        return encode_route(route, standard_json=standard_json)

    def _cluster_info(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        return request.reply(body=encode_cluster_info(self._routes.cluster_info()))

    def _member_group(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.GetBrokerMemberGroupRequestHeader.from_fields(request.ext_fields)
        addresses = self._routes.broker_addresses(header.broker_name)
        group = BrokerMemberGroup(header.cluster_name, header.broker_name, addresses)
        return request.reply(body=javajson.encode(GetBrokerMemberGroupResponseBody(group)))

    # Lists of topics

    def _delete_topic(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = DeleteTopicRequestHeader.from_fields(request.ext_fields)
        self._routes.delete_topic(header.topic, header.cluster_name or None)
        return request.reply()

    def _all_topics(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        if not self._config.enable_all_topic_list:
            raise RequestError(ResponseCode.SYSTEM_ERROR, "disable")
        return _topic_list(request, self._routes.topics())

    def _topics_of_cluster(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        self._check_lists_enabled()
        header = GetTopicsByClusterRequestHeader.from_fields(request.ext_fields)
        return _topic_list(request, self._routes.topics_of_cluster(header.cluster))

    def _system_topics(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        self._check_lists_enabled()
        return _topic_list(request, *self._routes.system_topics())

    def _listing(self, topics: Callable[[], list[str]]) -> Handler:
        def answer(channel: IChannel, request: RemotingCommand) -> RemotingCommand:
            self._check_lists_enabled()
            return _topic_list(request, topics())

        return answer

    def _check_lists_enabled(self) -> None:
        if not self._config.enable_topic_list:
            raise RequestError(ResponseCode.SYSTEM_ERROR, "disable")

    # Configuration

    def _put_kv(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.PutKVConfigRequestHeader.from_fields(request.ext_fields)
        self._kv_config.put(header.namespace, header.key, header.value)
        return request.reply()

    def _get_kv(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.GetKVConfigRequestHeader.from_fields(request.ext_fields)
        value = self._kv_config.get(header.namespace, header.key)
        if value is None:
            remark = f"No config item, Namespace: {header.namespace} Key: {header.key}"
            raise RequestError(ResponseCode.QUERY_NOT_FOUND, remark)
        return request.reply(header=headers.GetKVConfigResponseHeader(value=value))

    def _delete_kv(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.DeleteKVConfigRequestHeader.from_fields(request.ext_fields)
        self._kv_config.delete(header.namespace, header.key)
        return request.reply()

    def _list_kv(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        header = headers.GetKVListByNamespaceRequestHeader.from_fields(request.ext_fields)
        table = self._kv_config.namespace(header.namespace)
        if table is None:
            raise RequestError(ResponseCode.QUERY_NOT_FOUND, f"No config item, Namespace: {header.namespace}")
        return request.reply(body=javajson.encode(KVTable(table)))

    def _update_config(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        try:
            properties = parse_properties(request.body.decode("utf-8"))
            if not _NEVER_CHANGED.union(self._config.config_black_list.split(";")).isdisjoint(properties):
                raise RequestError(ResponseCode.NO_PERMISSION, "Can not update config in black list.")
            self._config = read_settings(NamesrvConfig, properties, self._config)
        except (ConfigError, UnicodeDecodeError) as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error
        if self._store_config is not None:
            self._store_config(lines_of(self._config))
        return request.reply()

    def _get_config(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        return request.reply(body=lines_of(self._config).encode("utf-8"))


def _identity(
    header: headers.RegisterBrokerRequestHeader | headers.UnRegisterBrokerRequestHeader,
) -> BrokerIdentity:
    return BrokerIdentity(
        cluster=header.cluster_name, name=header.broker_name, broker_id=header.broker_id, address=header.broker_addr
    )


def _data_version(body: bytes) -> DataVersion:
    try:
        return javajson.decode_as(body, DataVersion)
    except DecodeError as error:
        raise RequestError(ResponseCode.SYSTEM_ERROR, f"the body cannot be read: {error}") from error


def _topic_list(request: RemotingCommand, topics: Sequence[str], broker_address: str | None = None) -> RemotingCommand:
    return request.reply(body=javajson.encode(TopicList(tuple(topics), broker_address)))
