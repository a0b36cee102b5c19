"""Tests of pymq.admin.logcheck."""

from __future__ import annotations

from pymq.admin.findings import Finding
from pymq.admin.logcheck import LogWalk, nonzero_from
from pymq.testing.memoryfiles import MemoryFiles
from tests.admin.cases import DamageCase
from tests.store.test_recovery import COUNT


class LogWalkTests(DamageCase):
    """Walks over the log alone."""

    def walked(self, files: MemoryFiles, **options: bool) -> tuple[LogWalk, list[int], list[Finding]]:
        """The walk, the numbers of the records it found, and what it reported."""
        findings: list[Finding] = []
        walk = LogWalk(self.folder(files).log_segments(findings.append), findings.append, **options)
        return walk, [record.queue_offset for record in walk.records()], findings

    def test_whole(self) -> None:
        """Every record, and the end of the last."""
        walk, numbers, findings = self.walked(self.stopped())
        self.assertEqual((numbers, findings, walk.end, walk.count), (list(range(COUNT)), [], self.log_end, COUNT))
        self.assertEqual(walk.walked_bytes, sum(place.size for place in self.places))

    def test_goes_on_behind_a_damage(self) -> None:
        """A body, a length, a magic, a whole record: one report each, at its place, and all others are found."""
        for number in (0, 10, COUNT - 2):
            place = self.places[number]
            for at, data in ((88, b"?"), (0, b"\xff\xff"), (4, bytes(4)), (28, b"\1"), (0, bytes(place.size))):
                files = self.files.kill()
                self.overwrite(files, place, at, data)
                _, numbers, findings = self.walked(files)
                self.assertEqual(numbers, [other for other in range(COUNT) if other != number], (number, at))
                self.assertEqual([(one.path, one.offset) for one in findings], [(place.path, place.at)])
                self.assertIn(f"the next whole record stands {place.size} bytes on", findings[0].cause)

    def test_the_end(self) -> None:
        """Zeros are the end; other bytes are told, unless a broker is writing them."""
        files = self.stopped()
        self.overwrite(files, self.places[-1], self.places[-1].size + 5, b"?")
        walk, _, findings = self.walked(files)
        self.assertEqual([(one.path, one.offset) for one in findings], [(self.places[-1].path, self.log_end % 4096)])
        self.assertIn(f"not zero from {self.log_end % 4096 + 5} on", findings[0].cause)
        self.assertEqual(walk.end, self.log_end)
        self.assertEqual(self.walked(files, is_running=True)[2], [])

    def test_a_missing_blank(self) -> None:
        """Is a damage, for brokers stop there, and files follow."""
        first_of_next = next(place for place in self.places if place.path != self.places[0].path)
        last = self.places[first_of_next.number - 1]
        files = self.stopped()
        self.overwrite(files, last, last.size, bytes(4096 - last.at - last.size))
        _, numbers, findings = self.walked(files)
        self.assertEqual((numbers, len(findings)), (list(range(COUNT)), 1))
        self.assertEqual((findings[0].path, findings[0].offset), (last.path, last.at + last.size))
        self.assertIn("a later file holds records", findings[0].cause)

    def test_spare_files(self) -> None:
        """Files of zeros that Java leaves behind the end are in order."""
        files = self.stopped()
        files.create(f"commitlog/{12288:020d}", 4096)
        _, numbers, findings = self.walked(files)
        self.assertEqual((len(numbers), findings), (COUNT, []))

    def test_bodies_may_be_left_out(self) -> None:
        """Then a flipped bit in one is not seen."""
        files = self.stopped()
        self.overwrite(files, self.places[3], 88, b"?")
        self.assertEqual(self.walked(files, check_crc=False)[2], [])

    def test_progress(self) -> None:
        """Is told with every file."""
        seen: list[int] = []
        list(LogWalk(self.folder(self.stopped()).log_segments(self.fail), self.fail, progress=seen.append).records())
        self.assertEqual(seen, [0, 4096, 8192, 12288])

    def test_nonzero_from(self) -> None:
        """Finds a single byte."""
        files = MemoryFiles()
        files.create("commitlog/00000000000000000000", 1 << 22).view()[3_000_000] = 1
        (segment,) = self.folder(files).log_segments(self.fail)
        self.assertEqual((nonzero_from(segment, 0), nonzero_from(segment, 3_000_001)), (3_000_000, None))
