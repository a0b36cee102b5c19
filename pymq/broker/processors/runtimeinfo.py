# Tests: tests/broker/processors/test_runtimeinfo.py
"""What a broker says of its state to GET_BROKER_RUNTIME_INFO (28), under 4.9.8's keys and 5.x's (remoting.md 3.12).

Apache's thread pools have no counterpart here: one reactor serves all. What their keys show is what waits in their place: for
sends those that wait for the disk, for pulls the requests that wait for their peer to read its answers. Nothing waits to be
queried, or for the end of a transaction; tools divide by these pools' capacities and print them nevertheless.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from pymq.broker.config import BrokerConfig
from pymq.broker.delayoffsets import DelayOffsetManager
from pymq.broker.fastfailure import BrokerFastFailure
from pymq.broker.processors.send import IFlusher
from pymq.broker.stats import BrokerStatsManager
from pymq.interfaces import IMessageStore
from pymq.wire.command import PROTOCOL_VERSION

VERSION_TEXT = "V4_9_8"

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


@attrs.frozen
class Waiting:
    """How many of a kind wait, and how long the first of them has, in seconds."""

    count: int = 0
    head_wait_s: float = 0.0

    @property
    def head_wait_ms(self) -> int:
        """The same in whole milliseconds."""
        return int(self.head_wait_s * 1000)


def pool_table(config: BrokerConfig, sends: Waiting, pulls: Waiting) -> dict[str, str]:
    """The figures of the thread pools that we do not have; see the module."""
    table = {
        "EndTransactionQueueSize": "0",
        "EndTransactionThreadPoolQueueCapacity": str(config.end_transaction_pool_queue_capacity),
    }
    for pool, waiting, capacity in (
        ("send", sends, config.send_thread_pool_queue_capacity),
        ("pull", pulls, config.pull_thread_pool_queue_capacity),
        ("query", Waiting(), config.query_thread_pool_queue_capacity),
    ):
        table[f"{pool}ThreadPoolQueueSize"] = str(waiting.count)
        table[f"{pool}ThreadPoolQueueCapacity"] = str(capacity)
        table[f"{pool}ThreadPoolQueueHeadWaitTimeMills"] = str(waiting.head_wait_ms)
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
    """Gathers the table of code 28.

    `commit_log_paths` are the log's folders, which stand in keys, in the order of IFiles.spaces; `backlog()` tells of the
    requests that wait for their peer.
    """

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store: IMessageStore,
        stats: BrokerStatsManager,
        delay_offsets: DelayOffsetManager,
        commit_log_paths: Sequence[str],
        fast_failure: BrokerFastFailure,
        flusher: IFlusher,
        backlog: Callable[[], Waiting] = Waiting,
    ) -> None:
        self._config = config
        self._store = store
        self._stats = stats
        self._delay_offsets = delay_offsets
        self._fast_failure = fast_failure
        self._flusher = flusher
        self._backlog = backlog
        self._commit_log_paths = commit_log_paths

    def waiting_sends(self) -> Waiting:
        """The stored sends that wait for the disk."""
        return Waiting(self._fast_failure.sends_waiting, self._flusher.head_wait_s)

    def waiting_pulls(self) -> Waiting:
        """The requests, pulls as a rule, that wait for their peer to read its answers."""
        return self._backlog()

    def table(self) -> dict[str, str]:
        """Every key with its value as text."""
        facts = self._store.describe()
        table = {
            "brokerVersionDesc": VERSION_TEXT,
            "brokerVersion": str(PROTOCOL_VERSION),
            "brokerActive": "true",
            "startAcceptSendRequestTimeStamp": str(self._config.start_accept_send_request_time_stamp),
            **pool_table(self._config, self.waiting_sends(), self.waiting_pulls()),
            "pageCacheLockTimeMills": str(self._stats.store.longest_put_ms),
            **store_table(facts),
            **self._stats.runtime_table(),
            **self._delay_offsets.runtime_table(self._store),
        }
        ratios = facts.get("log_disks_used_ratio", [facts["disk_used_ratio"]])
        table.update({f"commitLogDiskRatio_{path}": str(ratio) for path, ratio in zip(self._commit_log_paths, ratios)})
        return table
