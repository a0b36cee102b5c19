"""The store in memory; what it shares with the one on files is in tests/contracts."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.record import decode_record
from pymq.message.results import PutStatus
from pymq.store.memory import MemoryMessageStore
from pymq.testing.builders import draft
from tests.store.stores import SMALL, START_MS


class MemoryMessageStoreTests(SynchronousTestCase):
    """What only this one does."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START_MS // 1000)
        self.store = MemoryMessageStore(SMALL, clock=self.clock)
        self.store.load()

    def test_keeps_over_a_close(self) -> None:
        """So that a test can stop and start what uses it."""
        self.store.put([draft("T", b"x")])
        self.store.close()
        self.assertFalse(self.store.describe()["writable"])
        self.store.load()
        self.assertEqual(decode_record(self.store.get("T", 0, 0, 1, None).records[0]).body, b"x")

    def test_problem(self) -> None:
        """A test can make it refuse."""
        self.store.problem = "on fire"
        (result,) = self.store.put([draft("T", b"x")])
        self.assertEqual((result.status, result.reason), (PutStatus.SERVICE_NOT_AVAILABLE, "on fire"))

    def test_offsets_by_time(self) -> None:
        """Nearest, ties to the earlier."""
        for _ in range(3):
            self.store.put([draft("T", b"x")])
            self.clock.advance(10)
        self.assertEqual([self.store.offset_at("T", 0, START_MS + ms) for ms in (0, 5000, 5001, 99999)], [0, 0, 1, 2])

    def test_delayed(self) -> None:
        """Its tags code in the schedule topic is the delivery time, as on disk."""
        self.store.put([draft("SCHEDULE_TOPIC_XXXX", b"x", more={"DELAY": "1"}, tags="A")])
        due = START_MS + 1000
        narrow = (due & 0xFFFFFFFF) - (1 << 32 if due & 0x80000000 else 0)
        self.assertEqual(self.store.get("SCHEDULE_TOPIC_XXXX", 0, 0, 1, frozenset({narrow})).count, 1)
