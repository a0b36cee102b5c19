# Tests: tests/client/test_instance.py
"""What all producers and consumers of one client id share: connections, routes, heartbeats and the periodic jobs.

It lives in `pymq.client.registry` from the start of its first member to the shutdown of its last.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.client.api import MQClientAPI
from pymq.client.config import ClientConfig, name_server_addresses
from pymq.client.membership import ConsumerMember, ProducerMember
from pymq.client.nameservers import NameServers
from pymq.client.request import PendingReplies
from pymq.client.results import ServiceState
from pymq.client.routes import MASTER_ID, PublishInfo, RouteTable, limited_to
from pymq.client.stats import SAMPLE_INTERVAL_S, ConsumerStatsManager
from pymq.client.tasks import Shared, Tasks, UnderWay, all_of
from pymq.client.transport import TRANSPORT_ERRORS, IRemoting
from pymq.errors import BrokerRefused, ClientError, NoNameServer, NoRoute, RequestTimeout
from pymq.interfaces import IClock
from pymq.periodic import Periodic
from pymq.remoting.idle import SWEEP_INTERVAL_S
from pymq.wire.bodies.heartbeat import HeartbeatData, ProducerData
from pymq.wire.codes import RequestCode

#: What a request that a client makes on its own account may fail with; such failures are logged and tried again later.
EXPECTED_ERRORS = (ClientError, *TRANSPORT_ERRORS)

ROUTE_INITIAL_S = 0.01
HEARTBEAT_INITIAL_S = 1.0
PERSIST_INITIAL_S = 10.0
SOURCE_INITIAL_S = 10.0
#: After a rebalance that could not take every queue, the next one comes so soon (5.x: RebalanceService.minInterval).
REBALANCE_RETRY_S = 1.0

#: So often the route of a topic is asked for at most because a broker of it cannot be reached.
LOOK_AGAIN_S = 3.0

NameServerSource = Callable[[], Any]
T = TypeVar("T")


class MQClientInstance:
    """One client id's shared part (Java: MQClientInstance, MQClientFactory)."""

    _log = Logger()

    def __init__(
        self,
        client_id: str,
        config: ClientConfig,
        *,
        clock: IClock,
        remoting: IRemoting,
        name_servers: Iterable[str],
        source: NameServerSource | None = None,
    ) -> None:
        self.client_id = client_id
        self.config = config
        self.clock = clock
        self.state = ServiceState.CREATE_JUST
        self.routes = RouteTable()
        self.tasks = Tasks(clock)
        self.producers: dict[str, ProducerMember] = {}
        self.consumers: dict[str, ConsumerMember] = {}
        self.admins: dict[str, object] = {}
        self.broker_versions: dict[str, int] = {}
        #: Heartbeats by broker address.
        self._beats = UnderWay()
        #: How many members tell the brokers at this time that they leave.
        self._leaving = 0
        self._remoting = remoting
        self._name_servers = NameServers(remoting, tuple(name_servers))
        self._source = source
        self.api = MQClientAPI(remoting, self._name_servers, config)
        self.replies = PendingReplies()
        self.stats = ConsumerStatsManager(clock=clock)
        self._shared = Shared(self.tasks)
        self._templates: dict[str, tuple[str, int]] = {}
        self._looked_again_s: dict[str, float] = {}
        self._rebalancing = False
        self._rebalance_again = False
        self._rebalance_retry: Any = None
        self._jobs = self._make_jobs()
        remoting.when_connected = self._connected

    def _make_jobs(self) -> list[Periodic]:
        clock, config = self.clock, self.config
        jobs = [
            self._job("routes", ROUTE_INITIAL_S, config.poll_name_server_interval_s, self.update_all_routes),
            self._job("heartbeats", HEARTBEAT_INITIAL_S, config.heartbeat_broker_interval_s, self._heartbeat_round),
            self._job("offsets", PERSIST_INITIAL_S, config.persist_consumer_offset_interval_s, self.persist_all_offsets),
            Periodic(clock, config.rebalance_interval_s, self.rebalance_soon, name="rebalance of the client"),
            Periodic(clock, SWEEP_INTERVAL_S, self._remoting.sweep_idle, name="idle connections of the client"),
            Periodic(clock, SAMPLE_INTERVAL_S, self.stats.sample, name="statistics of the client"),
        ]
        if self._source is not None:
            jobs.append(self._job("name servers", SOURCE_INITIAL_S, config.namesrv_source_interval_s, self._ask_source))
        return jobs

    def _job(self, name: str, initial_s: float, interval_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> Periodic:
        """A Periodic whose work ends when everything else of this instance ends."""
        return Periodic(
            self.clock, interval_s, lambda: self.tasks.hold(work()), name=f"{name} of the client", initial_delay_s=initial_s
        )

    def now_ms(self) -> int:
        """The time in milliseconds since the epoch."""
        return int(self.clock.seconds() * 1000)

    # Life

    async def start(self) -> None:
        """Start the jobs, once. Raises NoNameServer."""
        if self.state is ServiceState.RUNNING:
            return
        self.state.check_new(f"the client {self.client_id}")
        self.state = ServiceState.START_FAILED
        if not self._name_servers.addresses:
            await self._ask_source()
        if not self._name_servers.addresses:
            raise NoNameServer('no name server is known; give namesrv_addr="host:9876" or set NAMESRV_ADDR')
        for job in self._jobs:
            job.start()
        self.state = ServiceState.RUNNING
        self._log.info("the client {client_id} is started", client_id=self.client_id)

    async def shutdown(self) -> None:
        """Stop everything and close the connections. Called when the last member has left; again is harmless."""
        if self.state is ServiceState.SHUTDOWN_ALREADY:
            return
        was_running = self.state is ServiceState.RUNNING
        self.state = ServiceState.SHUTDOWN_ALREADY
        if self._rebalance_retry is not None and self._rebalance_retry.active():
            self._rebalance_retry.cancel()
        self.tasks.cancel_all()
        for job in self._jobs if was_running else ():
            await job.stop()
        await self._remoting.close()

    def is_empty(self) -> bool:
        """Whether no member is left."""
        return not self.producers and not self.consumers and not self.admins and not self._leaving

    async def _ask_source(self) -> None:
        if self._source is None:
            return
        try:
            text = await maybeDeferred(self._source)
        except CancelledError:
            raise
        except Exception as error:
            if not self.name_servers:
                raise NoNameServer(f"no name server is known, and where they are could not be learnt: {error}") from error
            self._log.warn("the name servers stay as they are, for their source failed: {error}", error=error)
        else:
            self.use_name_servers(name_server_addresses(text or "", {}))

    def use_name_servers(self, addresses: Sequence[str]) -> None:
        """Ask others from now on; if they are others, for all routes at once (Java: updateNameServerAddressList)."""
        if self._name_servers.update(addresses) and self.state is ServiceState.RUNNING:
            self.tasks.spawn(self.update_all_routes(), "routes from other name servers")

    # Routes

    @property
    def name_servers(self) -> tuple[str, ...]:
        """The name servers in use."""
        return self._name_servers.addresses

    async def update_all_routes(self) -> None:
        """Look at the routes of every topic in use (Java: updateTopicRouteInfoFromNameServer without argument)."""
        topics: set[str] = set()
        for consumer in self.consumers.values():
            topics.update(consumer.subscribed_topics())
        for producer in self.producers.values():
            topics.update(producer.publish_topics())
        await all_of(self.update_route(topic) for topic in sorted(topics))

    async def update_route(self, topic: str) -> bool:
        """Ask for the route of a topic; whether one is known now. Failures are logged and leave what was known."""
        try:
            await self._shared.run(topic, lambda: self._fetch_route(topic))
        except EXPECTED_ERRORS as error:
            self._log.warn("the route of {topic} could not be had: {error}", topic=topic, error=error)
        return self.routes.publish_info(topic) is not None

    def look_again(self, topic: str) -> None:
        """A broker of the topic cannot be reached, so it may have another address by now: see to it, but not too often."""
        now_s = self.clock.seconds()
        if now_s - self._looked_again_s.get(topic, 0.0) >= LOOK_AGAIN_S and self.state is ServiceState.RUNNING:
            self._looked_again_s[topic] = now_s
            self.tasks.spawn(self.update_route(topic), f"another look at the route of {topic}")

    async def _fetch_route(self, topic: str) -> None:
        route = await self._name_servers.route(topic, self.config.mq_client_api_timeout_s)
        if route is None and topic in self._templates:
            template, queue_count = self._templates[topic]
            template_route = await self._name_servers.route(template, self.config.mq_client_api_timeout_s)
            route = None if template_route is None else limited_to(template_route, queue_count)
        if route is not None and route.queue_datas and self.routes.update(topic, route):
            self._log.debug("the route of {topic} changed", topic=topic)
            self.tasks.spawn(self._route_changed(topic), f"the new route of {topic}")

    async def _route_changed(self, topic: str) -> None:
        """Brokers that are new must know us before we share their queues."""
        await self.heartbeat_all(only_new=True)
        if any(topic in consumer.subscribed_topics() for consumer in self.consumers.values()):
            self.rebalance_soon()

    async def publish_info(self, topic: str, template: str, queue_count: int, timeout_s: float) -> PublishInfo:
        """Where messages of a topic go. An unknown topic goes where its `template` is, and is created there by its first message.

        Raises NoRoute, NoNameServer, BrokerRefused, or one of TRANSPORT_ERRORS, all within `timeout_s`.
        """

        def too_late(_: object, __: float) -> None:
            raise RequestTimeout(";".join(self.name_servers), RequestCode.GET_ROUTEINFO_BY_TOPIC, timeout_s)

        info = self.routes.publish_info(topic)
        if info is None or not info.queues:
            self._templates[topic] = (template, queue_count)
            asked = self._shared.run(topic, lambda: self._fetch_route(topic))
            await asked.addTimeout(timeout_s, self.clock, onTimeoutCancel=too_late)
            info = self.routes.publish_info(topic)
        if info is None or not info.queues:
            raise NoRoute(
                f"no name server knows a broker for the topic {topic}; create the topic, or allow the brokers to create it "
                f"(autoCreateTopicEnable), and look whether the brokers are registered at {';'.join(self.name_servers)}"
            )
        return info

    async def broker_address(self, queue_topic: str, broker_name: str) -> str:
        """The address of a broker's master; asks for the route of `queue_topic` when it is not known. Raises NoRoute."""
        address = self.routes.master_of(broker_name)
        if address is None:
            await self.update_route(queue_topic)
            address = self.routes.master_of(broker_name)
        if address is None:
            raise NoRoute(f"the broker {broker_name} has no master in the routes; is it running and registered?")
        return address

    async def broker_to_read(self, queue_topic: str, broker_name: str, broker_id: int = MASTER_ID) -> tuple[str, bool]:
        """(address, whether it is a slave's) of a broker of that name, of that id if there is one. Raises NoRoute."""
        found = self.routes.address_of(broker_name, broker_id)
        if found is None:
            await self.update_route(queue_topic)
            found = self.routes.address_of(broker_name, broker_id)
        if found is None:
            raise NoRoute(f"the broker {broker_name} has no address in the routes; is it running and registered?")
        return found

    # Members and heartbeats

    def add_producer(self, producer: ProducerMember) -> None:
        """Take a producer in. Raises ClientError when its group has one here already."""
        self._add(self.producers, producer, "producer")

    def add_consumer(self, consumer: ConsumerMember) -> None:
        """Take a consumer in. Raises ClientError when its group has one here already."""
        self._add(self.consumers, consumer, "consumer")

    def add_admin(self, admin: Any) -> None:
        """Take an admin client in, of which no broker is told. Raises ClientError when its group has one here already."""
        self._add(self.admins, admin, "admin client")

    def _add(self, members: dict[str, Any], member: Any, kind: str) -> None:
        if member.group in members:
            raise ClientError(
                f"the {kind} group {member.group} is in use by another {kind} of the client {self.client_id}; "
                "give one of them another group or another instance_name"
            )
        members[member.group] = member

    def _heartbeat_data(self) -> HeartbeatData:
        return HeartbeatData(
            client_id=self.client_id,
            producer_data_set=tuple(ProducerData(group) for group in sorted(self.producers)),
            consumer_data_set=tuple(consumer.consumer_data() for _, consumer in sorted(self.consumers.items())),
        )

    async def heartbeat_all(self, *, only_new: bool = False) -> None:
        """Tell the brokers who is here: all of them, or the masters when there are only producers; or those not told yet."""
        if not self.producers and not self.consumers:
            return
        data = self._heartbeat_data()
        wanted = [
            (name, address)
            for name, broker_id, address in self.routes.brokers()
            if (self.consumers or broker_id == MASTER_ID) and not (only_new and address in self.broker_versions)
        ]
        await all_of(self._heartbeat_one(name, address, data) for name, address in wanted)

    def heartbeat_soon(self) -> None:
        """A broker does not know us any more, as after its restart: tell all, unless that is under way."""
        self._shared.run(("heartbeat",), self.heartbeat_all).addErrback(lambda failure: failure.trap(CancelledError))

    async def _heartbeat_one(self, broker_name: str, address: str, data: HeartbeatData) -> None:
        try:
            self.broker_versions[address] = await self._beats.run(address, self.api.heartbeat(address, data))
        except EXPECTED_ERRORS as error:
            self._log.warn(
                "the heartbeat to {broker_name} at {address} failed: {error}",
                broker_name=broker_name,
                address=address,
                error=error,
            )

    def _connected(self, address: str) -> None:
        """A connection to a broker that knew us before: it forgot us together with the one before (5.x: onChannelActive)."""
        names = [name for name, _, known in self.routes.brokers() if known == address]
        if names and address in self.broker_versions and not self.is_empty() and self.state is ServiceState.RUNNING:
            self.tasks.spawn(self._heartbeat_one(names[0], address, self._heartbeat_data()), "the heartbeat of a new connection")

    async def _heartbeat_round(self) -> None:
        for address in self.routes.clean_offline():
            self.broker_versions.pop(address, None)
        await self.heartbeat_all()

    async def unregister(self, producer_group: str | None, consumer_group: str | None) -> None:
        """Tell every broker that a member leaves; no heartbeat names it from now on (Java: unregisterClientWithLock)."""
        if producer_group is not None:
            self.producers.pop(producer_group, None)
        if consumer_group is not None:
            self.consumers.pop(consumer_group, None)
        addresses = {address for _, _, address in self.routes.brokers()}
        self._leaving += 1
        try:
            outcomes = await all_of(self._unregister_at(address, producer_group, consumer_group) for address in sorted(addresses))
        finally:
            self._leaving -= 1
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                outcome.trap(CancelledError, *EXPECTED_ERRORS)
                self._log.debug("leaving a broker failed: {error}", error=outcome.value)

    async def _unregister_at(self, address: str, producer_group: str | None, consumer_group: str | None) -> None:
        """Leave once the heartbeats under way are answered: a broker that handles both at a time could take us in again."""
        await self._beats.ended(address)
        await self.api.unregister(address, self.client_id, producer_group, consumer_group)

    async def consumer_ids(self, topic: str, group: str) -> list[str]:
        """The members of a group, as the first broker of the topic that answers knows them. Raises NoRoute, or its last error."""
        return await self.ask_any(topic, lambda address: self.api.consumer_ids(address, group))

    async def ask_any(self, topic: str, ask: Callable[[str], Coroutine[Any, Any, T]]) -> T:
        """What the first broker of a topic answers that does. Raises NoRoute, or its last error."""
        error: Exception = NoRoute(f"no broker is known that has the topic {topic}")
        for name in self.routes.broker_names_of(topic):
            found = self.routes.address_of(name)
            if found is None:
                continue
            try:
                return await ask(found[0])
            except (BrokerRefused, *TRANSPORT_ERRORS) as refusal:
                error = refusal
        raise error

    # Offsets and rebalance

    async def persist_all_offsets(self) -> None:
        """Commit the offsets of every consumer."""
        await all_of(consumer.persist_offsets() for consumer in list(self.consumers.values()))

    def rebalance_soon(self) -> None:
        """Rebalance all consumers now, or once more when a rebalance is under way."""
        if self.state is not ServiceState.RUNNING:
            return
        self._rebalance_again = True
        if not self._rebalancing:
            self._rebalancing = True
            self.tasks.spawn(self._rebalance_rounds(), "rebalance")

    async def _rebalance_rounds(self) -> None:
        try:
            balanced = True
            while self._rebalance_again:
                self._rebalance_again = False
                outcomes = await all_of(consumer.rebalance() for consumer in list(self.consumers.values()))
                balanced = True
                for outcome in outcomes:
                    if isinstance(outcome, Failure):
                        self._log.failure("rebalance", outcome)
                    balanced = balanced and outcome is True
        finally:
            self._rebalancing = False
        if not balanced and (self._rebalance_retry is None or not self._rebalance_retry.active()):
            self._rebalance_retry = self.clock.callLater(REBALANCE_RETRY_S, self.rebalance_soon)
