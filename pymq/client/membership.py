# Tests: tests/client/test_membership.py
"""Producers and consumers as their instance sees them (Java: MQProducerInner, MQConsumerInner)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from pymq.interfaces import IChannel
from pymq.message.message import StoredMessage
from pymq.wire.bodies.connections import ConsumeMessageDirectlyResult, ConsumerRunningInfo
from pymq.wire.bodies.heartbeat import ConsumerData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.headers.transactions import CheckTransactionStateRequestHeader


class ProducerMember(Protocol):
    """A producer, as its instance sees it."""

    group: str

    def publish_topics(self) -> Iterable[str]:
        """The topics whose routes it uses."""


@runtime_checkable
class TransactionMember(ProducerMember, Protocol):
    """A producer of transactional messages, as its instance sees it."""

    def check_transaction(self, channel: IChannel, header: CheckTransactionStateRequestHeader, message: StoredMessage) -> None:
        """Tell the broker at the other end of `channel` what became of a transaction."""


class ConsumerMember(Protocol):
    """A consumer, as its instance sees it."""

    group: str

    def consumer_data(self) -> ConsumerData:
        """Its part of the heartbeat."""

    def subscribed_topics(self) -> Iterable[str]:
        """The topics whose routes it uses."""

    async def rebalance(self) -> bool:
        """Take its share of the queues; False when some could not be taken yet."""

    async def persist_offsets(self) -> None:
        """Commit its offsets."""

    async def reset_offsets(self, table: dict[MessageQueue, int]) -> None:
        """Go on with these queues at these offsets."""

    def offsets_of(self, topic: str) -> dict[MessageQueue, int]:
        """Its offsets of a topic."""

    def running_info(self) -> ConsumerRunningInfo:
        """What it does, for operators."""

    async def consume_directly(self, message: StoredMessage) -> ConsumeMessageDirectlyResult:
        """Give its listener one message, for operators."""
