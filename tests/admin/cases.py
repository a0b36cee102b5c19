"""Stores to look at, on a disk in memory."""

from __future__ import annotations

import io
from typing import Any

import attrs
from twisted.internet.task import Clock

from pymq.admin.findings import Finding
from pymq.admin.folder import StoreFolder
from pymq.admin.output import Output
from pymq.admin.verify import Verdict, verify
from pymq.store.config import MessageStoreConfig
from pymq.testing.memoryfiles import MemoryFiles
from tests.golden import java_ext_498, java_store_498, java_store_550
from tests.golden.puts import CONFIG, EXTENDED_CONFIG
from tests.store.stores import SMALL
from tests.store.test_recovery import RecoveryCase

EXTENDED = attrs.evolve(SMALL, enable_consume_queue_ext=True, mapped_file_size_consume_queue_ext=1024)
#: Stores that Java made, and the settings for them.
GOLDEN = ((java_store_498, CONFIG), (java_store_550, CONFIG), (java_ext_498, EXTENDED_CONFIG))


def verified(files: Any, config: MessageStoreConfig = SMALL) -> tuple[Verdict, list[Finding]]:
    """What verify says of a disk."""
    findings: list[Finding] = []
    return verify(StoreFolder(files, config), findings.append), findings


def golden_disk(module: Any) -> MemoryFiles:
    """A store that Java made."""
    clock = Clock()
    clock.advance(1_700_000_000)
    disk = MemoryFiles(clock=clock)
    for path, (size, content) in module.FILES.items():
        folder, _, rest = path.partition("/")
        disk.replace(f"index/2026010100000000{rest}" if folder == "index" else path, content.ljust(size, b"\0"))
    return disk


def written(as_json: bool = False) -> tuple[Output, io.StringIO]:
    """An output, and what it writes."""
    out = io.StringIO()
    return Output(out, io.StringIO(), as_json=as_json), out


class DamageCase(RecoveryCase):
    """The store of test_recovery: a hundred messages in four log files and ten queue files."""

    def folder(self, files: Any) -> StoreFolder:
        """For reading."""
        return StoreFolder(files, self.config)

    def findings(self, files: Any) -> list[Finding]:
        """What verify reports."""
        return verified(files, self.config)[1]

    def expect_one(self, files: Any, path: str, offset: int | None, words: str) -> None:
        """Just one damage: file, place, and words of the cause; and a start mends it."""
        damages = [finding for finding in self.findings(files) if finding.is_damage]
        self.assertEqual([(one.path, one.offset) for one in damages], [(path, offset)], [one.cause for one in damages])
        self.assertIn(words, damages[0].cause)
