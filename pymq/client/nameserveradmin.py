# Tests: tests/client/test_nameserveradmin.py
"""Operations on name servers: their settings, the values that they keep, and the routes they give (Java: DefaultMQAdminExt)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import javaproperties

from pymq.client.adminbase import AdminBase, operation
from pymq.client.topicadmin import ORDER_TOPIC_CONFIG
from pymq.errors import BrokerRefused, ClientError
from pymq.settings import parse_properties
from pymq.wire import javajson
from pymq.wire.bodies.topics import KVTable
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.headers.routes import (
    AddWritePermOfBrokerRequestHeader,
    AddWritePermOfBrokerResponseHeader,
    DeleteKVConfigRequestHeader,
    GetKVConfigRequestHeader,
    GetKVConfigResponseHeader,
    GetKVListByNamespaceRequestHeader,
    PutKVConfigRequestHeader,
    WipeWritePermOfBrokerRequestHeader,
    WipeWritePermOfBrokerResponseHeader,
)
from pymq.wire.headers.topics import DeleteTopicRequestHeader


class NameServerAdmin(AdminBase):
    """What name servers keep. They do not tell each other, so all of them are told."""

    # Their settings

    @operation
    async def name_server_configs(self, name_servers: Sequence[str] = ()) -> dict[str, dict[str, str]]:
        """The settings of name servers by address: of those given as host:port, or of all that this client asks.

        Fails with BrokerRefused. Java: getNameServerConfig.
        """
        addresses = name_servers or self.name_server_address_list()
        answers = await self._at_all(addresses, lambda address: self._api.ask(address, RequestCode.GET_NAMESRV_CONFIG))
        texts = (answer.body.decode("utf-8", "replace") for answer in answers)
        return {address: parse_properties(text) for address, text in zip(addresses, texts, strict=True)}

    @operation
    async def update_name_server_config(self, settings: Mapping[str, str], name_servers: Sequence[str] = ()) -> None:
        """Change settings of name servers while they run: of those given as host:port, or of all that this client asks.

        Fails with BrokerRefused for settings that cannot be changed so. Java: updateNameServerConfig.
        """
        if not settings:
            raise ClientError("no settings were given; name_server_configs() tells which there are")
        body = javaproperties.dumps(settings).encode()
        addresses = name_servers or self.name_server_address_list()
        await self._at_all(addresses, lambda address: self._api.ask(address, RequestCode.UPDATE_NAMESRV_CONFIG, body=body))

    # Routes

    @operation
    async def delete_topic_in_name_server(self, topic: str, cluster: str | None = None, name_servers: Sequence[str] = ()) -> None:
        """Have name servers forget a topic, at the brokers of one cluster or at all, as after its brokers are gone for good.

        Those given as host:port are told, or all that this client asks. Brokers keep the topic with its messages; one that
        registers it anew, as after a change of it or a restart, brings it back. `delete_topic` deletes it there too. Java:
        deleteTopicInNameServer.
        """
        header = DeleteTopicRequestHeader(topic=self.namespace.wrap(topic), cluster_name=cluster)
        addresses = name_servers or self.name_server_address_list()
        await self._at_all(addresses, lambda address: self._api.ask(address, RequestCode.DELETE_TOPIC_IN_NAMESRV, header))

    @operation
    async def wipe_write_perm(self, broker_name: str) -> int:
        """Have producers send no more to a broker, as before it is stopped: how many of its topics were changed.

        The name servers take the permission from their routes until the broker registers anew after a restart, or
        `add_write_perm`.
        """
        header = WipeWritePermOfBrokerRequestHeader(broker_name=broker_name)
        answers = await self._api.name_servers.ask_all(RequestCode.WIPE_WRITE_PERM_OF_BROKER, header, self._timeout_s)
        return max(WipeWritePermOfBrokerResponseHeader.from_fields(one.ext_fields).wipe_topic_count for one in answers)

    @operation
    async def add_write_perm(self, broker_name: str) -> int:
        """Undo `wipe_write_perm`: how many topics were changed."""
        header = AddWritePermOfBrokerRequestHeader(broker_name=broker_name)
        answers = await self._api.name_servers.ask_all(RequestCode.ADD_WRITE_PERM_OF_BROKER, header, self._timeout_s)
        return max(AddWritePermOfBrokerResponseHeader.from_fields(one.ext_fields).add_topic_count for one in answers)

    # Values

    @operation
    async def put_kv_config(self, namespace: str, key: str, value: str) -> None:
        """Set a value at all name servers."""
        header = PutKVConfigRequestHeader(namespace=namespace, key=key, value=value)
        await self._api.name_servers.ask_all(RequestCode.PUT_KV_CONFIG, header, self._timeout_s)

    @operation
    async def kv_config(self, namespace: str, key: str) -> str | None:
        """A value that name servers keep, None when there is none."""
        header = GetKVConfigRequestHeader(namespace=namespace, key=key)
        try:
            answer = await self._api.name_servers.ask(RequestCode.GET_KV_CONFIG, header, self._timeout_s)
        except BrokerRefused as error:
            if error.code == ResponseCode.QUERY_NOT_FOUND:
                return None
            raise
        return GetKVConfigResponseHeader.from_fields(answer.ext_fields).value

    @operation
    async def kv_configs(self, namespace: str) -> dict[str, str]:
        """All values of a namespace of the name servers'."""
        header = GetKVListByNamespaceRequestHeader(namespace=namespace)
        try:
            answer = await self._api.name_servers.ask(RequestCode.GET_KVLIST_BY_NAMESPACE, header, self._timeout_s)
        except BrokerRefused as error:
            if error.code == ResponseCode.QUERY_NOT_FOUND:
                return {}
            raise
        return javajson.decode_as(answer.body, KVTable).table

    @operation
    async def delete_kv_config(self, namespace: str, key: str) -> None:
        """Forget a value at all name servers."""
        header = DeleteKVConfigRequestHeader(namespace=namespace, key=key)
        await self._api.name_servers.ask_all(RequestCode.DELETE_KV_CONFIG, header, self._timeout_s)

    @operation
    async def update_order_conf(self, topic: str, queue_counts: Mapping[str, int]) -> None:
        """Fix which queues of a topic are sent to: so many of each broker, by broker name, also while one is away.

        So a selector finds the same queue for the same key at any time. Name servers tell clients of it when they have
        `orderMessageEnable=true`. Java: createOrUpdateOrderConf.
        """
        if not queue_counts:
            raise ClientError("no brokers were given; delete_kv_config('ORDER_TOPIC_CONFIG', topic) forgets the configuration")
        value = ";".join(f"{name}:{count}" for name, count in sorted(queue_counts.items()))
        await self.put_kv_config(ORDER_TOPIC_CONFIG, self.namespace.wrap(topic), value)

    @operation
    async def order_conf(self, topic: str) -> dict[str, int]:
        """What `update_order_conf` fixed; empty when nothing is."""
        value = await self.kv_config(ORDER_TOPIC_CONFIG, self.namespace.wrap(topic)) or ""
        pairs = (part.rpartition(":") for part in value.split(";") if part)
        return {name: int(count) for name, _, count in pairs}
