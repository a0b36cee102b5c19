"""What a store answers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.message.results import GetStatus, PutStatus


class StatusTests(SynchronousTestCase):
    """Names go out as remarks, so they are Java's."""

    def test_names_are_values(self) -> None:
        """Nobody has to look which is which."""
        for status in (*PutStatus, *GetStatus):
            self.assertEqual(status.name, status.value)

    def test_stored_statuses(self) -> None:
        """Four say that the message is in the log (store.md 2.10)."""
        stored = [status.name for status in PutStatus if status.is_stored]
        self.assertEqual(stored, ["PUT_OK", "FLUSH_DISK_TIMEOUT", "FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE"])
