"""Tests of pymq.broker.housekeeping."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.clients import ProducerManager
from pymq.broker.consumers import ConsumerManager
from pymq.broker.housekeeping import ClientHousekeepingService
from pymq.broker.queuelocks import RebalanceLockManager
from pymq.interfaces import IChannelListener
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.messagequeue import MessageQueue
from tests.broker.fixtures import NOW_MS, member, started_clock, subscribe


class ClientHousekeepingServiceTests(SynchronousTestCase):
    """Clients that went away."""

    def setUp(self) -> None:
        """One client that produces, consumes and holds a lock."""
        self.clock = started_clock()
        self.producers = ProducerManager(clock=self.clock)
        self.consumers = ConsumerManager(clock=self.clock, on_members_changed=lambda group, channels: None)
        self.locks = RebalanceLockManager(MemoryDocuments(), clock=self.clock)
        self.service = ClientHousekeepingService(producers=self.producers, consumers=self.consumers, locks=self.locks)
        self.info = member("c")
        self.producers.register("p", self.info)
        self.consumers.register("g", self.info, "CONSUME_PASSIVELY", "CLUSTERING", "", [subscribe()], True)
        self.locks.lock_batch("g", [MessageQueue("T", "broker-a", 0)], "c")

    def test_it_listens_to_channels(self) -> None:
        """As the server expects it; an opened channel is no client yet."""
        verifyObject(IChannelListener, self.service)
        self.service.channel_opened(member().channel)
        self.assertEqual(list(self.consumers.table), ["g"])

    def test_closed_channel_is_forgotten_at_once(self) -> None:
        """By producers and consumers; its locks run out by themselves, as with Apache."""
        self.service.channel_closed(self.info.channel, "closed by the peer")
        self.assertEqual((self.producers.group("p"), self.consumers.group("g"), self.locks.count), (None, None, 1))

    def test_silent_client_is_closed(self) -> None:
        """After two minutes; not before."""
        self.service.check(NOW_MS + 120_000)
        self.assertTrue(self.info.channel.is_open)
        self.service.check(NOW_MS + 120_001)
        self.assertFalse(self.info.channel.is_open)
        self.assertEqual((self.producers.group("p"), self.consumers.group("g"), self.locks.count), (None, None, 0))
