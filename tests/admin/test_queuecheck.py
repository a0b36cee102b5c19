"""Tests of pymq.admin.queuecheck."""

from __future__ import annotations

from pymq.admin.findings import Finding
from pymq.admin.folder import StoreFolder
from pymq.admin.logcheck import LogWalk
from pymq.admin.queuecheck import QueueChecks, QueueUnits
from pymq.store.consumequeue import UNIT
from pymq.testing.builders import draft
from pymq.testing.memoryfiles import MemoryFiles
from tests.admin.cases import EXTENDED, DamageCase
from tests.store.test_recovery import COUNT

FILE = "consumequeue/T/0/00000000000000001600"


class QueueCheckTests(DamageCase):
    """Queues and log of one store. Unit q of the file of 80 to 89 lies at 20 (q - 80)."""

    def damaged(self, at: int, data: bytes, files: MemoryFiles | None = None) -> MemoryFiles:
        """The stopped store with other bytes in a queue file."""
        files = files or self.stopped()
        files.open(FILE).view()[at : at + len(data)] = data
        return files

    def test_whole(self) -> None:
        """Also with units that point to log files that are gone, and with fillers before a queue's beginning."""
        files = self.stopped()
        self.assertEqual(self.findings(files), [])
        files.delete(self.places[0].path)
        self.assertEqual([finding for finding in self.findings(files) if finding.path.startswith("consumequeue")], [])
        for name in files.list("consumequeue/T/0"):
            files.delete(f"consumequeue/T/0/{name}")
        self.store_on(files).close()
        self.assertEqual([finding for finding in self.findings(files) if finding.is_damage], [])

    def test_missing_units(self) -> None:
        """Are told as one, with place."""
        self.expect_one(self.damaged(40, bytes(60)), FILE, 40, "queue offsets 82 to 84: the record has no unit")

    def test_a_missing_file(self) -> None:
        """Likewise."""
        files = self.stopped()
        files.delete(FILE)
        damages = [finding.cause for finding in self.findings(files)]
        self.assertEqual(len(damages), 2)
        self.assertIn("queue offsets 80 to 89: the record has no unit", damages[1])

    def test_a_missing_queue(self) -> None:
        """All of it."""
        files = self.stopped()
        for name in files.list("consumequeue/T/0"):
            files.delete(f"consumequeue/T/0/{name}")
        self.expect_one(files, "consumequeue/T/0", None, f"queue offsets 0 to {COUNT - 1}: the record has no unit")

    def test_units_that_lead_astray(self) -> None:
        """To another place, or with another size or tag."""
        self.expect_one(self.damaged(7, b"\xee"), FILE, 0, "queue offset 80: the unit points elsewhere")
        self.damaged(0, UNIT.pack(self.places[80].at + int(self.places[80].path[-20:]), self.places[80].size, 5), self.files)
        self.expect_one(self.files, FILE, 0, "queue offset 80: the tags code is not that of its record")

    def test_units_without_a_record(self) -> None:
        """Their record is damaged, or the log ends before them."""
        files = self.stopped()
        self.overwrite(files, self.places[85], 4, bytes(4))
        told = [(one.path, one.offset, one.cause) for one in self.findings(files) if one.path == FILE]
        self.assertEqual(told, [(FILE, 100, "queue offset 85: the unit points to no whole record")])
        files = self.files.kill()
        last = "consumequeue/T/0/00000000000000001800"
        self.overwrite(files, self.places[-1], 0, bytes(self.places[-1].size))
        told = [(one.path, one.offset, one.cause) for one in self.findings(files) if one.path == last]
        end = int(self.places[-1].path[-20:]) + self.places[-1].at
        self.assertEqual(told, [(last, 180, f"queue offset 99: the unit points beyond the log's end at {end}")])

    def test_open_files_are_bounded(self) -> None:
        """However many queues there are."""
        self.store.put([draft("T", b"x", queue_id=number % 30) for number in range(300)])
        self.store.close()
        folder = StoreFolder(self.files, self.config, open_max=5)
        findings: list[Finding] = []
        walk = LogWalk(folder.log_segments(self.fail), self.fail)
        checks = QueueChecks(folder, walk, 0, findings.append)
        most = 0
        for record in walk.records():
            checks.take(record)
            queues = [check.units.segments for check in checks._checks.values()]
            most = max(most, sum(segment.is_open for row in queues for segment in row))
        self.assertEqual((checks.finish(10**9, False), findings), ((30, 400), []))
        self.assertLessEqual(most, 5)

    def test_a_topic_made_anew(self) -> None:
        """Records of the topic that was deleted before are nobody's; what its successor lost is seen all the same."""
        self.store.drop_queues(lambda topic: True)
        self.store.put([draft("T", b"%d" % number) for number in range(3)])
        self.assertEqual([one for one in self.findings(self.files.kill()) if one.is_damage], [])
        files = self.stopped()
        files.open("consumequeue/T/0/00000000000000000000").view()[20:40] = bytes(20)
        self.assertEqual([one.cause for one in self.findings(files)], ["queue offset 1: the record has no unit"])

    def test_a_running_store(self) -> None:
        """What is written meanwhile is no damage."""
        self.store.put([draft("T", b"x")])
        self.assertEqual(self.findings(self.files), [])

    def test_unqueued_records(self) -> None:
        """Half messages of stores that keep them so need no unit; delayed ones hold their time."""
        self.store.put([draft("T", b"half", sys_flag=4), draft("SCHEDULE_TOPIC_XXXX", b"x", queue_id=2, more={"DELAY": "3"})])
        self.assertEqual(self.findings(self.stopped()), [])


class ExtendedQueueCheckTests(DamageCase):
    """With extensions."""

    config = EXTENDED

    def test_whole(self) -> None:
        """All units lead to their own."""
        self.assertEqual(self.findings(self.stopped()), [])
        units = QueueUnits(self.folder(self.files), "T", 0, self.fail)
        found = [units.ext_unit(code) for _, (*_, code) in units.written(98)]
        self.assertEqual([unit and unit.store_ms // 10 for unit in found], [170_000_000_097, 170_000_000_098])

    def test_damages(self) -> None:
        """A unit that is gone, and one that is another's."""
        files = self.stopped()
        ext = "consumequeue_ext/T/0/00000000000000000000"
        files.open(ext).view()[20:40] = bytes(20)
        self.expect_one(files, "consumequeue/T/0/00000000000000000000", 20, "its address leads to no unit of the extension")
        files.open(ext).view()[20:40] = files.open(ext).view()[0:20]
        self.expect_one(files, "consumequeue/T/0/00000000000000000000", 20, "its unit of the extension is of another message")
