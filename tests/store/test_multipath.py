"""Tests of pymq.store.multipath, and of a store whose log lies in several folders."""

from __future__ import annotations

import os
import tempfile
from random import Random
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreDamaged
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.multipath import LogFolder, MultiPathFiles, open_log_files
from pymq.store.store import FileMessageStore
from pymq.testing.memoryfiles import MemoryFiles
from tests.contracts.files import FilesContract
from tests.contracts.store import CareContract, GetContract, PutContract, QueryContract
from tests.contracts.test_store import CONFIG as CONTRACT_CONFIG
from tests.store.stores import SMALL, StoreCase, numbered

FILE_BYTES = SMALL.mapped_file_size_commit_log
DISK_BYTES = 1 << 24


def name_of(number: int) -> str:
    """The name of a file of the log."""
    return f"{number * FILE_BYTES:020d}"


def over(disks: dict[str, MemoryFiles], read_only: str = "", file_bytes: int = FILE_BYTES) -> MultiPathFiles:
    """Folders of these names, each on its own disk."""
    folders = [LogFolder(name, files, name not in read_only) for name, files in disks.items()]
    return MultiPathFiles(folders, file_bytes=file_bytes, full_percent=85)


class MultiPathFilesTests(FilesContract, SynchronousTestCase):
    """Several folders are one."""

    def setUp(self) -> None:
        self.disks = {name: MemoryFiles() for name in "cab"}
        for disk in self.disks.values():
            disk.space_bytes = DISK_BYTES

    def make_files(self) -> MultiPathFiles:
        """Empty ones."""
        return over(self.disks)

    def where(self, files: MultiPathFiles, count: int = 6, first: int = 0) -> str:
        """In which folders new files of the log lie, one after the other."""
        for number in range(first, first + count):
            files.create(name_of(number), FILE_BYTES)
        names = range(first, first + count)
        return "".join(next(name for name, disk in self.disks.items() if disk.exists(name_of(number))) for number in names)

    def test_in_turn(self) -> None:
        """By the number of the file, in the order of the folders' names, so that it does not matter where a log begins."""
        self.assertEqual(self.where(over(self.disks)), "abcabc")
        self.assertEqual(self.where(over(self.disks), 3, 7), "bca")
        self.assertEqual(over(self.disks).list(""), [name_of(number) for number in (0, 1, 2, 3, 4, 5, 7, 8, 9)])

    def test_files_that_are_there(self) -> None:
        """Are found wherever they lie."""
        self.disks["a"].create(name_of(5), 10).write_at(0, b"here")
        files = over(self.disks)
        self.assertEqual(files.read_bytes(name_of(5)), b"here" + bytes(6))
        files.open(name_of(5)).write_at(0, b"HERE")
        self.assertEqual(self.disks["a"].read_bytes(name_of(5))[:4], b"HERE")
        self.assertRaises(FileExistsError, files.create, name_of(5), 10)
        files.delete(name_of(5))
        self.assertEqual((files.list(""), self.disks["a"].list("")), ([], []))

    def test_no_new_files(self) -> None:
        """In a folder that is said to be for reading; what is there is used, and may expire."""
        self.disks["b"].create(name_of(0), FILE_BYTES)
        files = over(self.disks, read_only="b")
        self.assertEqual(self.where(files, 4, 1), "caca")
        self.assertEqual(files.list("")[0], name_of(0))
        files.delete(name_of(0))
        self.assertEqual(self.disks["b"].list(""), [])

    def test_full_disks(self) -> None:
        """Are passed over, unless all are full."""
        self.disks["a"].foreign_bytes = int(DISK_BYTES * 0.86)
        self.assertEqual(self.where(over(self.disks), 4), "bcbc")
        for disk in self.disks.values():
            disk.foreign_bytes = int(DISK_BYTES * 0.86)
        self.assertEqual(self.where(over(self.disks), 4, 6), "abca")

    def test_the_emptiest_disk_counts(self) -> None:
        """While there is one with room messages are taken; but not one without new files."""
        for name, part in (("a", 0.5), ("b", 0.25), ("c", 0.75)):
            self.disks[name].foreign_bytes = int(DISK_BYTES * part)
        self.assertEqual(over(self.disks).space(), (DISK_BYTES // 4, DISK_BYTES * 3 // 4))
        self.assertEqual([used * 4 // DISK_BYTES for used, _ in over(self.disks).spaces()], [2, 1, 3])
        self.assertEqual([used * 4 // DISK_BYTES for used, _ in over(self.disks, read_only="b").spaces()], [2, 3])
        self.assertEqual(over(self.disks, read_only="b").space()[0], DISK_BYTES // 2)

    def test_the_same_file_twice(self) -> None:
        """Is an error that names both; folders of one name, such as a file system's own, are none."""
        for name in "ac":
            self.disks[name].create("lost+found/x", 1)
        self.assertEqual(over(self.disks).list(""), ["lost+found"])
        for name in "ac":
            self.disks[name].create(name_of(3), 10)
        error = self.assertRaises(StoreDamaged, over(self.disks).list, "")
        self.assertIn(f"{name_of(3)} is in a and in c", str(error))


class OpeningTests(SynchronousTestCase):
    """What the settings ask for."""

    def opened(self, **settings: str) -> Any:
        """The folders."""
        return open_log_files(MessageStoreConfig(**settings))

    def test_one(self) -> None:
        """Of its own or the store's."""
        self.assertIsNone(self.opened())
        one = self.opened(store_path_commit_log="/data/log")
        self.assertEqual((type(one), one.root), (DiskFiles, "/data/log"))

    def test_several(self) -> None:
        """Each in its place; those for reading need not be named twice."""
        with tempfile.TemporaryDirectory(prefix="pymq-paths-") as root:
            a, b, c = (f"{root}/{name}" for name in "abc")
            files = self.opened(store_path_commit_log=f"{b}, {a}", read_only_commit_log_store_paths=c)
            for number in range(3):
                files.create(f"{number * 2**30:020d}", 10)
            DiskFiles(c).create("x", 1)
            self.assertEqual([os.listdir(path) for path in (a, b)], [[f"{n}" for n in names] for names in self.names()])
            self.assertIn("x", files.list(""))

    def names(self) -> list[list[str]]:
        """Of the files in a and b."""
        return [sorted([f"{0:020d}", f"{2**31:020d}"]), [f"{2**30:020d}"]]

    def test_the_stores_own_and_older_ones(self) -> None:
        """Folders for reading go with the log in the store's own folder too."""
        with tempfile.TemporaryDirectory(prefix="pymq-paths-") as root:
            files = self.opened(store_path_root_dir=root, read_only_commit_log_store_paths=f"{root}/old")
            files.create(f"{0:020d}", 10)
            self.assertEqual(os.listdir(f"{root}/commitlog"), [f"{0:020d}"])


class SpreadCase(StoreCase):
    """A store whose log is on three disks."""

    def setUp(self) -> None:
        super().setUp()
        self.disks = {name: MemoryFiles(clock=self.clock) for name in "abc"}

    def spread(self, files: MemoryFiles, disks: dict[str, MemoryFiles], read_only: str = "") -> FileMessageStore:
        """A loaded store."""
        store = FileMessageStore(files, self.config, clock=self.clock, log_files=over(disks, read_only))
        store.load()
        return store


class SpreadStoreTests(SpreadCase):
    """Written, stopped in every way, and read."""

    def test_stopped(self) -> None:
        """All is there again, also with one folder fewer for new files."""
        store = self.spread(self.files, self.disks)
        self.fill(store, 200)
        store.close()
        self.assertEqual([len(disk.list("")) for disk in self.disks.values()], [2, 2, 2])
        again = self.spread(self.files, self.disks, read_only="a")
        self.assertEqual(self.bodies(again), numbered(200))
        self.fill(again, 200, first=200)
        self.assertEqual([len(disk.list("")) for disk in self.disks.values()], [2, 5, 4])
        self.assertEqual(self.bodies(again), numbered(400))

    def test_killed(self) -> None:
        """All is there again."""
        self.fill(self.spread(self.files, self.disks), 200)
        again = self.spread(self.files.kill(), {name: disk.kill() for name, disk in self.disks.items()})
        self.assertEqual(self.bodies(again), numbered(200))

    def test_power_cuts(self) -> None:
        """What was flushed is there, whatever each disk kept of the rest."""
        for seed in range(40):
            random = Random(seed)
            self.disks = {name: MemoryFiles(clock=self.clock) for name in "abc"}
            files = MemoryFiles(clock=self.clock)
            store = self.spread(files, self.disks)
            flushed = 0
            for number in range(0, 160, 8):
                self.fill(store, 8, first=number)
                if random.random() < 0.3:
                    store.flush()
                    flushed = number + 8
            cut = {name: disk.crash(random=random) for name, disk in self.disks.items()}
            again = self.spread(files.crash(random=random), cut)
            found = self.bodies(again)
            self.assertTrue(len(found) >= flushed, f"seed {seed}: {len(found)} of {flushed}")
            self.assertEqual(found, numbered(len(found)))
            self.assertEqual(self.fill(again, 1, first=len(found))[0].queue_offset, len(found))
            again.close()

    def test_expiry(self) -> None:
        """The oldest files go, wherever they lie."""
        store = self.spread(self.files, self.disks)
        self.fill(store, 200)
        self.clock.advance(100 * 3600)
        for disk in self.disks.values():
            disk.space_bytes, disk.foreign_bytes = DISK_BYTES, int(DISK_BYTES * 0.8)
        store.run_maintenance(int(self.clock.seconds() * 1000))
        self.clock.advance(60)
        store.run_maintenance(int(self.clock.seconds() * 1000))
        self.assertEqual(sum(len(disk.list("")) for disk in self.disks.values()), 1)
        self.assertEqual(store.describe()["log_disks_used_ratio"], [0.8, 0.8, 0.81])


class OnThreeDisks(SynchronousTestCase):
    """For the contracts."""

    def setUp(self) -> None:
        self.case = SpreadCase()
        self.case.setUp()
        self.clock = self.case.clock

    def make_store(self) -> FileMessageStore:
        """An empty one."""
        files = over(self.case.disks, file_bytes=CONTRACT_CONFIG.mapped_file_size_commit_log)
        store = FileMessageStore(self.case.files, attrs.evolve(CONTRACT_CONFIG), clock=self.clock, log_files=files)
        store.load()
        self.addCleanup(store.close)
        return store


class SpreadPutTests(OnThreeDisks, PutContract):
    """Storing."""


class SpreadGetTests(OnThreeDisks, GetContract):
    """Reading."""


class SpreadQueryTests(OnThreeDisks, QueryContract):
    """Finding."""


class SpreadCareTests(OnThreeDisks, CareContract):
    """Care."""
