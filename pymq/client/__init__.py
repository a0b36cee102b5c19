"""The client library: producers and consumers for RocketMQ brokers, on Deferreds that coroutines can await.

Reading order: producer, pushconsumer, litepullconsumer, pullconsumer and popconsumer are what users touch; member is what they
share, consumer and balanced what consumers share, instance what the members of one client id share. Below: api (one method for
each request), routes, selector, allocate, rebalance, pullloops, popper, consume, orderly and polls.
"""

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
    ConsumeContext,
    ConsumeStatus,
    PullResult,
    PullStatus,
    QueryResult,
    SendResult,
    SendStatus,
    ServiceState,
)
from pymq.client.transactions import LocalTransactionState, TransactionProducer, TransactionSendResult
from pymq.message.message import Message, MessageQueue, StoredMessage

__all__ = [
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
    "ConsumeStatus",
    "EndTransactionContext",
    "EndTransactionHook",
    "LitePullConsumer",
    "LocalTransactionState",
    "Message",
    "MessageModel",
    "MessageQueue",
    "MessageSelector",
    "PopConsumer",
    "Producer",
    "PullConsumer",
    "PullResult",
    "PullStatus",
    "PushConsumer",
    "QueryResult",
    "SendMessageContext",
    "SendMessageHook",
    "SendResult",
    "SendStatus",
    "ServiceState",
    "StoredMessage",
    "TransactionProducer",
    "TransactionSendResult",
    "reply_message",
]
