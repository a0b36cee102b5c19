"""A broker without sockets, for the tests of its processors and lanes."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred

from pymq.broker.clients import ProducerManager
from pymq.broker.configmanager import ConfigManager, save_at_once
from pymq.broker.consumers import ConsumerManager
from pymq.broker.delayoffsets import DelayOffsetManager
from pymq.broker.fastfailure import BrokerFastFailure
from pymq.broker.filters import ConsumerFilterManager
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.holds import PullRequestHoldService
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.pull import PullMessageProcessor
from pymq.broker.processors.pulllane import PullLane
from pymq.broker.processors.send import SendMessageProcessor
from pymq.broker.processors.sendlane import SendLane
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.message.ids import encode_host
from pymq.message.message import StoredMessage
from pymq.message.record import decode_record
from pymq.store.config import MessageStoreConfig
from pymq.testing.channels import FakeChannel
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.topics import TopicConfig
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.messages import PullMessageRequestHeader, SendMessageRequestHeader, SendMessageRequestHeaderV2
from tests.broker.fixtures import NOW_MS, broker_config, open_store, started_clock

STORE_HOST = encode_host("10.0.0.9", 10911)
QUEUES = 4


class FakeFlusher:
    """A flusher that flushes when the test says so: `waiting` are (log offset, Deferred) pairs."""

    def __init__(self) -> None:
        self.sync = False
        self.head_wait_s = 0.0
        self.waiting: list[tuple[int, Deferred[bool]]] = []

    def when_durable(self, log_offset: int) -> Deferred[bool]:
        """Wait for the test."""
        waiting: Deferred[bool] = Deferred()
        self.waiting.append((log_offset, waiting))
        return waiting

    def finish(self, outcome: Any = True) -> None:
        """Fire everything that waits: with True, False or an error."""
        waiting, self.waiting = self.waiting, []
        for _, deferred in waiting:
            if isinstance(outcome, Exception):
                deferred.errback(outcome)
            else:
                deferred.callback(outcome)


class FakeSaver:
    """Saves at once, or, when `is_slow`, when the test says so: `waiting` are (manager, Deferred) pairs."""

    def __init__(self) -> None:
        self.is_slow = False
        self.waiting: list[tuple[ConfigManager, Deferred[None]]] = []

    def when_saved(self, manager: ConfigManager) -> Deferred[None]:
        """Save it, or wait for the test."""
        if not self.is_slow:
            return save_at_once(manager)
        waiting: Deferred[None] = Deferred()
        self.waiting.append((manager, waiting))
        return waiting

    def finish(self, error: Exception | None = None) -> None:
        """Save what waits, or fail with the error."""
        waiting, self.waiting = self.waiting, []
        for manager, deferred in waiting:
            if error is not None:
                deferred.errback(error)
            else:
                manager.save()
                deferred.callback(None)


class Parts:
    """All tables of a broker over a store in memory. It has the topic T with four queues."""

    def __init__(self, store_changes: dict[str, Any] | None = None, **changes: Any) -> None:
        self.clock = started_clock()
        self.config = broker_config(**changes)
        self.store_config = attrs.evolve(MessageStoreConfig(), **(store_changes or {}))
        self.documents = MemoryDocuments()
        self.store: Any = open_store(self.clock, **(store_changes or {}))
        self.topics = TopicConfigManager(self.config, self.documents, clock=self.clock)
        self.groups = SubscriptionGroupManager(self.config, self.documents, clock=self.clock)
        self.offsets = ConsumerOffsetManager(self.documents)
        self.delay_offsets = DelayOffsetManager(self.documents)
        self.producers = ProducerManager(clock=self.clock)
        self.filters = ConsumerFilterManager(self.config, self.documents, clock=self.clock)
        self.consumers = ConsumerManager(clock=self.clock, on_members_changed=lambda group, channels: None, filters=self.filters)
        self.stats = BrokerStatsManager(clock=self.clock, cluster_name=self.config.broker_cluster_name)
        self.fast_failure = BrokerFastFailure(
            config=self.config, store_config=self.store_config, store_stats=self.stats.store, clock=self.clock
        )
        self.holds = PullRequestHoldService(clock=self.clock, store=self.store)
        self.store.watch(self.holds)
        self.flusher = FakeFlusher()
        self.saver = FakeSaver()
        self.channel = FakeChannel()
        self.make_topic("T")

    def make_topic(self, name: str, **changes: Any) -> TopicConfig:
        """Make or change a topic."""
        config = TopicConfig(topic_name=name, **{"read_queue_nums": QUEUES, "write_queue_nums": QUEUES, **changes})
        self.topics.update(config)
        self.topics.save()
        return config

    def send_processor(self) -> SendMessageProcessor:
        """The general path of sends; it chooses queue 1 when it must choose."""
        return SendMessageProcessor(
            config=self.config, store_config=self.store_config, store=self.store, topics=self.topics, groups=self.groups,
            stats=self.stats, flusher=self.flusher, fast_failure=self.fast_failure, clock=self.clock, store_host=STORE_HOST,
            choose_queue=lambda count: 1, when_saved=self.saver.when_saved,
        )  # fmt: skip

    def send_lane(self) -> SendLane:
        """The hot lane of sends."""
        return SendLane(
            config=self.config, store=self.store, topics=self.topics, stats=self.stats, flusher=self.flusher,
            fast_failure=self.fast_failure, clock=self.clock, store_host=STORE_HOST,
        )  # fmt: skip

    def pull_processor(self) -> PullMessageProcessor:
        """The general path of pulls."""
        return PullMessageProcessor(
            config=self.config, store_config=self.store_config, store=self.store, topics=self.topics, groups=self.groups,
            consumers=self.consumers, filters=self.filters, offsets=self.offsets, holds=self.holds, stats=self.stats,
            clock=self.clock,
        )  # fmt: skip

    def pull_lane(self) -> PullLane:
        """The hot lane of pulls."""
        return PullLane(
            config=self.config, store_config=self.store_config, store=self.store, topics=self.topics, groups=self.groups,
            consumers=self.consumers, offsets=self.offsets, stats=self.stats, fast_failure=self.fast_failure, clock=self.clock,
        )  # fmt: skip

    def stored(self, topic: str = "T", queue_id: int = 0, offset: int = 0) -> list[StoredMessage]:
        """The messages of a queue."""
        return [decode_record(record) for record in self.store.get(topic, queue_id, offset, 32, None).records]


def answer_of(processor: Any, channel: FakeChannel, request: RemotingCommand) -> Any:
    """What the processor says, a refusal made into the answer that the dispatcher makes of it."""
    try:
        outcome = processor.process(channel, request)
    except RequestError as error:
        return request.reply(error.code, error.remark)
    return settled(outcome)


def settled(outcome: Any) -> Any:
    """The answer of a request that waited for a document, which is saved at once here; what waits for more is left as it is."""
    return outcome.result if isinstance(outcome, Deferred) and outcome.called else outcome


def send_header(v2: bool = True, **changes: Any) -> CommandHeader:
    """A send's header as a client writes it."""
    fields = {
        "producer_group": "PG", "topic": "T", "default_topic": "TBW102", "default_topic_queue_nums": 4, "queue_id": 0,
        "sys_flag": 0, "born_timestamp": NOW_MS - 5, "flag": 0, "properties": "UNIQ_KEY\x01U1\x02WAIT\x01true",
        "reconsume_times": 0,
        **changes,
    }  # fmt: skip
    return SendMessageRequestHeaderV2(**fields) if v2 else SendMessageRequestHeader(**fields)


def pull_header(**changes: Any) -> PullMessageRequestHeader:
    """A pull's header, with a subscription of its own to everything."""
    fields = {
        "consumer_group": "G", "topic": "T", "queue_id": 0, "queue_offset": 0, "max_msg_nums": 32, "sys_flag": 4,
        "commit_offset": 0, "suspend_timeout_millis": 15000, "sub_version": 0, "subscription": "*",
        **changes,
    }  # fmt: skip
    return PullMessageRequestHeader(**fields)
