# Tests: tests/testing/test_memorynodes.py
"""The content of one file of MemoryFiles: what is there now, and what of it would survive a crash.

Content is mapped from anonymous memory, so that a sparse file of hundreds of megabytes costs only what is written to it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from random import Random

import attrs

__all__ = ["BLOCK_BYTES", "SECTOR_BYTES", "Node", "Write"]

#: What a disk writes whole or not at all.
SECTOR_BYTES = 512
#: What a file system gives out.
BLOCK_BYTES = 4096

_CHUNK_BYTES = 1 << 18
_ZEROS = bytes(_CHUNK_BYTES)


def _blank(size_bytes: int) -> memoryview:
    return (
        memoryview(mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        if size_bytes
        else memoryview(bytearray())
    )


class Node:
    """A file's content, apart from its name: several names, or none, may lead to it."""

    def __init__(self, size_bytes: int, modified_ms: int) -> None:
        self.size_bytes = size_bytes
        self.modified_ms = modified_ms
        self.view = _blank(size_bytes)
        self._durable: dict[int, bytes] = {}
        self._lost: dict[int, bytes] = {}
        self._blocks: set[int] = set()

    def write(self, position: int, data: bytes) -> None:
        """Put bytes in place, not durably."""
        self.view[position : position + len(data)] = data
        self._blocks.update(_numbers(position, len(data), BLOCK_BYTES))
        if self._lost:
            for number in _numbers(position, len(data), SECTOR_BYTES):
                self._lost.pop(number, None)

    def missing_blocks(self, position: int, size_bytes: int) -> list[int]:
        """The blocks that a write there would newly take from the disk."""
        return [number for number in _numbers(position, size_bytes, BLOCK_BYTES) if number not in self._blocks]

    def used_bytes(self) -> int:
        """What the file takes of the disk."""
        return len(self._blocks) * BLOCK_BYTES

    def unsynced_sectors(self) -> Iterator[tuple[int, bytes]]:
        """(number, content) of every sector that differs from what is durable."""
        for start in range(0, self.size_bytes, _CHUNK_BYTES):
            chunk = self.view[start : start + _CHUNK_BYTES].tobytes()
            first = start // SECTOR_BYTES
            numbers = range(first, first + -(-len(chunk) // SECTOR_BYTES))
            if chunk == _ZEROS[: len(chunk)] and not any(number in self._durable for number in numbers):
                continue
            for number in numbers:
                sector = chunk[(number - first) * SECTOR_BYTES : (number - first + 1) * SECTOR_BYTES]
                if sector != self._durable.get(number, bytes(len(sector))):
                    yield number, sector

    def sync(self) -> bool:
        """Make the content durable, but for sectors that a failed sync lost; whether anything became so."""
        changed = False
        for number, sector in list(self.unsynced_sectors()):
            if self._lost.get(number) != sector:
                self._durable[number] = sector
                self._lost.pop(number, None)
                self._blocks.add(number * SECTOR_BYTES // BLOCK_BYTES)
                changed = True
        return changed

    def lose_unsynced(self) -> None:
        """A sync failed: the kernel calls these pages clean now, and will not write them again unless `write` touches them."""
        self._lost.update(self.unsynced_sectors())

    def copy(self, *, durable_only: bool, random: Random | None = None, survival: float = 0.5) -> Node:
        """The content after a crash: all of it, or what is durable, with each other sector by a throw of `random`."""
        other = Node(self.size_bytes, self.modified_ms)
        for number, sector in self._durable.items():
            other.write(number * SECTOR_BYTES, sector)
        other._durable, other._lost = dict(self._durable), dict(self._lost)
        for number, sector in self.unsynced_sectors():
            if not durable_only or (random is not None and random.random() < survival):
                other.write(number * SECTOR_BYTES, sector)
        return other


@attrs.frozen
class Write:
    """A write that is not durable yet."""

    node: Node
    position: int
    data: bytes


def _numbers(position: int, size_bytes: int, unit_bytes: int) -> range:
    return range(position // unit_bytes, -(-(position + size_bytes) // unit_bytes) if size_bytes else position // unit_bytes)
