# Tests: tests/testing/test_kit.py
"""A name server and a broker in this process, for tests: on free ports, nothing on disk, started and wiped in milliseconds.

What happens to messages goes by a `SkippingClock`, which `advance` moves; connections, heartbeats and whatever clients wait for
go by the reactor's time, so that nobody is taken for gone because of a skip.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from zope.interface import implementer

import pymq
from pymq.broker.config import BrokerConfig
from pymq.errors import ConfigError
from pymq.interfaces import IArrivalListener, IMessageStore, IProcessorTable
from pymq.message.ids import UniqueIds
from pymq.message.record import RecordDraft
from pymq.namesrv.config import NamesrvConfig
from pymq.remoting.protocol import Lane
from pymq.services.broker import BrokerController
from pymq.services.listening import Front
from pymq.services.namesrv import NamesrvController
from pymq.services.storeplugin import StoreProvider
from pymq.settings import read_settings, text_of, unknown_keys
from pymq.store.config import MessageStoreConfig
from pymq.store.memory import MemoryMessageStore
from pymq.store.memorydocuments import MemoryDocuments
from pymq.testing.commands import CommandError, ServerStatus
from pymq.testing.faults import FaultRules
from pymq.testing.inventory import Inventory
from pymq.testing.keptports import KeptPorts
from pymq.testing.nothread import NoThread
from pymq.testing.skipping import SkippingClock

__all__ = ["KILLED", "PAUSED", "RUNNING", "Arrivals", "Kit", "Setting", "settings_text"]

#: What a setting may be given as.
Setting = str | int | float | bool

HOST = "127.0.0.1"
#: For how many times `quiet_s` an advance waits for clients that do not come to rest.
SETTLE_PARTS_MAX = 20
RUNNING, PAUSED, KILLED = "running", "paused", "killed"

#: Apache's defaults hold but for these, which a test that wants others may give.
DEFAULTS: dict[str, Setting] = {
    "brokerName": "broker-a",
    "brokerIP1": HOST,
    "bindAddress": HOST,
    "listenPort": 0,
    "embeddedNamesrvListenPort": 0,
    "storeType": "memory",
    # Time that is skipped means no broker that stood still.
    "brokerFastFailureEnable": "false",
}
#: What the kit sees to by itself.
_OWN = {
    "namesrvAddr": "the kit has a name server of its own",
    "storeType": "memory is allowed: the kit keeps nothing on disk",
    "storePathRootDir": "the kit keeps nothing on disk",
    "storePathCommitLog": "the kit keeps nothing on disk",
}


def settings_text(settings: Mapping[str, Setting]) -> dict[str, str]:
    """Settings by Apache's keys, as text. Raises ConfigError for a key that is not known, or that the kit sees to."""
    for key, reason in _OWN.items():
        if key in settings and (key != "storeType" or settings[key] != DEFAULTS[key]):
            raise ConfigError(key, settings[key], reason)
    text = {key: text_of(value) for key, value in settings.items()}
    for key, value in text.items():
        for sentence in unknown_keys((BrokerConfig, MessageStoreConfig), {key: value}):
            raise ConfigError(key, value, sentence)
    return text


@implementer(IArrivalListener)
class Arrivals:
    """Those who wait for the next message."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    def messages_arrived(self, arrivals: Sequence[RecordDraft]) -> None:
        """Wake all."""
        waiting, self._waiting = self._waiting, []
        for arrived in waiting:
            arrived.callback(None)

    def next(self) -> Deferred[None]:
        """Fires when a message came. May be cancelled."""
        arrived: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(arrived)
        return arrived

    def give_up(self) -> None:
        """Cancel all who wait."""
        for arrived in list(self._waiting):
            arrived.cancel()


def _silent(line: str) -> None:
    """Where the lines go that scripts wait for."""


class Kit:
    """The servers and all that a test may ask of them. `settings` have Apache's keys.

    `store`, `inventory` and the tables of requests, which lie behind the faults, are those of the broker that runs.
    """

    store: IMessageStore
    documents: MemoryDocuments
    inventory: Inventory
    broker_table: IProcessorTable
    namesrv_table: IProcessorTable

    def __init__(self, settings: Mapping[str, Setting] | None = None, *, reactor: Any) -> None:
        text = settings_text({**DEFAULTS, **(settings or {})})
        self._config = read_settings(BrokerConfig, text)
        self._store_config = read_settings(MessageStoreConfig, text)
        self.reactor = reactor
        self._namesrv_ports, self._broker_ports = self._ports = (KeptPorts(reactor), KeptPorts(reactor))
        self.faults = FaultRules(reactor)
        self.arrivals = Arrivals()
        self.state = KILLED
        self._sent_count = 0
        self._namesrv: NamesrvController | None = None
        self._broker: BrokerController | None = None
        self._wipe()

    def _wipe(self) -> None:
        """Begin anew, without messages and at the real time."""
        self.clock = SkippingClock(self.reactor)
        self.documents = MemoryDocuments()
        self.store = MemoryMessageStore(self._store_config, clock=self.clock)
        self.ids = UniqueIds(HOST, os.getpid(), self.clock)

    @property
    def name_server(self) -> str:
        """The name server's address."""
        return f"{HOST}:{self._config.embedded_namesrv_listen_port}"

    def status(self) -> ServerStatus:
        """Where everything is, and how."""
        config = self._config
        return ServerStatus(
            name_server=self.name_server,
            broker=f"{config.broker_ip1}:{config.listen_port}",
            broker_name=config.broker_name,
            cluster=config.broker_cluster_name,
            state=self.state,
            now_ms=int(self.clock.seconds() * 1000),
            skipped_s=round(self.clock.skipped_s, 3),
            pid=os.getpid(),
            version=pymq.__version__,
        )

    def next_queue(self, queues: int) -> int:
        """The queue for the kit's next message to a topic with so many: each in turn."""
        self._sent_count += 1
        return self._sent_count % max(1, queues)

    async def start(self) -> None:
        """Start both; the name server knows the broker when this is over. Raises CannotListen, having undone all."""
        try:
            self._start_namesrv()
            await self._start_broker()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop both. Nothing is left on the reactor."""
        for ports in self._ports:
            ports.abort_all("closed: the testing kit stops")
        await self._stop_broker()
        namesrv, self._namesrv = self._namesrv, None
        if namesrv is not None and namesrv.running:
            await maybeDeferred(namesrv.stopService)
        self.arrivals.give_up()
        self.clock.stop()

    async def reset(self) -> None:
        """Make everything as after the start, on the same ports; who connects meanwhile waits. All connections are cut."""
        self.faults.clear()
        for ports in self._ports:
            ports.hold()
        try:
            await self.stop()
            self._wipe()
            await self.start()
        finally:
            for ports in self._ports:
                ports.release()

    async def kill(self) -> None:
        """End the broker as SIGKILL does. Raises CommandError when it is killed already."""
        self.check_runs()
        documents = self.documents.texts.copy()
        self._broker_ports.abort_all("closed: the broker is killed")
        await self._stop_broker()
        self.documents.texts = documents

    async def restart(self) -> None:
        """Start the broker on its port with what it stored, having stopped it if it runs."""
        await self._stop_broker()
        await self._start_broker()

    def pause(self) -> None:
        """Let it hang. Raises CommandError when it is killed."""
        self.check_runs()
        for ports in self._ports:
            ports.pause()
        self.state = PAUSED

    def resume(self) -> None:
        """Go on after `pause`. Raises CommandError when it is not paused."""
        if self.state != PAUSED:
            raise CommandError(f"the broker is {self.state}, resume is for one that is paused")
        for ports in self._ports:
            ports.resume()
        self.state = RUNNING

    async def disconnect(self) -> int:
        """Cut every connection; how many."""
        count = sum(ports.abort_all("closed: cut by the testing kit") for ports in self._ports)
        # Clients on the same reactor know of it in the turn after the one in which it is done.
        for _ in range(2):
            await deferLater(self.reactor, 0)
        return count

    async def advance(self, seconds: float, quiet_s: float) -> None:
        """Move the clock; what clients do about it they do at the time that it is about: they have until nothing was sent or
        received for `quiet_s`.
        """
        seen = self._broker_ports.traffic()

        async def settle() -> None:
            nonlocal seen
            for _ in range(SETTLE_PARTS_MAX):
                now = self._broker_ports.traffic()
                if now == seen:
                    return
                seen = now
                await deferLater(self.reactor, quiet_s)

        await self.clock.advance(seconds, settle if quiet_s else None)

    def check_runs(self) -> None:
        """Raise CommandError when the broker is killed."""
        if self.state == KILLED:
            raise CommandError("the broker is killed; restart starts it with what it stored, reset with nothing")

    def _start_namesrv(self) -> None:
        tables: list[IProcessorTable] = []
        config = NamesrvConfig(listen_port=self._config.embedded_namesrv_listen_port, bind_address=self._config.bind_address)
        self._namesrv = NamesrvController(
            config, reactor=self._namesrv_ports, documents=MemoryDocuments(), front=self._front(tables), say=_silent
        )
        self._namesrv.startService()
        self.namesrv_table = tables[0]
        # From now on these are the ports, also after a reset.
        if self._config.embedded_namesrv_listen_port != self._namesrv.port:
            self._config = attrs.evolve(self._config, embedded_namesrv_listen_port=self._namesrv.port)

    async def _start_broker(self) -> None:
        tables: list[IProcessorTable] = []
        self._broker = broker = BrokerController(
            attrs.evolve(self._config, namesrv_addr=self.name_server),
            self._store_config,
            reactor=self._broker_ports,
            clock=self.clock,
            provider=StoreProvider("memory", lambda *_, **__: (self.store, self.documents), "what is kept", keeps=False),
            front=self._front(tables),
            flush_thread=NoThread(),
            document_thread=NoThread(),
            say=_silent,
        )
        broker.startService()
        await broker.when_ready
        # The main port's: it was made first, and serves more than the VIP port.
        self.broker_table = tables[0]
        if self._config.listen_port != broker.port:
            self._config = attrs.evolve(self._config, listen_port=broker.port)
        self.inventory = Inventory(self.store, broker.parts, len(self._store_config.delay_levels_ms))
        self.store.watch(self.arrivals)
        self.faults.ports_served()
        self.state = RUNNING

    async def _stop_broker(self) -> None:
        if self.state == PAUSED:
            self.resume()
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.stopService()
            self.faults.forget_ports()
        self.state = KILLED

    def _front(self, tables: list[IProcessorTable]) -> Front:
        """Put the faults before a server's ports, and note the tables behind them."""

        def front(table: IProcessorTable, lanes: dict[bytes, Lane]) -> IProcessorTable:
            tables.append(table)
            return self.faults.front(table, lanes)

        return front
