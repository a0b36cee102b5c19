"""Documents as files: what is written, what is read, and what survives a crash at any step."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import StoreDamaged
from pymq.store.documents import FileDocuments, format_document
from pymq.testing.memoryfiles import MemoryFiles
from pymq.wire.javajson import IntegerKeys

NAME = "consumerOffset.json"
PATH = f"config/{NAME}"


class FormatDocumentTests(SynchronousTestCase):
    """The text that goes into the file."""

    def test_is_standard_json(self) -> None:
        """Integer keys are quoted, of whatever kind the map is; null members are left out."""
        text = format_document({"b": {1: 2}, "a": IntegerKeys({3: 4}), "none": None})
        self.assertEqual(json.loads(text), {"a": {"3": 4}, "b": {"1": 2}})

    def test_is_readable(self) -> None:
        """A line for each member, sorted."""
        self.assertEqual(format_document({"b": 1, "a": {}}), b'{\n "a": {},\n "b": 1\n}\n')


class FileDocumentsTests(SynchronousTestCase):
    """On a disk in memory."""

    def setUp(self) -> None:
        self.disk = MemoryFiles()
        self.documents = FileDocuments(self.disk)

    def reload(self) -> object:
        """What the next process loads."""
        return FileDocuments(self.disk).load(NAME)

    def test_nothing_there(self) -> None:
        """A fresh store has no document."""
        self.assertIsNone(self.reload())

    def test_save_and_load(self) -> None:
        """Plain values come back; integer keys as text."""
        self.documents.save(NAME, {"offsetTable": {"T@G": {0: 120, 1: 98}}})
        self.assertEqual(self.reload(), {"offsetTable": {"T@G": {"0": 120, "1": 98}}})

    def test_reads_what_java_writes(self) -> None:
        """Tabs, bare integer keys."""
        self.disk.replace(PATH, b'{\n\t"offsetTable":{\n\t\t"T1@G":{0:120,1:98}\n\t}\n}')
        self.assertEqual(self.reload(), {"offsetTable": {"T1@G": {"0": 120, "1": 98}}})

    def test_previous_becomes_bak(self) -> None:
        """The last but one is kept beside it."""
        for number in (1, 2, 3):
            self.documents.save(NAME, {"n": number})
        self.assertEqual(json.loads(self.disk.read_bytes(PATH + ".bak")), {"n": 2})

    def test_previous_of_another_process_becomes_bak(self) -> None:
        """Also when this process never loaded it."""
        self.disk.replace(PATH, b'{"n":1}')
        self.documents.save(NAME, {"n": 2})
        self.assertEqual(self.disk.read_bytes(PATH + ".bak"), b'{"n":1}')

    def test_unchanged_document_is_not_written(self) -> None:
        """Saving on a schedule costs nothing while nothing changes."""
        self.documents.save(NAME, {"n": 1})
        self.disk.log.clear()
        self.documents.save(NAME, {"n": 1})
        self.assertEqual(self.disk.log, [])

    def test_deleted_file_is_written_again(self) -> None:
        """Though the text is the one saved last."""
        self.documents.save(NAME, {"n": 1})
        self.disk.delete(PATH)
        self.documents.save(NAME, {"n": 1})
        self.assertTrue(self.disk.exists(PATH))

    def test_falls_back_to_bak(self) -> None:
        """When the file is missing, empty or damaged."""
        self.disk.replace(PATH + ".bak", b'{"n":1}')
        for damage in (None, b"", b" \n", b'{"n":'):
            if damage is not None:
                self.disk.replace(PATH, damage)
            self.assertEqual(self.reload(), {"n": 1})

    def test_damaged_file_does_not_replace_a_good_bak(self) -> None:
        """The only good text must not be lost by the next save."""
        self.disk.replace(PATH + ".bak", b'{"n":1}')
        self.disk.replace(PATH, b'{"n"')
        self.documents.load(NAME)
        self.documents.save(NAME, {"n": 2})
        self.assertEqual(self.disk.read_bytes(PATH + ".bak"), b'{"n":1}')

    def test_both_damaged(self) -> None:
        """To start without would forget offsets; the error names both files."""
        self.disk.replace(PATH, b"{")
        self.disk.replace(PATH + ".bak", b"[1")
        error = self.assertRaises(StoreDamaged, self.reload)
        self.assertIn(PATH + ".bak", str(error))

    def test_damaged_file_without_bak(self) -> None:
        """Likewise."""
        self.disk.replace(PATH, b"{")
        self.assertRaises(StoreDamaged, self.reload)

    def test_empty_files_are_a_fresh_start(self) -> None:
        """As in Java."""
        self.disk.replace(PATH, b"")
        self.disk.replace(PATH + ".bak", b"")
        self.assertIsNone(self.reload())

    def test_failure_at_any_step_keeps_a_good_text(self) -> None:
        """Whichever replacement fails, the next process reads the old or the new one."""
        self.documents.save(NAME, {"n": 1})
        for pattern in ("*.bak", "*.json"):
            self.disk.fail("replace", pattern)
            self.assertRaises(OSError, self.documents.save, NAME, {"n": 2})
            self.assertEqual(self.reload(), {"n": 1})
        self.documents.save(NAME, {"n": 2})
        self.assertEqual(self.reload(), {"n": 2})

    def test_save_is_durable(self) -> None:
        """A crash right after keeps it."""
        self.documents.save(NAME, {"n": 1})
        self.disk = self.disk.crash()
        self.assertEqual(self.reload(), {"n": 1})
