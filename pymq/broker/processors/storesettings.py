# Tests: tests/broker/processors/test_storesettings.py
"""What the processors ask of the store's settings, which they are given and must not import (the import law)."""

from __future__ import annotations

from typing import Protocol

from pymq.errors import RequestError
from pymq.wire.codes import ResponseCode

ROLE_SLAVE = "SLAVE"


class StoreSettings(Protocol):
    """The part of `pymq.store.config.MessageStoreConfig` that requests depend on."""

    @property
    def broker_role(self) -> str:
        """ASYNC_MASTER, SYNC_MASTER or SLAVE."""

    @property
    def max_message_size(self) -> int:
        """Bytes of the largest body."""

    @property
    def default_query_max_num(self) -> int:
        """Messages that a query by unique key gives."""

    @property
    def max_msgs_num_batch(self) -> int:
        """The most messages that a query by key gives."""

    @property
    def delay_levels_ms(self) -> tuple[int, ...]:
        """The delays of levels 1, 2, ... in milliseconds."""

    @property
    def max_transfer_count_on_message_in_memory(self) -> int:
        """Messages that one pull gives from memory."""

    @property
    def max_transfer_bytes_on_message_in_memory(self) -> int:
        """Bytes that one pull gives from memory."""


def check_master(settings: StoreSettings) -> None:
    """Raise RequestError (SYSTEM_ERROR) at a slave, whose topics and groups are its master's."""
    if settings.broker_role == ROLE_SLAVE:
        remark = "Can't modify topic or subscription group from slave broker, ask its master"
        raise RequestError(ResponseCode.SYSTEM_ERROR, remark)
