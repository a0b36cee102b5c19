# Tests: tests/client/test_results.py
"""What a client's methods give back, and what a listener gives to the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import attrs

from pymq.errors import NotStarted
from pymq.message.message import StoredMessage
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.topics import DataVersion, TopicOffset
from pymq.wire.codes import ResponseCode


class ServiceState(Enum):
    """Where a client is in its life (Java: ServiceState)."""

    CREATE_JUST = 0
    RUNNING = 1
    SHUTDOWN_ALREADY = 2
    START_FAILED = 3

    def check_running(self, what: str) -> None:
        """Raise NotStarted unless it is RUNNING; `what` names the client."""
        if self is ServiceState.CREATE_JUST:
            raise NotStarted(f"{what} is not started; await its start() first")
        if self is ServiceState.START_FAILED:
            raise NotStarted(f"the start of {what} failed; mend the cause and make a new one")
        if self is ServiceState.SHUTDOWN_ALREADY:
            raise NotStarted(f"{what} was shut down; make a new one to go on")

    def check_new(self, what: str) -> None:
        """Raise NotStarted unless it was never started."""
        if self is not ServiceState.CREATE_JUST:
            raise NotStarted(f"{what} was started before; make a new one")


class SendStatus(str, Enum):
    """How safe a sent message is. Apart from SEND_OK it is stored, and may be lost when the broker's machine fails now."""

    SEND_OK = "SEND_OK"
    FLUSH_DISK_TIMEOUT = "FLUSH_DISK_TIMEOUT"
    FLUSH_SLAVE_TIMEOUT = "FLUSH_SLAVE_TIMEOUT"
    SLAVE_NOT_AVAILABLE = "SLAVE_NOT_AVAILABLE"


SEND_STATUS_OF_CODE = {
    int(ResponseCode.SUCCESS): SendStatus.SEND_OK,
    int(ResponseCode.FLUSH_DISK_TIMEOUT): SendStatus.FLUSH_DISK_TIMEOUT,
    int(ResponseCode.FLUSH_SLAVE_TIMEOUT): SendStatus.FLUSH_SLAVE_TIMEOUT,
    int(ResponseCode.SLAVE_NOT_AVAILABLE): SendStatus.SLAVE_NOT_AVAILABLE,
}


@attrs.frozen
class SendResult:
    """A stored message: the client's id of it, the broker's (with the place in its log), and its queue and offset there.

    The ids of a batch are joined by commas; `queue_offset` is that of its first message.
    """

    status: SendStatus
    msg_id: str
    offset_msg_id: str
    queue: MessageQueue
    queue_offset: int
    transaction_id: str | None = None
    region_id: str | None = None
    trace_on: bool = False


class PullStatus(str, Enum):
    """What a pull found."""

    FOUND = "FOUND"
    NO_NEW_MSG = "NO_NEW_MSG"
    NO_MATCHED_MSG = "NO_MATCHED_MSG"
    OFFSET_ILLEGAL = "OFFSET_ILLEGAL"


PULL_STATUS_OF_CODE = {
    int(ResponseCode.SUCCESS): PullStatus.FOUND,
    int(ResponseCode.PULL_NOT_FOUND): PullStatus.NO_NEW_MSG,
    int(ResponseCode.PULL_RETRY_IMMEDIATELY): PullStatus.NO_MATCHED_MSG,
    int(ResponseCode.PULL_OFFSET_MOVED): PullStatus.OFFSET_ILLEGAL,
}


@attrs.frozen
class PullResult:
    """The outcome of a pull. Go on at `next_offset`, whatever the status; `messages` is empty unless it is FOUND."""

    status: PullStatus
    next_offset: int
    min_offset: int
    max_offset: int
    messages: Sequence[StoredMessage] = ()


class PopStatus(str, Enum):
    """What a pop found; POLLING_FULL is a broker at which too many wait already."""

    FOUND = "FOUND"
    POLLING_NOT_FOUND = "POLLING_NOT_FOUND"
    POLLING_FULL = "POLLING_FULL"


POP_STATUS_OF_CODE = {
    int(ResponseCode.SUCCESS): PopStatus.FOUND,
    int(ResponseCode.PULL_NOT_FOUND): PopStatus.POLLING_NOT_FOUND,
    int(ResponseCode.POLLING_TIMEOUT): PopStatus.POLLING_NOT_FOUND,
    int(ResponseCode.POLLING_FULL): PopStatus.POLLING_FULL,
}


@attrs.frozen
class PopResult:
    """The outcome of a pop; `messages` is empty unless it is FOUND, `rest_count` what is left at the broker."""

    status: PopStatus
    rest_count: int
    messages: Sequence[StoredMessage] = ()


@attrs.frozen
class QueryResult:
    """Messages found by a key, and the store time in milliseconds up to which the index was complete."""

    messages: Sequence[StoredMessage]
    index_last_update_ms: int


@attrs.frozen
class TopicStats:
    """The queues of a topic: from which offset to which they go, and when they got their last message."""

    queues: Mapping[MessageQueue, TopicOffset]

    @property
    def message_count(self) -> int:
        """Messages that can be read, of all queues together."""
        return sum(offset.max_offset - offset.min_offset for offset in self.queues.values())


@attrs.frozen
class QueueProgress:
    """How far a group is with a queue: the offsets that the next message gets and that it consumes next, and when the message
    before that was stored, in milliseconds since the epoch.
    """

    broker_offset: int
    consumer_offset: int
    last_timestamp_ms: int

    @property
    def lag(self) -> int:
        """Messages that it has still to consume."""
        return self.broker_offset - self.consumer_offset


@attrs.frozen
class ConsumeProgress:
    """How far a group is with all queues that it has offsets of, its retry topic's among them, and its messages a second."""

    queues: Mapping[MessageQueue, QueueProgress]
    consume_tps: float

    @property
    def lag(self) -> int:
        """Messages that it has still to consume, of all queues together."""
        return sum(queue.lag for queue in self.queues.values())


@attrs.frozen
class QueueTimes:
    """When messages of a queue were stored, in milliseconds since the epoch: the first, the last, and the one that a group
    consumed last; -1 where there is no message. Where it consumed none that is the first. `delay_ms` is for how long the next one
    has been waiting for the group, 0 when there is none. Java: QueueTimeSpan.
    """

    min_timestamp_ms: int
    max_timestamp_ms: int
    consume_timestamp_ms: int
    delay_ms: int


@attrs.frozen
class AclVersion:
    """How often the access control lists of a broker were changed by administrators, and when: in its first file as the broker
    read it last, and in each by its path there, which brokers before 4.9.3 and of 5.x do not tell. Java: ClusterAclVersionInfo.
    """

    cluster_name: str
    broker_name: str
    broker_addr: str
    version: DataVersion
    files: Mapping[str, DataVersion]


class TrackType(str, Enum):
    """What became of a message in a group (Java: TrackType)."""

    CONSUMED = "CONSUMED"
    CONSUMED_BUT_FILTERED = "CONSUMED_BUT_FILTERED"
    PULL = "PULL"
    NOT_CONSUME_YET = "NOT_CONSUME_YET"
    NOT_ONLINE = "NOT_ONLINE"
    CONSUME_BROADCASTING = "CONSUME_BROADCASTING"
    UNKNOWN = "UNKNOWN"


@attrs.frozen
class MessageTrack:
    """What became of a message in one group; `exception_desc` is the error that leaves it UNKNOWN or shows it NOT_ONLINE."""

    consumer_group: str
    track_type: TrackType
    exception_desc: str | None = None


class LocalTransactionState(Enum):
    """What became of a local transaction. UNKNOW, as Java spells it, makes the broker ask later."""

    COMMIT_MESSAGE = "COMMIT_MESSAGE"
    ROLLBACK_MESSAGE = "ROLLBACK_MESSAGE"
    UNKNOW = "UNKNOW"


class ConsumeStatus(str, Enum):
    """What a listener says of the messages it was given: the first pair when concurrent, the second in order."""

    CONSUME_SUCCESS = "CONSUME_SUCCESS"
    RECONSUME_LATER = "RECONSUME_LATER"
    SUCCESS = "SUCCESS"
    SUSPEND_CURRENT_QUEUE_A_MOMENT = "SUSPEND_CURRENT_QUEUE_A_MOMENT"

    @property
    def is_success(self) -> bool:
        """Whether the messages are done."""
        return self in (ConsumeStatus.CONSUME_SUCCESS, ConsumeStatus.SUCCESS)


@attrs.define
class ConsumeContext:
    """What a listener may tell beyond its status, and where its messages come from.

    `ack_index` is the last message of the batch that succeeded, -1 for none; it counts only with success (Java: ackIndex).
    `delay_level` is that of the next delivery: 0 lets the broker choose, -1 is the dead letter queue. `suspend_s` is how long an
    ordered queue rests after SUSPEND.
    """

    queue: MessageQueue
    ack_index: int = 2**31 - 1
    delay_level: int = 0
    suspend_s: float | None = None
    properties: dict[str, Any] = attrs.field(factory=dict)
