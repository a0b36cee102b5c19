# Tests: tests/services/test_broker.py
"""The foreman of a broker: builds every part, hands each just what it uses, starts them in order, stops them in reverse.

Nobody looks up: no part holds the BrokerController (in Java 72 classes do).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.broker.config import VIP_PORT_STEP, BrokerConfig
from pymq.broker.fastfailure import TICK_S
from pymq.errors import PyMQError
from pymq.interfaces import IClock, IDocuments, IFiles, IMessageStore
from pymq.namesrv.config import NamesrvConfig
from pymq.periodic import Periodic
from pymq.remoting.client import RemotingClient, connect_by
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.idle import SWEEP_INTERVAL_S
from pymq.remoting.server import RemotingServerFactory
from pymq.services.announce import say_line
from pymq.services.brokerparts import BrokerParts
from pymq.services.documentsaver import DocumentSaver
from pymq.services.flusher import Flusher
from pymq.services.flushthread import FlushThread, WorkThread
from pymq.services.listening import Front, Listener, host_name, listen_pair, local_address, no_front
from pymq.services.nameservers import RemoteNameServers
from pymq.services.namesrv import NamesrvController
from pymq.services.registrar import Registrar
from pymq.services.sequence import Sequence as PartSequence
from pymq.services.sequence import Step
from pymq.services.storeproviders import find_provider
from pymq.services.watermarks import WaterMarks, backlog_of
from pymq.store.config import MessageStoreConfig
from pymq.store.memorydocuments import MemoryDocuments

LOOPBACK = "127.0.0.1"
NAMESRV_FOLDER = "namesrv"
#: How soon topics, groups and queue locks are saved whose change nobody waits for.
TABLES_SAVE_S = 5.0
FILTERS_SAVE_S = 10.0
EXPIRY_PERIOD_S = 10.0
HOLD_CHECK_S = 1.0
MAINTENANCE_S = 1.0
STATS_SAMPLE_S = 1.0
WATER_MARK_S = 1.0
DISPATCH_LAG_S = 60.0
PROTECTION_S = 180.0


class BrokerController(Service):
    """A broker on its two ports, with a name server inside when it is given none.

    `port` and `namesrv_port` are the real numbers once it is started; `when_ready` fires when its first registration is through.
    `files` replaces the disk at `storePathRootDir`, `provider` the one that `storeType` names. `clock` is the time by which
    messages are stored, delivered and checked; that of connections and of periodic work is the reactor's. `front` stands
    between each port and its processors.
    """

    log = Logger()

    _config: BrokerConfig
    _store: IMessageStore
    _documents: IDocuments
    _namesrv: NamesrvController
    _listeners: tuple[Listener, Listener]
    _tables: tuple[ProcessorTable, ProcessorTable]
    _lanes: tuple[dict[bytes, Any], dict[bytes, Any]]
    _servers: tuple[RemotingServerFactory, RemotingServerFactory]
    _parts: BrokerParts
    _flusher: Flusher
    _name_servers: RemoteNameServers
    _registrar: Registrar
    _water_marks: WaterMarks

    def __init__(
        self,
        config: BrokerConfig,
        store_config: MessageStoreConfig,
        *,
        reactor: Any,
        clock: IClock | None = None,
        files: IFiles | None = None,
        provider: Any = None,
        front: Front = no_front,
        flush_thread: WorkThread | None = None,
        document_thread: WorkThread | None = None,
        say: Callable[[str], None] = say_line,
        warnings: Sequence[str] = (),
    ) -> None:
        self._given_config = config
        self._store_config = store_config
        self._reactor = reactor
        self._clock = clock or reactor
        self._files = files
        self._given_provider = provider
        self._front = front
        self._flush_thread = flush_thread or FlushThread(reactor)
        # Another one, so that no sender waits for a document's write behind his flush.
        self._document_thread = document_thread or FlushThread(reactor, name="pymq-documents")
        self._saver = DocumentSaver(clock=reactor, run_blocking=self._document_thread.run)
        self._say = say
        self._warnings = warnings
        self._sequence: PartSequence | None = None
        self._namesrv_lines: list[str] = []
        self.namesrv_port = 0
        self.port = 0
        self.when_ready: Deferred[None] = Deferred()

    @property
    def parts(self) -> BrokerParts:
        """What a running broker consists of, for those who look into it: tests, and the testing kit."""
        return self._parts

    def startService(self) -> None:
        """Open the store, take the ports, begin to serve and to register.

        Raises ConfigError, CannotListen, StoreLocked or StoreDamaged, having undone what was begun.
        """
        self._provider = self._given_provider or find_provider(self._store_config.store_type)
        for sentence in self._warnings:
            self.log.warn("{sentence}", sentence=sentence)
        self._client = RemotingClient(clock=self._reactor, connect=connect_by(self._reactor))
        self._sequence = PartSequence(
            [
                # What may be refused and takes until a later turn to give back comes before the store, which thus closes
                # cleanly even when the process ends right after the failed start.
                Step("the name server inside", start=self._start_namesrv, stop=self._stop_namesrv),
                Step("the store", start=self._open_store, stop=self._close_store),
                Step("the ports", start=self._take_ports, stop=self._close_ports),
                Step("the tables", start=self._build_parts),
                Step("the name server's line", start=self._announce_namesrv),
                self._flush_thread,
                self._document_thread,
                Step("the documents", stop=self._save),
                Step("the flusher", start=lambda: self._flusher.start(), stop=lambda: self._flusher.stop()),
                Step("delayed delivery", start=lambda: self._parts.delivery.start(), stop=lambda: self._parts.delivery.stop()),
                Step("serving", stop=self._close_ports),
                Step("requests of our own", stop=self._client.close),
                Step("fast failure", stop=lambda: self._parts.fast_failure.stop()),
                *self._periodic_work(),
                Step(
                    "transaction checks",
                    start=lambda: self._parts.transaction_checks.start(),
                    stop=lambda: self._parts.transaction_checks.stop(),
                ),
                Step("registration", start=self._register, stop=lambda: self._registrar.stop()),
                *self._address_server(),
            ]
        )
        started = self._sequence.start()
        super().startService()
        started.addCallbacks(self._announce, self._start_failed)

    def stopService(self) -> Deferred[None]:
        """Unregister, close the ports, save what changed, close the store; fires when all is done."""
        super().stopService()
        sequence, self._sequence = self._sequence, None
        return succeed(None) if sequence is None else sequence.stop()

    def _announce(self, _: object) -> None:
        """Say the line that scripts wait for, as Java's BrokerStartup does."""
        config = self._config
        self._say(
            f"The broker[{config.broker_name}, {config.broker_ip1}:{config.listen_port}] boot success. "
            f"serializeType=JSON and name server is {config.namesrv_addr}"
        )
        self.when_ready.callback(None)

    def _start_failed(self, failure: Failure) -> None:
        """A later step of the start failed. What the user can mend is in the log already, in one line."""
        if failure.check(PyMQError, OSError) is None:
            self.log.failure("the broker could not start", failure)
        self.when_ready.errback(failure)

    # The steps, in the order of their start

    def _open_store(self) -> None:
        self._store, self._documents = self._provider.open(self._store_config, clock=self._clock, files=self._files)
        self._store.load()
        recovery = self._store.describe().get("recovery")
        if recovery is not None and recovery.is_notable:
            self.log.info("{sentence}", sentence=recovery.sentence())

    def _close_store(self) -> None:
        self._store.close()

    def _start_namesrv(self) -> None:
        """Without a name server address the broker carries one inside, whose files lie with its own."""
        given = self._given_config
        if given.namesrv_addr or given.fetch_namesrv_addr_by_address_server:
            return
        root = os.path.expanduser(self._store_config.store_path_root_dir)
        config = NamesrvConfig(
            listen_port=given.embedded_namesrv_listen_port,
            bind_address=given.bind_address,
            kv_config_path=f"{root}/{NAMESRV_FOLDER}/kvConfig.json",
            config_store_path=f"{root}/{NAMESRV_FOLDER}/namesrv.properties",
        )
        documents = None if self._provider.keeps else MemoryDocuments()
        self._namesrv = NamesrvController(config, reactor=self._reactor, documents=documents, say=self._namesrv_lines.append)
        self._namesrv.startService()
        self.namesrv_port = self._namesrv.port

    def _announce_namesrv(self) -> None:
        """Only now: who waits for a line with "boot success" must not be told of a start that fails."""
        for line in self._namesrv_lines:
            self._say(line)

    def _stop_namesrv(self) -> Any:
        return self._namesrv.stopService() if self.namesrv_port else None

    def _take_ports(self) -> None:
        """Listen first, for the ports' numbers are a part of every message's id; nothing is accepted before this turn ends."""
        given = self._given_config
        self._tables = (ProcessorTable(), ProcessorTable())
        self._lanes = ({}, {})
        main, vip = self._servers = (self._server(0), self._server(1))
        ports = listen_pair(self._reactor, given.listen_port, VIP_PORT_STEP, main, vip, given.bind_address)
        self._listeners = (Listener(ports[0], main), Listener(ports[1], vip))
        self.port = self._listeners[0].number
        address = given.broker_ip1 or local_address()
        self._config = attrs.evolve(
            given,
            listen_port=self.port,
            broker_name=given.broker_name or host_name(),
            broker_ip1=address,
            broker_ip2=given.broker_ip2 or address,
            namesrv_addr=given.namesrv_addr or (f"{LOOPBACK}:{self.namesrv_port}" if self.namesrv_port else ""),
            embedded_namesrv_listen_port=self.namesrv_port,
        )

    def _server(self, index: int) -> RemotingServerFactory:
        given = self._given_config
        return RemotingServerFactory(
            Dispatcher(
                self._front(self._tables[index], self._lanes[index]),
                late=lambda code, waited_s: self._parts.fast_failure.late(code, waited_s),
            ),
            clock=self._reactor,
            lanes=self._lanes[index],
            before_general=lambda: self._parts.send_lane.finish_turn(),
            connections_max=given.server_connections_max,
            idle_s=given.server_channel_max_idle_time_seconds,
        )

    def _close_ports(self) -> Any:
        """Both listeners. Called early in the stop, and again where the ports were taken, should the start fail in between."""
        return DeferredList([listener.stop() for listener in self._listeners], fireOnOneErrback=True)

    def _build_parts(self) -> None:
        self._flusher = Flusher(self._store, self._store_config, clock=self._reactor, run_blocking=self._flush_thread.run)
        self._parts = parts = BrokerParts(
            self._config,
            self._store_config,
            self._store,
            self._documents,
            self._flusher,
            clock=self._clock,
            client_clock=self._reactor,
            when_saved=self._saver.when_saved,
            run_blocking=self._document_thread.run,
        )
        parts.load()
        parts.backlog = lambda: backlog_of(self._servers, self._reactor)
        self._water_marks = WaterMarks(
            servers=self._servers,
            runtime_info=parts.runtime_info,
            fast_failure=parts.fast_failure,
            holds=parts.holds,
            store=self._store,
            clock=self._reactor,
        )
        parts.serve(self._tables, self._lanes)
        for server in self._servers:
            server.add_listener(parts.housekeeping)

    def _save(self) -> Any:
        parts = self._parts
        return self._saver.save_all(parts.topics, parts.groups, parts.offsets, parts.filters, parts.locks)

    def _register(self) -> Any:
        config = self._config
        self._name_servers = RemoteNameServers(
            self._client, _addresses_in(config), timeout_s=config.register_broker_timeout_mills / 1000
        )
        self._registrar = Registrar(config, self._parts.topics, self._name_servers, clock=self._reactor)
        self._parts.when_told = self._registrar.when_told
        self._parts.on_settings = self._settings_changed
        return self._registrar.start()

    def _settings_changed(self, keys: frozenset[str]) -> None:
        """A tool changed settings: the name servers must know at once of some."""
        if "namesrvAddr" in keys:
            self._use_name_servers(_addresses_in(self._config))
        if "brokerPermission" in keys:
            self._parts.topics.renew_version()
            self._registrar.register_all()

    def _use_name_servers(self, addresses: list[str]) -> None:
        if self._name_servers.update(addresses):
            self._registrar.register_all()

    def _address_server(self) -> list[Periodic]:
        """The fetching of the name servers' addresses, where that is wanted."""
        config = self._given_config
        if config.namesrv_addr or not config.fetch_namesrv_addr_by_address_server:
            return []
        # Late: an HTTP client takes as long to import as half of the broker.
        from pymq.remoting.addressserver import FETCH_PERIOD_S, FIRST_FETCH_S, AddressServer, agent_of, url_of

        server = AddressServer(
            url_of(config.rmq_address_server_domain, config.rmq_address_server_sub_group),
            agent=agent_of(self._reactor, connect_by(self._reactor)),
            clock=self._reactor,
            on_addresses=self._use_name_servers,
        )
        name = "fetching name server addresses"
        return [Periodic(self._reactor, FETCH_PERIOD_S, server.fetch, name=name, initial_delay_s=FIRST_FETCH_S)]

    def _periodic_work(self) -> list[Periodic]:
        """The broker's rounds (remoting.md 6.2)."""
        save_s = self._given_config.flush_consumer_offset_interval / 1000
        rounds: list[tuple[str, float, Callable[[float], Any]]] = [
            ("saving topics", TABLES_SAVE_S, lambda now_s: self._saver.when_saved(self._parts.topics)),
            ("saving groups", TABLES_SAVE_S, lambda now_s: self._saver.when_saved(self._parts.groups)),
            ("saving offsets", save_s, lambda now_s: self._saver.when_saved(self._parts.offsets)),
            ("saving filters", FILTERS_SAVE_S, lambda now_s: self._save_filters()),
            ("saving queue locks", TABLES_SAVE_S, lambda now_s: self._saver.when_saved(self._parts.locks)),
            (
                "silent clients",
                EXPIRY_PERIOD_S,
                lambda now_s: self._parts.housekeeping.check(int(self._reactor.seconds() * 1000)),
            ),
            ("held pulls", HOLD_CHECK_S, lambda now_s: self._parts.holds.check(now_s)),
            ("care of the store", MAINTENANCE_S, lambda now_s: self._store.run_maintenance(int(now_s * 1000))),
            ("statistics", STATS_SAMPLE_S, lambda now_s: self._parts.stats.sample(now_s)),
            ("water marks", WATER_MARK_S, lambda now_s: self._water_marks.print_water_mark()),
            ("dispatch lag", DISPATCH_LAG_S, lambda now_s: self._water_marks.print_dispatch_lag()),
            ("protection", PROTECTION_S, lambda now_s: self._parts.protection.check()),
            ("fast failure", TICK_S, lambda now_s: self._parts.fast_failure.tick()),
            ("idle connections", SWEEP_INTERVAL_S, lambda now_s: self._sweep_idle()),
        ]
        return [self._round(name, seconds, work) for name, seconds, work in rounds]

    def _round(self, name: str, seconds: float, work: Callable[[float], Any]) -> Periodic:
        return Periodic(self._reactor, seconds, lambda: work(self._clock.seconds()), name=name)

    def _save_filters(self) -> Deferred[None]:
        self._parts.filters.forget_dead()
        return self._saver.when_saved(self._parts.filters)

    def _sweep_idle(self) -> None:
        for server in self._servers:
            server.sweep_idle()
        self._client.sweep_idle()


def _addresses_in(config: BrokerConfig) -> list[str]:
    """The configured name servers as host:port."""
    return [f"{host}:{port}" for host, port in config.name_servers]
