# Tests: tests/admin/test_verify.py
"""Everything of a store held against everything else, in one walk of its log (`pymq-admin store verify`)."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from pymq.admin.findings import Finding, Report, counted
from pymq.admin.folder import CHECKPOINT_PATH, CONFIG_FOLDER, StoreFolder
from pymq.admin.indexcheck import IndexCheck, IndexEntries
from pymq.admin.logcheck import LogWalk
from pymq.admin.queuecheck import QueueChecks
from pymq.errors import DecodeError
from pymq.store.checkpoint import CHECKPOINT_SIZE_BYTES, Checkpoint
from pymq.wire import javajson

__all__ = ["Verdict", "verify"]

_DOCUMENT_SUFFIXES = (".json", ".bak")


@attrs.define
class Verdict:
    """What was looked at, and how many damages and notes were reported."""

    records: int = 0
    log_begin: int = 0
    log_end: int = 0
    walked_bytes: int = 0
    queues: int = 0
    units: int = 0
    index_entries: int = 0
    documents: int = 0
    damages: int = 0
    notes: int = 0
    is_running: bool = False

    def sentence(self) -> str:
        """For people."""
        found = counted(self.damages, "damage") if self.damages else "whole"
        state = " (a broker runs on it; what it writes meanwhile was not looked at)" if self.is_running else ""
        return (
            f"{found}: {counted(self.records, 'record')} in {self.walked_bytes} bytes from log offset {self.log_begin} to "
            f"{self.log_end}, {counted(self.units, 'unit')} in {counted(self.queues, 'queue')}, "
            f"{counted(self.index_entries, 'index entry', 'index entries')}, {counted(self.documents, 'document')}, "
            f"{counted(self.notes, 'note')}{state}"
        )


def verify(
    folder: StoreFolder,
    report: Report,
    *,
    check_crc: bool = True,
    progress: Callable[[int, int], None] = lambda done_bytes, all_bytes: None,
) -> Verdict:
    """Look at all of a store and report what is not as it should be. Raises OSError."""
    verdict = Verdict(is_running=folder.is_running)

    def count(finding: Finding) -> None:
        verdict.damages += finding.is_damage
        verdict.notes += not finding.is_damage
        report(finding)

    segments = folder.log_segments(count)
    total = sum(segment.size_bytes for segment in segments)
    verdict.log_begin = segments[0].base if segments else 0
    walk = LogWalk(
        segments,
        count,
        check_crc=check_crc,
        is_running=verdict.is_running,
        progress=lambda done: progress(done, total),
    )
    queues = QueueChecks(folder, walk, verdict.log_begin, count)
    entries = IndexEntries(folder.index_segments(count), folder.config, count, check_chains=not verdict.is_running)
    index = IndexCheck(entries, verdict.log_begin, count)
    for record in walk.records():
        queues.take(record)
        index.take(record)
    verdict.records, verdict.log_end, verdict.walked_bytes = walk.count, walk.end, walk.walked_bytes
    verdict.queues, verdict.units = queues.finish(walk.end, verdict.is_running)
    verdict.index_entries = index.finish(walk.end, verdict.is_running)
    _check_checkpoint(folder, walk.last_store_ms, count)
    verdict.documents = _check_documents(folder, count)
    return verdict


def _check_checkpoint(folder: StoreFolder, last_store_ms: int, report: Report) -> None:
    """It should not vouch for messages that are younger than all that are there; after a cut of the log's end it may, until the
    next flush of the queues.
    """
    if not folder.files.exists(CHECKPOINT_PATH):
        if not folder.is_running:
            cause = "it is not there; after a crash all of the log would be walked"
            report(Finding(CHECKPOINT_PATH, None, cause, is_damage=False))
        return
    size = folder.files.size(CHECKPOINT_PATH)
    if size != CHECKPOINT_SIZE_BYTES:
        report(Finding(CHECKPOINT_PATH, None, f"it has {size} bytes, not {CHECKPOINT_SIZE_BYTES}"))
    checkpoint = Checkpoint(folder.files)
    checkpoint.load()
    for offset, name in ((0, "physic_ms"), (8, "logics_ms"), (16, "index_ms")):
        time_ms = getattr(checkpoint, name)
        if time_ms > last_store_ms:
            cause = f"{name} vouches for messages stored until {time_ms}, the newest is of {last_store_ms}"
            report(Finding(CHECKPOINT_PATH, offset, cause, is_damage=False))


def _check_documents(folder: StoreFolder, report: Report) -> int:
    """The JSON files of config/; how many there are."""
    names = [name for name in folder.files.list(CONFIG_FOLDER) if name.endswith(_DOCUMENT_SUFFIXES)]
    for name in names:
        path = f"{CONFIG_FOLDER}/{name}"
        text = folder.files.read_bytes(path)
        try:
            if text.strip():
                javajson.decode(text)
        except DecodeError as error:
            report(Finding(path, None, f"it cannot be read: {error}"))
    return len(names)
