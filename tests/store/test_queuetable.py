"""All queues of a store."""

from __future__ import annotations

from pymq.errors import StoreDamaged
from pymq.store.queuetable import QueueTable
from tests.store.stores import SMALL, StoreCase


class QueueTableTests(StoreCase):
    """On a disk that has some queues."""

    def table(self, *keys: tuple[str, int]) -> QueueTable:
        """A table in which those queues have one unit each, 100 bytes after each other."""
        table = QueueTable(self.files, SMALL)
        for number, (topic, queue_id) in enumerate(keys):
            queue = table.obtain(topic, queue_id)
            assert queue is not None
            queue.add(0, number * 100, 100, 0)
        return table

    def loaded(self) -> QueueTable:
        """What a new table finds on the disk."""
        table = QueueTable(self.files, SMALL)
        table.load(thorough=False)
        return table

    def test_load(self) -> None:
        """Finds what was written, by folder names."""
        self.table(("A", 0), ("A", 7), ("%RETRY%g", 0))
        table = self.loaded()
        self.assertEqual(sorted((queue.topic, queue.queue_id) for queue in table), [("%RETRY%g", 0), ("A", 0), ("A", 7)])
        self.assertEqual((table.max_log_offset, len(table), table.topics()), (300, 3, ["%RETRY%g", "A"]))

    def test_folders_that_are_no_queues(self) -> None:
        """Are passed over (store.md 1.1)."""
        self.table(("A", 0))
        for path in ("consumequeue/A/notes/x", "consumequeue/stray", "consumequeue/A/-1/x", "consumequeue/A/stray"):
            self.files.create(path, 1)
        self.assertEqual([(queue.topic, queue.queue_id) for queue in self.loaded()], [("A", 0)])

    def test_a_queue_without_messages_makes_no_file(self) -> None:
        """Asking for it is not enough."""
        self.assertIsNotNone(QueueTable(self.files, SMALL).obtain("A", 0))
        self.assertEqual(self.files.list(""), [])
        self.assertIsNone(QueueTable(self.files, SMALL).get("A", 0))

    def test_names_that_cannot_be(self) -> None:
        """Nothing leads out of the folder, and lengths are those of bytes."""
        table = QueueTable(self.files, SMALL)
        for topic, queue_id in (
            ("", 0), (".", 0), ("..", 0), ("a/b", 0), ("a\0b", 0), ("x" * 128, 0), ("\u6f22" * 43, 0), ("T", -1), ("T", 2**31)
        ):  # fmt: skip
            self.assertIsNone(table.obtain(topic, queue_id), topic)
        self.assertIsNotNone(table.obtain("\u6f22" * 42, 0))

    def test_batch_queues(self) -> None:
        """Those of 5.x end the start with a sentence; what a deleted one leaves does not."""
        self.table(("A", 0))
        self.files.create("batchconsumequeue/BATCHES/0/00000000000000000000", 460)
        error = self.assertRaises(StoreDamaged, self.loaded)
        self.assertIn("batchconsumequeue/BATCHES holds batch consume queues of RocketMQ 5.x", str(error))
        self.files.delete("batchconsumequeue/BATCHES/0/00000000000000000000")
        self.files.delete("batchconsumequeue/BATCHES/0")
        self.assertEqual([queue.topic for queue in self.loaded()], ["A"])

    def test_drop(self) -> None:
        """Files and folders go; the system's and light queues stay, whoever asks (store.md 9.6)."""
        table = self.table(
            ("A", 0), ("B", 0), ("B", 1), ("SCHEDULE_TOPIC_XXXX", 3), ("RMQ_SYS_TRANS_OP_HALF_TOPIC", 0),
            ("RMQ_SYS_TRANS_HALF_TOPIC", 0), ("%LMQ%x", 0),
        )  # fmt: skip
        self.assertEqual(table.drop(lambda topic: topic != "A"), ["B"])
        self.assertFalse(self.files.exists("consumequeue/B"))
        self.assertEqual(len(self.loaded()), 5)

    def test_clear(self) -> None:
        """Leaves nothing."""
        self.table(("A", 0), ("B", 0)).clear()
        self.assertEqual(len(self.loaded()), 0)

    def test_truncate(self) -> None:
        """Cuts every queue at the end of the log."""
        table = self.table(("A", 0), ("B", 0), ("C", 0))
        table.truncate(200)
        table.correct_offsets(0)
        self.assertEqual(
            [(queue.topic, queue.end_offset, queue.next_offset) for queue in table], [("A", 1, 1), ("B", 1, 1), ("C", 0, 0)]
        )

    def test_dirty(self) -> None:
        """Only what was written has to be synced; after a crash everything."""
        table = self.table(("A", 0), ("B", 0))
        for queue in table.dirty():
            queue.sync()
        self.assertEqual(table.dirty(), [])
        table.mark_dirty()
        self.assertEqual(len(table.dirty()), 2)
        table.release_idle()
        table.release()

    def test_open_files_are_limited(self) -> None:
        """More queues than descriptors do no harm: who is used opens again."""
        table = QueueTable(self.files, SMALL, open_max=3)
        for round_number in range(3):
            for queue_id in range(10):
                queue = table.obtain("T", queue_id)
                assert queue is not None
                queue.add(round_number, round_number * 1000 + queue_id * 100, 100, queue_id)
                units = [segment for other in table for segment in other.segments if segment.is_open]
                self.assertLessEqual(len(units), 3)
        for queue in table.dirty():
            queue.sync()
        after = QueueTable(self.files.crash(), SMALL)
        after.load(thorough=True)
        self.assertEqual([queue.end_offset for queue in after], [3] * 10)
