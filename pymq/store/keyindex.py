# Tests: tests/store/test_keyindex.py
"""Find messages by key and time: a row of index files named by when they were made (store.md section 4; Java: IndexService).

The files are derived: what they lose in a crash comes back from the commit log, as far as recovery walks it again. So an error of
the disk ends only the indexing, a full one until there is room again (`StoreCare` reads the log for it then), any other until the
next start; messages are taken as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from twisted.logger import Logger

from pymq.interfaces import IClock, IFiles
from pymq.store.files import is_out_of_room
from pymq.store.indexfile import IndexFile, IndexRow, file_size
from pymq.store.keyhash import index_hash, topic_seed

__all__ = ["IndexConfig", "IndexRow", "KeyIndex"]

_NAME_FORMAT = "%Y%m%d%H%M%S"
#: How exactly an entry knows when its record was stored.
_ENTRY_TIME_MS = 1000


class IndexConfig(Protocol):
    """The settings that the index obeys; MessageStoreConfig has them."""

    @property
    def max_hash_slot_num(self) -> int:
        """Slots of a file."""

    @property
    def max_index_num(self) -> int:
        """Entries of a file, entry 0 included."""

    @property
    def max_msgs_num_batch(self) -> int:
        """The most that one query is given."""


class KeyIndex:
    """The index of a store. Not loaded, it is empty; its first file is made with the first key, sparse.

    `skipped` names the files that `load` left aside, because their name is no number or their size is not the configured one.
    `is_complete` is False while there are records that could not be indexed, from log offset `missing_from` on: a next start
    would have to index them. `can_go_on` says that they only found no room.
    """

    _log = Logger()

    def __init__(self, files: IFiles, config: IndexConfig, folder: str = "index", *, clock: IClock) -> None:
        self._files = files
        self._config = config
        self._folder = folder
        self._clock = clock
        self._size_bytes = file_size(config.max_hash_slot_num, config.max_index_num)
        self._row: list[IndexFile] = []
        self.skipped: tuple[str, ...] = ()
        self.is_complete = True
        self.can_go_on = True
        self.missing_from = 0

    @property
    def last_log_offset(self) -> int:
        """The newest record that the index holds; records below it are not indexed again. 0 when there is none."""
        return self._row[-1].end_offset if self._row else 0

    @property
    def last_time_ms(self) -> int:
        """When that record was stored; 0 when there is none."""
        return self._row[-1].end_ms if self._row else 0

    def load(self, after_abnormal_exit: bool, index_ms: int, *, is_ours: bool = False) -> None:
        """Open the files. `index_ms` is the checkpoint's word that all stored before it is durable in the index.

        Java deletes a file whose end is later than `index_ms` after an abnormal exit, and so loses the keys of messages older
        than where recovery starts to dispatch again. Here only the entries that may be later than `index_ms` go, and the slots
        are made anew from those that stay. For a store that Java wrote it comes to the same: there `index_ms` is the end of the
        last full file. Call `truncate` when the end of the recovered log is known.

        Entries count whole seconds, so those of the second before `index_ms` go too, and what is put in their place is durable
        only when `index_ms` has moved: until then a file that ends in that second is not whole for its time. `is_ours` says that
        the checkpoint is one of our store, so that it may be so, and that recovery dispatches that second again.
        """
        skipped = []
        for name in self._files.list(self._folder):
            path = f"{self._folder}/{name}"
            if self._files.is_folder(path) or not name.isdecimal() or self._files.size(path) != self._size_bytes:
                skipped.append(name)
                continue
            self._row.append(self._open(path))
        self.skipped = tuple(skipped)
        if after_abnormal_exit:
            whole_ms = index_ms - _ENTRY_TIME_MS if is_ours else index_ms
            for file in list(self._row):
                if file.end_ms > whole_ms or file is self._row[-1]:
                    self._cut(file, file.count_before(None, index_ms if file.end_ms > whole_ms else None))

    def truncate(self, log_end: int) -> None:
        """Drop the entries of records at or beyond the end of the recovered log, so that new records there are indexed again."""
        while self._row and self._row[-1].end_offset >= log_end:
            file = self._row[-1]
            self._cut(file, file.count_before(log_end, None))
            if self._row and self._row[-1] is file:
                break

    def put_all(self, entries: Sequence[IndexRow]) -> None:
        """Index messages, in log order; those below `last_log_offset` are known already and skipped.

        Rolls over to new files as needed. When the disk takes no more, this and all later messages are left out.
        """
        if not self.is_complete:
            return
        try:
            self._put_all(entries)
        except OSError as error:
            self.is_complete = False
            self.missing_from = entries[0][2]
            self.stop(error)

    def put_missing(self, entries: Sequence[IndexRow]) -> None:
        """Index messages that were left out, in log order from `missing_from` on; known ones do no harm. Raises OSError."""
        self._put_all(entries)

    def done_until(self, log_offset: int, log_end: int) -> None:
        """What was missing below `log_offset` is indexed; that is all if the log's records end there."""
        self.missing_from = log_offset
        self.is_complete = log_offset >= log_end
        if self.is_complete:
            self._log.info("all messages are found by key again")

    def stop(self, error: Exception) -> None:
        """Something cannot be indexed, for this reason."""
        self.can_go_on = isinstance(error, OSError) and is_out_of_room(error)
        until = "there is room on the disk" if self.can_go_on else "the next start"
        self._log.error("new messages are not found by key until {until}: {error}", until=until, error=error)

    def _put_all(self, entries: Sequence[IndexRow]) -> None:
        at, key_at = 0, 0
        if self._row:
            at, key_at = self._row[-1].put(entries, at, key_at)
        while at < len(entries):
            if not self._row and not any(keys for _, keys, _, _ in entries):
                return
            at, key_at = self._roll().put(entries, at, key_at)

    def find(self, topic: str, key: str, count_max: int, begin_ms: int, end_ms: int) -> tuple[list[int], int, int]:
        """The newest records with that key stored in the time range, as ascending log offsets; and how far the index goes.

        (log offsets, time in ms and log offset of the newest indexed record, 0 and 0 for an empty index). Different keys may
        share a hash, so the caller must look at the records. Times are kept in whole seconds: a precise lower bound can miss a
        record by up to a second, as in Java.
        """
        limit = min(count_max, self._config.max_msgs_num_batch)
        key_hash = index_hash(topic_seed(topic), key)
        found: set[int] = set()
        for file in reversed(self._row):
            if len(found) < limit and file.overlaps(begin_ms, end_ms):
                for log_offset, time_ms in file.chain(key_hash):
                    if begin_ms <= time_ms <= end_ms:
                        found.add(log_offset)
                    if time_ms < begin_ms or len(found) >= limit:
                        break
            if len(found) >= limit or file.begin_ms < begin_ms:
                break
        return sorted(found), self.last_time_ms, self.last_log_offset

    def delete_before(self, log_offset: int) -> int:
        """Delete the files, oldest first and never the last, that hold only records before `log_offset`; how many went."""
        count = 0
        while len(self._row) > 1 and self._row[0].end_offset < log_offset:
            self._delete(self._row[0])
            count += 1
        return count

    def flush(self) -> None:
        """Make all that was put before the call durable. Raises OSError.

        The caller may then set the checkpoint's `index_ms` to the store time of the newest record dispatched before the call,
        with keys or without; not to that of the newest key, or `load` would give up keys that recovery does not dispatch again.
        May be called in another thread while `put_all` goes on.
        """
        for file in list(self._row):
            file.sync()

    def rewrite(self) -> None:
        """Write all of the newest file once more, see Segment.rewrite_from. Raises OSError."""
        if self._row:
            self._row[-1].rewrite()

    def close(self) -> None:
        """Give the files back; the caller flushes before if it wants to keep the newest."""
        row, self._row = self._row, []
        for file in row:
            file.close()

    def _open(self, path: str) -> IndexFile:
        return IndexFile(self._files.open(path), self._config.max_hash_slot_num, self._config.max_index_num)

    def _roll(self) -> IndexFile:
        """A new last file. Its name is the present, or just after the last name when the clock or the time zone went back."""
        now_ms = int(self._clock.seconds() * 1000)
        number = int(datetime.fromtimestamp(now_ms // 1000).strftime(_NAME_FORMAT)) * 1000 + now_ms % 1000
        if self._row:
            number = max(number, int(self._row[-1].file.path.rpartition("/")[2]) + 1)
        path = f"{self._folder}/{number:017d}"
        file = IndexFile(self._files.create(path, self._size_bytes), self._config.max_hash_slot_num, self._config.max_index_num)
        try:
            self._files.sync_folder(self._folder)
            if self._row:
                file.preset(self._row[-1].end_offset, self._row[-1].end_ms)
        except OSError:
            # A file without a header would hide those before it from queries by time.
            file.close()
            self._files.delete(path)
            raise
        self._row.append(file)
        return file

    def _cut(self, file: IndexFile, count: int) -> None:
        """Keep the entries below `count`, durably; a file without any is deleted."""
        if count > 1:
            file.cut(count)
            file.sync()
        else:
            self._delete(file)

    def _delete(self, file: IndexFile) -> None:
        self._row.remove(file)
        file.close()
        self._files.delete(file.file.path)
        self._files.sync_folder(self._folder)
