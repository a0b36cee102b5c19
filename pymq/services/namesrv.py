# Tests: tests/services/test_namesrv.py
"""The foreman of a name server: builds it, starts it, stops it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.interfaces import IDocuments
from pymq.namesrv.config import NamesrvConfig
from pymq.namesrv.kvconfig import KVConfigManager
from pymq.namesrv.processor import NameServerProcessor
from pymq.namesrv.routes import RouteInfoManager
from pymq.periodic import Periodic
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.server import RemotingServerFactory
from pymq.services.announce import say_line
from pymq.services.listening import Front, Listener, listen, no_front
from pymq.services.sequence import Sequence as PartSequence
from pymq.store.documents import FileDocuments
from pymq.store.files import DiskFiles

SCAN_INITIAL_S = 5.0
SCAN_PERIOD_S = 10.0
IDLE_SWEEP_S = 10.0


class NamesrvController(Service):
    """A name server on one port. `port` is its real number once it is started; `front` stands before its processors."""

    log = Logger()

    def __init__(
        self,
        config: NamesrvConfig,
        *,
        reactor: Any,
        documents: IDocuments | None = None,
        front: Front = no_front,
        say: Callable[[str], None] = say_line,
        warnings: Sequence[str] = (),
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._documents = documents
        self._front = front
        self._say = say
        self._warnings = warnings
        self._parts: PartSequence | None = None
        self.port = 0
        self.routes = RouteInfoManager(clock=reactor)

    def startService(self) -> None:
        """Listen and say so. Raises CannotListen, StoreDamaged."""
        for sentence in self._warnings:
            self.log.warn("{sentence}", sentence=sentence)
        config = self._config
        folder, name = os.path.split(os.path.expanduser(config.kv_config_path))
        documents = self._documents or FileDocuments(DiskFiles(os.path.dirname(folder)), folder=os.path.basename(folder))
        kv_config = KVConfigManager(documents, name=name)
        kv_config.load()
        store_config = self._store_settings if self._documents is None else None
        processor = NameServerProcessor(self.routes, kv_config, config, clock=self._reactor, store_config=store_config)
        table = ProcessorTable()
        table.register(processor)
        factory = RemotingServerFactory(Dispatcher(self._front(table, {})), clock=self._reactor, listeners=[processor])
        listener = Listener(listen(self._reactor, config.listen_port, factory, config.bind_address), factory)
        self.port = listener.number
        scan = Periodic(
            self._reactor, SCAN_PERIOD_S, processor.scan_silent_brokers, name="silent brokers", initial_delay_s=SCAN_INITIAL_S
        )
        sweep = Periodic(self._reactor, IDLE_SWEEP_S, factory.sweep_idle, name="idle connections")
        self._parts = PartSequence([listener, scan, sweep])
        self._parts.start()
        super().startService()
        self._say(f"The Name Server boot success. serializeType=JSON, address {config.bind_address}:{self.port}")

    def _store_settings(self, text: str) -> None:
        """Write the file that `-c` can read at the next start."""
        folder, name = os.path.split(os.path.expanduser(self._config.config_store_path))
        DiskFiles(folder).replace(name, text.encode("utf-8"))

    def stopService(self) -> Deferred[None] | None:
        """Close the port, then every connection; fires when all are gone."""
        super().stopService()
        parts, self._parts = self._parts, None
        return None if parts is None else parts.stop()
