# Tests: tests/broker/test_topics.py
"""The topics of this broker and how they come to be (remoting.md 5.1, store.md 1.5; Java: TopicConfigManager).

An administrator is answered when the change is saved, and so is a sender whose message made a topic: Java keeps both over a
crash, and messages must not be left without their topic. What nobody waits for, such as the retry topic that a heartbeat makes,
is saved a little later; after a crash in between the next heartbeat makes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.logger import Logger

from pymq.broker.config import BrokerConfig
from pymq.broker.versionedtable import VersionedTable
from pymq.errors import RequestError
from pymq.interfaces import IClock, IDocuments
from pymq.message import topics as names
from pymq.wire.bodies.topics import (
    PERM_INHERIT,
    PERM_READ,
    PERM_WRITE,
    TopicConfig,
    TopicConfigSerializeWrapper,
)
from pymq.wire.codes import ResponseCode

DOCUMENT = "topics.json"

#: Topics of one broker; the request that would make one more is refused.
TOPICS_MAX = 65_536
#: Queues of one topic; a request for more is refused.
QUEUES_PER_TOPIC_MAX = 65_536

_READ_WRITE = PERM_READ | PERM_WRITE
_BENCHMARK_QUEUES = 1024
_SCHEDULE_QUEUES = 18
_CLUSTER_QUEUES = 16


def built_in_topics(config: BrokerConfig) -> list[TopicConfig]:
    """The topics that a broker has from the start."""

    def topic(name: str, queues: int, perm: int = _READ_WRITE) -> TopicConfig:
        return TopicConfig(topic_name=name, read_queue_nums=queues, write_queue_nums=queues, perm=perm)

    def named_like(name: str, queues: int, is_usable: bool) -> TopicConfig:
        return topic(name, queues, PERM_INHERIT | (_READ_WRITE if is_usable else 0))

    topics = [
        topic(names.SELF_TEST_TOPIC, 1),
        topic(names.BENCHMARK_TOPIC, _BENCHMARK_QUEUES),
        named_like(config.broker_cluster_name, _CLUSTER_QUEUES, config.cluster_topic_enable),
        named_like(config.broker_name, 1, config.broker_topic_enable),
        topic(names.OFFSET_MOVED_EVENT, 1),
        topic(names.SCHEDULE_TOPIC, _SCHEDULE_QUEUES),
        topic(names.reply_topic(config.broker_cluster_name), 1),
    ]
    if config.auto_create_topic_enable:
        topics.append(topic(names.AUTO_CREATE_TOPIC, config.default_topic_queue_nums, _READ_WRITE | PERM_INHERIT))
    if config.trace_topic_enable:
        topics.append(topic(config.msg_trace_topic_name, 1))
    return topics


class TopicConfigManager(VersionedTable[TopicConfig, TopicConfigSerializeWrapper]):
    """The table of topics, kept in the document topics.json."""

    log = Logger()

    def __init__(self, config: BrokerConfig, documents: IDocuments, *, clock: IClock) -> None:
        built_in = {topic.topic_name: topic for topic in built_in_topics(config)}
        super().__init__(DOCUMENT, TopicConfigSerializeWrapper, built_in, documents, clock=clock)
        self._config = config
        self._listeners: list[Callable[[list[TopicConfig]], None]] = []

    def on_change(self, listener: Callable[[list[TopicConfig]], None]) -> None:
        """Call `listener(changed)` after topics were made or changed; deletions have a code of their own at the name servers."""
        self._listeners.append(listener)

    def create_on_send(self, topic: str, default_topic: str, queue_nums: int | None, sys_flag: int) -> TopicConfig | None:
        """The topic, made after the default topic's pattern if need be; None when that is not allowed (remoting.md 3.2).

        `queue_nums` is the client's wish, bounded by the default topic's queues, which are what it gets without a wish. A retry
        topic needs no pattern.
        Raises RequestError (SYSTEM_ERROR) for a name that no topic may have and above TOPICS_MAX.
        """
        known = self._table.get(topic)
        if known is not None:
            return known
        if names.is_retry_topic(topic):
            return self.create_on_send_back(topic, 1, _READ_WRITE, sys_flag)
        pattern = self._table.get(default_topic)
        if pattern is None or not pattern.perm & PERM_INHERIT:
            return None
        if default_topic == names.AUTO_CREATE_TOPIC and not self._config.auto_create_topic_enable:
            return None
        queues = pattern.write_queue_nums if queue_nums is None else max(0, min(queue_nums, pattern.write_queue_nums))
        created = TopicConfig(
            topic_name=topic,
            read_queue_nums=queues,
            write_queue_nums=queues,
            perm=pattern.perm & ~PERM_INHERIT,
            topic_filter_type=pattern.topic_filter_type,
            topic_sys_flag=sys_flag,
        )
        self.update(created)
        return created

    def create_on_send_back(self, topic: str, queues: int, perm: int, sys_flag: int) -> TopicConfig:
        """The topic, made with these values if need be: retry and dead letter topics, and the system's at their first use.

        Raises RequestError (SYSTEM_ERROR) for a name that no topic may have and above TOPICS_MAX.
        """
        known = self._table.get(topic)
        if known is not None:
            return known
        created = TopicConfig(
            topic_name=topic, read_queue_nums=queues, write_queue_nums=queues, perm=perm, topic_sys_flag=sys_flag
        )
        self.update(created)
        return created

    def update(self, config: TopicConfig) -> None:
        """Make or replace a topic.

        Raises RequestError (SYSTEM_ERROR) when its name or its queue counts are out of bounds, and above TOPICS_MAX.
        """
        self.update_all([config])

    def update_all(self, configs: Iterable[TopicConfig]) -> None:
        """Make or replace several topics under one version. All or none: raises as `update` does."""
        changed = {config.topic_name: config for config in configs}
        for config in changed.values():
            _check(config)
        added = changed.keys() - self._table.keys()
        if added and len(self._table) + len(added) > TOPICS_MAX:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the broker has {len(self._table)} topics, the most is {TOPICS_MAX}")
        self.put(changed)
        for config in changed.values():
            self.log.info("topic {topic} has {queues} queues", topic=config.topic_name, queues=config.write_queue_nums)
        for listener in self._listeners:
            listener(list(changed.values()))

    def delete(self, name: str) -> bool:
        """Remove a topic; whether it was there."""
        was_there = super().delete(name)
        if was_there:
            self.log.info("topic {topic} was deleted", topic=name)
        return was_there

    def renew_version(self) -> None:
        """Another version for the same topics: what the name servers are told of them has changed otherwise."""
        self.put({})


def _check(config: TopicConfig) -> None:
    """Raise RequestError unless name and queue counts can be. A name becomes that of a folder, so every road leads here."""
    try:
        # Retry and dead letter topics are longer than 127 characters when their group's name is long.
        names.check_group(config.topic_name)
    except ValueError as error:
        raise RequestError(ResponseCode.SYSTEM_ERROR, f"topic {config.topic_name!r} cannot be made: {error}") from error
    for count in (config.read_queue_nums, config.write_queue_nums):
        if not 0 <= count <= QUEUES_PER_TOPIC_MAX:
            raise RequestError(
                ResponseCode.SYSTEM_ERROR,
                f"topic {config.topic_name} cannot have {count} queues, 0 to {QUEUES_PER_TOPIC_MAX} are allowed",
            )
