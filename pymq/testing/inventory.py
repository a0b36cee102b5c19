# Tests: tests/testing/test_inventory.py
"""What a broker has: messages that arrived, that wait to be delivered or committed, that are dead, and how far groups are."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice

from pymq.broker import halfmessages
from pymq.interfaces import IMessageStore
from pymq.message.message import StoredMessage
from pymq.message.properties import REAL_QID, REAL_TOPIC
from pymq.message.record import decode_record
from pymq.message.topics import HALF_TOPIC, OP_HALF_TOPIC, SCHEDULE_TOPIC, TRANSACTION_CHECK_GROUP, is_dlq_topic
from pymq.services.brokerparts import BrokerParts
from pymq.testing.commands import ArrivedMessage, GroupProgress, Messages, QueueProgress, Waiting

__all__ = ["Inventory", "described"]

#: Messages of one read of the store.
READ_COUNT = 32
_NOT_COMMITTED = -1


def described(message: StoredMessage, due_ms: int | None = None) -> ArrivedMessage:
    """A message as the kit tells of it. One that waits elsewhere is told of as it will arrive."""
    body = message.body
    try:
        text: str | None = body.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    properties = message.properties
    waits = message.topic in (SCHEDULE_TOPIC, HALF_TOPIC)
    return ArrivedMessage(
        topic=properties.get(REAL_TOPIC, message.topic) if waits else message.topic,
        queue_id=int(properties.get(REAL_QID, message.queue_id)) if waits else message.queue_id,
        queue_offset=message.queue_offset,
        msg_id=message.msg_id,
        offset_msg_id=message.offset_msg_id,
        body=body,
        text=text,
        tags=message.tags,
        keys=message.keys,
        properties=properties,
        born_timestamp=message.born_timestamp,
        store_timestamp=message.store_timestamp,
        reconsume_times=message.reconsume_times,
        due_ms=due_ms,
    )


def _page(found: Iterable[ArrivedMessage], most: int) -> tuple[tuple[ArrivedMessage, ...], bool]:
    """The first `most`, and whether there are more."""
    listed = tuple(islice(found, most + 1))
    return listed[:most], len(listed) > most


class Inventory:
    """Reads `store` and the tables of `parts`, and changes nothing."""

    def __init__(self, store: IMessageStore, parts: BrokerParts, delay_levels: int) -> None:
        self._store = store
        self._parts = parts
        self._delay_levels = delay_levels

    def queues(self, topic: str) -> int:
        """How many queues a topic has; 0 when there is none of that name."""
        config = self._parts.topics.get(topic)
        return 0 if config is None else max(config.read_queue_nums, config.write_queue_nums)

    def count(self, topic: str) -> int:
        """How many messages there are in a topic."""
        store = self._store
        return sum(store.max_offset(topic, number) - store.min_offset(topic, number) for number in range(self.queues(topic)))

    def queue(self, topic: str, queue_id: int, offset: int = 0) -> Iterator[StoredMessage]:
        """The messages of a queue from an offset on."""
        offset = max(offset, self._store.min_offset(topic, queue_id))
        while offset < self._store.max_offset(topic, queue_id):
            result = self._store.get(topic, queue_id, offset, READ_COUNT, None)
            yield from map(decode_record, result.records)
            if result.next_offset <= offset:
                return
            offset = result.next_offset

    def messages(self, topic: str, first_offsets: dict[int, int] | None = None) -> Iterator[StoredMessage]:
        """The messages of a topic in the order in which they were stored, from these offsets on or from the beginning."""
        first = first_offsets or {}
        queues = [self.queue(topic, number, first.get(number, 0)) for number in range(self.queues(topic))]
        return heapq.merge(*queues, key=lambda message: message.log_offset)

    def arrived(self, topic: str, skip: int, most: int) -> Messages:
        """A page of what arrived in a topic."""
        listed, more = _page(map(described, islice(self.messages(topic), skip, None)), most)
        return Messages(messages=listed, more=more)

    def waiting(self, most: int) -> Waiting:
        """What waits, of each kind the first `most`."""
        delayed, more_delayed = _page(self.delayed(), most)
        half, more_half = _page(map(described, self._half()), most)
        dead_letters, more_dead = _page(map(described, self._dead_letters()), most)
        return Waiting(delayed=delayed, half=half, dead_letters=dead_letters, more=more_delayed or more_half or more_dead)

    def delayed(self) -> Iterator[ArrivedMessage]:
        """What is delayed, or waits to be tried again; what is due first comes first."""
        return heapq.merge(*map(self._of_level, range(1, self._delay_levels + 1)), key=lambda message: message.due_ms or 0)

    def _of_level(self, level: int) -> Iterator[ArrivedMessage]:
        next_offset = self._parts.delay_offsets.table.get(level, 0)
        for message in self.queue(SCHEDULE_TOPIC, level - 1, next_offset):
            # A queue of delayed messages has their time where others have the hash of the tag.
            for _, _, due_ms in self._store.units(SCHEDULE_TOPIC, level - 1, message.queue_offset, 1):
                yield described(message, due_ms)

    def _half(self) -> Iterator[StoredMessage]:
        """The half messages that nobody ended, each once however often it was checked."""
        ended = {offset for message in self.queue(OP_HALF_TOPIC, 0) for offset in halfmessages.ended_offsets(message.raw_body)}
        passed = max(0, self._parts.offsets.query(TRANSACTION_CHECK_GROUP, HALF_TOPIC, 0))
        for message in self.queue(HALF_TOPIC, 0, passed):
            if message.queue_offset not in ended and halfmessages.first_offset(message) not in ended:
                yield message

    def _dead_letters(self) -> Iterator[StoredMessage]:
        topics = sorted(filter(is_dlq_topic, self._parts.topics.table))
        return heapq.merge(*map(self.messages, topics), key=lambda message: message.log_offset)

    def offsets(self, group: str, topic: str) -> dict[int, int]:
        """What a group committed in a topic, by queue."""
        return self._parts.offsets.query_all(group, topic)

    def progress(self, group: str) -> GroupProgress:
        """How far a group is in all topics that it subscribes to or has offsets in. Topics that are not there are left out."""
        online = self._parts.consumers.group(group)
        topics = self._parts.offsets.topics_of(group) | set(online.subscriptions if online else ())
        queues = tuple(
            QueueProgress(
                topic=topic,
                queue_id=number,
                consumer_offset=self.offsets(group, topic).get(number, _NOT_COMMITTED),
                broker_offset=self._store.max_offset(topic, number),
            )
            for topic in sorted(topics)
            for number in range(self.queues(topic))
        )
        lag = sum(max(0, queue.broker_offset - max(0, queue.consumer_offset)) for queue in queues)
        return GroupProgress(group=group, lag=lag, queues=queues)
