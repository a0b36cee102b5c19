# Tests: tests/testing/test_cluster.py
"""A name server, brokers and clients in one process, without sockets, disks, threads or waiting: for tests of what uses pymq.

    cluster = MemoryCluster()
    cluster.start()
    producer = cluster.producer("orders_out")
    cluster.result(producer.send(Message("orders", b"one")))
    cluster.stop()

All parts are the real ones; only the reactor, the disk and the thread of the flusher are in memory. Time stands still but for
`tick`, and for `result`, which lets as much pass as is needed.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from pymq.broker.config import BrokerConfig
from pymq.client import Producer, PushConsumer
from pymq.client.registry import InstanceRegistry
from pymq.namesrv.config import NamesrvConfig
from pymq.services.broker import BrokerController
from pymq.services.namesrv import NamesrvController
from pymq.settings import read_settings
from pymq.store.config import MessageStoreConfig
from pymq.testing.documents import MemoryDocuments
from pymq.testing.memoryfiles import MemoryFiles
from pymq.testing.memoryreactor import MemoryReactor
from pymq.testing.nothread import NoThread

NAMESRV_HOST = "10.0.0.1"
NAMESRV_ADDR = f"{NAMESRV_HOST}:9876"
CLIENT_HOST = "10.0.0.7"
#: `result` lets time pass in such steps, at most so many.
STEP_S = 0.1
STEPS_MAX = 600

T = TypeVar("T")


class MemoryBroker:
    """One broker of a cluster. `files` is its disk, which lasts over `stop` and `start`; `said` are the lines it printed."""

    def __init__(self, reactor: MemoryReactor, name: str, host: str, settings: dict[str, str]) -> None:
        self.name = name
        self.host = host
        self.files = MemoryFiles(clock=reactor)
        self.said: list[str] = []
        self._reactor = reactor
        self._settings = {
            "brokerName": name,
            "brokerIP1": host,
            "bindAddress": host,
            "namesrvAddr": NAMESRV_ADDR,
            "mappedFileSizeCommitLog": str(1 << 20),
            # A test that lets a minute pass at once means no broker that stood still for a minute.
            "brokerFastFailureEnable": "false",
            **settings,
        }
        self.controller: BrokerController | None = None

    def start(self) -> None:
        """Start on the disk as it is."""
        self.controller = BrokerController(
            read_settings(BrokerConfig, self._settings),
            read_settings(MessageStoreConfig, self._settings),
            reactor=self._reactor,
            files=self.files,
            flush_thread=NoThread(),
            document_thread=NoThread(),
            say=self.said.append,
        )
        self.controller.startService()

    def stop(self) -> Deferred[None]:
        """Stop as at a SIGTERM; fires when it is over."""
        controller, self.controller = self.controller, None
        return succeed(None) if controller is None else controller.stopService()


class MemoryCluster:
    """A name server and so many brokers, whose further settings have Apache's names (`{"flushDiskType": "SYNC_FLUSH"}`).

    `reactor` is to be given to whatever else shall run in the same world; `client_settings()` to producers and consumers.
    """

    def __init__(self, broker_count: int = 1, **settings: str) -> None:
        self.reactor = MemoryReactor()
        self.brokers = [
            MemoryBroker(self.reactor, f"broker-{chr(97 + index)}", f"10.0.1.{index + 1}", settings)
            for index in range(broker_count)
        ]
        self._registry = InstanceRegistry()
        self._members: list[Any] = []
        namesrv = NamesrvConfig(bind_address=NAMESRV_HOST)
        self._namesrv = NamesrvController(namesrv, reactor=self.reactor, documents=MemoryDocuments(), say=lambda line: None)

    def start(self) -> None:
        """Start the name server, then the brokers; all are registered when this returns."""
        self._namesrv.startService()
        for broker in self.brokers:
            broker.start()
        self.tick(0.01)

    def stop(self) -> None:
        """Shut down the clients made here, then the brokers and the name server. Nothing is left on the reactor's clock."""
        for member in reversed(self._members):
            self.result(member.shutdown())
        for broker in self.brokers:
            self.result(broker.stop())
        self.result(maybeDeferred(self._namesrv.stopService))

    def client_settings(self, **more: Any) -> dict[str, Any]:
        """The keyword arguments with which a producer or consumer of `pymq.client` lives in this world."""
        return {
            "namesrv_addr": NAMESRV_ADDR,
            "client_ip": CLIENT_HOST,
            "reactor": self.reactor,
            "registry": self._registry,
            **more,
        }

    def producer(self, group: str = "producers", **settings: Any) -> Producer:
        """A producer that runs."""
        producer = Producer(group, **self.client_settings(**settings))
        self._members.append(producer)
        self.result(producer.start())
        return producer

    def push_consumer(self, topic: str, listener: Any, group: str = "consumers", **settings: Any) -> PushConsumer:
        """A push consumer of one topic that runs, by default from the first message on."""
        settings.setdefault("consume_from_where", "CONSUME_FROM_FIRST_OFFSET")
        consumer = PushConsumer(group, **self.client_settings(**settings))
        consumer.subscribe(topic)
        consumer.listen(listener)
        self._members.append(consumer)
        self.result(consumer.start())
        return consumer

    def tick(self, seconds: float, times: int = 1) -> None:
        """Let time pass, with all that comes of it."""
        self.reactor.tick(seconds, times)

    def result(self, work: Awaitable[T]) -> T:
        """What a Deferred or coroutine gives, letting time pass until it does. Raises its error, or AssertionError."""
        outcome: list[Any] = []
        waiting: Deferred[Any] = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)  # type: ignore[arg-type]
        waiting.addBoth(outcome.append)
        self.reactor.settle()
        for _ in range(STEPS_MAX):
            if outcome:
                break
            self.tick(STEP_S)
        if not outcome:
            raise AssertionError(f"no result after {STEPS_MAX * STEP_S:g} s")
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]
