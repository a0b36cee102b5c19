# Tests: tests/services/test_brokerparts.py
"""What a broker consists of, apart from its sockets: the domain's tables and the processors over them."""

from __future__ import annotations

from typing import Any

from pymq.broker.clients import ProducerManager
from pymq.broker.config import BrokerConfig
from pymq.broker.consumers import ConsumerManager
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.holds import PullRequestHoldService
from pymq.broker.housekeeping import ClientHousekeepingService
from pymq.broker.notifier import ConsumerIdsNotifier
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.admin import AdminProcessor
from pymq.broker.processors.clientcalls import ClientCallProcessor
from pymq.broker.processors.consumers import ConsumerManageProcessor
from pymq.broker.processors.groups import GroupAdminProcessor
from pymq.broker.processors.heartbeat import ClientManageProcessor
from pymq.broker.processors.offsets import QueueOffsetProcessor
from pymq.broker.processors.pull import PullMessageProcessor
from pymq.broker.processors.pulllane import PullLane
from pymq.broker.processors.query import QueryMessageProcessor
from pymq.broker.processors.queuelocks import QueueLockProcessor
from pymq.broker.processors.send import SendMessageProcessor
from pymq.broker.processors.sendlane import SendLane
from pymq.broker.processors.topics import TopicAdminProcessor
from pymq.broker.queuelocks import RebalanceLockManager
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.interfaces import IClock, IDocuments, IMessageStore
from pymq.remoting.dispatcher import ProcessorTable
from pymq.services.flusher import Flusher
from pymq.store.config import MessageStoreConfig


class BrokerParts:
    """All tables and processors of one broker. `main_table` serves the main port; `vip_table` all of it but the pulls."""

    def __init__(
        self,
        config: BrokerConfig,
        store_config: MessageStoreConfig,
        store: IMessageStore,
        documents: IDocuments,
        flusher: Flusher,
        *,
        clock: IClock,
    ) -> None:
        self.topics = TopicConfigManager(config, documents, clock=clock)
        self.groups = SubscriptionGroupManager(config, documents, clock=clock)
        self.offsets = ConsumerOffsetManager(documents)
        self.producers = ProducerManager(clock=clock, expired_ms=config.channel_expired_timeout)
        self.consumers = ConsumerManager(
            clock=clock, on_members_changed=ConsumerIdsNotifier(config=config), expired_ms=config.channel_expired_timeout
        )
        self.locks = RebalanceLockManager(clock=clock)
        self.stats = BrokerStatsManager(clock=clock, cluster_name=config.broker_cluster_name)
        self.holds = PullRequestHoldService(clock=clock, store=store)
        self.housekeeping = ClientHousekeepingService(producers=self.producers, consumers=self.consumers, locks=self.locks)
        store.watch(self.holds)
        everything: dict[str, Any] = {
            "config": config,
            "store_config": store_config,
            "store": store,
            "topics": self.topics,
            "groups": self.groups,
            "offsets": self.offsets,
            "producers": self.producers,
            "consumers": self.consumers,
            "locks": self.locks,
            "stats": self.stats,
            "holds": self.holds,
            "flusher": flusher,
            "clock": clock,
        }
        self._build(everything)

    def _build(self, everything: dict[str, Any]) -> None:
        raise AssertionError
