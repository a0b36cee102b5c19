# Tests: tests/store/test_segment.py
"""One file of fixed size in a row of files, named by the byte at which it begins (store.md 1.2; Java: MappedFile).

A segment opens its file at the first use and gives it back when it is released, so thousands of them cost nothing while they
rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from pymq.interfaces import IFile, IFiles

__all__ = ["Segment", "segment_name"]

_NAME_DIGITS = 20
_REWRITE_BYTES = 1 << 20

#: Held for the moment in which one thread decides to sync a file, or another to close it.
_deciding = threading.Lock()


def segment_name(base: int) -> str:
    """The name of the file that begins at byte `base` of its row."""
    return f"{base:0{_NAME_DIGITS}d}"


class Segment:
    """Bytes `base` to `end` of a row.

    Who writes through the view sets `is_written`. A sync may run in another thread; `is_dirty` stays set until it has ended.
    """

    __slots__ = (
        "_file",
        "_files",
        "_is_syncing",
        "_on_open",
        "_view",
        "base",
        "end",
        "is_used",
        "is_written",
        "path",
        "size_bytes",
    )

    def __init__(self, files: IFiles, path: str, base: int, size_bytes: int, on_open: Callable[[], None] | None = None) -> None:
        """`on_open` is called before the file is opened, each time, so that somebody may release others."""
        self._files = files
        self._file: IFile | None = None
        self._on_open = on_open
        self._view: memoryview | None = None
        self.path = path
        self.base = base
        self.size_bytes = size_bytes
        self.end = base + size_bytes
        self.is_written = False
        self._is_syncing = False
        #: Set by every access, so that release_if_idle can tell who rests.
        self.is_used = False

    def _open(self) -> IFile:
        if self._file is None:
            if self._on_open is not None:
                self._on_open()
            self._file = self._files.open(self.path)
        return self._file

    @property
    def is_open(self) -> bool:
        """Whether it holds descriptors."""
        return self._file is not None

    @property
    def is_dirty(self) -> bool:
        """Whether something was written that may not be durable yet."""
        return self.is_written or self._is_syncing

    def view(self) -> memoryview:
        """A writable memoryview of the whole file. Who writes through it sets `is_written`."""
        self.is_used = True
        if self._view is None:
            self._view = self._open().view()
        return self._view

    def data_end(self) -> int:
        """A position in the file from which on there are only zeros."""
        return int(self._open().data_end())

    def write_at(self, position: int, data: bytes) -> None:
        """Write `data` at a place in the file. Raises OSError."""
        self.is_written = self.is_used = True
        self._open().write_at(position, data)

    def zero_from(self, position: int) -> bool:
        """Make the rest of the file zero, for what stays behind an end may come to life again (store.md 5.9).

        Returns whether there was anything to do. Raises OSError.
        """
        is_changed = bool(self._open().zero_from(position))
        self.is_written = self.is_written or is_changed
        return is_changed

    def rewrite_from(self, position: int) -> None:
        """Write everything from a place on once more, for a failed sync leaves pages that the kernel takes for clean and never
        writes again unless they are touched. Raises OSError.
        """
        view, end = self.view(), self.data_end()
        for start in range(position, end, _REWRITE_BYTES):
            self.write_at(start, bytes(view[start : min(start + _REWRITE_BYTES, end)]))

    def sync(self) -> None:
        """Make what was written durable. Raises SyncFailed; the segment then stays dirty.

        The mark is taken back before the disk works, for a write in another thread may set it anew meanwhile.
        """
        if self.is_dirty:
            with _deciding:
                if not self.is_dirty:
                    return  # it was deleted meanwhile
                self._is_syncing = True
                file = self._file
                if file is None:
                    # Without `on_open`, which may release files that the reactor's thread is writing to.
                    file = self._file = self._files.open(self.path)
            self.is_written = False
            file.sync()
            self._is_syncing = False

    def modified_ms(self) -> int:
        """When the file was last written, in milliseconds since the epoch."""
        return int(self._files.modified_ms(self.path))

    def release(self) -> None:
        """Give the file back, unless another thread syncs it; views of it stay readable."""
        with _deciding:
            if self._is_syncing:
                return
            file, self._file, self._view = self._file, None, None
        if file is not None:
            file.close()

    def release_if_idle(self) -> bool:
        """Release it if nobody used it since the last call and nothing waits for a sync. Whether it was released."""
        if self.is_used or self.is_dirty or self._file is None:
            self.is_used = False
            return False
        self.release()
        return True

    def delete(self) -> None:
        """Remove the file; views of it stay readable. Raises OSError, and all is as before."""
        with _deciding:
            is_written, self.is_written = self.is_written, False
        self.release()
        try:
            self._files.delete(self.path)
        except OSError:
            self.is_written = is_written
            raise
