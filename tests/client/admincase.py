"""An admin client at two real brokers and a real name server, all in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.client import Admin, Message, TopicConfig
from pymq.testing.cluster import MemoryCluster
from pymq.wire.bodies.messagequeue import MessageQueue

T = TypeVar("T")
TOPIC, GROUP = "orders", "billing"
BROKER_A, BROKER_B = "10.0.1.1:10911", "10.0.1.2:10911"


def queue(queue_id: int = 0, broker_name: str = "broker-a") -> MessageQueue:
    """A queue of the topic."""
    return MessageQueue(TOPIC, broker_name, queue_id)


class AdminCase(SynchronousTestCase):
    """Two brokers with a topic of two queues each."""

    #: Their settings beyond Apache's defaults, with Apache's names.
    broker_settings: Mapping[str, str] = {}

    def setUp(self) -> None:
        """The cluster, and an admin client that runs."""
        self.cluster = MemoryCluster(2, **self.broker_settings)
        self.cluster.start()
        self.addCleanup(self.end)
        self.clients: list[Any] = []
        self.admin = Admin(**self.cluster.client_settings())
        self.begin(self.admin)
        self.create(TOPIC)

    def begin(self, client: Any) -> None:
        """Start a client; it is shut down in the end."""
        self.clients.append(client)
        self.result(client.start())

    def end(self) -> None:
        """All is over, and nothing is left."""
        for client in self.clients:
            self.result(client.shutdown())
        self.cluster.stop()
        reactor = self.cluster.reactor
        self.assertEqual((reactor.network.links, reactor.listening, reactor.getDelayedCalls()), ([], {}, []))

    def result(self, work: Awaitable[T]) -> T:
        """The result, with as much time as it takes."""
        return self.cluster.result(work)

    def failure(self, work: Deferred[Any], error: type[Exception]) -> Any:
        """The error."""
        return self.assertRaises(error, self.cluster.result, work)

    def create(self, topic: str, queues: int = 2) -> None:
        """Make a topic on both brokers."""
        self.result(self.admin.update_topic(TopicConfig(topic, read_queue_nums=queues, write_queue_nums=queues)))
        self.cluster.tick(0.1)

    def send(self, count: int, topic: str = TOPIC) -> list[Any]:
        """Send messages; their results."""
        producer = self.cluster.producer(f"producers-{len(self.clients)}")
        return [self.result(producer.send(Message(topic, b"%d" % n, keys=f"k{n}"))) for n in range(count)]

    def consume(self, topic: str = TOPIC, group: str = GROUP) -> list[Any]:
        """Have a push consumer of the group, which gets all there is; the messages it got until now."""
        got: list[Any] = []
        self.cluster.push_consumer(topic, lambda messages, context: got.extend(messages), group)
        self.cluster.tick(0.1, 20)
        return got

    def create_at(self, broker: str, topic: str) -> None:
        """Make a topic on one broker."""
        self.result(self.admin.update_topic(TopicConfig(topic, read_queue_nums=2, write_queue_nums=2), broker))
        self.cluster.tick(0.1)

    def put_out_of_reach(self, address: str) -> None:
        """Have a broker take no more connections, although the name server still knows it."""
        host, port = address.split(":")
        self.cluster.reactor.listening[host, int(port)].stopListening()
