# Tests: tests/store/test_files.py
"""The real disk behind `IFiles`: the only place in pymq where files are opened and synced.

A file opens itself at its first use, so a store of thousands of files starts with none open. It is read through one shared
mapping and written either through it or by `write_at`; on Linux both are the same page cache and see each other at once.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import resource
import stat
import struct
from collections.abc import Callable

from zope.interface import implementer

from pymq.errors import StoreLocked, SyncFailed
from pymq.interfaces import IFile, IFiles

_LOCK_TEXT = b"lock"
#: C's struct flock: kind, whence, start, length, process.
_FLOCK = "hhqqi4x"
_TEMPORARY_SUFFIX = ".new"
#: In a file up to this size the first touch of a place fetches that page alone. Reading ahead helps with the log's large files;
#: with
#: thousands of sparse queue files it would cost a millisecond each.
_SMALL_FILE_BYTES = 64 * 1024 * 1024
_ZERO_CHUNK_BYTES = 64 * 1024

#: (device, inode) of the lock files that this process holds; POSIX locks do not keep a process from itself.
_held_locks: set[tuple[int, int]] = set()


def physical_memory_bytes() -> int:
    """The machine's memory, which decides what counts as "in memory" for readers that are behind."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def is_out_of_room(error: OSError) -> bool:
    """Whether an operation failed for want of room, by size or by quota, and so may work later. A sync never may."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) and not isinstance(error, SyncFailed)


def open_files_max() -> int:
    """How many descriptors this process may have open, connections included."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@implementer(IFile)
class DiskFile:
    """One file of fixed size on the real disk."""

    def __init__(self, path: str, full_path: str, size_bytes: int, *, read_only: bool = False) -> None:
        self._flags = (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC
        self._access = mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE
        self.path = path
        self.size_bytes = size_bytes
        self._full_path = full_path
        self._descriptor = -1
        self._mapping: mmap.mmap | None = None
        self._view: memoryview | None = None

    def write_at(self, position: int, data: bytes) -> None:
        """Write all of `data`. Raises OSError, also when it would pass the end of the file."""
        if position + len(data) > self.size_bytes:
            raise OSError(errno.EFBIG, "write beyond the end of the file", self.path)
        descriptor = self._open()
        written = os.pwrite(descriptor, data, position)
        while written < len(data):
            more = os.pwrite(descriptor, memoryview(data)[written:], position + written)
            if more == 0:
                raise OSError(errno.EIO, "the disk takes no more bytes", self.path)
            written += more

    def zero_from(self, position: int) -> bool:
        """Make every byte from `position` to the end zero. Holes are stepped over, so a sparse gigabyte costs nothing."""
        descriptor = self._open()
        is_changed = False
        while position < self.size_bytes:
            try:
                position = os.lseek(descriptor, position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                raise
            # Not beyond the data: zeros in a hole would take room, which a full disk does not have.
            hole = min(os.lseek(descriptor, position, os.SEEK_HOLE), self.size_bytes)
            chunk = os.pread(descriptor, min(_ZERO_CHUNK_BYTES, hole - position), position)
            if chunk.count(0) != len(chunk):
                self.write_at(position, bytes(len(chunk)))
                is_changed = True
            position += len(chunk)
        return is_changed

    def data_end(self) -> int:
        """Where the last extent of data ends; behind it there are only holes."""
        descriptor, end = self._open(), 0
        while end < self.size_bytes:
            try:
                end = os.lseek(descriptor, os.lseek(descriptor, end, os.SEEK_DATA), os.SEEK_HOLE)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                raise
        return end

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._full_path, self._flags)
        return self._descriptor

    def view(self) -> memoryview:
        """A memoryview of the whole file, the same one at each call; writable unless the folder is read only."""
        if self._view is None:
            descriptor = os.open(self._full_path, self._flags)
            try:
                self._mapping = mmap.mmap(descriptor, self.size_bytes, access=self._access)
            finally:
                os.close(descriptor)
            if self.size_bytes <= _SMALL_FILE_BYTES:
                self._mapping.madvise(mmap.MADV_RANDOM)
            self._view = memoryview(self._mapping)
        return self._view

    def sync(self) -> None:
        """Make the content durable, whichever way it was written. Raises SyncFailed."""
        try:
            if self._mapping is not None and self._descriptor < 0:
                self._mapping.flush()
            else:
                os.fdatasync(self._open())
        except OSError as error:
            raise SyncFailed(error.errno, error.strerror, self.path) from error

    def close(self) -> None:
        """Give the descriptor and the mapping back; the mapping stays as long as somebody holds a view of it."""
        descriptor, self._descriptor = self._descriptor, -1
        self._mapping = self._view = None
        if descriptor >= 0:
            os.close(descriptor)


@implementer(IFiles)
class DiskFiles:
    """A folder of the real disk. It is made at the first use that needs it.

    With `read_only` files are opened for reading alone, for tools that look at a store which others use; what would change
    something fails.
    """

    def __init__(self, root: str, *, read_only: bool = False) -> None:
        self._read_only = read_only
        self._root = os.path.abspath(os.path.expanduser(root))
        #: Folders in which new folders were made whose names are not yet durable, and how often that happened.
        self._unsynced: dict[str, int] = {}

    @property
    def root(self) -> str:
        """The absolute path of the folder, for messages to people."""
        return self._root

    def _full(self, path: str) -> str:
        return os.path.join(self._root, path) if path else self._root

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; an empty list when there is no such folder."""
        try:
            return sorted(os.listdir(self._full(folder)))
        except FileNotFoundError:
            return []

    def is_folder(self, path: str) -> bool:
        """Whether the path is a folder."""
        return os.path.isdir(self._full(path))

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of that name."""
        return os.path.lexists(self._full(path))

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return os.stat(self._full(path)).st_size

    def modified_ms(self, path: str) -> int:
        """When the file was last written, in milliseconds since the epoch."""
        return os.stat(self._full(path)).st_mtime_ns // 1_000_000

    def create(self, path: str, size_bytes: int) -> DiskFile:
        """A new sparse file of that size. Raises FileExistsError."""
        self._check_writable()
        full = self._full(path)
        self._make_folder(os.path.dirname(full))
        descriptor = os.open(full, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(descriptor, size_bytes)
        finally:
            os.close(descriptor)
        return DiskFile(path, full, size_bytes)

    def open(self, path: str) -> DiskFile:
        """An existing file. Raises FileNotFoundError, also for a folder."""
        full = self._full(path)
        status = os.stat(full)
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", full)
        return DiskFile(path, full, status.st_size, read_only=self._read_only)

    def delete(self, path: str) -> None:
        """Remove a file, or an empty folder. Nothing happens when it is not there."""
        self._check_writable()
        full = self._full(path)
        try:
            os.rmdir(full) if os.path.isdir(full) and not os.path.islink(full) else os.unlink(full)
        except FileNotFoundError:
            return

    def read_bytes(self, path: str) -> bytes:
        """The whole of a small file. Raises FileNotFoundError."""
        with open(self._full(path), "rb") as file:
            return file.read()

    def replace(self, path: str, data: bytes) -> None:
        """Put a small file in place atomically and durably."""
        self._check_writable()
        full = self._full(path)
        folder = os.path.dirname(full)
        self._make_folder(folder)
        temporary = full + _TEMPORARY_SUFFIX
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, full)
        self._sync_made_folders()
        _sync_folder(folder)

    def sync_folder(self, folder: str) -> None:
        """Make creations and deletions in a folder durable, and the folders themselves that were made on the way to it."""
        self._sync_made_folders()
        if os.path.isdir(self._full(folder)):
            _sync_folder(self._full(folder))

    def lock(self, path: str) -> Callable[[], None]:
        """Take the lock that a Java broker takes too: POSIX, byte 0, not waiting. Raises StoreLocked.

        Such a lock goes when this process closes any descriptor of the file, so nothing else may open it.
        """
        self._check_writable()
        full = self._full(path)
        self._make_folder(os.path.dirname(full))
        if os.path.exists(full) and _identity(full) in _held_locks:
            # Opening and closing the file here would drop the lock that this process holds.
            raise StoreLocked(f"{full} is locked by this process: it uses this store already")
        descriptor = os.open(full, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0, 0)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise StoreLocked(f"{full} is locked: another broker, ours or a Java one, uses this store") from error
        os.pwrite(descriptor, _LOCK_TEXT, 0)
        os.fsync(descriptor)
        identity = _identity(full)
        _held_locks.add(identity)

        def release() -> None:
            if identity in _held_locks:
                _held_locks.discard(identity)
                os.close(descriptor)

        return release

    def is_locked(self, path: str) -> bool:
        """Whether this process or another holds the lock."""
        full = self._full(path)
        if not os.path.exists(full):
            return False
        if _identity(full) in _held_locks:
            return True
        descriptor = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            kind = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))[0]
        finally:
            os.close(descriptor)
        return bool(kind != fcntl.F_UNLCK)

    def _check_writable(self) -> None:
        if self._read_only:
            raise PermissionError(errno.EROFS, "the folder was opened for reading", self._root)

    def space(self) -> tuple[int, int]:
        """(used bytes, usable bytes) of the disk; Java reckons the same way, without what is reserved for root."""
        self._make_folder(self._root)
        status = os.statvfs(self._root)
        return (status.f_blocks - status.f_bfree) * status.f_frsize, status.f_bavail * status.f_frsize

    def spaces(self) -> tuple[tuple[int, int], ...]:
        """The one disk's."""
        return (self.space(),)

    def _make_folder(self, full: str) -> None:
        if os.path.isdir(full):
            return
        holders, missing = [], full
        while not os.path.isdir(missing):
            missing = os.path.dirname(missing)
            holders.append(missing)
        os.makedirs(full, exist_ok=True)
        for holder in holders:
            self._unsynced[holder] = self._unsynced.get(holder, 0) + 1

    def _sync_made_folders(self) -> None:
        """Several threads may do so at once; a folder is forgotten when it is durable, not before."""
        for folder, count in self._unsynced.copy().items():
            if os.path.isdir(folder):
                _sync_folder(folder)
            if self._unsynced.get(folder) == count:
                self._unsynced.pop(folder, None)


def _identity(full: str) -> tuple[int, int]:
    status = os.stat(full)
    return status.st_dev, status.st_ino


def _sync_folder(full: str) -> None:
    descriptor = os.open(full, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror, full) from error
    finally:
        os.close(descriptor)
