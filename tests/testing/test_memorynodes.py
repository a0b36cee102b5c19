"""The content of one file: what is durable, what is lost, what it takes of the disk."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from pymq.testing.memorynodes import BLOCK_BYTES, SECTOR_BYTES, Node


class NodeTests(SynchronousTestCase):
    """A file of three blocks and a bit."""

    def setUp(self) -> None:
        self.node = Node(3 * BLOCK_BYTES + 100, 0)

    def durable(self) -> bytes:
        """What a crash leaves."""
        return self.node.copy(durable_only=True).view.tobytes()

    def test_fresh_content_is_zero(self) -> None:
        """Sparse files read as zeros and take nothing."""
        self.assertEqual((self.node.view.tobytes(), self.node.used_bytes()), (bytes(3 * BLOCK_BYTES + 100), 0))

    def test_write_is_not_durable(self) -> None:
        """Until the sync."""
        self.node.write(10, b"abc")
        self.assertEqual(self.durable()[10:13], bytes(3))
        self.assertTrue(self.node.sync())
        self.assertEqual(self.durable()[10:13], b"abc")
        self.assertFalse(self.node.sync())

    def test_write_through_the_view_counts_too(self) -> None:
        """At the very end of the file as well."""
        self.node.view[-1] = 7
        self.assertEqual([number for number, _ in self.node.unsynced_sectors()], [3 * BLOCK_BYTES // SECTOR_BYTES])
        self.node.sync()
        self.assertEqual(self.durable()[-1], 7)

    def test_zeroing_is_a_change(self) -> None:
        """Zeros over synced bytes are as unsynced as others."""
        self.node.write(0, b"abc")
        self.node.sync()
        self.node.write(0, bytes(3))
        self.assertEqual(self.durable()[:3], b"abc")
        self.node.sync()
        self.assertEqual(self.durable()[:3], bytes(3))

    def test_random_sectors_survive_whole(self) -> None:
        """Each one new or old, never mixed; some of each."""
        self.node.write(0, b"x" * self.node.size_bytes)
        content = self.node.copy(durable_only=True, random=Random(3)).view.tobytes()
        kinds = {content[at : at + SECTOR_BYTES] for at in range(0, 3 * BLOCK_BYTES, SECTOR_BYTES)}
        self.assertEqual(kinds, {b"x" * SECTOR_BYTES, bytes(SECTOR_BYTES)})

    def test_what_a_failed_sync_lost_stays_lost(self) -> None:
        """A later sync succeeds without it, until it is written anew."""
        self.node.write(0, b"abc")
        self.node.lose_unsynced()
        self.node.sync()
        self.assertEqual(self.durable()[:3], bytes(3))
        self.node.write(0, b"abcd")
        self.node.sync()
        self.assertEqual(self.durable()[:4], b"abcd")

    def test_blocks(self) -> None:
        """A byte takes a block; a second one in it takes nothing."""
        self.node.write(BLOCK_BYTES, b"a")
        self.assertEqual(self.node.used_bytes(), BLOCK_BYTES)
        self.assertEqual(self.node.missing_blocks(BLOCK_BYTES - 1, 3), [0])
        self.assertEqual(self.node.missing_blocks(5, 0), [])

    def test_empty_file(self) -> None:
        """Markers such as `abort` have no bytes."""
        self.assertEqual((Node(0, 0).view.tobytes(), Node(0, 0).sync()), (b"", False))
