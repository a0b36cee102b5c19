"""The periodic care."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pymq.message.results import PutStatus
from pymq.store.checkpoint import Checkpoint
from pymq.store.maintenance import FIRST_EXPIRY_AFTER_MS, ROUNDS_PER_PASS
from pymq.testing.builders import draft
from tests.store.stores import StoreCase, numbered

HOUR_S = 3600


class CareCase(StoreCase):
    """A store whose maintenance runs as the clock goes."""

    def setUp(self) -> None:
        super().setUp()
        # An hour at which nothing is deleted, in whatever time zone this runs.
        self.clock.advance((14 - datetime.fromtimestamp(self.clock.seconds()).hour) % 24 * HOUR_S)

    def now_ms(self) -> int:
        """The clock."""
        return int(self.clock.seconds() * 1000)

    def run_for(self, store: Any, seconds: int) -> None:
        """A round a second."""
        for _ in range(seconds):
            self.clock.advance(1)
            store.run_maintenance(self.now_ms())

    def checkpoint(self, files: Any) -> Checkpoint:
        """What the disk holds."""
        checkpoint = Checkpoint(files)
        checkpoint.load()
        return checkpoint


class FlushTests(CareCase):
    """Queues, index, checkpoint."""

    def test_all_within_two_minutes(self) -> None:
        """After a pass over all queues the checkpoint says what is durable, and no more."""
        store = self.store_on(self.files)
        for topic in range(45):
            store.put([draft(f"T{topic}", b"x", keys="k")])
        put_ms = self.now_ms()
        store.flush()
        self.run_for(store, 60 + ROUNDS_PER_PASS)
        checkpoint = self.checkpoint(self.files.crash())
        self.assertEqual((checkpoint.physic_ms, checkpoint.logics_ms, checkpoint.index_ms), (put_ms, put_ms - 1, put_ms - 1))

    def test_spread_over_rounds(self) -> None:
        """No round syncs many queues."""
        store = self.store_on(self.files)
        for topic in range(60):
            store.put([draft(f"T{topic}", b"x")])
        self.run_for(store, 59)
        self.files.log.clear()
        self.run_for(store, 2)
        syncs = [path for operation, path in self.files.log if operation == "sync" and path.startswith("consumequeue")]
        self.assertEqual(len(syncs), 8)

    def test_units_survive_a_power_cut(self) -> None:
        """Recovery begins near the end instead of reading all."""
        store = self.store_on(self.files)
        self.fill(store, 100, seconds=0.1)
        store.flush()
        self.run_for(store, 100)
        after = self.store_on(self.files.crash())
        self.assertEqual(self.bodies(after), numbered(100))
        self.assertTrue(after.report.is_abnormal)
        self.assertLess(after.report.checked, 50)

    def test_failed_sync(self) -> None:
        """Makes the store read-only."""
        store = self.store_on(self.files)
        self.fill(store, 1)
        self.files.fail("sync", "consumequeue*")
        self.run_for(store, 61)
        self.assertFalse(store.is_writable)
        self.assertIn("caring", store.describe()["problem"])


class ExpiryTests(CareCase):
    """Old files go (store.md 5.12)."""

    def filled(self, **changes: Any) -> Any:
        """A store whose log has four files, and which is an hour old."""
        store = self.store_on(self.files, **changes)
        self.fill(store, 130)
        self.assertEqual(len(store._log.segments), 4)
        return store

    def test_by_age_at_the_hour(self) -> None:
        """All but the last, at 04 o'clock and not before; queues follow."""
        store = self.filled()
        self.run_for(store, 70)
        self.clock.advance(80 * HOUR_S)
        self.run_for(store, 20)
        self.assertEqual(len(store._log.segments), 4)
        self.clock.advance((28 - datetime.fromtimestamp(self.clock.seconds()).hour) % 24 * HOUR_S)
        self.run_for(store, 20)
        self.assertEqual(len(store._log.segments), 1)
        base = store._log.min_offset
        self.assertEqual(store.describe()["log_min_offset"], base)
        first = store.min_offset("T", 0)
        self.assertEqual(self.bodies(store), numbered(130 - first, first))
        self.assertGreater(first, 90)
        self.assertLess(len(self.files.list("consumequeue/T/0")), 13)

    def test_young_files_stay(self) -> None:
        """Only the leading run of expired files goes (testDeleteExpiredFileByTime)."""
        store = self.filled(delete_when="14")
        paths = [segment.path for segment in store._log.segments]
        for path in (paths[0], paths[2]):
            self.files.set_modified_ms(path, self.now_ms() - 100 * HOUR_S * 1000)
        self.run_for(store, FIRST_EXPIRY_AFTER_MS // 1000 + 10)
        self.assertEqual([segment.path for segment in store._log.segments], paths[1:])

    def test_by_space(self) -> None:
        """Above 85 percent the oldest go, whatever their age."""
        store = self.filled()
        self.files.space_bytes, self.files.foreign_bytes = 1 << 24, int(0.80 * (1 << 24))
        self.run_for(store, 80)
        self.assertGreater(len(store._log.segments), 1)
        self.files.foreign_bytes = int(0.87 * (1 << 24))
        self.run_for(store, 20)
        self.assertEqual(len(store._log.segments), 1)

    def test_full_disk(self) -> None:
        """Above 90 percent nothing is taken, until there is room again."""
        store = self.filled(clean_file_forcibly_enable=False)
        self.files.space_bytes, self.files.foreign_bytes = 1 << 24, int(0.95 * (1 << 24))
        self.run_for(store, 11)
        (result,) = store.put([draft("T", b"x")])
        self.assertEqual(result.status, PutStatus.SERVICE_NOT_AVAILABLE)
        self.assertIn("the broker's disk is full [CL: 0.96 CQ: 0.96 INDEX: 0.96]", result.reason)
        self.assertFalse(store.describe()["writable"])
        self.files.foreign_bytes = 0
        self.run_for(store, 11)
        self.assertEqual(self.fill(store, 1)[0].status, PutStatus.PUT_OK)
