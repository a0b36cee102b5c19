# Tests: tests/wire/headers/test_transactions.py
"""Headers of transactional messages (remoting.md 3.8)."""

from __future__ import annotations

import msgspec

from pymq.wire.fields import CommandHeader, Int32, Int64


class EndTransactionRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """END_TRANSACTION (37). `commit_or_rollback` is 8 for commit, 12 for rollback, 0 for unknown. `topic` exists since 5.x."""

    producer_group: str
    tran_state_table_offset: Int64
    commit_log_offset: Int64
    commit_or_rollback: Int32
    from_transaction_check: bool = False
    msg_id: str
    transaction_id: str | None = None
    topic: str | None = None
    broker_name: str | None = msgspec.field(default=None, name="bname")


class CheckTransactionStateRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """CHECK_TRANSACTION_STATE (39), broker to client. `topic` and `broker_name` exist since 5.x."""

    tran_state_table_offset: Int64
    commit_log_offset: Int64
    msg_id: str | None = None
    transaction_id: str | None = None
    offset_msg_id: str | None = None
    topic: str | None = None
    broker_name: str | None = msgspec.field(default=None, name="bname")


class ResumeCheckHalfMessageRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """RESUME_CHECK_HALF_MESSAGE (323). `topic` exists since 5.x."""

    msg_id: str | None = None
    topic: str | None = None
