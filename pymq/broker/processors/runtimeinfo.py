# Tests: tests/broker/processors/test_runtimeinfo.py
"""What a broker says of its state to GET_BROKER_RUNTIME_INFO (28), under 4.9.8's keys and 5.x's (remoting.md 3.12).

Apache's thread pools have no counterpart here: one reactor serves all, and requests do not queue up. Their keys are there with an
empty queue, because clusterList and the dashboard divide and print them.
"""

from __future__ import annotations

from typing import Any

from pymq.broker.config import BrokerConfig
from pymq.broker.delayoffsets import DelayOffsetManager
from pymq.broker.stats import BrokerStatsManager
from pymq.interfaces import IMessageStore
from pymq.wire.command import PROTOCOL_VERSION

VERSION_TEXT = "V4_9_8"

_POOLS = ("send", "pull", "query")
#: Apache's default capacities, in whose proportion tools show the pools' load.
_POOL_CAPACITIES = {"send": 10_000, "pull": 100_000, "query": 20_000}
_TRANSACTION_CAPACITY = 100_000
_UNITS = "KMGTPE"
_UNIT_BYTES = 1024


def byte_count_text(count: int) -> str:
    """A number of bytes as Apache writes it: `512 B`, `1.5 GiB`."""
    if count < _UNIT_BYTES:
        return f"{count} B"
    value, power = float(count), -1
    while value >= _UNIT_BYTES and power < len(_UNITS) - 1:
        value /= _UNIT_BYTES
        power += 1
    return f"{value:.1f} {_UNITS[power]}iB"


def pool_table() -> dict[str, str]:
    """The figures of the thread pools that we do not have."""
    table = {"EndTransactionQueueSize": "0", "EndTransactionThreadPoolQueueCapacity": str(_TRANSACTION_CAPACITY)}
    for pool in _POOLS:
        table[f"{pool}ThreadPoolQueueSize"] = "0"
        table[f"{pool}ThreadPoolQueueCapacity"] = str(_POOL_CAPACITIES[pool])
        table[f"{pool}ThreadPoolQueueHeadWaitTimeMills"] = "0"
    return table


def store_table(facts: dict[str, Any]) -> dict[str, str]:
    """The keys that `IMessageStore.describe` gives. The disk's size is named only by a store that knows it.

    `storeWritable` and `storeProblem` are our own: whether messages are taken, and if not, why.
    """
    ratio = str(facts["disk_used_ratio"])
    flush_behind = max(0, facts["log_max_offset"] - facts["flushed_offset"])
    table = {
        "dispatchBehindBytes": str(facts["dispatch_behind_bytes"]),
        "dispatchMaxBuffer": "0",
        "pageCacheLockTimeMills": "0",
        "earliestMessageTimeStamp": str(facts["earliest_store_time_ms"]),
        "commitLogMinOffset": str(facts["log_min_offset"]),
        "commitLogMaxOffset": str(facts["log_max_offset"]),
        "commitLogDiskRatio": ratio,
        "consumeQueueDiskRatio": ratio,
        "remainHowManyDataToFlush": byte_count_text(flush_behind),
        "storeWritable": "true" if facts.get("writable", True) else "false",
        "storeProblem": facts.get("problem", ""),
    }
    used, usable = facts.get("disk_used_bytes"), facts.get("disk_usable_bytes")
    if used is not None and usable is not None:
        table["commitLogDirCapacity"] = f"Total : {byte_count_text(used + usable)}, Free : {byte_count_text(usable)}."
    else:
        table["commitLogDirCapacity"] = "Total : 0 B, Free : 0 B."
    return table


class RuntimeInfo:
    """Gathers the table of code 28. `commit_log_path` names the log's folder in one of its keys."""

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store: IMessageStore,
        stats: BrokerStatsManager,
        delay_offsets: DelayOffsetManager,
        commit_log_path: str,
    ) -> None:
        self._config = config
        self._store = store
        self._stats = stats
        self._delay_offsets = delay_offsets
        self._commit_log_path = commit_log_path

    def table(self) -> dict[str, str]:
        """Every key with its value as text."""
        store = store_table(self._store.describe())
        table = {
            "brokerVersionDesc": VERSION_TEXT,
            "brokerVersion": str(PROTOCOL_VERSION),
            "brokerActive": "true",
            "startAcceptSendRequestTimeStamp": str(self._config.start_accept_send_request_time_stamp),
            **pool_table(),
            **store,
            **self._stats.runtime_table(),
            **self._delay_offsets.runtime_table(self._store),
        }
        table[f"commitLogDiskRatio_{self._commit_log_path}"] = store["commitLogDiskRatio"]
        return table
