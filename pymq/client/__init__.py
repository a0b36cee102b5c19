"""The client library: producers and consumers for RocketMQ brokers, on Deferreds that coroutines can await.

Reading order: producer, pushconsumer, litepullconsumer, pullconsumer, popconsumer and admin are what users touch; member is what
they share, consumer and balanced what consumers share, instance what the members of one client id share. Below: api (one method
for each request), routes, selector, allocate, rebalance, pullloops, popper, consume, orderly and polls.
"""

from pymq.client.admin import Admin
from pymq.client.allocate import (
    AllocateAverage,
    AllocateAverageByCircle,
    AllocateByConfig,
    AllocateByConsistentHash,
    AllocateByMachineRoom,
)
from pymq.client.config import ClientConfig, ConsumeFromWhere, MessageModel
from pymq.client.hooks import (
    ConsumeMessageContext,
    ConsumeMessageHook,
    EndTransactionContext,
    EndTransactionHook,
    SendMessageContext,
    SendMessageHook,
)
from pymq.client.litepullconsumer import LitePullConsumer
from pymq.client.messageselector import MessageSelector
from pymq.client.popconsumer import PopConsumer
from pymq.client.producer import Producer
from pymq.client.pullconsumer import PullConsumer
from pymq.client.pushconsumer import PushConsumer
from pymq.client.request import reply_message
from pymq.client.results import (
    AclVersion,
    ConsumeContext,
    ConsumeProgress,
    ConsumeStatus,
    MessageTrack,
    PullResult,
    PullStatus,
    QueryResult,
    QueueProgress,
    QueueTimes,
    SendResult,
    SendStatus,
    ServiceState,
    TopicStats,
    TrackType,
)
from pymq.client.transactions import LocalTransactionState, TransactionProducer, TransactionSendResult
from pymq.message.message import Message, MessageQueue, StoredMessage
from pymq.wire.bodies.acl import AclConfig, PlainAccessConfig
from pymq.wire.bodies.topics import SubscriptionGroupConfig, TopicConfig

__all__ = [
    "AclConfig",
    "AclVersion",
    "Admin",
    "AllocateAverage",
    "AllocateAverageByCircle",
    "AllocateByConfig",
    "AllocateByConsistentHash",
    "AllocateByMachineRoom",
    "ClientConfig",
    "ConsumeContext",
    "ConsumeFromWhere",
    "ConsumeMessageContext",
    "ConsumeMessageHook",
    "ConsumeProgress",
    "ConsumeStatus",
    "EndTransactionContext",
    "EndTransactionHook",
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
    "QueueProgress",
    "QueueTimes",
    "SendMessageContext",
    "SendMessageHook",
    "SendResult",
    "SendStatus",
    "ServiceState",
    "StoredMessage",
    "SubscriptionGroupConfig",
    "TopicConfig",
    "TopicStats",
    "TrackType",
    "TransactionProducer",
    "TransactionSendResult",
    "reply_message",
]
