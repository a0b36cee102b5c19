"""A log in several folders, written and read by our store and by Apache's real one in turns."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.record import RecordDraft, decode_record
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.multipath import open_log_files
from pymq.store.store import FileMessageStore
from pymq.testing.builders import NOW_MS, draft

from .java_store.runner import JavaStore, put_line
from .test_java_store import CONFIG, java_queues

FOLDERS = "bac"
COUNT = 120


def messages(first: int = 0) -> list[RecordDraft]:
    """So many that their log fills some files in each folder."""
    return [draft("T", b"%d" % number, keys=f"k{number}") for number in range(first, first + COUNT)]


class MultiPathExchange:
    """The exchange with one version; mixed into a test case."""

    version = ""

    def setUp(self: Any) -> None:
        self.root = self.folder()
        self.clock = Clock()
        self.clock.advance(NOW_MS / 1000)

    def folder(self: Any) -> str:
        """A folder that goes with the test."""
        path = tempfile.mkdtemp(prefix="pymq-paths-")
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def config(self: Any, root: str, read_only: str = "") -> MessageStoreConfig:
        """Of a store with its log in three folders."""

        def paths(names: str) -> str:
            return ",".join(f"{root}/{name}" for name in names)

        return attrs.evolve(CONFIG, store_path_commit_log=paths(FOLDERS), read_only_commit_log_store_paths=paths(read_only))

    def java(self: Any, root: str, read_only: str = "") -> JavaStore:
        """Java on it."""
        return JavaStore(self.version, root, self.config(root, read_only))

    def ours(self: Any, root: str, read_only: str = "") -> FileMessageStore:
        """Ours, loaded."""
        config = self.config(root, read_only)
        store = FileMessageStore(DiskFiles(root), config, clock=self.clock, log_files=open_log_files(config))
        store.load()
        self.addCleanup(store.close)
        return store

    def files(self: Any, root: str, *, written: bool = True) -> dict[str, list[tuple[str, bytes]]]:
        """The files of each folder, without those that Java made ahead."""
        return {
            name: [
                (path.name, path.read_bytes())
                for path in sorted(Path(root, name).iterdir())
                if not written or any(path.read_bytes())
            ]
            for name in FOLDERS
        }

    def expect_all(self: Any, store: FileMessageStore, count: int) -> None:
        """Every message, by queue and by key."""
        bodies: list[bytes] = []
        while len(bodies) < store.max_offset("T", 0):
            bodies += [decode_record(record).raw_body for record in store.get("T", 0, len(bodies), 32, None).records]
        self.assertEqual(bodies, [b"%d" % number for number in range(count)])
        for number in (0, count // 2, count - 1):
            (record,) = store.find_by_key("T", f"k{number}", 9, 0, 2**62).records
            self.assertEqual(decode_record(record).raw_body, b"%d" % number)

    def test_the_same_files(self: Any) -> None:
        """In the same folders, to the byte."""
        facts = self.java(self.root).write(map(put_line, messages()))
        root = self.folder()
        store = self.ours(root)
        for made, fact in zip(messages(), facts):
            self.clock.rightNow = (fact["storeTimestamp"] + 0.5) / 1000
            store.put([made])
        store.close()
        self.assertEqual(self.files(root), self.files(self.root))
        self.assertTrue(all(self.files(root).values()))

    def test_taking_turns(self: Any) -> None:
        """Ours, Java's, which is killed, ours, and Java's again; meanwhile a folder gets no new files any more."""
        store = self.ours(self.root)
        store.put(messages())
        store.close()
        kept = [name for name, _ in self.files(self.root, written=False)["c"]]
        facts = self.java(self.root, "c").write(map(put_line, messages(COUNT)), leave="killed")
        self.assertEqual({fact["status"] for fact in facts}, {"PUT_OK"})
        store = self.ours(self.root, "c")
        self.expect_all(store, 2 * COUNT)
        store.put(messages(2 * COUNT))
        self.expect_all(store, 3 * COUNT)
        store.close()
        self.assertEqual([name for name, _ in self.files(self.root, written=False)["c"]], kept)
        records = java_queues(self.java(self.root, "c").read())["T", 0]
        self.assertEqual([decode_record(record).raw_body for record in records], [b"%d" % n for n in range(3 * COUNT)])


class MultiPath498Tests(MultiPathExchange, SynchronousTestCase):
    """The version whose layout ours is."""

    version = "4.9.8"


class MultiPath550Tests(MultiPathExchange, SynchronousTestCase):
    """The newest."""

    version = "5.5.0"
