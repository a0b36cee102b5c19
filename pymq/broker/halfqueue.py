# Tests: tests/broker/test_halfqueue.py
"""The topics of the system in which transactions live, over the store (Java: TransactionalMessageBridge)."""

from __future__ import annotations

from pymq.broker import halfmessages
from pymq.broker.config import BrokerConfig
from pymq.broker.topics import TopicConfigManager
from pymq.errors import DecodeError
from pymq.interfaces import IClock, IMessageStore
from pymq.message.message import StoredMessage
from pymq.message.record import RecordDraft, decode_record
from pymq.message.results import PutResult
from pymq.message.topics import HALF_TOPIC, OP_HALF_TOPIC, TRANS_CHECK_MAX_TIME_TOPIC
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE

_SYSTEM_TOPICS = frozenset({HALF_TOPIC, OP_HALF_TOPIC, TRANS_CHECK_MAX_TIME_TOPIC})


def make_topic(topics: TopicConfigManager, topic: str) -> None:
    """Make a topic of the system if need be: unknown topics lose their queues when an administrator cleans up."""
    topics.create_on_send_back(topic, 1, PERM_READ | PERM_WRITE, 0)


def prepare(draft: RecordDraft, topics: TopicConfigManager, config: BrokerConfig) -> bool:
    """Make a draft half if it is to be, see `halfmessages.prepare`; whether it is half now. Raises RequestError."""
    is_half = halfmessages.prepare(draft, is_allowed=not config.reject_transaction_message)
    if is_half:
        make_topic(topics, HALF_TOPIC)
    return is_half


class HalfQueue:
    """Reads half messages and stores what becomes of them. `store_host` is this broker's address, encoded."""

    def __init__(self, *, store: IMessageStore, topics: TopicConfigManager, clock: IClock, store_host: bytes) -> None:
        self._store = store
        self._topics = topics
        self._clock = clock
        self._store_host = store_host

    def read(self, log_offset: int) -> StoredMessage | None:
        """The message at a log offset, or None when no whole record stands there."""
        record = self._store.read_at(log_offset) if log_offset >= 0 else None
        try:
            return None if record is None else decode_record(record)
        except DecodeError:
            return None

    def put(self, draft: RecordDraft) -> PutResult:
        """Store what the rules made of a half message; a topic of the system is made. Raises StoreClosed, RequestError."""
        if draft.topic in _SYSTEM_TOPICS:
            make_topic(self._topics, draft.topic)
        result: PutResult = self._store.put([draft])[0]
        return result

    def end(self, half: StoredMessage) -> PutResult:
        """Store the op message: the half message is never looked at again. Raises StoreClosed."""
        return self.put(halfmessages.ended(half, int(self._clock.seconds() * 1000), self._store_host))
