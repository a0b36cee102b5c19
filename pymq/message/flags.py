# Tests: tests/message/test_flags.py
"""The bits of a message's system flag and of a pull request's (store.md 2.4, remoting.md 3.3 and 5.4).

Java: MessageSysFlag and PullSysFlag.
"""

from __future__ import annotations

#: The body is compressed; the compression bits say how.
COMPRESSED = 0x1
#: The TAGS property names several tags.
MULTI_TAGS = 0x2

TRANSACTION_MASK = 0xC
TRANSACTION_NONE = 0x0
TRANSACTION_PREPARED = 0x4
TRANSACTION_COMMIT = 0x8
TRANSACTION_ROLLBACK = 0xC
#: Set in PREPARED and ROLLBACK and in no other type: such a record has no place in a queue (store.md 2.9).
TRANSACTION_UNQUEUED_BIT = 0x4

#: The born host, or the store host, takes 16 + 4 bytes in the record instead of 4 + 4.
BORN_HOST_V6 = 0x10
STORE_HOST_V6 = 0x20
HOSTS_V6_MASK = BORN_HOST_V6 | STORE_HOST_V6
#: 5.x: a client's batch stored as one record.
NEED_UNWRAP = 0x40
INNER_BATCH = 0x80

COMPRESSION_MASK = 0x700
COMPRESSION_LZ4 = 0x100
COMPRESSION_ZSTD = 0x200
COMPRESSION_ZLIB = 0x300

#: Pull: `commitOffset` is valid and to be kept.
PULL_COMMIT_OFFSET = 0x1
#: Pull: the broker may hold the request until a message comes.
PULL_SUSPEND = 0x2
#: Pull: the request brings its own subscription.
PULL_SUBSCRIPTION = 0x4
PULL_CLASS_FILTER = 0x8
PULL_LITE = 0x10


def transaction_type(sys_flag: int) -> int:
    """TRANSACTION_NONE, _PREPARED, _COMMIT or _ROLLBACK."""
    return sys_flag & TRANSACTION_MASK


def with_transaction_type(sys_flag: int, kind: int) -> int:
    """The flag with its transaction type replaced (Java: resetTransactionValue)."""
    return sys_flag & ~TRANSACTION_MASK | kind


def is_queued(sys_flag: int) -> bool:
    """Whether a record of this flag takes a queue offset and a queue unit: types NONE and COMMIT do."""
    return not sys_flag & TRANSACTION_UNQUEUED_BIT
