# Tests: tests/admin/test_folder.py
"""A store folder as a tool sees it: which files there are, of what sizes, and who uses them. Nothing is changed.

The sizes of files are read off the files themselves, so that a tool needs no settings but those of the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from pymq.admin.findings import Finding, Report
from pymq.interfaces import IFiles
from pymq.store.config import LOG_FOLDER, QUEUE_UNIT_BYTES, MessageStoreConfig
from pymq.store.consumequeueext import FOLDER as EXT_FOLDER
from pymq.store.files import open_files_max
from pymq.store.indexfile import file_size
from pymq.store.queuetable import FOLDER as QUEUE_FOLDER
from pymq.store.segment import Segment
from pymq.store.store import ABORT_PATH, LOCK_PATH

__all__ = ["CONFIG_FOLDER", "INDEX_FOLDER", "StoreFolder"]

CONFIG_FOLDER = "config"
INDEX_FOLDER = "index"
CHECKPOINT_PATH = "checkpoint"
#: Files of queues may be open up to this share of the process's limit, for a mapping takes a descriptor; but always so many.
LIMIT_SHARE = 4
OPEN_MIN = 64
_MARKS = (LOG_FOLDER, QUEUE_FOLDER, CHECKPOINT_PATH, ABORT_PATH)


class StoreFolder:
    """One store. `config` is taken for what files do not tell: the slots and entries of the index, the delay levels."""

    def __init__(
        self, files: IFiles, config: MessageStoreConfig, log_files: IFiles | None = None, open_max: int | None = None
    ) -> None:
        """`open_max` is how many files of queues may be open at a time; by default a share of the process's limit."""
        self.files = files
        self.config = config
        self._open_max = max(OPEN_MIN, open_files_max() // LIMIT_SHARE) if open_max is None else open_max
        self._opened = 0
        #: Called to give files back when too many are open.
        self._releases: list[Callable[[], None]] = []
        self._log_files = files if log_files is None else log_files
        self._log_folder = LOG_FOLDER if log_files is None else ""

    def on_release(self, release: Callable[[], None]) -> None:
        """Have `release` called, at any time, to give files of queues back; they open again in use."""
        self._releases.append(release)

    def _make_room(self) -> None:
        self._opened += 1
        if self._opened > self._open_max:
            self._opened = 1
            for release in self._releases:
                release()

    @property
    def is_store(self) -> bool:
        """Whether there is anything of a store in the folder."""
        return any(self.files.exists(path) for path in _MARKS) or bool(self._names(self._log_files, self._log_folder))

    @property
    def is_running(self) -> bool:
        """Whether a broker uses it now."""
        return bool(self.files.is_locked(LOCK_PATH))

    @property
    def has_abort(self) -> bool:
        """Whether it was not closed: a broker runs, or its last exit was abnormal."""
        return bool(self.files.exists(ABORT_PATH))

    def log_segments(self, report: Report) -> list[Segment]:
        """The files of the commit log, in order."""
        return self._row(self._log_files, self._log_folder, 1, report)

    def queues(self) -> Iterator[tuple[str, int]]:
        """(topic, queue id) of every queue folder."""
        for topic in self.files.list(QUEUE_FOLDER):
            for name in self.files.list(f"{QUEUE_FOLDER}/{topic}") if self.files.is_folder(f"{QUEUE_FOLDER}/{topic}") else ():
                if name.isascii() and name.isdigit() and self.files.is_folder(f"{QUEUE_FOLDER}/{topic}/{name}"):
                    yield topic, int(name)

    def queue_segments(self, topic: str, queue_id: int, report: Report) -> list[Segment]:
        """The files of one queue."""
        return self._row(self.files, f"{QUEUE_FOLDER}/{topic}/{queue_id}", QUEUE_UNIT_BYTES, report)

    def ext_segments(self, topic: str, queue_id: int, report: Report) -> list[Segment]:
        """The files of one queue's extension; none when it has no such thing."""
        return self._row(self.files, f"{EXT_FOLDER}/{topic}/{queue_id}", 1, report)

    def index_segments(self, report: Report) -> list[Segment]:
        """The files of the index that fit the settings, oldest first."""
        config = self.config
        wanted = file_size(config.max_hash_slot_num, config.max_index_num)
        found = []
        for name, path in self._names(self.files, INDEX_FOLDER):
            size = self.files.size(path)
            if not name.isdecimal():
                report(Finding(path, None, "its name is no time; a broker passes it over", is_damage=False))
            elif size != wanted:
                cause = (
                    f"it has {size} bytes, but maxHashSlotNum={config.max_hash_slot_num} and maxIndexNum={config.max_index_num} "
                    f"make {wanted}; give the settings with which it was made"
                )
                report(Finding(path, None, cause))
            else:
                found.append(Segment(self.files, path, 0, size))
        return found

    def sized_config(self) -> MessageStoreConfig:
        """The settings with the sizes of the files that are there."""
        changes: dict[str, Any] = {}
        log = self.log_segments(_ignore)
        if log:
            changes["mapped_file_size_commit_log"] = log[0].size_bytes
        for topic, queue_id in self.queues():
            queue, ext = self.queue_segments(topic, queue_id, _ignore), self.ext_segments(topic, queue_id, _ignore)
            if queue:
                changes.setdefault("mapped_file_size_consume_queue", queue[0].size_bytes)
            if ext:
                changes.setdefault("mapped_file_size_consume_queue_ext", ext[0].size_bytes)
                changes["enable_consume_queue_ext"] = True
        return attrs.evolve(self.config, **changes)

    def _names(self, files: IFiles, folder: str) -> list[tuple[str, str]]:
        """(name, path) of the files in a folder, sorted."""
        paths = [(name, f"{folder}/{name}" if folder else name) for name in files.list(folder)]
        return [(name, path) for name, path in paths if not files.is_folder(path)]

    def _row(self, files: IFiles, folder: str, unit_bytes: int, report: Report) -> list[Segment]:
        """The files that are one stream of bytes. What does not belong there, or leaves a gap, is reported."""
        found: list[tuple[int, str, int]] = []
        for name, path in self._names(files, folder):
            size = files.size(path)
            if name.isascii() and name.isdigit() and size:
                found.append((int(name), path, size))
            else:
                report(
                    Finding(path, None, "it is empty" if name.isdigit() else "it does not belong here: no broker starts with it")
                )
        usual = Counter(size for _, _, size in found).most_common(1)[0][0] if found else 0
        segments: list[Segment] = []
        for base, path, size in found:
            if size != usual or size % unit_bytes:
                report(Finding(path, None, f"it has {size} bytes, the others {usual}: no broker starts with it"))
                continue
            if segments and segments[-1].end != base:
                cause = f"the file before it ends at {segments[-1].end}: what lay between is not there"
                report(Finding(path, None, cause))
            segments.append(Segment(files, path, base, size, self._make_room))
        return segments


def _ignore(finding: Finding) -> None:
    """For those who only want the files."""
