"""The checkpoint's three longs, its margin, and the bytes that are not ours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.store.checkpoint import CHECKPOINT, Checkpoint
from pymq.testing.memoryfiles import MemoryFiles

TIMES = st.integers(-(2**63), 2**63 - 1)


class CheckpointTests(SynchronousTestCase):
    """A checkpoint on a disk in memory."""

    def setUp(self) -> None:
        self.disk = MemoryFiles()

    def load(self) -> Checkpoint:
        """What the next process reads."""
        checkpoint = Checkpoint(self.disk)
        checkpoint.load()
        return checkpoint

    def test_without_a_file_all_is_zero(self) -> None:
        """Zero makes recovery start at the beginning."""
        checkpoint = self.load()
        self.assertEqual((checkpoint.physic_ms, checkpoint.logics_ms, checkpoint.index_ms, checkpoint.min_ms), (0, 0, 0, 0))
        self.assertFalse(self.disk.exists("checkpoint"))

    @given(TIMES, TIMES, TIMES)
    def test_round_trip(self, physic: int, logics: int, index: int) -> None:
        """Any three longs come back, and construct reads the same."""
        checkpoint = self.load()
        checkpoint.physic_ms, checkpoint.logics_ms, checkpoint.index_ms = physic, logics, index
        checkpoint.flush()
        again = self.load()
        self.assertEqual((again.physic_ms, again.logics_ms, again.index_ms), (physic, logics, index))
        fields = CHECKPOINT.parse(self.disk.read_bytes("checkpoint"))
        self.assertEqual((fields.physic_ms, fields.logics_ms, fields.index_ms), (physic, logics, index))

    def test_file_is_a_page(self) -> None:
        """4096 bytes, zero behind the longs, as Java makes it."""
        self.load().flush()
        self.assertEqual(self.disk.read_bytes("checkpoint"), bytes(4096))

    def test_margin(self) -> None:
        """3000 ms off the smaller, never below zero (StoreCheckpointTest)."""
        checkpoint = self.load()
        checkpoint.physic_ms, checkpoint.logics_ms, checkpoint.index_ms = 1_700_000_005_000, 1_700_000_004_000, 1_699_000_000_000
        self.assertEqual((checkpoint.min_ms, checkpoint.min_index_ms), (1_700_000_001_000, 1_699_000_000_000))
        checkpoint.logics_ms = 2999
        self.assertEqual(checkpoint.min_ms, 0)

    def test_what_5x_keeps_survives(self) -> None:
        """Its two longs behind ours are left alone."""
        self.disk.replace("checkpoint", bytes(range(48)) + bytes(4048))
        checkpoint = self.load()
        checkpoint.physic_ms = 1
        checkpoint.flush()
        self.assertEqual(self.disk.read_bytes("checkpoint")[24:48], bytes(range(24, 48)))

    def test_short_file_is_put_right(self) -> None:
        """A file cut by a crash is read as unknown and written at full size."""
        for size in (0, 23, 24, 100):
            self.disk.replace("checkpoint", b"\1" * size)
            checkpoint = self.load()
            self.assertEqual(checkpoint.physic_ms != 0, size >= 24)
            checkpoint.flush()
            self.assertEqual(self.disk.size("checkpoint"), 4096)

    def test_flush_is_durable(self) -> None:
        """A crash right after keeps it."""
        checkpoint = self.load()
        checkpoint.logics_ms = 77
        checkpoint.flush()
        self.disk = self.disk.crash()
        self.assertEqual(self.load().logics_ms, 77)

    def test_close_then_flush(self) -> None:
        """A closed checkpoint opens itself again."""
        checkpoint = self.load()
        checkpoint.flush()
        checkpoint.close()
        checkpoint.index_ms = 5
        checkpoint.flush()
        self.assertEqual(self.load().index_ms, 5)

    def test_a_torn_flush_loses_no_keys(self) -> None:
        """Wherever the power cut tears it, recovery does not begin behind what the index is said to hold."""
        checkpoint = self.load()
        checkpoint.physic_ms = checkpoint.logics_ms = checkpoint.index_ms = 1_700_000_000_000
        checkpoint.flush()
        intact = self.disk
        for syncs in (0, 1):
            self.disk = intact.kill()
            checkpoint = self.load()
            checkpoint.physic_ms = checkpoint.logics_ms = checkpoint.index_ms = 1_700_000_060_001
            self.disk.fail("sync", "checkpoint", skip=syncs)
            self.assertRaises(OSError, checkpoint.flush)
            flushed = self.disk
            for cut in range(CHECKPOINT.sizeof() + 1):
                self.disk = flushed.crash(journal_bytes=cut)
                torn = self.load()
                self.assertLessEqual(torn.min_ms, torn.index_ms, f"{syncs} syncs, and {cut} bytes of the next write")
