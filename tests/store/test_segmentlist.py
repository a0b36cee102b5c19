"""A row of files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreDamaged
from pymq.store.segment import segment_name
from pymq.store.segmentlist import SegmentList
from pymq.testing.memoryfiles import MemoryFiles


class SegmentListTests(SynchronousTestCase):
    """Files of 1024 bytes."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.row = SegmentList(self.files, "log", 1024)

    def with_files(self, *bases: int) -> SegmentList:
        """The row, loaded from files that begin there."""
        for base in bases:
            self.files.create(f"log/{segment_name(base)}", 1024)
        self.row.load()
        return self.row

    def names(self) -> list[str]:
        """What is in the folder."""
        return [name.lstrip("0") or "0" for name in self.files.list("log")]

    def test_empty(self) -> None:
        """Has no first, no last and finds nothing."""
        row = self.with_files()
        self.assertEqual((row.first, row.last, row.find(0), len(row)), (None, None, None, 0))

    def test_find(self) -> None:
        """Inside and outside; the first file need not be at 0 (MappedFileQueueTest)."""
        row = self.with_files(2048, 3072, 4096)
        found = {
            offset: segment and segment.base for offset in (2047, 2048, 3071, 3072, 5119, 5120) for segment in [row.find(offset)]
        }
        self.assertEqual(found, {2047: None, 2048: 2048, 3071: 2048, 3072: 3072, 5119: 4096, 5120: None})

    def test_find_where_a_file_is_missing(self) -> None:
        """What it held is not there, the others are."""
        row = self.with_files(0, 2048, 3072)
        found = [segment and segment.base for offset in (0, 1024, 2048, 3500) for segment in [row.find(offset)]]
        self.assertEqual(found, [0, None, 2048, 3072])

    def test_find_where_files_do_not_lie_at_multiples(self) -> None:
        """Lookup goes by name, not by reckoning alone (testFindMappedFile_ByIteration)."""
        row = self.with_files(100, 1500)
        found = [segment and segment.base for offset in (1123, 1124, 1600) for segment in [row.find(offset)]]
        self.assertEqual(found, [100, None, 1500])

    def test_wrong_size(self) -> None:
        """Stops the start, naming the file (store.md 1.2)."""
        self.files.create("log/00000000000000000000", 100)
        error = self.assertRaises(StoreDamaged, self.with_files, 1024)
        self.assertIn("00000000000000000000", str(error))

    def test_stray_files(self) -> None:
        """Stop the start, even those of the right size."""
        self.files.create("log/README", 1024)
        self.assertRaises(StoreDamaged, self.row.load)

    def test_folders_and_an_empty_last_file(self) -> None:
        """Are passed over; the file is deleted, as a crash left it while it was made."""
        self.files.create("log/folder/x", 5)
        self.files.create(f"log/{segment_name(1024)}", 0)
        self.assertEqual([segment.base for segment in self.with_files(0)], [0])
        self.assertEqual(self.names(), ["0", "folder"])

    def test_append_and_sync(self) -> None:
        """Content and name of a new file survive a crash after a sync, and not before."""
        self.row.append(0).write_at(0, b"kept")
        self.row.sync()
        self.row.append(1024).write_at(0, b"lost")
        self.assertTrue(self.row.is_dirty)
        after = self.files.crash()
        self.assertEqual(after.list("log"), [segment_name(0)])
        self.assertEqual(after.read_bytes(f"log/{segment_name(0)}")[:4], b"kept")

    def test_failed_sync_of_the_folder(self) -> None:
        """Is tried again."""
        self.row.append(0)
        self.files.fail("sync_folder")
        self.assertRaises(OSError, self.row.sync)
        self.assertTrue(self.row.is_dirty)

    def test_truncate(self) -> None:
        """Files beyond go, the rest of the file becomes zero; at a border the next file stays, empty."""
        row = self.with_files(0, 1024, 2048)
        for segment in row:
            segment.view()[:] = b"\xff" * 1024
        row.truncate(1030)
        self.assertEqual(self.names(), ["0", "1024"])
        self.assertEqual(bytes(row.segments[1].view()), b"\xff" * 6 + bytes(1018))
        row.truncate(1024)
        self.assertEqual((self.names(), row.segments[1].view()[0]), (["0", "1024"], 0))

    def test_deleting(self) -> None:
        """At either end, and everything with its folder."""
        row = self.with_files(0, 1024, 2048)
        row.delete_first()
        row.delete_last()
        self.assertEqual(self.names(), ["1024"])
        row.clear()
        self.assertFalse(self.files.exists("log"))

    def test_a_deletion_that_fails(self) -> None:
        """Leaves the segment where it is, with what has to be synced."""
        row = self.with_files(0, 1024)
        row.segments[0].write_at(0, b"x")
        self.files.fail("delete")
        self.assertRaises(OSError, row.delete_first)
        self.assertEqual(([segment.base for segment in row], row.segments[0].is_dirty), ([0, 1024], True))
        row.delete_first()
        self.assertEqual([segment.base for segment in row], [1024])

    def test_mark_dirty(self) -> None:
        """From an offset on."""
        row = self.with_files(0, 1024, 2048)
        row.mark_dirty(1500)
        self.assertEqual([segment.is_dirty for segment in row], [False, True, True])
        row.release()
