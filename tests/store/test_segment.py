"""One file of a row."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.store.segment import Segment, segment_name
from pymq.testing.memoryfiles import MemoryFiles


class SegmentTests(SynchronousTestCase):
    """A file of 4096 bytes that begins at byte 8192."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.path = f"log/{segment_name(8192)}"
        self.files.create(self.path, 4096)
        self.files.sync_folder("log")
        self.segment = Segment(self.files, self.path, 8192, 4096)

    def test_name(self) -> None:
        """Twenty digits (store.md 1.2)."""
        self.assertEqual(segment_name(1073741824), "00000000001073741824")

    def test_span(self) -> None:
        """From its base on."""
        self.assertEqual((self.segment.base, self.segment.end), (8192, 12288))

    def test_writes_are_seen_and_synced(self) -> None:
        """A sync without a write asks nothing of the disk."""
        self.segment.sync()
        self.segment.write_at(5, b"abc")
        self.assertEqual(bytes(self.segment.view()[5:8]), b"abc")
        self.segment.sync()
        self.segment.sync()
        self.assertEqual([operation for operation, _ in self.files.log if operation == "sync"], ["sync"])

    def test_failed_sync(self) -> None:
        """Leaves it dirty."""
        self.files.fail("sync")
        self.segment.write_at(0, b"x")
        self.assertRaises(OSError, self.segment.sync)
        self.assertTrue(self.segment.is_dirty)

    def test_zero_from(self) -> None:
        """Is a write only if something was there."""
        self.segment.zero_from(100)
        self.assertFalse(self.segment.is_dirty)
        self.segment.view()[200] = 1
        self.segment.zero_from(100)
        self.assertEqual((self.segment.view()[200], self.segment.is_dirty), (0, True))

    def test_data_end(self) -> None:
        """Is the disk's word."""
        self.segment.write_at(100, b"x")
        self.assertGreaterEqual(self.segment.data_end(), 101)

    def test_release(self) -> None:
        """What rests for a round is given back, what is used or dirty is not; it opens again by itself."""
        self.segment.view()
        self.assertFalse(self.segment.release_if_idle())
        self.assertTrue(self.segment.release_if_idle())
        self.segment.write_at(0, b"x")
        self.segment.release_if_idle()
        self.assertFalse(self.segment.release_if_idle())
        self.assertEqual(self.segment.view()[0], ord("x"))

    def test_release_while_another_thread_syncs(self) -> None:
        """Leaves it open, for its descriptor must not be closed under the disk's hands."""
        segment, seen = self.segment, []

        class Slow(MemoryFiles):
            def enter(self, operation: str, path: str) -> None:
                if operation == "sync":
                    segment.release()
                    seen.append(segment.is_open)
                super().enter(operation, path)

        files = Slow()
        files.create(self.path, 4096)
        segment._files = files
        segment.write_at(0, b"x")
        segment.sync()
        self.assertEqual(seen, [True])
        segment.release()
        self.assertFalse(segment.is_open)

    def test_delete(self) -> None:
        """The file goes, a view stays."""
        self.segment.write_at(0, b"x")
        view = self.segment.view()
        self.segment.delete()
        self.assertFalse(self.files.exists(self.path))
        self.assertEqual(view[0], ord("x"))

    def test_time(self) -> None:
        """Of its last write."""
        self.files.set_modified_ms(self.path, 77)
        self.assertEqual(self.segment.modified_ms(), 77)
