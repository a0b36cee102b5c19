"""Tests of pymq.admin.findings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.admin.findings import Finding, Run, counted


class FindingTests(SynchronousTestCase):
    """One finding, and many."""

    def test_counts(self) -> None:
        """With their nouns."""
        self.assertEqual([counted(count, "unit") for count in (0, 1, 2)], ["0 units", "1 unit", "2 units"])
        self.assertEqual(counted(2, "entry", "entries"), "2 entries")

    def test_sentence(self) -> None:
        """File, place, cause."""
        self.assertEqual(Finding("a/b", 7, "torn").sentence(), "damage: a/b at byte 7: torn")
        self.assertEqual(Finding("a/b", None, "gone", is_damage=False).sentence(), "note: a/b: gone")

    def test_neighbours_are_told_as_one(self) -> None:
        """As long as numbers and cause go on."""
        findings: list[Finding] = []
        run = Run(findings.append, "unit")
        for number in (3, 4, 5, 7):
            run.add(number, "f", number * 20, "torn")
        run.add(8, "f", 160, "gone")
        run.add(9, "f", 180, "gone", count=5)
        run.add(14, "f", 280, "gone", is_damage=False)
        run.close()
        run.close()
        told = [(finding.offset, finding.cause, finding.is_damage) for finding in findings]
        self.assertEqual(
            told,
            [
                (60, "units 3 to 5: torn", True),
                (140, "unit 7: torn", True),
                (160, "units 8 to 13: gone", True),
                (280, "unit 14: gone", False),
            ],
        )
