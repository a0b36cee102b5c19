"""What every IFiles does; mix `FilesContract` into a test case and say how a disk is made."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from pymq.errors import StoreLocked
from pymq.interfaces import IFile, IFiles


class FilesContract:
    """Mix-in for a SynchronousTestCase."""

    def make_files(self: Any) -> Any:
        """An empty IFiles."""
        raise NotImplementedError

    def test_provides_the_interface(self: Any) -> None:
        """To the letter, and its files too."""
        files = self.make_files()
        verifyObject(IFiles, files)
        verifyObject(IFile, files.create("a", 10))

    def test_empty(self: Any) -> None:
        """Nothing is there, and asking is no error."""
        files = self.make_files()
        self.assertEqual((files.list(""), files.list("no/such"), files.exists("a"), files.is_folder("a")), ([], [], False, False))
        files.delete("a")

    def test_missing_file(self: Any) -> None:
        """Opening and reading say so."""
        files = self.make_files()
        self.assertRaises(FileNotFoundError, files.open, "a")
        self.assertRaises(FileNotFoundError, files.read_bytes, "a/b")

    def test_create(self: Any) -> None:
        """At full size, all zero, in folders made as needed."""
        files = self.make_files()
        file = files.create("a/b/c", 5000)
        self.assertEqual((file.path, file.size_bytes, files.size("a/b/c")), ("a/b/c", 5000, 5000))
        self.assertEqual(files.read_bytes("a/b/c"), bytes(5000))
        self.assertEqual((files.is_folder("a"), files.is_folder("a/b"), files.is_folder("a/b/c")), (True, True, False))
        self.assertTrue(files.exists("a") and files.exists("a/b/c"))

    def test_create_twice(self: Any) -> None:
        """What is there is not touched."""
        files = self.make_files()
        files.create("a", 3).write_at(0, b"abc")
        self.assertRaises(FileExistsError, files.create, "a", 3)
        self.assertEqual(files.read_bytes("a"), b"abc")

    def test_create_empty(self: Any) -> None:
        """Markers have no bytes."""
        files = self.make_files()
        files.create("abort", 0)
        self.assertEqual((files.exists("abort"), files.size("abort"), files.read_bytes("abort")), (True, 0, b""))

    def test_list(self: Any) -> None:
        """Names of files and folders, sorted, of that folder alone."""
        files = self.make_files()
        for path in ("b/2", "b/10", "b/c/d", "a"):
            files.create(path, 1)
        self.assertEqual((files.list("b"), files.list("")), (["10", "2", "c"], ["a", "b"]))

    def test_write_and_view_are_one(self: Any) -> None:
        """What one writes the other sees, in both directions, and in a file opened again."""
        files = self.make_files()
        file = files.create("a", 100)
        view = file.view()
        file.write_at(10, b"abc")
        view[20:23] = b"xyz"
        self.assertEqual((bytes(view[10:13]), files.read_bytes("a")[20:23]), (b"abc", b"xyz"))
        self.assertIs(file.view(), view)
        self.assertEqual(bytes(files.open("a").view()), bytes(view))

    def test_write_takes_any_bytes(self: Any) -> None:
        """Also views of others; nothing is no error."""
        file = self.make_files().create("a", 100)
        file.write_at(0, memoryview(b"abc"))
        file.write_at(97, bytearray(b"end"))
        file.write_at(100, b"")
        self.assertEqual((bytes(file.view()[:3]), bytes(file.view()[97:])), (b"abc", b"end"))

    def test_write_beyond_the_end(self: Any) -> None:
        """Is refused and changes nothing."""
        files = self.make_files()
        file = files.create("a", 10)
        self.assertRaises(OSError, file.write_at, 8, b"abc")
        self.assertEqual((files.size("a"), files.read_bytes("a")), (10, bytes(10)))

    def test_zero_from(self: Any) -> None:
        """The rest becomes zero, what is before stays; it tells whether there was anything to do."""
        files = self.make_files()
        file = files.create("a", 20_000)
        file.write_at(0, b"x" * 10_000)
        self.assertTrue(file.zero_from(4990))
        self.assertEqual(files.read_bytes("a"), b"x" * 4990 + bytes(15_010))
        self.assertFalse(file.zero_from(4990))
        self.assertFalse(file.zero_from(20_000))

    def test_sync_and_close(self: Any) -> None:
        """Both may be called at any time; views outlive the file."""
        file = self.make_files().create("a", 10)
        file.sync()
        view = file.view()
        view[0] = 7
        file.sync()
        file.close()
        file.close()
        self.assertEqual(view[0], 7)

    def test_delete(self: Any) -> None:
        """Files and empty folders go, full folders do not; views stay readable."""
        files = self.make_files()
        file = files.create("a/b", 10)
        file.write_at(0, b"x")
        view = file.view()
        self.assertRaises(OSError, files.delete, "a")
        files.delete("a/b")
        self.assertEqual((files.exists("a/b"), files.list("a"), files.is_folder("a"), view[0]), (False, [], True, 120))
        files.delete("a")
        self.assertFalse(files.exists("a"))

    def test_replace(self: Any) -> None:
        """A small file of any size takes the place of another; nothing else is left in the folder."""
        files = self.make_files()
        for data in (b"first", b"", b"second and longer"):
            files.replace("config/a.json", data)
            self.assertEqual((files.read_bytes("config/a.json"), files.size("config/a.json")), (data, len(data)))
        self.assertEqual(files.list("config"), ["a.json"])

    def test_modified_time(self: Any) -> None:
        """In ms since the epoch, and it does not go back when the file is written."""
        files = self.make_files()
        file = files.create("a", 10)
        before = files.modified_ms("a")
        file.write_at(0, b"x")
        self.assertGreater(before, 1_600_000_000_000)
        self.assertGreaterEqual(files.modified_ms("a"), before)

    def test_sync_folder(self: Any) -> None:
        """The root and others."""
        files = self.make_files()
        files.create("a/b", 1)
        files.sync_folder("a")
        files.sync_folder("")

    def test_lock(self: Any) -> None:
        """The file holds Java's four bytes, and the lock can be given back."""
        files = self.make_files()
        self.assertFalse(files.is_locked("lock"))
        self.assertFalse(files.exists("lock"))
        release = files.lock("lock")
        self.assertTrue(files.is_locked("lock"))
        self.assertEqual(files.read_bytes("lock"), b"lock")
        release()
        files.lock("lock")()

    def test_space(self: Any) -> None:
        """Two counts of bytes."""
        used, usable = self.make_files().space()
        self.assertTrue(used >= 0 and usable > 0)


class LockContract:
    """For disks on which two users can be in one process, which POSIX locks cannot tell apart."""

    def make_files(self: Any) -> Any:
        """An empty IFiles."""
        raise NotImplementedError

    def test_second_user_is_refused(self: Any) -> None:
        """Until the first lets go."""
        files = self.make_files()
        release = files.lock("lock")
        self.assertRaises(StoreLocked, files.lock, "lock")
        release()
        files.lock("lock")
