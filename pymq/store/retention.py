# Tests: tests/store/test_retention.py
"""Which commit log files may go: rules of age, hour and disk use over plain values (store.md 5.12; Java: CleanCommitLogService).

The caller looks at the disk and does the deleting; consume queues and index follow the log's new beginning by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

__all__ = ["FILES_PER_ROUND_MAX", "DiskVerdict", "count_removable", "is_delete_hour", "judge_disk", "used_percent"]

#: The most files that one round deletes, so that a full disk is not emptied at a stroke.
FILES_PER_ROUND_MAX = 10

_HOUR_MS = 3_600_000


@attrs.frozen
class DiskVerdict:
    """What the use of the disks asks for.

    `clean`: expired files go now, whatever the hour. `forced`: the oldest files go, whatever their age. `full`: nothing is taken.
    """

    clean: bool
    forced: bool
    full: bool


def used_percent(used_bytes: int, usable_bytes: int) -> int:
    """How full a disk is, rounded up to whole percent; -1 when its size is unknown (Java: getDiskPartitionSpaceUsedPercent)."""
    total = used_bytes + usable_bytes
    return -(-used_bytes * 100 // total) if total > 0 and used_bytes >= 0 else -1


def judge_disk(
    log_percent: int,
    queue_percent: int,
    *,
    clean_from: int,
    forced_from: int,
    full_from: int,
    forced_allowed: bool = True,
) -> DiskVerdict:
    """What two disks, that of the commit log and that of the queues, ask for; they may be the same one.

    All in whole percent as `used_percent` gives them; a limit acts above its value, not at it. -1, an unreadable disk, asks for
    cleaning. The settings are diskMaxUsedSpaceRatio (75), diskSpaceCleanForciblyRatio (85), diskSpaceWarningLevelRatio (90) and
    cleanFileForciblyEnable.
    """
    highest = max(log_percent, queue_percent)
    unreadable = min(log_percent, queue_percent) < 0
    return DiskVerdict(
        clean=unreadable or highest > clean_from,
        forced=forced_allowed and highest > min(forced_from, full_from),
        full=highest > full_from,
    )


def is_delete_hour(now_ms: int, delete_when: str) -> bool:
    """Whether it is one of the hours of `deleteWhen` (`04`, or `04;16`) by the local clock; what is no hour is ignored."""
    hour = datetime.fromtimestamp(now_ms / 1000).hour
    return any(int(part) == hour for part in delete_when.split(";") if part.strip().isdecimal())


def count_removable(
    modified_ms: Sequence[int], *, now_ms: int, reserved_hours: int, hour_has_come: bool, verdict: DiskVerdict
) -> int:
    """How many files may go, from the oldest on; `modified_ms` tells of every file, oldest first, when it was last written.

    Never the last one, at most FILES_PER_ROUND_MAX, and nothing beyond the first that must stay. 0 unless the hour or the disk
    asks for cleaning.
    """
    if not (hour_has_come or verdict.clean):
        return 0
    count = 0
    for written_ms in modified_ms[:-1][:FILES_PER_ROUND_MAX]:
        if not verdict.forced and now_ms < written_ms + reserved_hours * _HOUR_MS:
            break
        count += 1
    return count
