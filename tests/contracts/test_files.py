"""The contract of IFiles, held by the real disk and by the one in memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreLocked
from pymq.store.files import DiskFiles
from pymq.testing.memoryfiles import MemoryFiles
from tests.contracts.files import FilesContract, LockContract

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w+b")
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0, 0)
print("locked", flush=True)
sys.stdin.read()
"""


class DiskFilesTests(FilesContract, SynchronousTestCase):
    """The real disk."""

    def make_files(self) -> DiskFiles:
        """In a folder of its own."""
        folder = tempfile.TemporaryDirectory(prefix="pymq-files-")
        self.addCleanup(folder.cleanup)
        return DiskFiles(folder.name)

    def test_lock_of_another_process(self) -> None:
        """One that locks as Java does, a POSIX lock of the first byte, keeps us out until it ends."""
        files = self.make_files()
        files.create("lock", 0)
        path = os.path.join(files.root, "lock")
        with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=-1, stdout=-1) as holder:
            assert holder.stdout is not None
            self.assertEqual(holder.stdout.readline(), b"locked\n")
            self.assertRaises(StoreLocked, files.lock, "lock")
            holder.communicate()
        files.lock("lock")()


class MemoryFilesTests(FilesContract, LockContract, SynchronousTestCase):
    """The disk in memory."""

    def make_files(self) -> MemoryFiles:
        """An empty one."""
        return MemoryFiles()
