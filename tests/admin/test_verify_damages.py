"""Every damage of tests/store/test_recovery.py seen by verify: it reads whatever is there, and what a start left is whole."""

from __future__ import annotations

from typing import Any

from pymq.errors import StoreDamaged
from pymq.store.store import FileMessageStore
from pymq.testing.memoryfiles import MemoryFiles
from tests.admin.cases import EXTENDED, DamageCase
from tests.store import test_recovery


class Watched(DamageCase):
    """Looks at each disk before its start and after it."""

    #: The causes of damages that a start does not mend.
    may_stay: tuple[str, ...] = ()

    def reopened(self, files: MemoryFiles, **changes: Any) -> FileMessageStore:
        """The store after recovery."""
        before = self.findings(files)
        try:
            store = super().reopened(files, **changes)
        except StoreDamaged:
            self.assertNotEqual(before, [], "a start is refused, but verify finds nothing")
            raise
        left = [one.sentence() for one in self.findings(files) if one.is_damage]
        self.assertEqual([sentence for sentence in left if not any(cause in sentence for cause in self.may_stay)], [])
        return store


class UndamagedTests(Watched, test_recovery.UndamagedTests):
    """Nothing is wrong."""


class LogDamageTests(Watched, test_recovery.LogDamageTests):
    """The log. A start begins near its end; so what is missing or damaged in the middle stays, and what points there."""

    may_stay = (
        "what lay between is not there",
        "the blank that closes the file should stand",
        "the body does not match its CRC",
        "the unit points to no whole record",
        "no record with keys begins",
    )


class FileEndTests(Watched, test_recovery.FileEndTests):
    """Crashes around the making of a file."""


class QueueDamageTests(Watched, test_recovery.QueueDamageTests):
    """The queues."""


class ExtendedQueueDamageTests(QueueDamageTests):
    """Queues with extensions."""

    config = EXTENDED
