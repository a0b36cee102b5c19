# Tests: tests/testing/test_memoryfiles.py
"""A disk in memory that can crash, fill up and fail, the same way every time: the second provider of IFiles.

What a real disk promises is only what was synced: a file's bytes after `IFile.sync`, its name after `sync_folder`, both after
`replace`. `crash()` gives a new disk that kept just that, or that and an arbitrary part of the rest, torn wherever one likes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from random import Random

from twisted.internet.task import Clock
from zope.interface import implementer

from pymq.errors import StoreLocked, SyncFailed
from pymq.interfaces import IClock, IFile, IFiles
from pymq.testing.memoryfaults import FaultTable
from pymq.testing.memorynodes import BLOCK_BYTES, Node, Write

__all__ = ["SPACE_BYTES", "MemoryFile", "MemoryFiles"]

#: The disk's size unless told otherwise, as `space()` reports it.
SPACE_BYTES = 1 << 44


@implementer(IFile)
class MemoryFile:
    """An open file of MemoryFiles."""

    def __init__(self, disk: MemoryFiles, path: str, node: Node) -> None:
        self._disk = disk
        self._node = node
        self.path = path
        self.size_bytes = node.size_bytes

    def write_at(self, position: int, data: bytes | memoryview) -> None:
        """Write all of `data`; on a full disk what fits is written before OSError is raised, as a kernel does."""
        self._disk.enter("write_at", self.path)
        octets = bytes(data)
        if position < 0 or position + len(octets) > self.size_bytes:
            raise OSError(errno.EFBIG, "write beyond the end of the file", self.path)
        fitting = self._disk.take_space(self._node, position, len(octets))
        self._node.write(position, octets[:fitting])
        self._disk.journal.append(Write(self._node, position, octets[:fitting]))
        self._node.modified_ms = self._disk.now_ms()
        if fitting < len(octets):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        self._disk.leave("write_at", self.path)

    def zero_from(self, position: int) -> bool:
        """Zero every byte from a position on, through `write_at`, a block at a time and only where something is."""
        view, is_changed = self._node.view, False
        while position < self.size_bytes:
            end = min(self.size_bytes, (position // BLOCK_BYTES + 1) * BLOCK_BYTES)
            if view[position:end].tobytes().count(0) < end - position:
                self.write_at(position, bytes(end - position))
                is_changed = True
            position = end
        return is_changed

    def data_end(self) -> int:
        """Nobody can tell."""
        return self.size_bytes

    def view(self) -> memoryview:
        """The file's content; what is written through it counts as unsynced too."""
        self._disk.enter("view", self.path)
        return self._node.view

    def sync(self) -> None:
        """Make the content durable. When told to fail, what was unsynced stays lost even if a later sync succeeds."""
        try:
            self._disk.enter("sync", self.path)
        except OSError as error:
            self._node.lose_unsynced()
            raise SyncFailed(error.errno, error.strerror, self.path) from error
        if self._node.sync():
            self._node.modified_ms = max(self._node.modified_ms, self._disk.now_ms())
        self._disk.journal = [write for write in self._disk.journal if write.node is not self._node]
        self._disk.leave("sync", self.path)

    def close(self) -> None:
        """Nothing to give back: content lives as long as the disk or a view."""


@implementer(IFiles)
class MemoryFiles:
    """A disk in memory. `space_bytes` limits it; `clock` gives the files' times; `random` crashes are seeded by the caller."""

    def __init__(self, *, clock: IClock | None = None, space_bytes: int = SPACE_BYTES) -> None:
        if clock is None:
            clock = Clock()
            clock.advance(1_700_000_000)
        self._clock = clock
        self.space_bytes = space_bytes
        #: Bytes of the disk taken by others, for tests of a disk that fills up.
        self.foreign_bytes = 0
        #: Writes by `write_at` that no sync has made durable yet, oldest first; `crash(journal_bytes=...)` cuts in here.
        self.journal: list[Write] = []
        #: (operation, path) of everything asked so far; a test may look at it or clear it.
        self.log: list[tuple[str, str]] = []
        #: Told of every operation, (its name, path, whether it is done), before it begins and, if it changed something, when it
        #: is done; a test may take a crashed copy there, or let other things happen while the disk works.
        self.watcher: Callable[[str, str, bool], None] | None = None
        self._nodes: dict[str, Node] = {}
        self._folders: set[str] = set()
        self._durable_nodes: dict[str, Node] = {}
        self._durable_folders: set[str] = set()
        self._locked: set[str] = set()
        self._faults = FaultTable()

    # What tests ask of it

    def fail(self, operation: str, pattern: str = "*", *, error: int = errno.EIO, skip: int = 0, times: float = 1) -> None:
        """Let an operation (a method's name of IFiles or IFile) raise OSError(error) on matching paths, `times` times.

        The first `skip` calls work. `times=math.inf` fails until `heal()`.
        """
        self._faults.add(operation, pattern, error, skip, times)

    def heal(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()

    def set_modified_ms(self, path: str, time_ms: int) -> None:
        """Let a file look as old as one likes."""
        self._node(path).modified_ms = time_ms

    @property
    def unsynced_bytes(self) -> int:
        """Bytes given to `write_at` that no sync has made durable."""
        return sum(len(write.data) for write in self.journal)

    def kill(self) -> MemoryFiles:
        """The disk after the process alone died: everything written is there, the lock is free, nothing more is durable."""
        other = self._copy()
        for path, node in self._nodes.items():
            other._nodes[path] = node.copy(durable_only=False)
        other._folders = set(self._folders)
        for path, node in self._durable_nodes.items():
            same = self._nodes.get(path) is node
            other._durable_nodes[path] = other._nodes[path] if same else node.copy(durable_only=False)
        other._durable_folders = set(self._durable_folders)
        return other

    def crash(self, *, journal_bytes: int = 0, random: Random | None = None, survival: float = 0.5) -> MemoryFiles:
        """The disk after the machine lost power; this one stays as it is, so that one state can crash in many ways.

        By default only what is durable survives. `journal_bytes` lets that many bytes of the unsynced `write_at`s survive, in
        their order, and tears the write that the count ends in. With `random`, each unsynced 512-byte sector and each unsynced
        creation or deletion survives by a throw, with a chance of `survival`.
        """
        other = self._copy()
        names = dict(self._durable_nodes)
        copies: dict[int, Node] = {}
        if random is not None:
            for path in sorted(self._nodes.keys() | self._durable_nodes.keys()):
                if self._nodes.get(path) is not self._durable_nodes.get(path) and random.random() < survival:
                    names.pop(path, None)
                    if path in self._nodes:
                        names[path] = self._nodes[path]
        elif journal_bytes:
            names.update({path: node for path, node in self._nodes.items() if path not in names})
        for path in sorted(names):
            copies[id(names[path])] = names[path].copy(durable_only=True, random=random, survival=survival)
            other._place(path, copies[id(names[path])])
        other._folders |= self._durable_folders
        for write in self.journal:
            part = write.data[:journal_bytes]
            journal_bytes -= len(part)
            if id(write.node) in copies and part:
                copies[id(write.node)].write(write.position, part)
        other._make_all_durable()
        return other

    # IFiles

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted."""
        self.enter("list", folder)
        start = folder.strip("/") + "/" if folder.strip("/") else ""
        known = self._nodes.keys() | self._folders
        return sorted({path[len(start) :].partition("/")[0] for path in known if path.startswith(start) and path != start})

    def is_folder(self, path: str) -> bool:
        """Whether the path is a folder."""
        return path in self._folders or path in ("", ".")

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of that name."""
        return path in self._nodes or self.is_folder(path)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return self._node(path).size_bytes

    def modified_ms(self, path: str) -> int:
        """When the file was last written."""
        return self._node(path).modified_ms

    def create(self, path: str, size_bytes: int) -> MemoryFile:
        """A new sparse file, folders made as needed."""
        self.enter("create", path)
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        node = Node(size_bytes, self.now_ms())
        self._place(path, node)
        self.leave("create", path)
        return MemoryFile(self, path, node)

    def open(self, path: str) -> MemoryFile:
        """An existing file."""
        self.enter("open", path)
        return MemoryFile(self, path, self._node(path))

    def delete(self, path: str) -> None:
        """Remove a file, or an empty folder."""
        self.enter("delete", path)
        if path in self._folders:
            if any(name.startswith(path + "/") for name in self._nodes.keys() | self._folders):
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
            self._folders.discard(path)
        node = self._nodes.pop(path, None)
        self.journal = [write for write in self.journal if write.node is not node]
        self.leave("delete", path)

    def read_bytes(self, path: str) -> bytes:
        """The whole of a file."""
        self.enter("read_bytes", path)
        return bytes(self._node(path).view)

    def replace(self, path: str, data: bytes) -> None:
        """Put a small file in place, durable at once; on failure the old one stays."""
        self.enter("replace", path)
        node = Node(len(data), self.now_ms())
        if self.take_space(node, 0, len(data)) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        node.write(0, bytes(data))
        node.sync()
        self._place(path, node)
        self.sync_folder(path.rpartition("/")[0])

    def sync_folder(self, folder: str) -> None:
        """Make creations and deletions in a folder, and the way to it, durable."""
        try:
            self.enter("sync_folder", folder)
        except OSError as error:
            raise SyncFailed(error.errno, error.strerror, folder) from error
        durable = self._durable_nodes
        for path in [path for path in durable.keys() | self._nodes.keys() if path.rpartition("/")[0] == folder]:
            if path in self._nodes:
                durable[path] = self._nodes[path]
            else:
                del durable[path]
        self._durable_folders -= {path for path in self._durable_folders - self._folders if path.rpartition("/")[0] == folder}
        self._durable_folders |= _way_to(folder + "/x")
        self.leave("sync_folder", folder)

    def lock(self, path: str) -> Callable[[], None]:
        """Take the process lock; another holder of the same disk is refused."""
        self.enter("lock", path)
        if path in self._locked:
            raise StoreLocked(f"{path} is locked by another user of this disk")
        self._locked.add(path)
        if path not in self._nodes:
            self._place(path, Node(4, self.now_ms()))
        self._nodes[path].write(0, b"lock")

        def release() -> None:
            self._locked.discard(path)

        return release

    def is_locked(self, path: str) -> bool:
        """Whether somebody holds the process lock."""
        return path in self._locked

    def space(self) -> tuple[int, int]:
        """(used bytes, usable bytes)."""
        used = self.foreign_bytes + sum(node.used_bytes() for node in self._nodes.values())
        return used, max(0, self.space_bytes - used)

    def spaces(self) -> tuple[tuple[int, int], ...]:
        """The one disk's."""
        return (self.space(),)

    # For MemoryFile

    def now_ms(self) -> int:
        """The disk's clock."""
        return int(self._clock.seconds() * 1000)

    def enter(self, operation: str, path: str) -> None:
        """Note an operation and fail it if a fault says so."""
        self.log.append((operation, path))
        if self.watcher is not None:
            self.watcher(operation, path, False)
        self._faults.check(operation, path)

    def leave(self, operation: str, path: str) -> None:
        """An operation that changed something is done."""
        if self.watcher is not None:
            self.watcher(operation, path, True)

    def take_space(self, node: Node, position: int, size_bytes: int) -> int:
        """How many of the bytes to be written at a position have room on the disk."""
        wanted = node.missing_blocks(position, size_bytes)
        room = self.space()[1] // BLOCK_BYTES if wanted and self._is_limited() else len(wanted)
        return size_bytes if len(wanted) <= room else max(0, wanted[room] * BLOCK_BYTES - position)

    def _is_limited(self) -> bool:
        return self.space_bytes < SPACE_BYTES or self.foreign_bytes > 0

    def _node(self, path: str) -> Node:
        if path not in self._nodes:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self._nodes[path]

    def _place(self, path: str, node: Node) -> None:
        self._nodes[path] = node
        self._folders |= _way_to(path)

    def _copy(self) -> MemoryFiles:
        other = MemoryFiles(clock=self._clock, space_bytes=self.space_bytes)
        other.foreign_bytes = self.foreign_bytes
        return other

    def _make_all_durable(self) -> None:
        for node in self._nodes.values():
            node.sync()
        self._durable_nodes = dict(self._nodes)
        self._durable_folders = set(self._folders)


def _way_to(path: str) -> set[str]:
    """The folders that hold a path."""
    parts = path.split("/")[:-1]
    return {"/".join(parts[: count + 1]) for count in range(len(parts))} - {""}
