# Tests: tests/wire/bodies/test_routes.py
"""Routes and clusters as the name server tells them (remoting.md 3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

import msgspec

from pymq.wire import javajson
from pymq.wire.bodies.registration import RegisterBrokerBody, decode_register_body, encode_register_body
from pymq.wire.javajson import IntegerKeys, JavaJSONError


class QueueData(msgspec.Struct, rename="camel", frozen=True):
    """A topic's queues at one broker name."""

    broker_name: str
    read_queue_nums: int
    write_queue_nums: int
    perm: int
    topic_sys_flag: int = 0


class BrokerData(msgspec.Struct, rename="camel", frozen=True):
    """The addresses of one broker name by broker id; 0 is the master. The optional fields exist since 5.x."""

    cluster: str
    broker_name: str
    broker_addrs: dict[int, str] = {}
    enable_acting_master: bool | None = None
    zone_name: str | None = None


class TopicRouteData(msgspec.Struct, rename="camel", frozen=True):
    """Where a topic is. `order_topic_conf` reads `broker-a:4;broker-b:4`."""

    queue_datas: tuple[QueueData, ...] = ()
    broker_datas: tuple[BrokerData, ...] = ()
    filter_server_table: dict[str, list[str]] = {}
    order_topic_conf: str | None = None


class ClusterInfo(msgspec.Struct, rename="camel", frozen=True):
    """GET_BROKER_CLUSTER_INFO (106): broker names with their addresses, and cluster names with their broker names."""

    broker_addr_table: dict[str, BrokerData] = {}
    cluster_addr_table: dict[str, Set[str]] = {}


class BrokerMemberGroup(msgspec.Struct, rename="camel", frozen=True):
    """All brokers of one name."""

    cluster: str | None = None
    broker_name: str | None = None
    broker_addrs: dict[int, str] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "broker_addrs", IntegerKeys(self.broker_addrs))


class GetBrokerMemberGroupResponseBody(msgspec.Struct, rename="camel", frozen=True):
    """GET_BROKER_MEMBER_GROUP (901, 5.x)."""

    broker_member_group: BrokerMemberGroup | None = None


_NOT_ASCII = re.compile("[\x7f-\U0010ffff]")


def _escape(match: re.Match[str]) -> str:
    """One character as `\\uXXXX` for each of its UTF-16 units, in upper-case hex."""
    units = match.group().encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def encode_route(route: TopicRouteData, *, standard_json: bool) -> bytes:
    """The body of GET_ROUTEINFO_BY_TOPIC. `standard_json` quotes broker ids and writes ASCII only; otherwise ids are bare.

    Compact either way: the Go client takes `brokerAddrs` apart by hand (remoting.md 8.3).
    """
    if standard_json:
        return _NOT_ASCII.sub(_escape, javajson.encode(route).decode("utf-8")).encode("ascii")
    brokers = tuple(_with_bare_ids(broker) for broker in route.broker_datas)
    return javajson.encode(msgspec.structs.replace(route, broker_datas=brokers))


def _with_bare_ids(broker: BrokerData) -> BrokerData:
    return msgspec.structs.replace(broker, broker_addrs=IntegerKeys(broker.broker_addrs))


def decode_route(body: bytes) -> TopicRouteData:
    """A route in either form. Raises JavaJSONError. Old brokers and Go spell topicSysFlag as `topicSynFlag`."""
    plain = javajson.decode(body)
    for queue in _members(plain, "queueDatas"):
        if isinstance(queue, dict) and "topicSynFlag" in queue:
            queue.setdefault("topicSysFlag", queue["topicSynFlag"])
    return javajson.convert_as(plain, TopicRouteData)


def _members(value: Any, name: str) -> list[Any]:
    members = value.get(name) if isinstance(value, Mapping) else None
    return members if isinstance(members, list) else []


def encode_cluster_info(info: ClusterInfo) -> bytes:
    """The body of GET_BROKER_CLUSTER_INFO; its broker ids are never quoted."""
    brokers = {name: _with_bare_ids(broker) for name, broker in info.broker_addr_table.items()}
    return javajson.encode(msgspec.structs.replace(info, broker_addr_table=brokers))


def decode_cluster_info(body: bytes) -> ClusterInfo:
    """The inverse. Raises JavaJSONError."""
    return javajson.decode_as(body, ClusterInfo)


__all__ = [
    "BrokerData",
    "BrokerMemberGroup",
    "ClusterInfo",
    "GetBrokerMemberGroupResponseBody",
    "JavaJSONError",
    "QueueData",
    "RegisterBrokerBody",
    "TopicRouteData",
    "decode_cluster_info",
    "decode_register_body",
    "decode_route",
    "encode_cluster_info",
    "encode_register_body",
    "encode_route",
]
