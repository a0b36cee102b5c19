# Tests: tests/store/test_multipath.py
"""A commit log whose files lie in several folders, as a rule on several disks (store.md 1.2; Java: MultiPathMappedFileQueue)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import attrs
from zope.interface import implementer

from pymq.errors import StoreDamaged
from pymq.interfaces import IFile, IFiles
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.retention import used_percent

__all__ = ["LogFolder", "MultiPathFiles", "open_log_files"]


@attrs.frozen
class LogFolder:
    """One of the folders. `takes_new` is false where the files that are there are used, and none is made."""

    path: str
    files: IFiles
    takes_new: bool = True


@implementer(IFiles)
class MultiPathFiles:
    """The files of several folders as if they lay in one.

    A new file of the log goes to the folders in turn, in the order of their paths, as its number says: past those whose disk is
    used for more than `full_percent`, unless all are. Any other file goes to the first.
    """

    def __init__(self, folders: Sequence[LogFolder], *, file_bytes: int, full_percent: int) -> None:
        """`file_bytes` is the size of a file of the log. At least one folder takes new files."""
        self._folders = sorted(folders, key=lambda folder: folder.path)
        self._taking = [folder for folder in self._folders if folder.takes_new]
        self._file_bytes = file_bytes
        self._full_percent = full_percent

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted. Raises StoreDamaged when a file lies in two folders: one would hide the other."""
        found: dict[str, str] = {}
        for one in self._folders:
            for name in one.files.list(folder):
                path = f"{folder}/{name}" if folder else name
                if name in found and not one.files.is_folder(path):
                    raise StoreDamaged(f"{path} is in {found[name]} and in {one.path}; one of them has to go")
                found[name] = one.path
        return sorted(found)

    def _at(self, path: str) -> IFiles:
        """Where a file is, or would be if it were there."""
        holders = (folder.files for folder in self._folders if folder.files.exists(path))
        return next(holders, self._taking[0].files)

    def _for_new(self, path: str) -> IFiles:
        if not path.isdecimal():
            return self._at(path)
        with_room = [folder for folder in self._taking if used_percent(*folder.files.space()) <= self._full_percent]
        among = with_room or self._taking
        return among[int(path) // self._file_bytes % len(among)].files

    def is_folder(self, path: str) -> bool:
        """Whether the path is a folder."""
        return any(folder.files.is_folder(path) for folder in self._folders)

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of that name."""
        return any(folder.files.exists(path) for folder in self._folders)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return int(self._at(path).size(path))

    def modified_ms(self, path: str) -> int:
        """When the file was last written, in milliseconds since the epoch."""
        return int(self._at(path).modified_ms(path))

    def create(self, path: str, size_bytes: int) -> IFile:
        """A new sparse file of that size. Raises FileExistsError."""
        return (self._at(path) if self.exists(path) else self._for_new(path)).create(path, size_bytes)

    def open(self, path: str) -> IFile:
        """An existing file. Raises FileNotFoundError."""
        return self._at(path).open(path)

    def delete(self, path: str) -> None:
        """Remove a file, or an empty folder wherever it is. Nothing happens when it is not there."""
        for folder in self._folders:
            if folder.files.exists(path):
                folder.files.delete(path)

    def read_bytes(self, path: str) -> bytes:
        """The whole of a small file. Raises FileNotFoundError."""
        return bytes(self._at(path).read_bytes(path))

    def replace(self, path: str, data: bytes) -> None:
        """Put a small file in place atomically and durably."""
        self._at(path).replace(path, data)

    def sync_folder(self, folder: str) -> None:
        """Make creations and deletions in a folder durable. Raises SyncFailed."""
        for one in self._folders:
            one.files.sync_folder(folder)

    def lock(self, path: str) -> Callable[[], None]:
        """Take the process lock on a file. Raises StoreLocked."""
        release: Callable[[], None] = self._at(path).lock(path)
        return release

    def is_locked(self, path: str) -> bool:
        """Whether somebody holds the process lock on a file."""
        return bool(self._at(path).is_locked(path))

    def space(self) -> tuple[int, int]:
        """(used bytes, usable bytes) of the disk with most room, in percent, of those for new files (Java: minPhysicRatio)."""
        return min(self.spaces(), key=lambda space: used_percent(*space))

    def spaces(self) -> tuple[tuple[int, int], ...]:
        """The same of the disk of each folder for new files, in the order of their paths."""
        return tuple(space for folder in self._taking for space in folder.files.spaces())


def open_log_files(config: MessageStoreConfig, open_folder: Callable[[str], IFiles] = DiskFiles) -> IFiles | None:
    """The folders of the commit log, or None where it lies in the store's own folder alone."""
    read_only = config.read_only_log_paths
    if not (config.store_path_commit_log or read_only):
        return None
    paths = {*config.log_paths, *read_only}
    if len(paths) == 1:
        return open_folder(os.path.expanduser(config.log_paths[0]))
    folders = [LogFolder(path, open_folder(os.path.expanduser(path)), path not in read_only) for path in paths]
    return MultiPathFiles(
        folders, file_bytes=config.mapped_file_size_commit_log, full_percent=config.disk_space_clean_forcibly_ratio
    )
