"""The named ways to fail, and the named ways to lose power."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from pymq.testing.memoryfaults import DISK_FAULTS, POWER_CUTS, FaultTable, power_cut
from pymq.testing.memoryfiles import MemoryFiles

OPERATIONS = {"write_at", "sync", "sync_folder", "create", "open", "view", "delete", "replace"}


class DiskFaultTests(SynchronousTestCase):
    """Faults drawn by name."""

    def test_every_operation_can_fail(self) -> None:
        """Each that the store asks for and that has an effect."""
        self.assertEqual({fault.operation for fault in DISK_FAULTS.values()}, OPERATIONS)
        self.assertEqual([name for name, fault in DISK_FAULTS.items() if fault.name != name], [])

    def test_strikes_once_or_for_good(self) -> None:
        """Within so many operations, on the files that it is about."""
        for name, after in (("a write to the log fails", 0), ("all writes fail", 30)):
            files = MemoryFiles()
            log, other = files.create("commitlog/0", 100), files.create("a", 100)
            DISK_FAULTS[name].strike(files, Random(1))
            failures = 0
            for _ in range(40):
                try:
                    log.write_at(0, b"x")
                except OSError:
                    failures += 1
            self.assertTrue(failures == 1 or failures > after > 0)
            if not after:
                other.write_at(0, b"x")

    def test_the_oldest_fault_comes_first(self) -> None:
        """And none after `clear`."""
        table = FaultTable()
        table.add("open", "*", 5, 0, 1)
        table.add("open", "a*", 13, 0, 2)
        self.assertEqual([self.assertRaises(OSError, table.check, "open", "a").errno for _ in range(2)], [5, 13])
        table.clear()
        table.check("open", "a")


class PowerCutTests(SynchronousTestCase):
    """What is left of three writes, one of them synced."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        file = self.files.create("a", 4096)
        file.write_at(0, b"1" * 512)
        file.sync()
        self.files.sync_folder("")
        file.write_at(512, b"2" * 512)
        file.write_at(1024, b"3" * 512)

    def contents(self, name: str) -> set[bytes]:
        """What different seeds leave, one character for a sector."""
        left = (power_cut(name, self.files, Random(seed)).read_bytes("a") for seed in range(40))
        return {bytes(data[at] for at in (0, 512, 1024)) for data in left}

    def test_kinds(self) -> None:
        """Nothing; the first bytes; any sectors."""
        self.assertEqual(list(POWER_CUTS), ["lost", "torn", "reordered"])
        self.assertEqual(self.contents("lost"), {b"1\0\0"})
        self.assertEqual(self.contents("torn"), {b"12\0", b"123"})
        self.assertEqual(self.contents("reordered"), {b"1\0\0", b"12\0", b"1\x003", b"123"})

    def test_torn_within_a_sector(self) -> None:
        """At any byte."""
        lengths = {power_cut("torn", self.files, Random(seed)).read_bytes("a").count(b"2") for seed in range(40)}
        self.assertTrue(lengths - {0, 512})
