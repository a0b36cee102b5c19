# Tests: tests/services/test_storeproviders.py
"""The kinds of stores that come with pymq, and how any kind is found by its name (Java: storeType)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from twisted.plugin import getPlugins

from pymq.errors import ConfigError
from pymq.interfaces import IClock, IFiles, IMessageStoreProvider
from pymq.store.config import MessageStoreConfig
from pymq.store.documents import FileDocuments
from pymq.store.files import DiskFiles
from pymq.store.memory import MemoryMessageStore
from pymq.store.memorydocuments import MemoryDocuments
from pymq.store.multipath import open_log_files
from pymq.store.store import FileMessageStore

__all__ = ["find_provider", "open_files", "open_memory", "store_providers"]


def open_files(config: MessageStoreConfig, *, clock: IClock, files: IFiles | None = None) -> tuple[Any, Any]:
    """Apache's files, in `storePathRootDir`; the commit log elsewhere if `storePathCommitLog` says so."""
    files = files or DiskFiles(os.path.expanduser(config.store_path_root_dir))
    return FileMessageStore(files, config, clock=clock, log_files=open_log_files(config)), FileDocuments(files)


def open_memory(config: MessageStoreConfig, *, clock: IClock, files: IFiles | None = None) -> tuple[Any, Any]:
    """Nothing on disk."""
    return MemoryMessageStore(config, clock=clock), MemoryDocuments()


@lru_cache(maxsize=1)
def store_providers() -> tuple[Any, ...]:
    """All providers that are installed, by name."""
    return tuple(sorted(getPlugins(IMessageStoreProvider), key=lambda provider: str(provider.name)))


def find_provider(name: str, providers: Iterable[Any] | None = None) -> Any:
    """The provider that `storeType` names. Raises ConfigError, which tells the names that are allowed."""
    known = {provider.name: provider for provider in (store_providers() if providers is None else providers)}
    if name not in known:
        allowed = ", ".join(f"{provider.name} ({provider.description})" for provider in known.values())
        raise ConfigError("storeType", name, f"the stores that are installed are {allowed or 'none'}")
    return known[name]
