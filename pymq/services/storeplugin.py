# Tests: tests/services/test_storeproviders.py
"""What a plugin module makes to offer a kind of store (Java: MessageStorePluginContext and messageStorePlugIn).

    # twisted/plugins/my_store.py
    from pymq.services.storeplugin import StoreProvider

    my_store = StoreProvider("mine", "my_package.open_store", "messages in my database")

Such a module is imported whenever somebody looks for plugins, so it names its opener by a dotted path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer

from pymq.interfaces import IClock, IDocuments, IFiles, IMessageStore, IMessageStoreProvider

__all__ = ["StoreProvider"]


@implementer(IPlugin, IMessageStoreProvider)
class StoreProvider:
    """A provider whose `opener` is a function that takes what `IMessageStoreProvider.open` takes, or its dotted path."""

    def __init__(self, name: str, opener: str | Callable[..., Any], description: str, *, keeps: bool = True) -> None:
        self.name = name
        self.description = description
        self.keeps = keeps
        self._opener = opener

    def open(self, config: Any, *, clock: IClock, files: IFiles | None = None) -> tuple[IMessageStore, IDocuments]:
        """The store and the documents."""
        opened: tuple[IMessageStore, IDocuments] = (namedAny(self._opener) if isinstance(self._opener, str) else self._opener)(
            config, clock=clock, files=files
        )
        return opened
