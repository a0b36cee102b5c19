# Tests: tests/store/test_extendedqueue.py
"""A consume queue with an extension, where `enableConsumeQueueExt` is on (Java: ConsumeQueue with consumeQueueExt).

Both end together: after whatever was cut off the queue, the unit of its last message is the last of the extension.
"""

from __future__ import annotations

from collections.abc import Callable

from pymq.interfaces import IFiles
from pymq.store.consumequeue import ConsumeQueue
from pymq.store.consumequeueext import ADDRESS_MAX, ConsumeQueueExt
from pymq.store.segment import Segment

__all__ = ["ExtendedConsumeQueue"]


class ExtendedConsumeQueue(ConsumeQueue):
    """A ConsumeQueue whose units hold addresses of `ext`, which holds their tags codes and more."""

    __slots__ = ("ext",)

    def __init__(
        self,
        files: IFiles,
        folder: str,
        topic: str,
        queue_id: int,
        file_bytes: int,
        rolled: list[Segment] | None = None,
        on_open: Callable[[], None] | None = None,
        *,
        ext_folder: str,
        ext_file_bytes: int,
    ) -> None:
        """As a ConsumeQueue, and where its extension lies in files of how many bytes."""
        super().__init__(files, folder, topic, queue_id, file_bytes, rolled, on_open)
        self.ext = ConsumeQueueExt(files, ext_folder, ext_file_bytes, on_open)

    def add_extended(
        self, queue_offset: int, log_offset: int, size: int, tags_code: int, store_ms: int, bit_map: bytes | None
    ) -> bool:
        """Write the unit of a record, and what is kept beside it; False when the record has one already. Raises OSError."""
        if not self.wants(queue_offset, log_offset + size):
            return False
        address = self.ext.put(tags_code, store_ms, bit_map or b"")
        return self.add(queue_offset, log_offset, size, tags_code if address is None else address)

    def load(self, thorough: bool) -> None:
        """Find the files of both. Raises StoreDamaged."""
        self.ext.load()
        super().load(thorough)

    def _set_end(self, segment: Segment | None, position: int) -> None:
        super()._set_end(segment, position)
        if segment is None:
            self.ext.end_behind(None)
            return
        unit = self.unit_at(self.end_offset - 1)
        if unit is not None and unit[2] <= ADDRESS_MAX:
            self.ext.end_behind(unit[2])
        else:
            self.ext.end = self.ext.walked_end()

    def correct_min_offset(self, log_min: int) -> None:
        """As a ConsumeQueue; files of the extension that end before the first readable message go. Raises OSError."""
        super().correct_min_offset(log_min)
        unit = self.unit_at(self.min_offset)
        if unit is not None and unit[2] <= ADDRESS_MAX:
            self.ext.delete_before(unit[2])

    @property
    def is_dirty(self) -> bool:
        """Whether there is something in either that is not yet synced."""
        return self.segments.is_dirty or self.ext.segments.is_dirty

    def mark_dirty(self, *, rewrites: bool = False) -> None:
        """Have the next `sync` cover the files at the end of both."""
        super().mark_dirty(rewrites=rewrites)
        self.ext.segments.mark_dirty(self.ext.end - 2 * self.ext.segments.size_bytes, rewrites=rewrites)

    def sync(self) -> None:
        """Make both durable. May run while units are added. Raises OSError."""
        self.ext.segments.sync()
        super().sync()

    def release_idle(self) -> None:
        """Give back the files that nobody used since the last call."""
        super().release_idle()
        for segment in self.ext.segments.segments:
            segment.release_if_idle()

    def release(self) -> None:
        """Give all files back."""
        super().release()
        self.ext.segments.release()
