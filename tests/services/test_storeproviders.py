"""Stores by name."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.errors import ConfigError
from pymq.interfaces import IDocuments, IMessageStore, IMessageStoreProvider
from pymq.services.storeplugin import StoreProvider
from pymq.services.storeproviders import find_provider, open_files, store_providers
from pymq.store.config import MessageStoreConfig
from pymq.testing.memoryfiles import MemoryFiles

seen: list[Any] = []


def open_recorded(config: MessageStoreConfig, *, clock: Any, files: Any = None) -> Any:
    """What a plugin's package would have."""
    seen.append((config, files))
    return open_files(config, clock=clock, files=files)


class StoreProviderTests(SynchronousTestCase):
    """Ours, and somebody else's."""

    def test_ours_are_plugins(self) -> None:
        """Both are found by Twisted's plugin system, and open what they promise."""
        names = [provider.name for provider in store_providers()]
        self.assertEqual([name for name in names if name in ("default", "memory")], ["default", "memory"])
        for name in ("default", "memory"):
            provider = find_provider(name)
            verifyObject(IPlugin, provider)
            verifyObject(IMessageStoreProvider, provider)
            store, documents = provider.open(MessageStoreConfig(), clock=Clock(), files=MemoryFiles())
            verifyObject(IMessageStore, store)
            verifyObject(IDocuments, documents)
            self.assertEqual(provider.keeps, name == "default")

    def test_another(self) -> None:
        """One that is installed is found by its name and opened by its dotted path."""
        mine = StoreProvider("mine", f"{__name__}.open_recorded", "messages of mine")
        provider = find_provider("mine", [*store_providers(), mine])
        files = MemoryFiles()
        store, _ = provider.open(MessageStoreConfig(store_type="mine"), clock=Clock(), files=files)
        self.assertEqual(seen.pop(), (MessageStoreConfig(store_type="mine"), files))
        verifyObject(IMessageStore, store)

    def test_unknown(self) -> None:
        """Is refused with the names there are."""
        error = self.assertRaises(ConfigError, find_provider, "defaultRocksDB")
        self.assertIn("storeType=defaultRocksDB cannot be used", str(error))
        self.assertIn("default (Apache RocketMQ's files), memory (nothing on disk, for tests)", str(error))
        self.assertIn("none", str(self.assertRaises(ConfigError, find_provider, "default", [])))
