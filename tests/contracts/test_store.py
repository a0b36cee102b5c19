"""The contract of IMessageStore, held by the store on files, on both disks, and by the memory store."""

from __future__ import annotations

import tempfile
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.services.storeproviders import find_provider, store_providers
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.memory import MemoryMessageStore
from pymq.store.store import FileMessageStore
from pymq.testing.memoryfiles import MemoryFiles
from tests.contracts.store import CareContract, GetContract, PutContract, QueryContract

#: Log files hold the largest message, queue files more messages than any test puts; index files are so small that tests pass
#: from one to the next.
CONFIG = MessageStoreConfig(
    mapped_file_size_commit_log=5 * 1024 * 1024, mapped_file_size_consume_queue=20 * 64, max_hash_slot_num=16, max_index_num=40
)


class StoreCase(SynchronousTestCase):
    """A clock that begins at builders.NOW_MS."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)

    def opened(self, store: Any) -> Any:
        """The store, loaded, and closed at the test's end."""
        store.load()
        self.addCleanup(store.close)
        return store

    def provided(self, name: str) -> Any:
        """An empty one of the kind that `storeType` calls so."""
        store, _ = find_provider(name).open(CONFIG, clock=self.clock, files=MemoryFiles(clock=self.clock))
        return self.opened(store)


class ProvidersTests(SynchronousTestCase):
    """The contract is held by every kind of store that there is."""

    def test_no_kind_is_left_out(self) -> None:
        """A new provider of ours needs classes below."""
        ours = [provider.name for provider in store_providers() if str(provider._opener).startswith("pymq.")]
        self.assertEqual(ours, ["default", "memory"])


class OnMemoryFiles(StoreCase):
    """The real store on a disk in memory."""

    def make_store(self) -> FileMessageStore:
        """An empty one."""
        store: FileMessageStore = self.provided("default")
        return store


class OnDisk(StoreCase):
    """The real store on the real disk."""

    def make_store(self) -> FileMessageStore:
        """In a folder of its own."""
        folder = tempfile.TemporaryDirectory(prefix="pymq-store-")
        self.addCleanup(folder.cleanup)
        store: FileMessageStore = self.opened(FileMessageStore(DiskFiles(folder.name), CONFIG, clock=self.clock))
        return store


class InMemory(StoreCase):
    """The store that keeps nothing."""

    def make_store(self) -> MemoryMessageStore:
        """An empty one."""
        store: MemoryMessageStore = self.provided("memory")
        return store


class MemoryFilesPutTests(OnMemoryFiles, PutContract):
    """Storing."""


class MemoryFilesGetTests(OnMemoryFiles, GetContract):
    """Reading."""


class MemoryFilesQueryTests(OnMemoryFiles, QueryContract):
    """Finding."""


class MemoryFilesCareTests(OnMemoryFiles, CareContract):
    """Care."""


class DiskPutTests(OnDisk, PutContract):
    """Storing."""


class DiskGetTests(OnDisk, GetContract):
    """Reading."""


class DiskQueryTests(OnDisk, QueryContract):
    """Finding."""

    def test_offset_at(self) -> None:
        """Real files have real times, which say little beside the test's clock: the first file counts as written late enough."""
        store = self.make_store()
        self.put_numbered(store, 5, seconds=10)
        self.assertEqual(store.offset_at("TopicTest", 0, self.clock.seconds() * 1000 - 40_000), 1)


class DiskCareTests(OnDisk, CareContract):
    """Care."""


class MemoryPutTests(InMemory, PutContract):
    """Storing."""


class MemoryGetTests(InMemory, GetContract):
    """Reading."""


class MemoryQueryTests(InMemory, QueryContract):
    """Finding."""


class MemoryCareTests(InMemory, CareContract):
    """Care."""
