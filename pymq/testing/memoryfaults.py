# Tests: tests/testing/test_memoryfaults.py
"""What can befall a disk, each under a name that a seed can draw: errors of operations, a full disk, a slow sync, lost power.

kind = draw_fault(random)
kind.strike(files, random)
survivor = power_cut("torn", files, random)
"""

from __future__ import annotations

import errno
import fnmatch
import math
import os
from random import Random
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pymq.testing.memoryfiles import MemoryFiles

__all__ = ["DISK_FAULTS", "POWER_CUTS", "DiskFault", "FaultTable", "power_cut"]


@attrs.define
class _Fault:
    """One way to fail: operations of that name on paths matching a pattern, after some that work, so many times."""

    operation: str
    pattern: str
    error: int
    skip: int
    times: float


class FaultTable:
    """The operations that are to fail."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []

    def add(self, operation: str, pattern: str, error: int, skip: int, times: float) -> None:
        """See `MemoryFiles.fail`."""
        self._faults.append(_Fault(operation, pattern, error, skip, times))

    def clear(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()

    def check(self, operation: str, path: str) -> None:
        """Raise the OSError that is due for an operation, if any."""
        for fault in self._faults:
            if fault.operation == operation and fnmatch.fnmatchcase(path, fault.pattern) and fault.times > 0:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                raise OSError(fault.error, os.strerror(fault.error), path)


@attrs.frozen
class DiskFault:
    """One kind of failing operation: which one, with what error, on which files (`pattern` for fnmatch), and for how long."""

    name: str
    operation: str
    error: int
    pattern: str = "*"
    is_lasting: bool = False

    def strike(self, files: MemoryFiles, random: Random, skip_max: int = 20) -> None:
        """Let it happen to one of the next `skip_max` such operations, and to all that follow if it lasts."""
        times = math.inf if self.is_lasting else 1
        files.fail(self.operation, self.pattern, error=self.error, skip=random.randrange(skip_max), times=times)


#: Every kind by its name, in a fixed order.
DISK_FAULTS: dict[str, DiskFault] = {
    fault.name: fault
    for fault in (
        DiskFault("a write fails", "write_at", errno.EIO),
        DiskFault("a write to the log fails", "write_at", errno.EIO, "commitlog/*"),
        DiskFault("a write to a queue fails", "write_at", errno.EIO, "consumequeue/*"),
        DiskFault("a write to the index fails", "write_at", errno.EIO, "index/*"),
        DiskFault("all writes fail", "write_at", errno.EIO, is_lasting=True),
        DiskFault("no room for a write", "write_at", errno.ENOSPC),
        DiskFault("no room for a write to the log", "write_at", errno.ENOSPC, "commitlog/*"),
        DiskFault("no room for a write to a queue", "write_at", errno.ENOSPC, "consumequeue/*"),
        DiskFault("no room for a write to the index", "write_at", errno.ENOSPC, "index/*"),
        DiskFault("a sync fails", "sync", errno.EIO),
        DiskFault("a sync of the log fails", "sync", errno.EIO, "commitlog/*"),
        DiskFault("a sync of a queue fails", "sync", errno.EIO, "consumequeue/*"),
        DiskFault("a sync of the checkpoint fails", "sync", errno.EIO, "checkpoint"),
        DiskFault("all syncs fail", "sync", errno.EIO, is_lasting=True),
        DiskFault("a sync of a folder fails", "sync_folder", errno.EIO),
        DiskFault("a file cannot be made", "create", errno.EIO),
        DiskFault("no room for a file", "create", errno.ENOSPC),
        DiskFault("a file cannot be opened", "open", errno.EMFILE),
        DiskFault("no file can be opened", "open", errno.EACCES, is_lasting=True),
        DiskFault("a file cannot be mapped", "view", errno.ENOMEM),
        DiskFault("a file cannot be deleted", "delete", errno.EIO),
        DiskFault("a document cannot be replaced", "replace", errno.EIO),
        DiskFault("no room for a document", "replace", errno.ENOSPC),
    )
}


def _lost(files: MemoryFiles, random: Random) -> MemoryFiles:
    return files.crash()


def _torn(files: MemoryFiles, random: Random) -> MemoryFiles:
    return files.crash(journal_bytes=random.randrange(files.unsynced_bytes + 1))


def _reordered(files: MemoryFiles, random: Random) -> MemoryFiles:
    return files.crash(random=random, survival=random.choice((0.1, 0.5, 0.9)))


#: What the disk holds after the power was cut: nothing that was not synced; of the writes the first bytes, the last one torn;
#: sectors and names by a throw each.
POWER_CUTS = {"lost": _lost, "torn": _torn, "reordered": _reordered}


def power_cut(name: str, files: MemoryFiles, random: Random) -> MemoryFiles:
    """The disk after a power cut of that kind; `files` stays as it is."""
    return POWER_CUTS[name](files, random)
