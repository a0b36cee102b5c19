"""Tests of pymq.admin.folder."""

from __future__ import annotations

import attrs

from pymq.admin.findings import Finding
from pymq.admin.folder import StoreFolder
from pymq.store.config import MessageStoreConfig
from pymq.testing.memoryfiles import MemoryFiles
from tests.admin.cases import EXTENDED, GOLDEN, DamageCase, golden_disk
from tests.store.stores import SMALL


class StoreFolderTests(DamageCase):
    """What files tell."""

    def reported(self, files: MemoryFiles) -> list[Finding]:
        """What the commit log's folder gives cause to."""
        findings: list[Finding] = []
        self.folder(files).log_segments(findings.append)
        return findings

    def test_is_a_store(self) -> None:
        """A folder with anything of one, or a log elsewhere."""
        empty = MemoryFiles()
        self.assertFalse(self.folder(empty).is_store)
        self.assertTrue(self.folder(self.files).is_store)
        log = MemoryFiles()
        log.create("00000000000000000000", 10)
        self.assertTrue(StoreFolder(empty, SMALL, log).is_store)
        self.assertEqual(len(StoreFolder(empty, SMALL, log).log_segments(lambda finding: self.fail(finding.cause))), 1)

    def test_state(self) -> None:
        """Used, killed, closed."""
        folder = self.folder(self.files)
        self.assertEqual((folder.is_running, folder.has_abort), (True, True))
        killed = self.folder(self.files.kill())
        self.assertEqual((killed.is_running, killed.has_abort), (False, True))
        self.store.close()
        self.assertEqual((folder.is_running, folder.has_abort), (False, False))

    def test_files(self) -> None:
        """Queues, and segments in order."""
        folder = self.folder(self.stopped())
        self.assertEqual(list(folder.queues()), [("T", 0)])
        self.assertEqual([segment.base for segment in folder.log_segments(self.fail)], [0, 4096, 8192])
        self.assertEqual(len(folder.queue_segments("T", 0, self.fail)), 10)
        self.assertEqual(folder.ext_segments("T", 0, self.fail), [])

    def test_what_does_not_belong_there(self) -> None:
        """Names, sizes, gaps."""
        files = self.stopped()
        files.create("commitlog/README", 10)
        files.create("commitlog/00000000000000016384", 10)
        files.create("commitlog/00000000000000020480", 0)
        files.delete("commitlog/00000000000000004096")
        told = [(finding.path[-8:], finding.cause.split(",")[0][:24]) for finding in self.reported(files)]
        self.assertEqual(
            told,
            [
                ("00020480", "it is empty"),
                ("g/README", "it does not belong here:"),
                ("00008192", "the file before it ends "),
                ("00016384", "it has 10 bytes"),
            ],
        )

    def test_index_of_another_size(self) -> None:
        """Needs the settings; a name that is no time is passed over by brokers too."""
        files = self.stopped()
        files.create("index/notes", 3)
        findings: list[Finding] = []
        folder = StoreFolder(files, attrs.evolve(SMALL, max_index_num=41))
        self.assertEqual(folder.index_segments(findings.append), [])
        self.assertEqual([finding.is_damage for finding in findings], [True, True, True, False])
        self.assertIn("maxHashSlotNum=50 and maxIndexNum=41", findings[0].cause)

    def test_sizes_are_read_off(self) -> None:
        """For a recovery without settings."""
        for module, config in GOLDEN:
            found = StoreFolder(golden_disk(module), MessageStoreConfig()).sized_config()
            for name in ("mapped_file_size_commit_log", "mapped_file_size_consume_queue", "enable_consume_queue_ext"):
                self.assertEqual(getattr(found, name), getattr(config, name))
        self.assertEqual(found.mapped_file_size_consume_queue_ext, EXTENDED.mapped_file_size_consume_queue_ext)
