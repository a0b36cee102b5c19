# Tests: tests/broker/test_filterbitmaps.py
"""Which filters of its topic a message passes, reckoned once when it is stored (Java: CommitLogDispatcherCalcBitMap)."""

from __future__ import annotations

from pymq.broker.config import BrokerConfig
from pymq.broker.filters import ConsumerFilterManager
from pymq.message.properties import decode_properties
from pymq.message.record import RecordCheck, RecordDraft

__all__ = ["FilterBitMaps"]


class FilterBitMaps:
    """Makes the bit maps that a store with extended queues keeps beside its messages."""

    def __init__(self, config: BrokerConfig, filters: ConsumerFilterManager) -> None:
        self._config = config
        self._filters = filters

    def bit_map_of(self, record: RecordDraft | RecordCheck) -> bytes | None:
        """The bits of all filters that a message passes; None where there are no filters or none are to be reckoned."""
        if not self._config.enable_calc_filter_bit_map:
            return None
        filters = self._filters.of_topic(record.topic)
        if not filters:
            return None
        text = record.properties
        properties = decode_properties(text if isinstance(text, str) else text.decode("utf-8", "replace"))
        bits = 0
        for data in filters:
            if data.matches(properties) is True:
                bits |= data.mask
        return bits.to_bytes(self._filters.bloom.bytes_count, "little")
