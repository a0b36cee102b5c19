"""Whoever says that it provides an interface does: zope's decorator alone checks nothing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementedBy
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyClass, verifyObject

import pymq
from pymq import interfaces
from pymq.client import allocate
from pymq.remoting.client import RemotingClient
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.protocol import ChannelSettings, RemotingProtocol
from pymq.remoting.server import RemotingServerFactory
from pymq.services.nameservers import RemoteNameServers
from pymq.store.config import MessageStoreConfig
from pymq.store.documents import FileDocuments
from pymq.store.memory import MemoryMessageStore
from pymq.store.memorydocuments import MemoryDocuments
from pymq.store.store import FileMessageStore
from pymq.testing.channels import ChannelRecorder, FakeChannel
from pymq.testing.connections import MemoryNetwork
from pymq.testing.memoryfiles import MemoryFiles

OWN = {seam for seam in vars(interfaces).values() if isinstance(seam, InterfaceClass) and seam.__module__ == interfaces.__name__}


def providers() -> list[tuple[InterfaceClass, type]]:
    """Every class of pymq that declares an interface of pymq, with that interface."""
    found = {}
    for module_info in pkgutil.walk_packages(pymq.__path__, "pymq."):
        module = importlib.import_module(module_info.name)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__.startswith("pymq."):
                for seam in implementedBy(cls).flattened():
                    if seam in OWN:
                        found[seam.__name__, f"{cls.__module__}.{cls.__qualname__}"] = (seam, cls)
    return [found[key] for key in sorted(found)]


class ProviderTests(SynchronousTestCase):
    """All providers, found by looking through the package."""

    def test_classes(self) -> None:
        """Every method is there and can be called as the interface says."""
        for seam, cls in providers():
            verifyClass(seam, cls)

    def test_processors_name_their_codes(self) -> None:
        """`codes` is a frozenset of numbers, and not an empty one; some have theirs only when made."""
        for seam, cls in providers():
            codes: Any = getattr(cls, "codes", None)
            if seam is interfaces.IRequestProcessor and codes is not None:
                self.assertIsInstance(codes, frozenset, cls)
                self.assertTrue(codes and all(isinstance(int(code), int) for code in codes), cls)

    def test_every_seam_is_used(self) -> None:
        """An interface without a provider is none. A listener of messages is the user's own."""
        used = {seam for seam, _ in providers()}
        self.assertEqual(OWN - used, {interfaces.IMessageListener})


class ObjectTests(SynchronousTestCase):
    """Objects as they are made, with their attributes: real ones and fakes side by side."""

    def verify(self, seam: type[Interface], *objects: Any) -> None:
        """All of them provide it."""
        for provider in objects:
            verifyObject(seam, provider)

    def setUp(self) -> None:
        """What several of them are made of."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.dispatcher = Dispatcher(ProcessorTable())
        self.client = RemotingClient(clock=self.clock, connect=MemoryNetwork().connect)

    def test_clock(self) -> None:
        """IClock is Twisted's."""
        self.assertIs(interfaces.IClock, IReactorTime)
        self.verify(interfaces.IClock, self.clock)

    def test_channels(self) -> None:
        """The real one and the fake."""
        settings = ChannelSettings(dispatcher=self.dispatcher, clock=self.clock, listener=ChannelRecorder())
        self.verify(interfaces.IBufferedChannel, RemotingProtocol(settings), FakeChannel())
        self.verify(interfaces.IChannel, RemotingProtocol(settings), FakeChannel())

    def test_channel_listeners(self) -> None:
        """Both sides of remoting, and the recorder."""
        server = RemotingServerFactory(self.dispatcher, clock=self.clock)
        self.verify(interfaces.IChannelListener, server, self.client, ChannelRecorder())

    def test_processor_table(self) -> None:
        """The dispatcher's."""
        self.verify(interfaces.IProcessorTable, ProcessorTable())

    def test_name_servers(self) -> None:
        """Those behind a connection."""
        self.verify(interfaces.INameServers, RemoteNameServers(self.client, ["10.0.1.1:9876"], timeout_s=6))

    def test_stores(self) -> None:
        """On a disk and in memory."""
        config = MessageStoreConfig()
        on_disk = FileMessageStore(MemoryFiles(clock=self.clock), config, clock=self.clock)
        self.verify(interfaces.IMessageStore, on_disk, MemoryMessageStore(config, clock=self.clock))

    def test_files(self) -> None:
        """The disk in memory and one of its files; the real disk is held to the same by the contract's suite."""
        files = MemoryFiles(clock=self.clock)
        self.verify(interfaces.IFiles, files)
        self.verify(interfaces.IFile, files.create("a", 16))

    def test_documents(self) -> None:
        """Over files and in memory."""
        self.verify(interfaces.IDocuments, FileDocuments(MemoryFiles(clock=self.clock)), MemoryDocuments())

    def test_allocators(self) -> None:
        """Those that need nothing to be made."""
        makers: list[Callable[[], Any]] = [allocate.AllocateAverage, allocate.AllocateAverageByCircle]
        self.verify(interfaces.IQueueAllocator, *(make() for make in makers))
