"""What the client's tests have in common."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.config import ClientConfig, PushConfig
from pymq.client.instance import MQClientInstance
from pymq.client.producer import Producer
from pymq.client.pullconsumer import PullConsumer
from pymq.client.pushconsumer import PushConsumer
from pymq.client.registry import InstanceRegistry
from pymq.message.message import StoredMessage
from pymq.remoting.dispatcher import ProcessorTable
from pymq.wire.bodies.messagequeue import MessageQueue
from tests.client.fakecluster import NAME_SERVER, FakeCluster

T = TypeVar("T")
TOPIC = "orders"


async def awaited(work: Awaitable[T]) -> T:
    """A coroutine of anything that can be awaited."""
    return await work


def running(work: Awaitable[T]) -> Deferred[T]:
    """The Deferred of anything that can be awaited."""
    return work if isinstance(work, Deferred) else Deferred.fromCoroutine(awaited(work))


def queue(queue_id: int = 0, topic: str = TOPIC, broker_name: str = "broker-a") -> MessageQueue:
    """A queue of the first broker."""
    return MessageQueue(topic, broker_name, queue_id)


def stored(offset: int, body: bytes = b"body", **more: Any) -> StoredMessage:
    """A message as a pull would bring it."""
    return StoredMessage(topic=TOPIC, queue_id=0, queue_offset=offset, raw_body=body, size=100, **more)


class ClientCase(SynchronousTestCase):
    """A cluster in memory with a topic on it, and a clock that looks like today."""

    broker_count = 1

    def setUp(self) -> None:
        """The cluster; nothing may be left on its clock in the end."""
        self.cluster = FakeCluster(self.broker_count)
        self.clock = self.cluster.clock
        self.registry = InstanceRegistry()
        self.cluster.create_topic(TOPIC)
        self.members: list[Any] = []
        self.addCleanup(self.check_all_is_over)

    def check_all_is_over(self) -> None:
        """Whatever a test started ends, and leaves nothing behind."""
        for member in self.members:
            member.shutdown()
        self.clock.pump([0.5] * 20)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.registry), 0)

    def result(self, work: Awaitable[T]) -> T:
        """The result, which must be there now."""
        return self.successResultOf(running(work))

    def failure(self, work: Awaitable[Any], *errors: type[BaseException]) -> Any:
        """The error of these types, which must be there now."""
        return self.failureResultOf(running(work), *errors).value

    def tick(self, seconds: float, times: int = 1) -> None:
        """Let time pass in steps."""
        self.clock.pump([seconds] * times)

    def settings(self, **more: Any) -> dict[str, Any]:
        """What every member of these tests is made with."""
        return {
            "namesrv_addr": NAME_SERVER,
            "client_ip": "10.0.0.7",
            "reactor": self.clock,
            "make_remoting": self.cluster.make_remoting,
            "registry": self.registry,
            **more,
        }

    def make(self, kind: type[T], group: str, **more: Any) -> T:
        """A member, not started."""
        member: Any = kind(group, **self.settings(**more))  # type: ignore[call-arg]
        self.members.append(member)
        return member  # type: ignore[no-any-return]

    def producer(self, group: str = "pg", **more: Any) -> Producer:
        """A producer that runs."""
        producer = self.make(Producer, group, **more)
        self.result(producer.start())
        return producer

    def pull_consumer(self, group: str = "cg", **more: Any) -> PullConsumer:
        """A pull consumer that runs."""
        consumer = self.make(PullConsumer, group, **more)
        self.result(consumer.start())
        return consumer

    def push_consumer(
        self, listener: Any, group: str = "cg", *, orderly: bool = False, expression: str = "*", **more: Any
    ) -> PushConsumer:
        """A push consumer of the topic that runs, from the first message on, and has its queues."""
        more.setdefault("consume_from_where", "CONSUME_FROM_FIRST_OFFSET")
        consumer = self.make(PushConsumer, group, **more)
        consumer.subscribe(TOPIC, expression)
        (consumer.listen_orderly if orderly else consumer.listen)(listener)
        self.result(consumer.start())
        self.tick(0.01, 3)
        return consumer

    def instance(self, config: ClientConfig | None = None, client_id: str = "10.0.0.7@test") -> MQClientInstance:
        """A started instance without members, for the parts below them."""
        instance = MQClientInstance(
            client_id,
            PushConfig() if config is None else config,
            clock=self.clock,
            remoting=self.cluster.make_remoting(self.clock, ProcessorTable()),
            name_servers=[NAME_SERVER],
        )
        self.result(instance.start())
        self.addCleanup(lambda: self.result(instance.shutdown()))
        self.result(instance.update_route(TOPIC))
        return instance
