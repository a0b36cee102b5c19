"""What must be true of a store that was just opened, or is still open, given what the clients were told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from pymq.message.flags import is_queued
from pymq.message.message import StoredMessage
from pymq.message.properties import KEYS
from pymq.message.record import Outcome, RecordCheck, check_record, decode_record
from pymq.message.topics import HALF_TOPIC, OP_HALF_TOPIC, SCHEDULE_TOPIC, retry_topic
from pymq.store.recovery import walk
from pymq.store.store import FileMessageStore
from tests.simulation.clients import CONSUMERS, Pulled
from tests.simulation.model import Fate, Kind, Model, Sent

__all__ = ["Broken", "Loss", "check_offsets", "check_pulled", "check_settled", "check_store", "check_topics"]

DELAYS_S = (1.0, 2.0, 5.0)


class Broken(AssertionError):
    """A promise was broken; the text says which one, and where."""


@attrs.frozen
class Loss:
    """What the last end of the broker may have taken: answers after `since` (seconds since the epoch), if not durable ones.

    `durable_since` is the same for answers that promised durability; infinite where nothing of them may be lost.
    """

    since: float = float("inf")
    durable_since: float = float("inf")
    #: Where the log ended when the store was opened; what stands behind is new.
    log_end: float = float("inf")


def _fail(text: str, *parts: Any) -> None:
    raise Broken(text.format(*parts))


class _Contents:
    """The messages of a store by their place."""

    def __init__(self, store: Any) -> None:
        log = store._log
        self.begin, self.end = log.min_offset, log.end
        self.messages: list[StoredMessage] = []

        def receive(records: Iterable[RecordCheck]) -> None:
            for record in records:
                view = log.read_at(record.log_offset)
                if view is None:
                    _fail("the log has a record at {} that cannot be read", record.log_offset)
                self.messages.append(decode_record(view))

        walked = walk(log, self.begin, receive, check_crc=True)
        if walked.end != self.end and not self._is_closed_at(log, walked.end):
            _fail("the log ends at {}, but its records end at {}: {}", self.end, walked.end, walked.stopped_by)
        self.by_offset = {message.log_offset: message for message in self.messages}
        self.by_queue: dict[tuple[str, int], list[StoredMessage]] = {}
        for message in self.messages:
            if is_queued(message.sys_flag):
                self.by_queue.setdefault((message.topic, message.queue_id), []).append(message)

    def _is_closed_at(self, log: Any, end: int) -> bool:
        """Whether the last file is finished by a blank there, and the log ends behind that: the next file could not be made, and
        the next append tries again. A start ends such a log before the blank instead, for the walk goes no further.
        """
        last = log.segments.last
        if not last.base <= end < last.end == self.end:
            return False
        blank = check_record(last.view(), end - last.base, last.size_bytes, check_crc=False, parse=False)
        return blank.outcome is Outcome.BLANK


def check_store(store: FileMessageStore, model: Model, loss: Loss) -> None:
    """Log, queues, index and model agree. Messages that are not there although they might be are GONE from now on.

    One that was refused because its turn did not fit on the disk was taken back by zeros. These are durable with the next
    flush, as everything is, and so a power cut before it may bring the message to life: its sender cannot rely on either.
    """
    for sent in model.sent.values():
        if sent.fate is Fate.REFUSED and sent.answered_at >= loss.since:
            sent.fate = Fate.UNKNOWN
    contents = _Contents(store)
    _check_messages(store, contents, model)
    _check_acked(contents, model, loss)
    if not store.describe()["dispatch_behind_bytes"]:
        _check_queues(store, contents, model)
        if store._care.is_index_complete:
            _check_index(store, contents, model)


def _check_queues(store: FileMessageStore, contents: _Contents, model: Model) -> None:
    """Every record that its queue must have has its unit at the place that it says, and there are no others.

    That is: each behind the place in the log at which the topic was deleted for the last time, and none before it. Only a
    start, or a deletion that failed, may leave some before it, at the offsets that they had: as Apache's brokers it dispatches
    what stands behind the newest unit, after a crash what the checkpoint does not vouch for, and nothing in the log says that a
    topic was deleted. But a message of the new topic does, as soon as there is one: the first says 0, which ends what was before.
    """
    for key, messages in sorted(contents.by_queue.items()):
        first, end = store.min_offset(*key), store.max_offset(*key)
        begin = model.begins.get(key, 0)
        expected = [message for message in messages if message.log_offset >= begin]
        if key in model.doubted and end - first > len(expected):
            expected = _newest_of_one_life(messages)[first - end :]
        offsets = [message.queue_offset for message in expected]
        if offsets != list(range(first, end)):
            _fail("{} has offsets {} to {}, its records from {} on say {}", key, first, end, begin, offsets)
        _check_units(store, key, expected)
        if key in model.doubted and expected:
            model.begins[key] = min(begin, expected[0].log_offset)
    model.doubted.clear()
    for topic in store.describe()["topics"]:
        for queue_id in range(4):
            empty = store.min_offset(topic, queue_id) == store.max_offset(topic, queue_id)
            if not empty and (topic, queue_id) not in contents.by_queue:
                _fail("{}/{} has units, but no records", topic, queue_id)


def _newest_of_one_life(messages: list[StoredMessage]) -> list[StoredMessage]:
    """A queue's messages since it was made for the last time: those behind the last that does not follow the one before it."""
    for at in range(len(messages) - 1, 0, -1):
        if messages[at].queue_offset != messages[at - 1].queue_offset + 1:
            if messages[at].queue_offset:
                _fail("{} follows {}", messages[at], messages[at - 1])
            return messages[at:]
    return messages


def _check_units(store: FileMessageStore, key: tuple[str, int], messages: list[StoredMessage]) -> None:
    """The units of a queue lead to these messages."""
    units: list[tuple[int, int, int]] = []
    while len(units) < len(messages):
        begin = messages[len(units)].queue_offset
        more = store.units(*key, begin, 1000)
        if not more:
            _fail("{} has no unit at {}", key, begin)
        units += more
    for message, (log_offset, size, _) in zip(messages, units):
        if (message.log_offset, message.size) != (log_offset, size):
            _fail("the unit {} of {} says {}, {} bytes; its record is {}", message.queue_offset, key, log_offset, size, message)


def _check_messages(store: FileMessageStore, contents: _Contents, model: Model) -> None:
    """Each message is what was sent, once, in the order of sending, and none comes that must not."""
    for sent in model.sent.values():
        sent.seen = 0
    first_seen: set[tuple[str, int]] = set()
    for message in contents.messages:
        number = model.number_of(message.raw_body)
        if message.topic == OP_HALF_TOPIC:
            continue
        sent = model.sent.get(number)
        if sent is None or message.raw_body != sent.body:
            _fail("{} holds a body that nobody sent", message)
        assert sent is not None
        if sent.fate in (Fate.GONE, Fate.REFUSED):
            _fail("message {} is {}, but it is there: {}", number, sent.fate.value, message)
        if message.properties.get(KEYS) != sent.key:
            _fail("message {} lost its properties: {}", number, message)
        if message.topic == sent.topic:
            sent.seen += 1
            _check_arrival(contents, sent, message)
        elif message.topic in (SCHEDULE_TOPIC, HALF_TOPIC, retry_topic(CONSUMERS)):
            key = message.topic, number
            is_again = key in first_seen
            first_seen.add(key)
            if (
                sent.kind is Kind.DELAYED
                and is_again
                and message.topic == SCHEDULE_TOPIC
                and "RETRY_TOPIC" not in message.properties
            ):
                _fail("message {} waits twice for its delivery: {}", number, message)
        else:
            _fail("message {} of topic {} is in another: {}", number, sent.topic, message)


def _check_arrival(contents: _Contents, sent: Sent, message: StoredMessage) -> None:
    """A message in the topic to which it was sent."""
    if sent.kind is Kind.PLAIN and sent.seen > 1:
        _fail("message {} is there twice: {}", sent.number, message)
    if sent.kind is Kind.HALF and not sent.commits:
        _fail("message {} was never committed: {}", sent.number, message)
    if sent.kind is Kind.DELAYED and sent.place is not None and sent.place[1] in contents.by_offset:
        stored_ms = contents.by_offset[sent.place[1]].store_timestamp
        if message.store_timestamp < stored_ms + DELAYS_S[sent.level - 1] * 1000:
            _fail("message {} came too early: {}", sent.number, message)


def _check_acked(contents: _Contents, model: Model, loss: Loss) -> None:
    """What was acknowledged is at the place that was told, unless it may be lost; what was not is known now."""
    by_number: dict[int, StoredMessage] = {}
    for message in contents.messages:
        by_number.setdefault(model.number_of(message.raw_body), message)
    for sent in model.sent.values():
        if sent.fate is Fate.ACKED:
            assert sent.place is not None
            message = contents.by_offset.get(sent.place[1]) if sent.place[1] < loss.log_end else None
            if message is None:
                _note_loss(contents, sent, model, loss)
            elif (message.queue_offset, message.raw_body) != (sent.place[0], sent.body):
                _fail("message {} should be at {}, there is {}", sent.number, sent.place, message)
        elif sent.fate is Fate.UNKNOWN and sent.answered_at and sent.number not in by_number:
            sent.fate = Fate.GONE
    for back in model.backs:
        if back.fate is Fate.ACKED and back.answered_at >= loss.since:
            back.fate = Fate.UNKNOWN


def _note_loss(contents: _Contents, sent: Sent, model: Model, loss: Loss) -> None:
    """An acknowledged message is not where it was: fail unless that is allowed."""
    assert sent.place is not None
    if sent.place[1] < contents.begin:
        if not model.may_expire:
            _fail("message {} was deleted, though the disk was never full", sent.number)
        return
    since = loss.durable_since if sent.is_durable else loss.since
    if sent.place[1] < min(contents.end, loss.log_end):
        _fail("message {} is lost from within the log, at {}: it ended at {}", sent.number, sent.place[1], loss.log_end)
    if sent.answered_at < since:
        _fail("message {} is lost: it was answered at {}, and all until {} is promised", sent.number, sent.answered_at, since)
    sent.fate = Fate.GONE


def _check_index(store: FileMessageStore, contents: _Contents, model: Model) -> None:
    """Every message is found by its key."""
    places: dict[tuple[str, str], list[int]] = {}
    for message in contents.messages:
        places.setdefault((message.topic, message.properties.get(KEYS, "")), []).append(message.log_offset)
    for sent in model.sent.values():
        expected = places.get((sent.topic, sent.key), [])
        found = store.find_by_key(sent.topic, sent.key, 32, 0, 2**62).records
        offsets = [record.log_offset for record in map(decode_record, found) if record.properties.get(KEYS) == sent.key]
        if offsets != expected:
            _fail("the index knows message {} at {}, the log has it at {}", sent.number, offsets, expected)


def check_pulled(pulled: Iterable[Pulled], model: Model) -> None:
    """What consumers got is what was sent, at the place of which its producer was told, and nothing of a deleted topic."""
    for pull in pulled:
        place = f"{pull.topic}/{pull.queue_id}"
        for at, record in enumerate(pull.records):
            sent = model.sent.get(model.number_of(record.raw_body))
            if sent is None or sent.body != record.raw_body:
                _fail("a consumer got {} from {}, which nobody sent", record.raw_body[:40], place)
            assert sent is not None
            if record.queue_offset != pull.offset + at:
                _fail("a consumer wanted offset {} of {} and got {}", pull.offset + at, place, record)
            if record.log_offset < pull.begin:
                _fail("a consumer got {} from {}, which was deleted when the log was at {}", record, place, pull.begin)
            is_placed = sent.kind is Kind.PLAIN and sent.topic == pull.topic and sent.fate is Fate.ACKED
            if is_placed and sent.place is not None and sent.place != (record.queue_offset, record.log_offset):
                _fail("a consumer got message {} as {}, its producer was told {}", sent.number, record, sent.place)


def check_topics(get: Any, model: Model) -> None:
    """`get(name)` gives a topic's settings: none of one whose deletion was answered and to which nobody sent since."""
    for topic in sorted(model.absent):
        if get(topic) is not None:
            _fail("topic {} was deleted, but it is there", topic)


def check_offsets(query: Any, model: Model, saved_until: float) -> None:
    """`query(group, topic, queue id)` gives a committed offset: one not older than the newest from before `saved_until`."""
    for (group, topic, queue_id), commits in model.commits.items():
        offset = query(group, topic, queue_id)
        newest = max((at for at, (time, _) in enumerate(commits) if time <= saved_until), default=-1)
        allowed = {value for _, value in commits[max(0, newest) :]} | ({-1} if newest < 0 else set())
        if offset not in allowed:
            _fail("{} is at {} in {}/{}, it committed {}", group, offset, topic, queue_id, commits)
        if saved_until:
            # What is there now is the oldest that may be there after the next restart, whenever it was saved; but for a disk that
            # had failed, on which a document can be read that is not durable.
            model.commits[group, topic, queue_id] = [(0.0 if offset >= 0 else float("inf"), offset)]
        else:
            model.commits[group, topic, queue_id] = [(float("inf"), value) for _, value in commits]


def check_settled(store: FileMessageStore, model: Model) -> None:
    """At the end, after enough time: delayed, committed and sent back messages have arrived."""
    contents = _Contents(store)
    retried = {model.number_of(message.raw_body) for message in contents.messages if message.topic == retry_topic(CONSUMERS)}
    if model.may_expire:
        return
    for sent in model.sent.values():
        if sent.fate is Fate.ACKED and sent.kind is Kind.DELAYED and not sent.seen:
            _fail("the delayed message {} never came", sent.number)
        if sent.fate is Fate.ACKED and sent.kind is Kind.HALF and sent.commits and not sent.seen:
            _fail("the committed message {} never came", sent.number)
    for back in model.backs:
        if back.fate is Fate.ACKED and back.origin.number not in retried:
            _fail("message {} was sent back and never came", back.origin.number)
