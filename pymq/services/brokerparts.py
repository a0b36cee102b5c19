# Tests: tests/services/test_brokerparts.py
"""What a broker consists of, apart from its sockets: the domain's tables and the processors over them."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed

from pymq.broker.clients import ProducerManager
from pymq.broker.config import BrokerConfig
from pymq.broker.configmanager import WhenSaved, save_at_once
from pymq.broker.consumers import ConsumerManager
from pymq.broker.delayoffsets import DelayOffsetManager
from pymq.broker.fastfailure import BrokerFastFailure
from pymq.broker.filterbitmaps import FilterBitMaps
from pymq.broker.filters import ConsumerFilterManager
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.halfqueue import HalfQueue
from pymq.broker.holds import PullRequestHoldService
from pymq.broker.housekeeping import ClientHousekeepingService
from pymq.broker.notifier import ConsumerIdsNotifier
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.admin import AdminProcessor
from pymq.broker.processors.clientcalls import ClientCallProcessor
from pymq.broker.processors.consumers import ConsumerManageProcessor
from pymq.broker.processors.consumestats import ConsumeStatsProcessor
from pymq.broker.processors.groups import GroupAdminProcessor
from pymq.broker.processors.heartbeat import ClientManageProcessor
from pymq.broker.processors.livesettings import LiveSettings
from pymq.broker.processors.offsetcontrol import OffsetControlProcessor
from pymq.broker.processors.offsets import QueueOffsetProcessor
from pymq.broker.processors.pull import PullMessageProcessor
from pymq.broker.processors.pulllane import PullLane
from pymq.broker.processors.query import QueryMessageProcessor
from pymq.broker.processors.queuelocks import QueueLockProcessor
from pymq.broker.processors.queueunits import QueueUnitsProcessor
from pymq.broker.processors.reply import ReplyMessageProcessor
from pymq.broker.processors.runtimeinfo import RuntimeInfo, Waiting
from pymq.broker.processors.send import SendMessageProcessor
from pymq.broker.processors.sendback import SendBackProcessor
from pymq.broker.processors.sendlane import SendLane
from pymq.broker.processors.topics import TopicAdminProcessor
from pymq.broker.processors.transaction import TransactionProcessor
from pymq.broker.protection import BrokerProtection
from pymq.broker.queuelocks import RebalanceLockManager
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.interfaces import IClock, IDocuments, IMessageStore
from pymq.message.ids import encode_host
from pymq.remoting.dispatcher import ProcessorTable
from pymq.remoting.protocol import Lane
from pymq.services.delivery import DelayedDelivery
from pymq.services.flusher import Flusher, RunBlocking
from pymq.services.transactions import TransactionCheckService
from pymq.store.config import MessageStoreConfig
from pymq.wire.codes import RequestCode

T = TypeVar("T")
#: What the main port and the VIP port have of a kind.
Ports = tuple[T, T]

#: Every processor but that of the pulls, which the VIP port does not serve.
PROCESSORS = (
    SendMessageProcessor,
    SendBackProcessor,
    TransactionProcessor,
    QueryMessageProcessor,
    ClientManageProcessor,
    ConsumerManageProcessor,
    QueueLockProcessor,
    QueueOffsetProcessor,
    ReplyMessageProcessor,
    ClientCallProcessor,
    OffsetControlProcessor,
    TopicAdminProcessor,
    GroupAdminProcessor,
    ConsumeStatsProcessor,
    AdminProcessor,
    QueueUnitsProcessor,
)


class BrokerParts:
    """All tables and processors of one broker, made once and handed just what they use.

    `clock` is the time of messages, `client_clock` the one by which clients that fell silent, and their locks, are forgotten.
    """

    def __init__(
        self,
        config: BrokerConfig,
        store_config: MessageStoreConfig,
        store: IMessageStore,
        documents: IDocuments,
        flusher: Flusher,
        *,
        clock: IClock,
        client_clock: IClock,
        when_saved: WhenSaved = save_at_once,
        run_blocking: RunBlocking = maybeDeferred,
    ) -> None:
        self.topics = TopicConfigManager(config, documents, clock=clock)
        self.groups = SubscriptionGroupManager(config, documents, clock=clock)
        self.offsets = ConsumerOffsetManager(documents)
        self.delay_offsets = DelayOffsetManager(documents)
        self.producers = ProducerManager(clock=client_clock, expired_ms=config.channel_expired_timeout)
        self.filters = ConsumerFilterManager(config, documents, clock=clock, when_saved=when_saved)
        notifier = ConsumerIdsNotifier(config=config)
        self.consumers = ConsumerManager(
            clock=client_clock, on_members_changed=notifier, expired_ms=config.channel_expired_timeout, filters=self.filters
        )
        self.locks = RebalanceLockManager(documents, clock=client_clock)
        self.stats = BrokerStatsManager(
            clock=clock, cluster_name=config.broker_cluster_name, enable_detail_stat=config.enable_detail_stat
        )
        self.fast_failure = BrokerFastFailure(config=config, store_config=store_config, store_stats=self.stats.store, clock=clock)
        self.protection = BrokerProtection(config=config, groups=self.groups, stats=self.stats)
        self.holds = PullRequestHoldService(clock=clock, store=store)
        store.watch(self.holds)
        #: Fires when the name servers know of every change of topics; the foreman puts the registrar's here.
        self.when_told: Callable[[], Deferred[None]] = lambda: succeed(None)
        self._own: dict[str, Any] = {
            "config": config,
            "store_config": store_config,
            "store": store,
            "flusher": flusher,
            "store_host": encode_host(config.broker_ip1, config.listen_port),
            "clock": clock,
            "run_blocking": run_blocking,
            "commit_log_paths": [
                os.path.expanduser(path) for path in store_config.log_paths if path not in store_config.read_only_log_paths
            ],
            "when_saved": when_saved,
            "when_told": lambda: self.when_told(),
            "topics": self.topics,
            "groups": self.groups,
            "offsets": self.offsets,
            "delay_offsets": self.delay_offsets,
            "producers": self.producers,
            "consumers": self.consumers,
            "filters": self.filters,
            "locks": self.locks,
            "stats": self.stats,
            "fast_failure": self.fast_failure,
            "holds": self.holds,
        }
        # Where retries are filtered too, every pull of them looks into properties, which the lane does not.
        self._has_pull_lane = not config.filter_support_retry
        self._make_parts(config, store_config, clock)

    def _make_parts(self, config: BrokerConfig, store_config: MessageStoreConfig, clock: IClock) -> None:
        """What is made of the tables: services, lanes and processors; and what the foreman puts in."""
        #: Told which settings a tool changed, for what must act on that at once.
        self.on_settings: Callable[[frozenset[str]], None] = lambda keys: None
        #: The requests that wait for their peers: those of the servers.
        self.backlog: Callable[[], Waiting] = Waiting
        black_list = tuple(filter(None, config.config_black_list.split(";")))
        self._own["settings"] = LiveSettings(
            config, store_config, clock=clock, black_list=black_list, on_change=lambda keys: self.on_settings(keys)
        )
        self._own["backlog"] = lambda: self.backlog()
        self._own["runtime_info"] = self.runtime_info = self._make(RuntimeInfo)
        self._own["half_queue"] = self._make(HalfQueue)
        self.delivery: DelayedDelivery = self._make(DelayedDelivery)
        self.housekeeping: ClientHousekeepingService = self._make(ClientHousekeepingService)
        self.transaction_checks: TransactionCheckService = self._make(TransactionCheckService)
        self.send_lane: SendLane = self._make(SendLane)
        self.pull_lane: PullLane = self._make(PullLane)
        self._pull_processor = self._make(PullMessageProcessor)
        self._processors = [self._make(cls) for cls in PROCESSORS]

    def _make(self, cls: Any) -> Any:
        """One part, given just those of the others that its constructor names."""
        wanted = wanted_by(cls)
        return cls(**{name: part for name, part in self._own.items() if name in wanted})

    def load(self) -> None:
        """Read the documents. Raises StoreDamaged when one of them and its copy cannot be read."""
        self.topics.load()
        self.groups.load()
        self.offsets.load()
        self.filters.load()
        self._own["store"].keep_bit_maps(FilterBitMaps(self._own["config"], self.filters).bit_map_of)
        self.locks.load()
        self.delay_offsets.load()

    def serve(self, tables: Ports[ProcessorTable], lanes: Ports[dict[bytes, Lane]]) -> None:
        """Fill the tables and lanes of the main port and of the VIP port; the latter serves no pulls (remoting.md 2.4)."""
        for processor in self._processors:
            for table in tables:
                table.register(processor)
        for port_lanes in lanes:
            port_lanes.update(dict.fromkeys(lane_keys(RequestCode.SEND_MESSAGE_V2), self.send_lane.take))
        tables[0].register(self._pull_processor)
        if self._has_pull_lane:
            lanes[0].update(dict.fromkeys(lane_keys(RequestCode.PULL_MESSAGE), self.pull_lane.take))


@functools.cache
def wanted_by(cls: Any) -> frozenset[str]:
    """The names of what a part's constructor takes; looked up once in a process, for tests start hundreds of brokers."""
    return frozenset(inspect.signature(cls).parameters)


def lane_keys(code: int) -> tuple[bytes, bytes]:
    """How a JSON header and a binary header of a request code begin."""
    return b'{"code":%d,' % code, code.to_bytes(2, "big")
