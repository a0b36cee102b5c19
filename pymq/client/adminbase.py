# Tests: tests/client/test_admin.py
"""What all operations of an admin client are made of: whom to ask, and asking them all."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pymq.client.api import MQClientAPI
from pymq.client.config import AdminConfig
from pymq.client.instance import MQClientInstance
from pymq.client.member import Member
from pymq.client.routes import MASTER_ID
from pymq.client.tasks import all_of
from pymq.errors import ClientError, NoRoute
from pymq.message.topics import retry_topic
from pymq.wire.bodies.routes import ClusterInfo, TopicRouteData, decode_cluster_info
from pymq.wire.codes import RequestCode

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A", bound="AdminBase")

ADMIN_GROUP = "admin_ext_group"
#: What brokers take longer over gets so many times the usual timeout, as in Java.
LONG = 3


def operation(method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[A, P], Deferred[T]]:
    """A coroutine method as a public one: it gives a Deferred, and fails with NotStarted when the client does not run."""

    @functools.wraps(method)
    def call(self: A, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return self._do(method(self, *args, **kwargs))

    return call


class AdminBase(Member[AdminConfig]):
    """A client that neither sends nor consumes.

    Where an operation takes `where`, that is the address of a broker as `host:port`, the name of a broker or that of a cluster;
    None stands for all brokers. It is done at the masters.
    """

    kind = "admin client"
    config_class = AdminConfig

    def __init__(self, *, group: str = ADMIN_GROUP, **settings: Any) -> None:
        """`group` tells admin clients with one `instance_name` apart. Raises ConfigError, ClientError."""
        super().__init__(group, **settings)

    def _join(self, instance: MQClientInstance) -> None:
        instance.add_admin(self)

    async def _started(self, instance: MQClientInstance) -> None:
        """Nothing is to be done: no server is told of an admin client."""

    async def _stopping(self, instance: MQClientInstance) -> None:
        """Likewise."""

    @property
    def _api(self) -> MQClientAPI:
        return self.instance.api

    @property
    def _timeout_s(self) -> float:
        return self.config.mq_client_api_timeout_s

    @property
    def _long_s(self) -> float:
        return self._timeout_s * LONG

    # Whom to ask

    async def _cluster_info(self) -> ClusterInfo:
        answer = await self._api.name_servers.ask(RequestCode.GET_BROKER_CLUSTER_INFO, None, self._timeout_s)
        return decode_cluster_info(answer.body)

    async def _masters(self, where: str | None, *, and_slaves: bool = False) -> list[str]:
        """The addresses of the masters that are meant, and of their slaves if wished. Raises ClientError, NoRoute."""
        if where is not None and ":" in where:
            return [where]
        brokers = [sorted(addrs.items()) for addrs in await self._broker_addrs(where)]
        addresses = [address for addrs in brokers for broker_id, address in addrs if and_slaves or broker_id == MASTER_ID]
        if not addresses:
            kind = "broker" if and_slaves else "master"
            raise NoRoute(f"no name server knows a running {kind} of {where or 'any cluster'}")
        return addresses

    async def _broker_addrs(self, where: str | None) -> list[dict[int, str]]:
        """By broker id, the addresses of each broker name that is meant. Raises ClientError."""
        info = await self._cluster_info()
        brokers, clusters = info.broker_addr_table, info.cluster_addr_table
        if where is None:
            names = set(brokers)
        elif where in brokers:
            names = {where}
        elif where in clusters:
            names = set(clusters[where])
        else:
            raise ClientError(
                f"there is no broker and no cluster {where}, and an address is host:port; the brokers are {_listed(brokers)}, "
                f"the clusters {_listed(clusters)}"
            )
        return [brokers[name].broker_addrs for name in sorted(names) if name in brokers]

    async def _master(self, where: str) -> str:
        """The address of the one master that is meant. Raises ClientError, NoRoute."""
        masters = await self._masters(where)
        if len(masters) > 1:
            raise ClientError(f"{where} has {len(masters)} masters; name one of them")
        return masters[0]

    async def _route(self, topic: str) -> TopicRouteData:
        """The route of a topic as the brokers know it, with an address at least. Raises NoRoute."""
        route = await self._known_route(topic)
        if route is None:
            raise NoRoute(f"no name server knows the topic {topic}; was it created, and are its brokers registered?")
        return route

    async def _known_route(self, topic: str) -> TopicRouteData | None:
        route = await self._api.name_servers.route(topic, self._timeout_s)
        return route if route is not None and _addresses(route) else None

    async def _brokers_of_topic(self, topic: str) -> list[str]:
        """An address of each broker that has a topic, the master's if there is one; one at least. Raises NoRoute."""
        return _addresses(await self._route(topic))

    async def _brokers_of_group(self, group: str) -> list[str]:
        """The same for a consumer group, as it is known to brokers since a member of it connected. Raises NoRoute."""
        topic = retry_topic(group)
        route = await self._known_route(topic)
        if route is None:
            raise NoRoute(f"no name server knows the retry topic {topic}: no consumer of the group {group} ever connected")
        return _addresses(route)

    async def _at_all(self, addresses: Iterable[str], ask: Callable[[str], Awaitable[T]]) -> list[T]:
        """What each gives, asked together. When some fail the others are done all the same, and the first error is raised."""
        outcomes = await all_of(ask(address) for address in addresses)
        results: list[T] = []
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                outcome.raiseException()
            results.append(outcome)
        return results


def _addresses(route: TopicRouteData) -> list[str]:
    return [data.broker_addrs[min(data.broker_addrs)] for data in route.broker_datas if data.broker_addrs]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
