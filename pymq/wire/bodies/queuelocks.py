# Tests: tests/wire/bodies/test_queuelocks.py
"""Locks on queues for consumption in order (remoting.md 3.6)."""

from __future__ import annotations

from collections.abc import Set

import msgspec

from pymq.wire.bodies.messagequeue import MessageQueue


class LockBatchRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """The body of LOCK_BATCH_MQ (41). `only_this_broker` exists since 5.x."""

    consumer_group: str
    client_id: str
    mq_set: Set[MessageQueue] = frozenset()
    only_this_broker: bool | None = None


class UnlockBatchRequestBody(msgspec.Struct, rename="camel", frozen=True):
    """The body of UNLOCK_BATCH_MQ (42)."""

    consumer_group: str
    client_id: str
    mq_set: Set[MessageQueue] = frozenset()
    only_this_broker: bool | None = None


class LockBatchResponseBody(msgspec.Struct, rename="camel", frozen=True):
    """The queues that the client holds now; written even when there is none."""

    lock_ok_mq_set: Set[MessageQueue] = msgspec.field(default=frozenset(), name="lockOKMQSet")
