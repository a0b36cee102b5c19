# Tests: tests/store/test_checkpoint.py
"""How far each kind of file was durable, as times of messages (store.md 5.1; Java: StoreCheckpoint).

Layout: physic_ms (8) | logics_ms (8) | index_ms (8) | what 5.x keeps (16) | zeros, to 4096 bytes
"""

from __future__ import annotations

from construct import Int64sb, Struct

from pymq.interfaces import IFile, IFiles
from pymq.layout import fixed_head

__all__ = ["CHECKPOINT", "CHECKPOINT_SIZE_BYTES", "MARGIN_MS", "Checkpoint"]

CHECKPOINT = Struct("physic_ms" / Int64sb, "logics_ms" / Int64sb, "index_ms" / Int64sb)
CHECKPOINT_SIZE_BYTES = 4096
#: Recovery goes back this much further than the checkpoint says.
MARGIN_MS = 3000

_LONGS = fixed_head(CHECKPOINT)


class Checkpoint:
    """Three times in ms since the epoch, 0 when unknown: what was stored until then is durable in that kind of file.

    `physic_ms` stands for the commit log, `logics_ms` for the consume queues, `index_ms` for the key index.
    """

    def __init__(self, files: IFiles, path: str = "checkpoint") -> None:
        self._files = files
        self._path = path
        self._file: IFile | None = None
        self.physic_ms = 0
        self.logics_ms = 0
        self.index_ms = 0
        self._written = (0, 0, 0)

    @property
    def min_ms(self) -> int:
        """Everything stored up to then is durable in log and queues; a margin of 3 s is taken off (Java: getMinTimestamp)."""
        return max(0, min(self.physic_ms, self.logics_ms) - MARGIN_MS)

    @property
    def min_index_ms(self) -> int:
        """The same with the index (Java: getMinTimestampIndex)."""
        return min(self.min_ms, self.index_ms)

    @property
    def is_ours(self) -> bool:
        """Whether the index time goes along with the others, as our store writes it: then recovery dispatches again what was
        stored in the margin before it. Java's stands still until an index file is full.
        """
        return self.index_ms >= self.logics_ms > 0

    def load(self) -> None:
        """Read the file; without one, or with one too short, all is unknown, which makes recovery thorough."""
        if self._files.exists(self._path):
            data = self._files.read_bytes(self._path)
            if len(data) >= _LONGS.size_bytes:
                self.physic_ms, self.logics_ms, self.index_ms = self._written = _LONGS.unpack_from(data)

    def flush(self) -> None:
        """Write the three times durably. Bytes behind them are left alone: 5.x keeps two more there. Raises OSError.

        The index's goes first and by itself: if a power cut left only the others moved, it would pass for Java's (`is_ours`), and
        recovery would begin behind keys that the index does not hold.
        """
        if self._file is None:
            self._file = self._open()
        times = (self.physic_ms, self.logics_ms, self.index_ms)
        if self.index_ms != self._written[2]:
            self._write((*self._written[:2], self.index_ms))
        self._write(times)

    def _write(self, times: tuple[int, int, int]) -> None:
        assert self._file is not None, "it was opened"
        self._file.write_at(0, _LONGS.pack(*times))
        self._file.sync()
        self._written = times

    def close(self) -> None:
        """Give the file back; `flush` opens it anew."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IFile:
        """The file at its full size; one of another size is put right, keeping what it holds."""
        if not self._files.exists(self._path) or self._files.size(self._path) != CHECKPOINT_SIZE_BYTES:
            kept = self._files.read_bytes(self._path) if self._files.exists(self._path) else b""
            self._files.replace(self._path, kept[:CHECKPOINT_SIZE_BYTES].ljust(CHECKPOINT_SIZE_BYTES, b"\0"))
        file: IFile = self._files.open(self._path)
        return file
