"""Tests of pymq.admin.verify: whole stores, and damaged ones before and after a recovery."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pymq.store.checkpoint import Checkpoint
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles
from tests.admin.cases import EXTENDED, GOLDEN, DamageCase, golden_disk, verified
from tests.store.test_recovery import COUNT

Damage = Callable[["VerifyTests", MemoryFiles], None]


def torn(case: VerifyTests, files: MemoryFiles) -> None:
    """The last record."""
    case.overwrite(files, case.places[-1], 50, bytes(case.places[-1].size - 50))


def cut_middle(case: VerifyTests, files: MemoryFiles) -> None:
    """A record in the middle: a start cuts the log there."""
    case.overwrite(files, case.places[50], 4, b"????")


def lost_units(case: VerifyTests, files: MemoryFiles) -> None:
    """At the end of the queue."""
    files.delete("consumequeue/T/0/00000000000000001800")


def ghost_unit(case: VerifyTests, files: MemoryFiles) -> None:
    """Behind the end of the queue, and of the log."""
    files.open("consumequeue/T/0/00000000000000001800").view()[180:200] = b"\0\0\0\1" + bytes(7) + b"\x64" + bytes(8)


def lost_queue(case: VerifyTests, files: MemoryFiles) -> None:
    """All units."""
    for name in files.list("consumequeue/T/0"):
        files.delete(f"consumequeue/T/0/{name}")


def garbage(case: VerifyTests, files: MemoryFiles) -> None:
    """Behind the last record."""
    case.overwrite(files, case.places[-1], case.places[-1].size, b"garbage")


DAMAGES: list[Damage] = [torn, cut_middle, lost_units, ghost_unit, lost_queue, garbage]


class VerifyTests(DamageCase):
    """Verdicts."""

    def test_whole(self) -> None:
        """Running, killed, stopped: the figures say what was looked at."""
        running, findings = verified(self.files)
        self.assertEqual((findings, running.is_running, running.records), ([], True, COUNT))
        self.assertEqual([one.path for one in self.findings(self.killed()) if one.is_damage], [])
        verdict, findings = verified(self.stopped())
        self.assertEqual(findings, [])
        self.assertEqual((verdict.records, verdict.units, verdict.queues), (COUNT, COUNT, 1))
        self.assertEqual((verdict.index_entries, verdict.log_end, verdict.damages), (COUNT, self.log_end, 0))
        self.assertTrue(verdict.sentence().startswith(f"whole: {COUNT} records in"))

    def test_java_s_stores(self) -> None:
        """Are whole; these were taken without their checkpoints."""
        for module, config in GOLDEN:
            verdict, findings = verified(golden_disk(module), config)
            self.assertEqual([finding.path for finding in findings], ["checkpoint"])
            self.assertEqual((verdict.damages, verdict.notes, verdict.records > 6), (0, 1, True))

    def test_damages_are_found_and_recovered(self) -> None:
        """Each is named; after a start, killed or stopped before, nothing is left of it."""
        for damage in DAMAGES:
            for files in (self.killed(), self.stopped()):
                damage(self, files)
                self.assertGreater(verified(files, self.config)[0].damages, 0, damage.__name__)
                files.create("abort", 0) if not files.exists("abort") else None
                self.store_on(files).close()
                self.assertEqual([one.sentence() for one in self.findings(files) if one.is_damage], [], damage.__name__)
            self.setUp()

    def test_after_power_cuts(self) -> None:
        """Whatever is left of the disk, verify reads it without an error, and after a recovery it is whole."""
        for seed in range(20):
            random = Random(seed)
            for _ in range(5):
                self.store.put([draft("T", bytes(random.randrange(300)), keys="k") for _ in range(4)])
                if random.random() < 0.3:
                    self.store.flush()
            files = self.files.crash(random=random)
            verified(files, self.config)
            self.store_on(files).close()
            self.assertEqual([one.sentence() for one in self.findings(files) if one.is_damage], [], seed)

    def test_every_byte_of_a_record(self) -> None:
        """Whatever is flipped in it, verify ends, and tells of what brokers would stumble over."""
        files = self.stopped()
        place = self.places[40]
        for at in range(88):
            view = files.open(place.path).view()
            view[place.at + at] ^= 0xFF
            seen = {finding.path for finding in self.findings(files)}
            # Nobody can tell what the user's own flag was.
            if at < 16 or 20 <= at < 36:
                self.assertNotEqual(seen, set(), at)
            view[place.at + at] ^= 0xFF

    def test_checkpoint(self) -> None:
        """Of another size is damaged; that it vouches for what is not there, or is not there itself, are notes."""
        files = self.stopped()
        checkpoint = Checkpoint(files)
        checkpoint.load()
        checkpoint.logics_ms = 2**60
        checkpoint.flush()
        (note,) = self.findings(files)
        self.assertEqual((note.path, note.offset, note.is_damage), ("checkpoint", 8, False))
        self.assertIn("logics_ms vouches for messages stored until 1152921504606846976", note.cause)
        files.replace("checkpoint", bytes(24))
        self.expect_one(files, "checkpoint", None, "it has 24 bytes")
        files.delete("checkpoint")
        self.assertEqual([finding.is_damage for finding in self.findings(files)], [False])

    def test_documents(self) -> None:
        """That cannot be read; Java's bare numbers can."""
        files = self.stopped()
        files.replace("config/delayOffset.json", b'{"offsetTable":{1:5}}')
        files.replace("config/topics.json", b'{"topicConfigTable":')
        files.replace("config/empty.json", b"")
        self.expect_one(files, "config/topics.json", None, "it cannot be read")
        self.assertEqual(verified(files)[0].documents, 3)


class ExtendedVerifyTests(VerifyTests):
    """The same with extended queues."""

    config = EXTENDED

    def test_whole(self) -> None:
        """All units are looked at."""
        verdict, findings = verified(self.stopped(), self.config)
        self.assertEqual((findings, verdict.units), ([], COUNT))
