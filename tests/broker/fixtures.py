"""What the tests of the broker's tables and processors start from."""

from __future__ import annotations

import attrs
from twisted.internet.task import Clock

from pymq.broker.clients import ClientChannelInfo
from pymq.broker.config import BrokerConfig
from pymq.message.ids import encode_host
from pymq.message.properties import TAGS, encode_properties
from pymq.message.record import RecordDraft, draft_from
from pymq.store.config import MessageStoreConfig
from pymq.store.store import FileMessageStore
from pymq.testing.channels import FakeChannel
from pymq.testing.memoryfiles import MemoryFiles
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription

NOW_S = 1_700_000_000
NOW_MS = NOW_S * 1000


def started_clock() -> Clock:
    """A clock that shows a real-looking time: 0 means "no record" to a store."""
    clock = Clock()
    clock.advance(NOW_S)
    return clock


def broker_config(**changes: object) -> BrokerConfig:
    """The defaults of a broker named broker-a, with changes."""
    return attrs.evolve(BrokerConfig(broker_name="broker-a"), **changes)


def open_store(clock: Clock, **changes: object) -> FileMessageStore:
    """An empty store on a disk in memory, ready for use."""
    store = FileMessageStore(MemoryFiles(), attrs.evolve(MessageStoreConfig(), **changes), clock=clock)
    store.load()
    return store


def draft(topic: str = "T", queue_id: int = 0, tag: str | None = None, body: bytes = b"hello") -> RecordDraft:
    """A message to be stored."""
    host = encode_host("127.0.0.1", 10911)
    properties = encode_properties({TAGS: tag} if tag else {})
    return draft_from(topic, queue_id, body, properties, born_timestamp=NOW_MS, born_host=host, store_host=host)


def subscribe(topic: str = "T", expression: str = "*", version: int = 1) -> SubscriptionData:
    """A subscription by tags."""
    return build_subscription(topic, expression, sub_version=version)


def member(client_id: str = "c1", channel: FakeChannel | None = None) -> ClientChannelInfo:
    """A client on a channel of its own."""
    return ClientChannelInfo(channel or FakeChannel(), client_id, 0, 409)
