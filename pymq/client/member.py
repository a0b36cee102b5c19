# Tests: tests/client/test_member.py
"""What producers and consumers have in common: their settings, their life, and the questions that each of them can ask."""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from pymq.client.clientprocessor import ClientRemotingProcessor
from pymq.client.config import (
    DEFAULT_INSTANCE_NAME,
    ClientConfig,
    client_id,
    local_address,
    make_config,
    name_server_addresses,
)
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance, NameServerSource
from pymq.client.queries import Queries
from pymq.client.reactor import default_reactor
from pymq.client.registry import REGISTRY, InstanceRegistry
from pymq.client.results import QueryResult, ServiceState
from pymq.client.tasks import Tasks
from pymq.client.transport import RemotingMaker, connect_remoting
from pymq.errors import ClientError, NotStarted
from pymq.message.ids import UniqueIds
from pymq.message.message import StoredMessage
from pymq.message.namespaces import Namespace
from pymq.message.topics import DEFAULT_CONSUMER_GROUP, DEFAULT_PRODUCER_GROUP, check_group
from pymq.remoting.client import Connect, connect_by, parse_address
from pymq.remoting.dispatcher import ProcessorTable
from pymq.wire.bodies.messagequeue import MessageQueue

C = TypeVar("C", bound=ClientConfig)
T = TypeVar("T")

_SALT_MAX = 2**32 - 1


class Member(ABC, Generic[C]):
    """A producer or a consumer. Every public method gives a Deferred; a second `shutdown` is harmless.

    `reactor` gives time and connections; `namesrv_source` is called now and then for the name servers, as text or a Deferred of
    it. `make_remoting`, `connect_plainly` and `registry` are there for tests and other reactors.
    """

    kind = "client"
    config_class: type[C]
    #: Whether a default instance name becomes one that nobody else has (Java: changeInstanceNameToPID).
    _has_own_instance = True
    _log = Logger()

    def __init__(
        self,
        group: str,
        *,
        reactor: Any = None,
        namesrv_source: NameServerSource | None = None,
        make_remoting: RemotingMaker = connect_remoting,
        connect_plainly: Callable[[Any], Connect] = connect_by,
        registry: InstanceRegistry = REGISTRY,
        **settings: Any,
    ) -> None:
        """Raises ConfigError for a setting that does not exist or cannot be, ClientError for a bad group name."""
        if group in (DEFAULT_PRODUCER_GROUP, DEFAULT_CONSUMER_GROUP):
            raise ClientError(f"the group name {group} is reserved; choose one of your own")
        self.config: C = make_config(self.config_class, settings)
        try:
            self.namespace = Namespace(self.config.namespace)
            #: As the brokers know it, with the namespace.
            self.group = self.namespace.wrap(group)
            check_group(self.group)
        except ValueError as error:
            raise ClientError(str(error)) from error
        self.clock: Any = default_reactor() if reactor is None else reactor
        self.state = ServiceState.CREATE_JUST
        self.tasks = Tasks(self.clock)
        self._namesrv_source = namesrv_source
        self._make_remoting = make_remoting
        self._connect_plainly = connect_plainly
        self._registry = registry
        self._instance: MQClientInstance | None = None
        self._queries: Queries | None = None
        self._ids: UniqueIds | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.group} {self.state.name}>"

    # Life

    @property
    def instance(self) -> MQClientInstance:
        """The shared part. Raises NotStarted."""
        if self._instance is None:
            self._check_running()
            raise NotStarted(f"the {self.kind} {self.group} is still starting; await its start() first")
        return self._instance

    @property
    def client_id(self) -> str:
        """The id under which brokers know this client. Raises NotStarted."""
        return self.instance.client_id

    def start(self) -> Deferred[None]:
        """Begin; fires when the client can be used. Fails with NoNameServer, NotStarted, ClientError or what a subclass says."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        self.state.check_new(f"the {self.kind} {self.group}")
        self.state = ServiceState.START_FAILED
        try:
            self._instance = instance = self._find_instance()
            self._queries = Queries(instance, self.namespace)
            self._join(instance)
            await instance.start()
            await self._started(instance)
        except BaseException:
            self.tasks.cancel_all()
            await self._leave_instance()
            raise
        self.state = ServiceState.RUNNING
        self._running()

    def shutdown(self) -> Deferred[None]:
        """End: nothing of this client runs any more when it fires. Before `start`, and a second time, it does nothing."""
        return Deferred.fromCoroutine(self._shutdown())

    async def _shutdown(self) -> None:
        if self.state is not ServiceState.RUNNING:
            return
        self.state = ServiceState.SHUTDOWN_ALREADY
        try:
            await self._stopping(self.instance)
        except EXPECTED_ERRORS as error:
            self._log.warn("{client!r} could not leave in good order: {error}", client=self, error=error)
        finally:
            self.tasks.cancel_all()
            await self._leave_instance()

    def _find_instance(self) -> MQClientInstance:
        address = self.config.client_ip or local_address()
        name = self.config.instance_name
        if self._has_own_instance and name == DEFAULT_INSTANCE_NAME:
            nanoseconds = int(self.clock.seconds() * 1_000_000) * 1000
            name = f"{os.getpid()}#{nanoseconds + self._registry.unique_number()}"
        self._ids = UniqueIds(address, os.getpid(), self.clock, salt=random.randint(0, _SALT_MAX))
        identity = client_id(self.config, name, lambda: address)
        return self._registry.get_or_make(identity, self.clock, lambda: self._make_instance(identity))

    def _make_instance(self, identity: str) -> MQClientInstance:
        processors = ProcessorTable()
        instance = MQClientInstance(
            identity,
            self.config,
            clock=self.clock,
            remoting=self._make_remoting(self.clock, processors, self.config),
            name_servers=(name_servers := name_server_addresses(self.config.namesrv_addr)),
            source=self._namesrv_source if name_servers or self._namesrv_source else self._address_server(),
        )
        processors.register(ClientRemotingProcessor(instance))
        return instance

    def _address_server(self) -> NameServerSource | None:
        """Who is asked for the name servers when none are given."""
        config, clock = self.config, self.clock
        if not config.namesrv_domain:
            return None
        # Late: an HTTP client takes as long to import as all the rest.
        from pymq.remoting.addressserver import AddressServer, agent_of, url_of

        url = url_of(config.namesrv_domain, config.namesrv_domain_subgroup, config.unit_name)
        server = AddressServer(url, agent=agent_of(clock, self._connect_plainly(clock)), clock=clock)

        async def ask() -> str:
            return ";".join(await server.ask())

        return ask

    def name_server_address_list(self) -> tuple[str, ...]:
        """The name servers that this client asks now, as host:port each. Raises NotStarted. Java: getNameServerAddressList."""
        return self.instance.api.name_servers.addresses

    def update_name_server_address_list(self, namesrv_addr: str) -> None:
        """Use other name servers, host:port;host:port, from now on. Clients that share an instance_name share them too.

        Raises NotStarted, and ClientError for what are no addresses.
        """
        addresses = name_server_addresses(namesrv_addr, {})
        if not addresses:
            raise ClientError(f"{namesrv_addr!r} names no name server; give host:port;host:port")
        try:
            for address in addresses:
                parse_address(address)
        except ValueError as error:
            raise ClientError(f"the name servers stay as they are: {error}") from error
        self.instance.use_name_servers(addresses)

    async def _leave_instance(self) -> None:
        instance, self._instance = self._instance, None
        if instance is not None:
            for members in (instance.producers, instance.consumers, instance.admins):
                if members.get(self.group) is self:
                    del members[self.group]
            await self._registry.release(instance)

    # What a subclass does

    @abstractmethod
    def _join(self, instance: MQClientInstance) -> None:
        """Become a member of the instance. Raises ClientError when the group has one there."""

    @abstractmethod
    async def _started(self, instance: MQClientInstance) -> None:
        """The instance runs; do what must be done before `start` fires."""

    def _running(self) -> None:  # nothing is what most members do
        """The state is RUNNING now."""

    @abstractmethod
    async def _stopping(self, instance: MQClientInstance) -> None:
        """Leave the groups; what may fail of EXPECTED_ERRORS is logged."""

    def _check_running(self) -> None:
        self.state.check_running(f"the {self.kind} {self.group}")

    def _do(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Run a public method's coroutine, which a shutdown ends with NotStarted."""
        return self.tasks.hold(self._guard(work))

    async def _guard(self, work: Coroutine[Any, Any, T]) -> T:
        if self.state is not ServiceState.RUNNING:
            work.close()
            self._check_running()
        try:
            return await work
        except CancelledError:
            self._check_running()
            raise

    # Questions

    def _ask(self, name: str, *arguments: Any, **more: Any) -> Deferred[Any]:
        return self._do(self._asked(name, *arguments, **more))

    async def _asked(self, name: str, *arguments: Any, **more: Any) -> Any:
        assert self._queries is not None, "a running client has them"
        return await getattr(self._queries, name)(*arguments, **more)

    def create_topic(self, key: str, new_topic: str, queues: int = 4, sys_flag: int = 0) -> Deferred[None]:
        """Create or change a topic on every broker that has the topic `key`. Fails with NoRoute, BrokerRefused."""
        return self._ask("create_topic", key, new_topic, queues, sys_flag)

    def max_offset(self, queue: MessageQueue) -> Deferred[int]:
        """The offset that the queue's next message gets."""
        return self._ask("max_offset", queue)

    def min_offset(self, queue: MessageQueue) -> Deferred[int]:
        """The offset of the queue's first message."""
        return self._ask("min_offset", queue)

    def search_offset(self, queue: MessageQueue, timestamp_ms: int) -> Deferred[int]:
        """The offset of the message stored nearest to a time in milliseconds since the epoch."""
        return self._ask("search_offset", queue, timestamp_ms)

    def earliest_store_time(self, queue: MessageQueue) -> Deferred[int]:
        """When the queue's first message was stored, in milliseconds since the epoch; -1 when there is none."""
        return self._ask("earliest_store_time", queue)

    def view_message(self, message_id: str) -> Deferred[StoredMessage]:
        """The message of an offset message id, as in `SendResult.offset_msg_id`. Fails with DecodeError, BrokerRefused."""
        return self._ask("view_message", message_id)

    def query_message(
        self, topic: str, key: str, max_count: int = 64, begin_ms: int = 0, end_ms: int = 2**63 - 1
    ) -> Deferred[QueryResult]:
        """Messages by one of their keys, stored between two times; oldest first."""
        return self._ask("query_message", topic, key, max_count, begin_ms, end_ms)

    def query_message_by_unique_id(self, topic: str, msg_id: str) -> Deferred[QueryResult]:
        """Messages by the id in `SendResult.msg_id`; several when a send was repeated."""
        return self._ask("query_message", topic, msg_id, is_unique_id=True)
