"""The name servers know the broker and its topics, soon after every change."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.interfaces import INameServers
from pymq.services.registrar import FORGOTTEN_RETRY_S, REFUSED_RETRY_S, SECOND_ROUND_S, Registrar
from pymq.wire.bodies.registration import decode_register_body
from pymq.wire.bodies.topics import DataVersion, TopicConfig
from pymq.wire.command import PROTOCOL_VERSION
from pymq.wire.headers.routes import (
    RegisterBrokerRequestHeader,
    RegisterBrokerResponseHeader,
    UnRegisterBrokerRequestHeader,
)


class TwoTopics:
    """As much of the TopicConfigManager as the registrar uses."""

    def __init__(self) -> None:
        self.table = {name: TopicConfig(topic_name=name) for name in ("T1", "T2")}
        self.data_version = DataVersion(timestamp=1_700_000_000_000, counter=0)
        self.listeners: list[Callable[[list[TopicConfig]], None]] = []

    def on_change(self, listener: Callable[[list[TopicConfig]], None]) -> None:
        """Remember."""
        self.listeners.append(listener)

    def make(self, *names: str) -> None:
        """New topics."""
        made = [TopicConfig(topic_name=name) for name in names]
        self.table.update((topic.topic_name, topic) for topic in made)
        for listener in self.listeners:
            listener(made)


@implementer(INameServers)
class RecordingNameServers:
    """Remembers registrations; `answer` None lets them wait in `waiting`."""

    addresses = ("10.0.1.1:9876",)

    def __init__(self) -> None:
        self.registrations: list[tuple[RegisterBrokerRequestHeader, bytes]] = []
        self.unregistered: list[UnRegisterBrokerRequestHeader] = []
        self.answer: Any = [(self.addresses[0], RegisterBrokerResponseHeader())]
        self.waiting: list[Deferred[Any]] = []
        self.forget: Callable[[], None] = lambda: None

    def register(self, header: RegisterBrokerRequestHeader, body: bytes) -> Deferred[Any]:
        """Remember."""
        self.registrations.append((header, body))
        if self.answer is None:
            self.waiting.append(Deferred())
            return self.waiting[-1]
        return succeed(self.answer)

    def unregister(self, header: UnRegisterBrokerRequestHeader) -> Deferred[None]:
        """Remember."""
        self.unregistered.append(header)
        return succeed(None)

    def on_forgotten(self, callback: Callable[[], None]) -> None:
        """Remember."""
        self.forget = callback


class RegistrarTests(SynchronousTestCase):
    """One broker, one name server."""

    def setUp(self) -> None:
        """Put them together."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.topics, self.name_servers = TwoTopics(), RecordingNameServers()
        self.make()

    def make(self, **settings: Any) -> None:
        """A registrar with these settings."""
        config = BrokerConfig(broker_name="broker-a", broker_ip1="10.0.0.1", listen_port=10911, **settings)
        self.registrar = Registrar(config, self.topics, self.name_servers, clock=self.clock)

    def told(self) -> list[list[str]]:
        """The topics of each registration."""
        return [
            sorted(decode_register_body(body, header.compressed, PROTOCOL_VERSION).topic_config_table)
            for header, body in self.name_servers.registrations
        ]

    def test_start_registers_everything(self) -> None:
        """And waits for the answers."""
        self.name_servers.answer = None
        started = self.registrar.start()
        self.assertNoResult(started)
        self.name_servers.waiting[0].callback([("10.0.1.1:9876", RegisterBrokerResponseHeader())])
        self.successResultOf(started)
        header, body = self.name_servers.registrations[0]
        self.assertEqual(
            (header.broker_name, header.broker_addr, header.ha_server_addr, header.broker_id, header.cluster_name),
            ("broker-a", "10.0.0.1:10911", "10.0.0.1:10912", 0, "DefaultCluster"),
        )
        self.assertEqual(header.body_crc32, zlib.crc32(body) & 0x7FFFFFFF)
        self.assertEqual(self.told(), [["T1", "T2"]])
        self.assertEqual(self.registrar.accepted_count, 1)

    def test_compressed(self) -> None:
        """The setting is kept, and the header says so."""
        self.make(compressed_register=True)
        self.successResultOf(self.registrar.start())
        self.assertTrue(self.name_servers.registrations[0][0].compressed)
        self.assertEqual(self.told(), [["T1", "T2"]])

    def test_broker_permission(self) -> None:
        """A broker that is for reading only says so for every topic."""
        self.make(broker_permission=4)
        self.successResultOf(self.registrar.start())
        _, body = self.name_servers.registrations[0]
        table = decode_register_body(body, False, PROTOCOL_VERSION).topic_config_table
        self.assertEqual({topic.perm for topic in table.values()}, {4})

    def test_periodic_rounds(self) -> None:
        """The second after ten seconds, then every thirty; a shorter setting is held at ten."""
        self.successResultOf(self.registrar.start())
        self.clock.pump([1] * int(SECOND_ROUND_S + 60))
        self.assertEqual(len(self.told()), 4)
        self.setUp()
        self.make(register_name_server_period=1)
        self.successResultOf(self.registrar.start())
        self.clock.pump([1] * 30)
        self.assertEqual(self.told(), [["T1", "T2"]] * 4)

    def test_changes_are_told_at_once_and_together(self) -> None:
        """All topics of one turn in one registration, and no others."""
        self.successResultOf(self.registrar.start())
        self.topics.make("T3")
        self.topics.make("T4", "T5")
        told = self.registrar.when_told()
        self.assertNoResult(told)
        self.clock.advance(0)
        self.successResultOf(told)
        self.assertEqual(self.told()[1:], [["T3", "T4", "T5"]])
        self.successResultOf(self.registrar.when_told())

    def test_changes_during_a_round_follow_it(self) -> None:
        """None is forgotten, and no two rounds are under way together."""
        self.successResultOf(self.registrar.start())
        self.name_servers.answer = None
        self.topics.make("T3")
        self.clock.advance(0)
        self.topics.make("T4")
        self.clock.advance(0)
        self.assertEqual(len(self.name_servers.waiting), 1)
        told = self.registrar.when_told()
        self.name_servers.waiting.pop().callback([("10.0.1.1:9876", None)])
        self.clock.advance(0)
        self.assertNoResult(told)
        self.name_servers.waiting.pop().callback([("10.0.1.1:9876", None)])
        self.successResultOf(told)
        self.assertEqual(self.told()[1:], [["T3"], ["T4"]])

    def test_name_server_that_forgot_us(self) -> None:
        """Is told everything soon, without waiting for the period."""
        self.successResultOf(self.registrar.start())
        self.name_servers.forget()
        self.clock.advance(FORGOTTEN_RETRY_S)
        self.assertEqual(self.told(), [["T1", "T2"]] * 2)

    def test_name_server_that_is_not_there(self) -> None:
        """The broker starts all the same, tries again, and tells everything even when one topic changed."""
        self.name_servers.answer = []
        self.successResultOf(self.registrar.start())
        self.topics.make("T3")
        self.clock.advance(0)
        self.assertEqual(self.told()[1], ["T1", "T2", "T3"])
        self.name_servers.answer = [("10.0.1.1:9876", None)]
        self.clock.advance(REFUSED_RETRY_S)
        self.assertEqual(self.told()[2], ["T1", "T2", "T3"])
        self.topics.make("T4")
        self.clock.advance(0)
        self.assertEqual(self.told()[-1], ["T4"])

    def test_stop_unregisters(self) -> None:
        """After a round that is under way; then nothing is left."""
        self.successResultOf(self.registrar.start())
        self.name_servers.answer = None
        self.topics.make("T3")
        self.clock.advance(0)
        stopped = Deferred.fromCoroutine(self.registrar.stop())
        self.assertEqual(self.name_servers.unregistered, [])
        self.name_servers.waiting.pop().callback([])
        self.successResultOf(stopped)
        self.assertEqual(self.name_servers.unregistered[0].broker_addr, "10.0.0.1:10911")
        self.topics.make("T6")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_drops_what_was_to_come(self) -> None:
        """A change of the last turn is not told any more."""
        self.successResultOf(self.registrar.start())
        self.topics.make("T3")
        self.successResultOf(Deferred.fromCoroutine(self.registrar.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.told()), 1)
