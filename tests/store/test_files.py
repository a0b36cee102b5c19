"""The real disk; what it shares with the one in memory is in tests/contracts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreLocked
from pymq.store.files import DiskFiles, physical_memory_bytes

#: What a Java broker does: a POSIX lock on the first byte.
_LOCKER = "import fcntl,sys; f=open(sys.argv[1],'r+b'); fcntl.lockf(f, fcntl.LOCK_EX|fcntl.LOCK_NB, 1, 0, 0)"


class DiskFilesTests(SynchronousTestCase):
    """A folder made for the test."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pymq-files-")
        self.addCleanup(folder.cleanup)
        self.root = os.path.join(folder.name, "not", "yet")
        self.files = DiskFiles(self.root)

    def test_files_are_sparse(self) -> None:
        """A gigabyte of nothing takes no room, also when its end is zeroed."""
        file = self.files.create("log/big", 1 << 30)
        file.write_at(0, b"x")
        self.assertFalse(file.zero_from(100))
        file.sync()
        self.assertLess(os.stat(os.path.join(self.root, "log/big")).st_blocks * 512, 1 << 20)

    def test_zero_from_steps_over_holes(self) -> None:
        """And finds what lies behind them."""
        file = self.files.create("f", 8 << 20)
        file.write_at(10, b"abc")
        file.write_at((8 << 20) - 3, b"end")
        self.assertTrue(file.zero_from(11))
        self.assertEqual((bytes(file.view()[9:14]), bytes(file.view()[-3:])), (b"\0a\0\0\0", bytes(3)))

    def test_data_end(self) -> None:
        """Is found without reading, be it written or stored into the mapping."""
        file = self.files.create("f", 8 << 20)
        self.assertEqual(file.data_end(), 0)
        file.write_at(10, b"abc")
        self.assertTrue(13 <= file.data_end() <= 65536)
        file.view()[5 << 20] = 1
        self.assertTrue(5 << 20 < file.data_end() <= 8 << 20)
        file.sync()
        self.assertTrue(5 << 20 < file.data_end() <= 8 << 20)

    def test_views_outlive_the_file(self) -> None:
        """A reader that holds a view of a deleted segment goes on reading."""
        file = self.files.create("f", 8192)
        file.write_at(0, b"stays")
        view = file.view()[:5]
        file.close()
        self.files.delete("f")
        self.assertEqual(bytes(view), b"stays")

    def test_opens_lazily(self) -> None:
        """A thousand files that nobody touches take no descriptor."""
        before = len(os.listdir("/proc/self/fd"))
        files = [self.files.create(f"f{number}", 4096) for number in range(100)]
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        files[0].view()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + 1)

    def test_writes_through_the_mapping_are_synced(self) -> None:
        """With or without a descriptor of its own; and a closed file opens again."""
        file = self.files.create("f", 4096)
        file.view()[:3] = b"abc"
        file.sync()
        file.close()
        file.sync()
        self.assertEqual(self.files.read_bytes("f")[:3], b"abc")

    def test_lock_keeps_other_processes_out(self) -> None:
        """Ours and Java's, which lock the first byte (store.md 1.3)."""
        release = self.files.lock("lock")
        path = os.path.join(self.root, "lock")
        self.assertNotEqual(subprocess.run([sys.executable, "-c", _LOCKER, path], capture_output=True).returncode, 0)
        self.assertRaises(StoreLocked, DiskFiles(self.root).lock, "lock")
        # The refused second try of this process has not dropped the lock.
        self.assertNotEqual(subprocess.run([sys.executable, "-c", _LOCKER, path], capture_output=True).returncode, 0)
        release()
        self.assertEqual(subprocess.run([sys.executable, "-c", _LOCKER, path], capture_output=True).returncode, 0)
        self.files.lock("lock")()
        # Reading it while it is locked would drop the lock: POSIX locks go with the first descriptor that is closed.
        self.assertEqual(self.files.read_bytes("lock"), b"lock")

    def test_who_holds_the_lock(self) -> None:
        """Is told without taking it, of this process and of others."""
        code = f"{_LOCKER}\nprint(flush=True); input()"
        path = os.path.join(self.root, "lock")
        self.assertFalse(self.files.is_locked("lock"))
        self.files.lock("lock")()
        self.assertFalse(self.files.is_locked("lock"))
        with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            self.assertTrue(DiskFiles(self.root, read_only=True).is_locked("lock"))
            other.communicate(b"\n")
        self.assertFalse(self.files.is_locked("lock"))
        release = self.files.lock("lock")
        self.assertTrue(DiskFiles(self.root, read_only=True).is_locked("lock"))
        release()

    def test_read_only(self) -> None:
        """Files are read, and nothing is changed or made."""
        self.files.create("f", 4096).write_at(0, b"abc")
        files = DiskFiles(self.root, read_only=True)
        file = files.open("f")
        self.assertEqual(bytes(file.view()[:3]), b"abc")
        self.assertEqual((file.data_end(), file.view().readonly), (4096, True))
        self.assertRaises(OSError, file.write_at, 0, b"x")
        for change in (
            lambda: files.create("g", 1), lambda: files.delete("f"), lambda: files.replace("g", b""), lambda: files.lock("lock"),
        ):  # fmt: skip
            self.assertRaises(PermissionError, change)
        self.assertEqual(os.listdir(self.root), ["f"])

    def test_home(self) -> None:
        """A path may begin with a tilde, as the default does."""
        self.assertEqual(DiskFiles("~/store").root, os.path.expanduser("~/store"))

    def test_memory(self) -> None:
        """Is some."""
        self.assertGreater(physical_memory_bytes(), 1 << 20)
