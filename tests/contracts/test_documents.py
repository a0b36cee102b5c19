"""The contract of IDocuments, held by files on both disks and by the memory provider."""

from __future__ import annotations

import tempfile

from twisted.trial.unittest import SynchronousTestCase

from pymq.store.documents import FileDocuments
from pymq.store.files import DiskFiles
from pymq.testing.documents import MemoryDocuments
from pymq.testing.memoryfiles import MemoryFiles
from tests.contracts.documents import DocumentsContract


class FileDocumentsTests(DocumentsContract, SynchronousTestCase):
    """Files on a disk in memory."""

    def make_documents(self) -> FileDocuments:
        """An empty folder."""
        return FileDocuments(MemoryFiles())


class DiskDocumentsTests(SynchronousTestCase):
    """Files on the real disk; the contract in full would only try the disk's patience."""

    def test_round_trip(self) -> None:
        """Saved by one, loaded by the next."""
        with tempfile.TemporaryDirectory(prefix="pymq-documents-") as folder:
            for number in range(3):
                FileDocuments(DiskFiles(folder)).save("topics.json", {"n": number})
            self.assertEqual(FileDocuments(DiskFiles(folder)).load("topics.json"), {"n": 2})
            self.assertEqual(DiskFiles(folder).list("config"), ["topics.json", "topics.json.bak"])


class MemoryDocumentsTests(DocumentsContract, SynchronousTestCase):
    """Texts in a dictionary."""

    def make_documents(self) -> MemoryDocuments:
        """An empty one."""
        return MemoryDocuments()
