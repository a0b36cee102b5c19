# Tests: tests/client/test_routes.py
"""Which brokers and queues a topic has, as the name servers last said.

`RouteTable` is bookkeeping without network: `MQClientInstance` fetches, the table keeps, compares and answers.
"""

from __future__ import annotations

import attrs
import msgspec

from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.routes import BrokerData, QueueData, TopicRouteData
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE

MASTER_ID = 0


@attrs.frozen
class PublishInfo:
    """Where messages of a topic may be sent (Java: TopicPublishInfo)."""

    topic: str
    queues: tuple[MessageQueue, ...]
    is_order_topic: bool = False


def publish_info(topic: str, route: TopicRouteData) -> PublishInfo:
    """The writable queues of brokers that have a master, or those that the order configuration lists."""
    if route.order_topic_conf:
        queues = []
        for part in route.order_topic_conf.split(";"):
            broker_name, _, count = part.partition(":")
            if count.isdigit():
                queues += [MessageQueue(topic, broker_name, queue_id) for queue_id in range(int(count))]
        return PublishInfo(topic, tuple(queues), is_order_topic=True)
    masters = {data.broker_name for data in route.broker_datas if MASTER_ID in data.broker_addrs}
    return PublishInfo(
        topic,
        tuple(
            MessageQueue(topic, data.broker_name, queue_id)
            for data in sorted(route.queue_datas, key=_broker_name)
            if data.perm & PERM_WRITE and data.broker_name in masters
            for queue_id in range(data.write_queue_nums)
        ),
    )


def subscribe_queues(topic: str, route: TopicRouteData) -> tuple[MessageQueue, ...]:
    """The readable queues of a topic, sorted."""
    return tuple(
        sorted(
            MessageQueue(topic, data.broker_name, queue_id)
            for data in route.queue_datas
            if data.perm & PERM_READ
            for queue_id in range(data.read_queue_nums)
        )
    )


def limited_to(route: TopicRouteData, queue_count: int) -> TopicRouteData:
    """The route of a topic to be made, from that of its template: no more queues than the producer asks for."""
    queue_datas = []
    for data in route.queue_datas:
        count = min(queue_count, data.read_queue_nums)
        queue_datas.append(msgspec.structs.replace(data, read_queue_nums=count, write_queue_nums=count))
    return TopicRouteData(queue_datas=tuple(queue_datas), broker_datas=route.broker_datas)


def _broker_name(data: QueueData | BrokerData) -> str:
    return data.broker_name


def _comparable(route: TopicRouteData) -> tuple[object, ...]:
    """What must differ for a route to count as changed (Java: topicRouteDataIsChange)."""
    queues = sorted((data.broker_name, data.read_queue_nums, data.write_queue_nums, data.perm) for data in route.queue_datas)
    brokers = sorted((data.broker_name, sorted(data.broker_addrs.items())) for data in route.broker_datas)
    return route.order_topic_conf, queues, brokers


class RouteTable:
    """Routes by topic, and the brokers' addresses by name and id (Java: the tables of MQClientInstance)."""

    def __init__(self) -> None:
        self._routes: dict[str, TopicRouteData] = {}
        self._publish: dict[str, PublishInfo] = {}
        self._subscribe: dict[str, tuple[MessageQueue, ...]] = {}
        self._addresses: dict[str, dict[int, str]] = {}

    def update(self, topic: str, route: TopicRouteData) -> bool:
        """Keep a route; whether it differs from the one before."""
        for data in route.broker_datas:
            self._addresses[data.broker_name] = dict(data.broker_addrs)
        old = self._routes.get(topic)
        if old is not None and _comparable(old) == _comparable(route):
            return False
        self._routes[topic] = route
        self._publish[topic] = publish_info(topic, route)
        self._subscribe[topic] = subscribe_queues(topic, route)
        return True

    def publish_info(self, topic: str) -> PublishInfo | None:
        """Where to send, or None when no route is known."""
        return self._publish.get(topic)

    def subscribe_queues(self, topic: str) -> tuple[MessageQueue, ...] | None:
        """Where to read, or None when no route is known."""
        return self._subscribe.get(topic)

    def broker_names_of(self, topic: str) -> list[str]:
        """The brokers that have the topic, sorted."""
        route = self._routes.get(topic)
        return [] if route is None else sorted(map(_broker_name, route.broker_datas))

    def brokers(self) -> list[tuple[str, int, str]]:
        """Every known (broker name, broker id, address)."""
        return [
            (name, broker_id, address) for name, addresses in self._addresses.items() for broker_id, address in addresses.items()
        ]

    def master_of(self, broker_name: str) -> str | None:
        """The address of a broker's master."""
        return self._addresses.get(broker_name, {}).get(MASTER_ID)

    def address_of(self, broker_name: str, broker_id: int = MASTER_ID) -> tuple[str, bool] | None:
        """(address, whether it is a slave's) of that broker id, or of another of the name when there is no such id.

        Java: findBrokerAddressInSubscribe.
        """
        addresses = self._addresses.get(broker_name)
        if not addresses:
            return None
        if broker_id not in addresses and broker_id != MASTER_ID and broker_id + 1 in addresses:
            broker_id += 1
        if broker_id not in addresses:
            broker_id = min(addresses)
        return addresses[broker_id], broker_id != MASTER_ID

    def clean_offline(self) -> list[str]:
        """Forget the addresses that no route has any more; those addresses (Java: cleanOfflineBroker)."""
        alive: set[str] = set()
        for route in self._routes.values():
            for data in route.broker_datas:
                alive.update(data.broker_addrs.values())
        gone = [address for _, _, address in self.brokers() if address not in alive]
        for name, addresses in list(self._addresses.items()):
            kept = {broker_id: address for broker_id, address in addresses.items() if address in alive}
            if kept:
                self._addresses[name] = kept
            else:
                del self._addresses[name]
        return gone
