"""The client library for threads: `pymq.client` with methods that return when they are done. For scripts, Django and the like.

All clients of a process share one thread with an event loop, on which `pymq.aio` does the work; it starts with the first client
and ends with the last. Reading order: face, producer, consumer, loopthread.
"""

from pymq.blocking.admin import Admin
from pymq.blocking.consumer import LitePullConsumer, PopConsumer, PullConsumer, PushConsumer
from pymq.blocking.producer import Producer, TransactionProducer
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
