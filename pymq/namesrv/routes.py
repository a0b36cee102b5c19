# Tests: tests/namesrv/test_routes.py
"""What a name server knows: brokers, clusters, topics, and who is alive (Java: RouteInfoManager).

::

    queues    topic -> broker name -> QueueData          taken from masters
    brokers   broker name -> cluster, id -> address      id 0 is the master
    clusters  cluster -> broker names
    live      address -> last sign of life, version of its topics, the channel it came over

The channel of a registration is the broker's lifeline: when it closes, its addresses are gone at once. A registration only adds;
topics go by `delete_topic` or with their last broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs
from twisted.logger import Logger

from pymq.errors import RequestError
from pymq.interfaces import IChannel, IClock
from pymq.wire.bodies.routes import BrokerData, ClusterInfo, QueueData, TopicRouteData
from pymq.wire.bodies.topics import (
    PERM_READ,
    PERM_WRITE,
    TOPIC_UNIT,
    TOPIC_UNIT_SUBSCRIPTION,
    DataVersion,
    TopicConfig,
)
from pymq.wire.codes import ResponseCode

MASTER_ID = 0
#: A broker that is silent for so long is dropped, unless its registration names another time.
EXPIRY_MS = 120_000
#: Addresses that may be registered at one time, and topics that may be known; what goes beyond is refused.
BROKERS_MAX = 4096
TOPICS_MAX = 262_144


@attrs.frozen(kw_only=True)
class BrokerIdentity:
    """Who registers: the cluster, the broker's name, its id there and its `ip:port`."""

    cluster: str
    name: str
    broker_id: int
    address: str


@attrs.define
class LiveBroker:
    """The last sign of life of an address."""

    last_update_ms: int
    data_version: DataVersion
    channel: IChannel
    ha_address: str
    expiry_ms: int


@attrs.define
class _Broker:
    cluster: str
    addresses: dict[int, str] = attrs.Factory(dict)


class RouteInfoManager:
    """The five tables and the rules over them. Nothing here answers anybody."""

    _log = Logger()

    def __init__(self, *, clock: IClock, expiry_ms: int = EXPIRY_MS) -> None:
        self._clock = clock
        self._expiry_ms = expiry_ms
        self._queues: dict[str, dict[str, QueueData]] = {}
        self._brokers: dict[str, _Broker] = {}
        self._clusters: dict[str, set[str]] = {}
        self._live: dict[str, LiveBroker] = {}
        self._filter_servers: dict[str, list[str]] = {}
        self._generation = 0

    @property
    def generation(self) -> int:
        """Grows with every change of a route, so that answers can be kept until then."""
        return self._generation

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    # Brokers come

    def register(
        self,
        broker: BrokerIdentity,
        channel: IChannel,
        *,
        topics: Mapping[str, TopicConfig],
        data_version: DataVersion,
        filter_servers: Iterable[str] = (),
        ha_address: str = "",
        expiry_ms: int | None = None,
    ) -> tuple[str, str] | None:
        """Take a registration; for a slave whose master is known, the master's (address, ha address).

        `topics` may be the changed ones alone. They count when they come from a master whose version is news. Raises RequestError
        (SYSTEM_ERROR) above BROKERS_MAX and TOPICS_MAX, having taken nothing.
        """
        self._check_room(broker.address, topics.keys() if broker.broker_id == MASTER_ID else ())
        is_news = self._take_address(broker) or self.is_changed(broker.address, data_version)
        if is_news and broker.broker_id == MASTER_ID:
            for topic in topics.values():
                self._put_queues(topic.topic_name, _queue_data(broker.name, topic))
        if broker.address not in self._live:
            self._log.info(
                "broker {name} id {id} at {address} registered", name=broker.name, id=broker.broker_id, address=broker.address
            )
        self._live[broker.address] = LiveBroker(self._now_ms(), data_version, channel, ha_address, expiry_ms or self._expiry_ms)
        self._put_filter_servers(broker.address, list(filter_servers))
        return self._master_of(broker) if broker.broker_id != MASTER_ID else None

    def _check_room(self, address: str | None, topics: Iterable[str]) -> None:
        if address is not None and address not in self._live and len(self._live) >= BROKERS_MAX:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"{len(self._live)} brokers are registered, the most is {BROKERS_MAX}")
        if len(self._queues) + sum(topic not in self._queues for topic in topics) > TOPICS_MAX:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"{len(self._queues)} topics are known, the most is {TOPICS_MAX}")

    def _take_address(self, broker: BrokerIdentity) -> bool:
        """Enter the address; whether this id of this name is new. An address has one id: a slave may have become master."""
        known = self._brokers.get(broker.name)
        if known is None:
            known = self._brokers[broker.name] = _Broker(broker.cluster)
        self._clusters.setdefault(broker.cluster, set()).add(broker.name)
        before = dict(known.addresses)
        known.addresses = {id_: address for id_, address in before.items() if address != broker.address}
        known.addresses[broker.broker_id] = broker.address
        if known.addresses != before:
            self._generation += 1
        return broker.broker_id not in before

    def _put_queues(self, topic: str, queues: QueueData) -> None:
        brokers = self._queues.setdefault(topic, {})
        if brokers.get(queues.broker_name) != queues:
            brokers[queues.broker_name] = queues
            self._generation += 1

    def _put_filter_servers(self, address: str, servers: list[str]) -> None:
        if servers != self._filter_servers.get(address, []):
            self._generation += 1
        if servers:
            self._filter_servers[address] = servers
        else:
            self._filter_servers.pop(address, None)

    def _master_of(self, broker: BrokerIdentity) -> tuple[str, str] | None:
        master = self._brokers[broker.name].addresses.get(MASTER_ID)
        live = self._live.get(master) if master is not None else None
        return None if master is None or live is None else (master, live.ha_address)

    def register_topic(self, topic: str, queues: Iterable[QueueData]) -> None:
        """Add a topic's queues at brokers that are known; others are passed over. Raises RequestError above TOPICS_MAX."""
        self._check_room(None, [topic])
        for queue in queues:
            if queue.broker_name in self._brokers:
                self._put_queues(topic, queue)

    def is_changed(self, address: str, data_version: DataVersion) -> bool:
        """Whether the version differs from the one that came last from that address."""
        return self.data_version_of(address) != data_version

    def data_version_of(self, address: str) -> DataVersion | None:
        """The version that came last from an address, or None."""
        live = self._live.get(address)
        return None if live is None else live.data_version

    def touch(self, address: str) -> None:
        """Note a sign of life of an address that is known."""
        live = self._live.get(address)
        if live is not None:
            live.last_update_ms = self._now_ms()

    # Brokers go

    def unregister(self, broker: BrokerIdentity) -> None:
        """Take a broker's leave. Its name goes with its last address, and the topics' queues there with the name."""
        self._live.pop(broker.address, None)
        self._filter_servers.pop(broker.address, None)
        known = self._brokers.get(broker.name)
        if known is not None:
            if known.addresses.get(broker.broker_id) == broker.address:
                del known.addresses[broker.broker_id]
            self._drop_if_empty(broker.name, known)
        self._generation += 1
        self._log.info("broker {name} at {address} unregistered", name=broker.name, address=broker.address)

    def channel_closed(self, channel: IChannel) -> list[str]:
        """Drop every address that registered over this channel; them."""
        addresses = [address for address, live in self._live.items() if live.channel is channel]
        for address in addresses:
            self._drop_address(address)
        return addresses

    def expire(self) -> list[IChannel]:
        """Drop every address that was silent for too long; the channels they came over, to be closed."""
        now_ms = self._now_ms()
        silent = {address: live for address, live in self._live.items() if live.last_update_ms + live.expiry_ms < now_ms}
        for address, live in silent.items():
            self._log.warn("broker at {address} was silent for over {ms} ms", address=address, ms=live.expiry_ms)
            self._drop_address(address)
        return list({id(live.channel): live.channel for live in silent.values()}.values())

    def _drop_address(self, address: str) -> None:
        self._live.pop(address, None)
        self._filter_servers.pop(address, None)
        self._generation += 1
        for name, broker in list(self._brokers.items()):
            ids = [id_ for id_, at in broker.addresses.items() if at == address]
            for id_ in ids:
                del broker.addresses[id_]
            if ids:
                self._log.info("broker {name} at {address} is gone", name=name, address=address)
                self._drop_if_empty(name, broker)

    def _drop_if_empty(self, name: str, broker: _Broker) -> None:
        if broker.addresses:
            return
        del self._brokers[name]
        for cluster, names in list(self._clusters.items()):
            names.discard(name)
            if not names:
                del self._clusters[cluster]
        self._drop_queues((name,), list(self._queues))

    def _drop_queues(self, broker_names: Iterable[str], topics: Iterable[str]) -> None:
        names = tuple(broker_names)
        for topic in topics:
            brokers = self._queues.get(topic)
            if brokers is None:
                continue
            for name in names:
                brokers.pop(name, None)
            if not brokers:
                del self._queues[topic]
        self._generation += 1

    # Administration

    def delete_topic(self, topic: str, cluster: str | None = None) -> None:
        """Forget a topic, at the brokers of one cluster or at all."""
        if cluster is not None:
            self._drop_queues(self._clusters.get(cluster, ()), (topic,))
        elif self._queues.pop(topic, None) is not None:
            self._generation += 1

    def wipe_write_perm(self, broker_name: str) -> int:
        """Take the write permission from all queues of a broker; how many topics it has there."""
        return self._change_perm(broker_name, lambda perm: perm & ~PERM_WRITE)

    def add_write_perm(self, broker_name: str) -> int:
        """Make all queues of a broker readable and writable; how many topics it has there."""
        return self._change_perm(broker_name, lambda perm: PERM_READ | PERM_WRITE)

    def _change_perm(self, broker_name: str, change: Callable[[int], int]) -> int:
        count = 0
        for brokers in self._queues.values():
            queues = brokers.get(broker_name)
            if queues is not None:
                brokers[broker_name] = _with_perm(queues, change(queues.perm))
                count += 1
        self._generation += 1
        return count

    # Questions

    def route(self, topic: str, order: str | None = None) -> TopicRouteData | None:
        """Where a topic is, with its order configuration; None unless it has queues and one of its brokers is known."""
        queues = self._queues.get(topic)
        brokers = [self._broker_data(name) for name in sorted(queues or ()) if name in self._brokers]
        if not queues or not brokers:
            return None
        addresses = [address for broker in brokers for address in broker.broker_addrs.values()]
        return TopicRouteData(
            queue_datas=tuple(queues[name] for name in sorted(queues)),
            broker_datas=tuple(brokers),
            filter_server_table={a: self._filter_servers[a] for a in addresses if a in self._filter_servers},
            order_topic_conf=order,
        )

    def _broker_data(self, name: str) -> BrokerData:
        broker = self._brokers[name]
        return BrokerData(broker.cluster, name, dict(broker.addresses))

    def cluster_info(self) -> ClusterInfo:
        """All brokers and clusters."""
        return ClusterInfo(
            broker_addr_table={name: self._broker_data(name) for name in self._brokers},
            cluster_addr_table={cluster: set(names) for cluster, names in self._clusters.items()},
        )

    def broker_addresses(self, broker_name: str) -> dict[int, str]:
        """The addresses of a broker name by id; empty for an unknown one."""
        broker = self._brokers.get(broker_name)
        return {} if broker is None else dict(broker.addresses)

    def topics(self) -> list[str]:
        """All topics, sorted."""
        return sorted(self._queues)

    def topics_of_cluster(self, cluster: str) -> list[str]:
        """The topics with queues at a broker of the cluster, sorted."""
        names = self._clusters.get(cluster, set())
        return sorted(topic for topic, brokers in self._queues.items() if not names.isdisjoint(brokers))

    def system_topics(self) -> tuple[list[str], str | None]:
        """Names of clusters and brokers, which are topics too, and the address of any broker, which knows the rest."""
        names = sorted({*self._clusters, *self._brokers})
        addresses = (address for broker in self._brokers.values() for _, address in sorted(broker.addresses.items()))
        return names, next(addresses, None)

    def unit_topics(self) -> list[str]:
        """Topics of a unit, sorted."""
        return self._flagged(TOPIC_UNIT, TOPIC_UNIT)

    def unit_subscription_topics(self) -> list[str]:
        """Topics that a unit subscribes to, sorted."""
        return self._flagged(TOPIC_UNIT_SUBSCRIPTION, TOPIC_UNIT_SUBSCRIPTION)

    def unit_subscription_topics_without_unit(self) -> list[str]:
        """Topics that a unit subscribes to and that are of none, sorted."""
        return self._flagged(TOPIC_UNIT | TOPIC_UNIT_SUBSCRIPTION, TOPIC_UNIT_SUBSCRIPTION)

    def _flagged(self, mask: int, wanted: int) -> list[str]:
        """Topics whose flag is so at their first broker; all brokers have the same."""
        return sorted(
            topic for topic, brokers in self._queues.items() if next(iter(brokers.values())).topic_sys_flag & mask == wanted
        )


def _with_perm(queues: QueueData, perm: int) -> QueueData:
    return QueueData(queues.broker_name, queues.read_queue_nums, queues.write_queue_nums, perm, queues.topic_sys_flag)


def _queue_data(broker_name: str, topic: TopicConfig) -> QueueData:
    return QueueData(broker_name, topic.read_queue_nums, topic.write_queue_nums, topic.perm, topic.topic_sys_flag)
