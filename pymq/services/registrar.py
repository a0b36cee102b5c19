# Tests: tests/services/test_registrar.py
"""The broker makes itself and its topics known to the name servers, and keeps them so (remoting.md 3.1, 6.2)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from pymq.broker.config import HA_PORT_STEP, BrokerConfig
from pymq.interfaces import IClock, INameServers
from pymq.periodic import Periodic
from pymq.wire.bodies.registration import RegisterBrokerBody, encode_register_body
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE, DataVersion, TopicConfig
from pymq.wire.headers.routes import RegisterBrokerRequestHeader, UnRegisterBrokerRequestHeader

#: `registerNameServerPeriod` is held between these.
PERIOD_LEAST_S = 10.0
PERIOD_MOST_S = 60.0
#: After the registration at start, the next follows so much later.
SECOND_ROUND_S = 10.0
#: How soon to register again with a name server that lost the connection, or that did not take the broker.
FORGOTTEN_RETRY_S = 2.0
REFUSED_RETRY_S = 10.0

_CRC_MASK = 0x7FFFFFFF


class Topics(Protocol):
    """What is asked of the TopicConfigManager."""

    @property
    def table(self) -> Mapping[str, TopicConfig]:
        """All topics by name."""

    @property
    def data_version(self) -> DataVersion:
        """Their version."""

    def on_change(self, listener: Any) -> Any:
        """Call with the list of changed topics."""


class Registrar:
    """Registers at start, periodically, and whenever topics change; unregisters at stop. A part of a Sequence.

    `config` must hold the real address and port. A name server is told of the changed topics alone as long as all name servers
    took the last full registration and kept the connection; otherwise of everything.
    """

    _log = Logger()

    def __init__(self, config: BrokerConfig, topics: Topics, name_servers: INameServers, *, clock: IClock) -> None:
        self._config = config
        self._topics = topics
        self._name_servers = name_servers
        self._clock = clock
        self._changed: dict[str, TopicConfig] = {}
        self._needs_full = True
        self._round: Deferred[None] | None = None
        self._next_round: IDelayedCall | None = None
        self._is_running = False
        #: Who waits for the round that is under way, and for the one after it.
        self._waiting_now: list[Deferred[None]] = []
        self._waiting_next: list[Deferred[None]] = []
        period_s = min(max(config.register_name_server_period / 1000, PERIOD_LEAST_S), PERIOD_MOST_S)
        self._periodic = Periodic(
            clock, period_s, self.register_all, name="registration with the name servers", initial_delay_s=SECOND_ROUND_S
        )
        #: How many name servers took the last registration.
        self.accepted_count = 0

    def start(self) -> Deferred[None]:
        """Register; fires when every name server answered or failed. A broker without any name server runs all the same."""
        self._is_running = True
        self._topics.on_change(self._topics_changed)
        self._name_servers.on_forgotten(self._forgotten)
        self._periodic.start()
        return self.register_all()

    async def stop(self) -> None:
        """Unregister."""
        self._is_running = False
        if self._next_round is not None:
            self._next_round.cancel()
            self._next_round = None
        await self._periodic.stop()
        if self._round is not None:
            over: Deferred[None] = Deferred()
            self._waiting_now.append(over)
            await over
        self._release(self._waiting_next)
        config = self._config
        await self._name_servers.unregister(
            UnRegisterBrokerRequestHeader(
                broker_name=config.broker_name,
                broker_addr=f"{config.broker_ip1}:{config.listen_port}",
                cluster_name=config.broker_cluster_name,
                broker_id=config.broker_id,
            )
        )

    def register_all(self) -> Deferred[None]:
        """Tell every name server everything; fires when each answered or failed."""
        self._needs_full = True
        told: Deferred[None] = Deferred()
        self._waiting_next.append(told)
        if self._round is None:
            self._begin_round()
        return told

    def when_told(self) -> Deferred[None]:
        """Fires when the name servers were told, or did not listen to, every change made so far."""
        told: Deferred[None] = Deferred()
        if self._changed:
            self._waiting_next.append(told)
        elif self._round is not None:
            self._waiting_now.append(told)
        else:
            told.callback(None)
        return told

    def _topics_changed(self, changed: list[TopicConfig]) -> None:
        """Topics were made or changed: tell at the end of this turn, all of one turn together."""
        if not self._is_running:
            return
        self._changed.update((topic.topic_name, topic) for topic in changed)
        self._round_after(0.0)

    def _forgotten(self) -> None:
        """A name server forgot this broker."""
        self._needs_full = True
        self._round_after(FORGOTTEN_RETRY_S)

    def _round_after(self, delay_s: float) -> None:
        """See that a round begins in `delay_s` at the latest; when one is under way, it follows that."""
        if not self._is_running or self._round is not None:
            return
        if self._next_round is not None:
            if self._next_round.getTime() <= self._clock.seconds() + delay_s:
                return
            self._next_round.cancel()
        self._next_round = self._clock.callLater(delay_s, self._begin_round)

    def _begin_round(self) -> None:
        if self._next_round is not None and self._next_round.active():
            self._next_round.cancel()
        self._next_round = None
        under_way = Deferred.fromCoroutine(self._tell())
        if not under_way.called:
            self._round = under_way

    async def _tell(self) -> None:
        """One round: everything, or what changed since the last; then whatever has come up meanwhile."""
        is_full, self._needs_full = self._needs_full, False
        topics = self._topics.table if is_full else self._changed
        self._changed = {}
        self._waiting_now, self._waiting_next = self._waiting_next, []
        header, body = self._registration(topics)
        try:
            accepted = await self._name_servers.register(header, body)
        except Exception:
            self._log.failure("the registration with the name servers failed")
            accepted = []
        self._round = None
        self.accepted_count = len(accepted)
        self._release(self._waiting_now)
        if not self._is_running:
            return
        if len(accepted) < len(self._name_servers.addresses):
            self._needs_full = True
        if self._changed or self._waiting_next:
            self._round_after(0.0)
        elif self._needs_full:
            self._round_after(REFUSED_RETRY_S)

    def _release(self, waiting: list[Deferred[None]]) -> None:
        released = list(waiting)
        waiting.clear()
        for told in released:
            told.callback(None)

    def _registration(self, topics: Mapping[str, TopicConfig]) -> tuple[RegisterBrokerRequestHeader, bytes]:
        config = self._config
        table = dict(topics)
        if config.broker_permission != PERM_READ | PERM_WRITE:
            table = {name: msgspec.structs.replace(topic, perm=config.broker_permission) for name, topic in table.items()}
        body = encode_register_body(RegisterBrokerBody(table, self._topics.data_version), config.compressed_register)
        header = RegisterBrokerRequestHeader(
            broker_name=config.broker_name,
            broker_addr=f"{config.broker_ip1}:{config.listen_port}",
            cluster_name=config.broker_cluster_name,
            ha_server_addr=f"{config.broker_ip2 or config.broker_ip1}:{config.listen_port + HA_PORT_STEP}",
            broker_id=config.broker_id,
            compressed=config.compressed_register,
            body_crc32=zlib.crc32(body) & _CRC_MASK,
        )
        return header, body
