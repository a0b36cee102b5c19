# Tests: tests/store/test_segmentlist.py
"""A row of segments that together make one long stream of bytes (store.md 1.2; Java: MappedFileQueue)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pymq.errors import StoreDamaged
from pymq.interfaces import IFiles
from pymq.store.segment import Segment, segment_name

__all__ = ["SegmentList"]


class SegmentList:
    """The segments of one folder, in order. A file may be missing in between: what it held is then not there."""

    __slots__ = ("_changes", "_changes_synced", "_files", "_on_open", "folder", "segments", "size_bytes")

    def __init__(self, files: IFiles, folder: str, size_bytes: int, on_open: Callable[[], None] | None = None) -> None:
        """`on_open` is called before a file is opened."""
        self._files = files
        self._on_open = on_open
        self.folder = folder
        self.size_bytes = size_bytes
        self.segments: list[Segment] = []
        #: How often names in the folder came or went, and how many of these times are durable; a sync may run in another thread.
        self._changes = 0
        self._changes_synced = 0

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def load(self) -> None:
        """Find the files. Raises StoreDamaged for a file of another size or with a name that is no number, as Java refuses to
        start.

        Folders are passed over, and an empty last file, left by a crash while it was made, is deleted (both as 5.x does).
        """
        names = [name for name in self._files.list(self.folder) if not self._files.is_folder(self._path(name))]
        self.segments = []
        for name in names:
            path = self._path(name)
            size = self._files.size(path)
            if size == 0 and name == names[-1]:
                self._files.delete(path)
                self._changes += 1
                continue
            if size != self.size_bytes:
                raise StoreDamaged(f"{path} has {size} bytes, the settings say {self.size_bytes}")
            if not (name.isascii() and name.isdigit()):
                raise StoreDamaged(f"{path} does not belong here: its name is not the number of a byte")
            self.segments.append(Segment(self._files, path, int(name), size, self._on_open))

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    @property
    def first(self) -> Segment | None:
        """The oldest segment."""
        return self.segments[0] if self.segments else None

    @property
    def last(self) -> Segment | None:
        """The newest segment."""
        return self.segments[-1] if self.segments else None

    def find(self, offset: int) -> Segment | None:
        """The segment that holds byte `offset`, by reckoning; by looking at each where files are missing or out of place."""
        segments = self.segments
        if not segments or offset < segments[0].base:
            return None
        index = (offset - segments[0].base) // self.size_bytes
        if index < len(segments):
            segment = segments[index]
            if segment.base <= offset < segment.end:
                return segment
        for segment in segments:
            if segment.base <= offset < segment.end:
                return segment
        return None

    def append(self, base: int) -> Segment:
        """A new last segment that begins at `base`. Raises OSError.

        The names of those before it are made durable first, so that a power cut never takes a file from between two others.
        """
        self._sync_folder()
        path = self._path(segment_name(base))
        self._files.create(path, self.size_bytes).close()
        segment = Segment(self._files, path, base, self.size_bytes, self._on_open)
        self._changes += 1
        self.segments.append(segment)
        return segment

    def delete_last(self) -> None:
        """Remove the newest segment. Raises OSError, and it stays."""
        self._delete(-1)

    def delete_first(self) -> None:
        """Remove the oldest segment. Raises OSError, and it stays."""
        self._delete(0)

    def _delete(self, index: int) -> None:
        self._changes += 1
        self.segments[index].delete()
        self.segments.pop(index)

    def truncate(self, offset: int) -> bool:
        """Remove the files that begin beyond `offset` and make what follows it in its own file zero (store.md 5.9).

        Returns whether there was anything to do. Raises OSError.
        """
        is_changed = False
        while self.segments and self.segments[-1].base > offset:
            self.delete_last()
            is_changed = True
        segment = self.last
        if segment is not None and offset < segment.end:
            is_changed = segment.zero_from(offset - segment.base) or is_changed
        return is_changed

    def clear(self) -> None:
        """Remove all files, and the folder if nothing else is in it. Raises OSError; what is left is then the newest.

        Durably, one after the other: what a power cut brings back has no holes, and ends where all of it ended.
        """
        while self.segments:
            self.delete_first()
            self._sync_folder()
        if not self._files.list(self.folder):
            self._files.delete(self.folder)

    def sync(self) -> None:
        """Make everything durable that was written, oldest first, names of files included. Raises OSError.

        May run in another thread while the last segment is written.
        """
        self._sync_folder()
        for segment in list(self.segments):
            if segment.is_dirty:
                segment.sync()

    def _sync_folder(self) -> None:
        changes = self._changes
        if changes != self._changes_synced:
            self._files.sync_folder(self.folder)
            self._changes_synced = changes

    def mark_dirty(self, offset: int, *, rewrites: bool = False) -> None:
        """Have the next `sync` cover everything from byte `offset` on, for nobody knows how much of it reached the disk.

        With `rewrites` it is written once more, as it must be when a sync had failed. Raises OSError.
        """
        self._changes += bool(self.segments)
        for segment in self.segments:
            if segment.end > offset:
                segment.is_written = True
                if rewrites:
                    segment.rewrite_from(max(0, offset - segment.base))

    @property
    def is_dirty(self) -> bool:
        """Whether `sync` has something to do."""
        return self._changes != self._changes_synced or any(segment.is_dirty for segment in self.segments)

    def release(self) -> None:
        """Give all files back."""
        for segment in self.segments:
            segment.release()
