"""The disk in memory as a test uses it: crashes, full disks, failures. What it shares with a real disk is in tests/contracts."""

from __future__ import annotations

import errno
import math
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.errors import StoreLocked
from pymq.interfaces import IFile, IFiles
from pymq.testing.memoryfiles import MemoryFile, MemoryFiles


class MemoryFilesCase(SynchronousTestCase):
    """A disk with one file, whose name is durable."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.disk = MemoryFiles(clock=self.clock)
        self.file: MemoryFile = self.disk.create("log/0", 10_000)
        self.disk.sync_folder("log")

    def content(self, disk: MemoryFiles, path: str = "log/0") -> bytes:
        """The file's bytes without the zeros at its end."""
        return disk.read_bytes(path).rstrip(b"\0")


class CrashTests(MemoryFilesCase):
    """What survives the loss of power."""

    def test_provides_the_interfaces(self) -> None:
        """To the letter."""
        verifyObject(IFiles, self.disk)
        verifyObject(IFile, self.file)

    def test_unsynced_is_lost(self) -> None:
        """Written, whether by write_at or through the view, is not durable."""
        self.file.write_at(0, b"a")
        self.file.sync()
        self.file.write_at(1, b"b")
        self.file.view()[2] = 99
        self.assertEqual((self.content(self.disk), self.content(self.disk.crash())), (b"abc", b"a"))

    def test_the_old_disk_goes_on(self) -> None:
        """One state can crash in many ways, and what is written to one disk is not on the other."""
        self.file.write_at(0, b"a")
        crashed = self.disk.crash()
        self.file.sync()
        crashed.open("log/0").write_at(0, b"x")
        self.assertEqual((self.content(self.disk), self.content(crashed)), (b"a", b"x"))
        self.assertEqual(self.content(self.disk.crash()), b"a")

    def test_torn_at_every_byte(self) -> None:
        """Writes survive in their order up to a byte."""
        for position, data in ((0, b"abc"), (3, b"def"), (0, b"XY")):
            self.file.write_at(position, data)
        self.assertEqual(self.disk.unsynced_bytes, 8)
        states = [self.content(self.disk.crash(journal_bytes=count)) for count in range(9)]
        self.assertEqual(
            states,
            [b"", b"a", b"ab", b"abc", b"abcd", b"abcde", b"abcdef", b"Xbcdef", b"XYcdef"],
        )

    def test_random_crash_is_deterministic(self) -> None:
        """The same seed, the same disk; another seed, another one."""
        self.file.write_at(0, bytes(range(1, 251)) * 40)
        states = [self.content(self.disk.crash(random=Random(seed))) for seed in (1, 1, 2)]
        self.assertEqual(states[0], states[1])
        self.assertNotEqual(states[0], states[2])

    def test_name_is_lost_without_folder_sync(self) -> None:
        """A synced file whose name was not made durable is not there after a crash."""
        file = self.disk.create("log/1", 10)
        file.write_at(0, b"a")
        file.sync()
        self.assertEqual(self.disk.crash().list("log"), ["0"])
        self.disk.sync_folder("log")
        self.assertEqual(self.content(self.disk.crash(), "log/1"), b"a")

    def test_deletion_comes_back_without_folder_sync(self) -> None:
        """A deleted file may be there again."""
        self.disk.delete("log/0")
        self.assertEqual(self.disk.crash().list("log"), ["0"])
        self.disk.sync_folder("log")
        self.assertEqual(self.disk.crash().list("log"), [])

    def test_random_names(self) -> None:
        """With a throw for each, some creations survive without a sync and some do not."""
        for number in range(1, 20):
            self.disk.create(f"log/{number}", 1)
        self.assertTrue(1 < len(self.disk.crash(random=Random(1)).list("log")) < 20)

    def test_what_survived_is_durable(self) -> None:
        """A second crash right after takes nothing more."""
        self.file.write_at(0, b"abc")
        once = self.disk.crash(journal_bytes=2)
        self.assertEqual(self.content(once.crash()), b"ab")

    def test_replace_is_durable_at_once(self) -> None:
        """Content and name."""
        self.disk.replace("config/a", b"1")
        self.assertEqual(self.disk.crash().read_bytes("config/a"), b"1")

    def test_crash_frees_the_lock(self) -> None:
        """No process holds it any more."""
        self.disk.lock("lock")
        self.assertRaises(StoreLocked, self.disk.lock, "lock")
        self.disk.crash().lock("lock")
        self.disk.kill().lock("lock")

    def test_kill_keeps_what_was_written(self) -> None:
        """The kernel still has it; it is durable no more than before."""
        self.file.write_at(0, b"a")
        self.disk.create("log/1", 1)
        killed = self.disk.kill()
        self.assertEqual((self.content(killed), killed.list("log")), (b"a", ["0", "1"]))
        self.assertEqual((self.content(killed.crash()), killed.crash().list("log")), (b"", ["0"]))

    def test_times_survive(self) -> None:
        """Expiry goes by them."""
        self.disk.set_modified_ms("log/0", 5)
        self.assertEqual((self.disk.crash().modified_ms("log/0"), self.disk.kill().modified_ms("log/0")), (5, 5))


class FaultTests(MemoryFilesCase):
    """Operations that fail when told."""

    def test_once(self) -> None:
        """By default the next call, and no other."""
        self.disk.fail("write_at")
        error = self.assertRaises(OSError, self.file.write_at, 0, b"a")
        self.assertEqual(error.errno, errno.EIO)
        self.file.write_at(0, b"b")
        self.assertEqual(self.content(self.disk), b"b")

    def test_after_some_and_for_ever(self) -> None:
        """The second call and all later ones, until healed."""
        self.disk.fail("open", skip=1, times=math.inf)
        self.disk.open("log/0")
        for _ in range(3):
            self.assertRaises(OSError, self.disk.open, "log/0")
        self.disk.heal()
        self.disk.open("log/0")

    def test_only_on_matching_paths(self) -> None:
        """Others work."""
        self.disk.fail("create", "index/*", error=errno.EACCES)
        self.disk.create("log/1", 1)
        self.assertRaises(PermissionError, self.disk.create, "index/1", 1)

    def test_failed_sync_loses_for_good(self) -> None:
        """What a failed sync did not write, a later one does not write either."""
        self.file.write_at(0, b"a")
        self.disk.fail("sync")
        self.assertRaises(OSError, self.file.sync)
        self.file.sync()
        self.assertEqual((self.content(self.disk), self.content(self.disk.crash())), (b"a", b""))

    def test_failed_replace_keeps_the_old(self) -> None:
        """Atomically."""
        self.disk.replace("a", b"1")
        self.disk.fail("replace")
        self.assertRaises(OSError, self.disk.replace, "a", b"2")
        self.assertEqual(self.disk.read_bytes("a"), b"1")

    def test_log_names_operations(self) -> None:
        """In order, with their paths."""
        self.file.write_at(0, b"a")
        self.assertEqual(self.disk.log, [("create", "log/0"), ("sync_folder", "log"), ("write_at", "log/0")])


class SpaceTests(MemoryFilesCase):
    """A disk of three blocks."""

    def setUp(self) -> None:
        super().setUp()
        self.disk.space_bytes = 3 * 4096

    def test_sparse_files_take_nothing(self) -> None:
        """Only what is written does, a block at a time."""
        self.disk.create("log/1", 1 << 30)
        self.assertEqual(self.disk.space(), (0, 3 * 4096))
        self.file.write_at(0, b"a")
        self.assertEqual(self.disk.space(), (4096, 2 * 4096))

    def test_full_disk_takes_what_fits(self) -> None:
        """Then ENOSPC, as a kernel does."""
        file = self.disk.create("log/1", 100_000)
        error = self.assertRaises(OSError, file.write_at, 4000, b"x" * 20_000)
        self.assertEqual(error.errno, errno.ENOSPC)
        self.assertEqual(self.disk.read_bytes("log/1").count(b"x"), 3 * 4096 - 4000)

    def test_overwriting_needs_no_space(self) -> None:
        """A block that is taken can be written again."""
        self.file.write_at(0, b"a" * 4096)
        self.disk.foreign_bytes = 2 * 4096
        self.file.write_at(0, b"b")
        self.assertRaises(OSError, self.file.write_at, 5000, b"c")

    def test_replace_on_a_full_disk(self) -> None:
        """Fails and keeps the old."""
        self.disk.replace("a", b"1")
        self.disk.foreign_bytes = 3 * 4096
        self.assertRaises(OSError, self.disk.replace, "a", b"2")
        self.assertEqual(self.disk.read_bytes("a"), b"1")

    def test_deleting_gives_space_back(self) -> None:
        """At once."""
        self.file.write_at(0, b"a")
        self.disk.delete("log/0")
        self.assertEqual(self.disk.space()[0], 0)
