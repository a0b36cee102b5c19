"""Tests of pymq.admin.indexcheck."""

from __future__ import annotations

from pymq.testing.memoryfiles import MemoryFiles
from tests.admin.cases import GOLDEN, DamageCase, golden_disk, verified

#: Where entry 1 of a file of SMALL begins.
ENTRIES_AT = 40 + 50 * 4


class IndexCheckTests(DamageCase):
    """The index of a hundred messages with a key each, in files of 39 entries."""

    def setUp(self) -> None:
        super().setUp()
        self.disk = self.stopped()
        self.path = f"index/{self.disk.list('index')[0]}"

    def damaged(self, at: int, data: bytes) -> MemoryFiles:
        """Other bytes in the first file."""
        self.disk.open(self.path).view()[at : at + len(data)] = data
        return self.disk

    def test_whole(self) -> None:
        """Ours, and those of Java, of which 5.x indexes tags too."""
        self.assertEqual(self.findings(self.disk), [])
        for module, config in GOLDEN:
            verdict, findings = verified(golden_disk(module), config)
            self.assertEqual([finding.cause for finding in findings if finding.path != "checkpoint"], [])
            self.assertEqual(verdict.index_entries > 10, config.enable_consume_queue_ext is False)

    def test_a_wrong_hash(self) -> None:
        """Breaks the chain, and fits no key."""
        at = ENTRIES_AT + 5 * 20
        causes = [(one.offset, one.cause) for one in self.findings(self.damaged(at + 2, b"\x55")) if one.is_damage]
        self.assertIn((at, f"entry 5: its hash is of no key of the record at log offset {self.places[4].at}"), causes)

    def test_a_wrong_place(self) -> None:
        """Names no record."""
        at = ENTRIES_AT + 5 * 20
        self.expect_one(self.damaged(at + 11, b"\xee"), self.path, at, "entry 5: it names a place of the log where no record")

    def test_a_broken_chain(self) -> None:
        """In an entry, or in a slot."""
        at = ENTRIES_AT + 30 * 20
        self.expect_one(self.damaged(at + 16, b"\0\0\0\x63"), self.path, at, "entry 30: it does not lead to the entry before it")

    def test_a_broken_slot(self) -> None:
        """Its newest entry is not found by it."""
        used = next(at for at in range(40, ENTRIES_AT, 4) if any(self.disk.open(self.path).view()[at : at + 4]))
        self.expect_one(self.damaged(used, bytes(4)), self.path, used, "it does not lead to its newest entry")

    def test_a_count_that_cannot_be(self) -> None:
        """Is told, and what the file can hold is looked at."""
        damages = [one for one in self.findings(self.damaged(36, b"\x7f")) if one.is_damage]
        self.assertEqual((damages[0].path, damages[0].offset), (self.path, 36))

    def test_a_missing_file(self) -> None:
        """Leaves keys without entries: a note, for a start does not mend it."""
        self.disk.delete(self.path)
        (finding,) = self.findings(self.disk)
        self.assertEqual((finding.path, finding.is_damage), ("index", False))
        self.assertIn("records 1 to 39: not all of its keys are indexed", finding.cause)
