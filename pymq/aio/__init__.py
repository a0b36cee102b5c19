"""The client library for asyncio: `pymq.client` with coroutines, `async with` and `async for`.

It runs on the event loop in which a client is started, whatever the loop's kind, and neither installs nor runs a Twisted reactor;
it starts no threads. Reading order: face, producer, consumer; below them loopclock and looptransport, the reactor's part.
"""

from pymq.aio.admin import Admin
from pymq.aio.consumer import LitePullConsumer, PopConsumer, PullConsumer, PushConsumer
from pymq.aio.face import Face
from pymq.aio.producer import Producer, TransactionProducer
from pymq.client import (
    AclConfig,
    AclVersion,
    ConsumeContext,
    ConsumeFromWhere,
    ConsumeProgress,
    ConsumeStatus,
    LocalTransactionState,
    Message,
    MessageModel,
    MessageQueue,
    MessageSelector,
    MessageTrack,
    PlainAccessConfig,
    PullResult,
    PullStatus,
    QueryResult,
    QueueTimes,
    SendResult,
    SendStatus,
    StoredMessage,
    SubscriptionGroupConfig,
    TopicConfig,
    TopicStats,
    TrackType,
    TransactionSendResult,
    reply_message,
)

__all__ = [
    "AclConfig",
    "AclVersion",
    "Admin",
    "ConsumeContext",
    "ConsumeFromWhere",
    "ConsumeProgress",
    "ConsumeStatus",
    "Face",
    "LitePullConsumer",
    "LocalTransactionState",
    "Message",
    "MessageModel",
    "MessageQueue",
    "MessageSelector",
    "MessageTrack",
    "PlainAccessConfig",
    "PopConsumer",
    "Producer",
    "PullConsumer",
    "PullResult",
    "PullStatus",
    "PushConsumer",
    "QueryResult",
    "QueueTimes",
    "SendResult",
    "SendStatus",
    "StoredMessage",
    "SubscriptionGroupConfig",
    "TopicConfig",
    "TopicStats",
    "TrackType",
    "TransactionProducer",
    "TransactionSendResult",
    "reply_message",
]
