# Tests: tests/message/test_results.py
"""What a store answers. Outcomes are values, not exceptions, and processors map them to response codes without knowing the store.

Java: PutMessageResult, PutMessageStatus, GetMessageResult, GetMessageStatus, QueryMessageResult.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import attrs

#: Asked with store time in ms and filter bit map of a message: may it pass?
BitFilter = Callable[[int, bytes], bool]


class PutStatus(Enum):
    """Why a message was, or was not, stored (store.md 2.10)."""

    PUT_OK = "PUT_OK"
    FLUSH_DISK_TIMEOUT = "FLUSH_DISK_TIMEOUT"
    FLUSH_SLAVE_TIMEOUT = "FLUSH_SLAVE_TIMEOUT"
    SLAVE_NOT_AVAILABLE = "SLAVE_NOT_AVAILABLE"
    SERVICE_NOT_AVAILABLE = "SERVICE_NOT_AVAILABLE"
    CREATE_MAPEDFILE_FAILED = "CREATE_MAPEDFILE_FAILED"
    MESSAGE_ILLEGAL = "MESSAGE_ILLEGAL"
    PROPERTIES_SIZE_EXCEEDED = "PROPERTIES_SIZE_EXCEEDED"
    OS_PAGECACHE_BUSY = "OS_PAGECACHE_BUSY"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"
    LMQ_CONSUME_QUEUE_NUM_EXCEEDED = "LMQ_CONSUME_QUEUE_NUM_EXCEEDED"

    @property
    def is_stored(self) -> bool:
        """Whether the message is in the log; three statuses say so and only doubt its safety."""
        return self in _STORED


_STORED = frozenset(
    {PutStatus.PUT_OK, PutStatus.FLUSH_DISK_TIMEOUT, PutStatus.FLUSH_SLAVE_TIMEOUT, PutStatus.SLAVE_NOT_AVAILABLE}
)


class GetStatus(Enum):
    """How the read of a queue ended (store.md 8.2)."""

    FOUND = "FOUND"
    NO_MATCHED_MESSAGE = "NO_MATCHED_MESSAGE"
    MESSAGE_WAS_REMOVING = "MESSAGE_WAS_REMOVING"
    OFFSET_FOUND_NULL = "OFFSET_FOUND_NULL"
    OFFSET_OVERFLOW_BADLY = "OFFSET_OVERFLOW_BADLY"
    OFFSET_OVERFLOW_ONE = "OFFSET_OVERFLOW_ONE"
    OFFSET_TOO_SMALL = "OFFSET_TOO_SMALL"
    NO_MATCHED_LOGIC_QUEUE = "NO_MATCHED_LOGIC_QUEUE"
    NO_MESSAGE_IN_QUEUE = "NO_MESSAGE_IN_QUEUE"


@attrs.define
class PutResult:
    """What became of one draft. Offsets, time and size are -1 or 0 when it was not stored; `reason` then says why."""

    status: PutStatus
    log_offset: int = -1
    queue_offset: int = -1
    store_timestamp: int = 0
    size: int = 0
    reason: str = ""


@attrs.define
class GetResult:
    """What a queue gave: `records` are memoryviews of whole records, `next_offset` where to go on.

    `size_bytes` is the sum of the records; `behind_bytes` how far before the log's end the last message lies that was looked at,
    and `is_behind` tells that this is so far back that the disk, not memory, serves it (Java: suggestPullingFromSlave).
    """

    status: GetStatus
    records: list[memoryview]
    next_offset: int
    min_offset: int
    max_offset: int
    count: int = 0
    size_bytes: int = 0
    is_behind: bool = False
    behind_bytes: int = 0


@attrs.frozen
class ExtUnit:
    """What an extended queue keeps of one message (Java: ConsumeQueueExt.CqExtUnit).

    `store_ms` is in ms since the epoch, `size` in bytes; `bit_map` is empty when none was reckoned.
    """

    tags_code: int
    store_ms: int
    bit_map: bytes
    size: int


@attrs.define
class FoundByKey:
    """What the index found: record views ascending by log offset, and how far the newest index file goes.

    The index compares hashes only, so a reader must look at the keys of what it gets.
    """

    records: list[memoryview]
    last_time_ms: int = 0
    last_log_offset: int = 0
