"""The cluster in memory, as a user's test has it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.client import ConsumeStatus, Message
from pymq.errors import ClientError, NoRoute
from pymq.testing.cluster import MemoryCluster


class MemoryClusterTests(SynchronousTestCase):
    """Real parts, no waiting."""

    def cluster(self, *arguments: int, **settings: str) -> MemoryCluster:
        """A started one, stopped in the end, with nothing left on its clock."""
        cluster = MemoryCluster(*arguments, **settings)
        cluster.start()

        def stop() -> None:
            cluster.stop()
            self.assertEqual(cluster.reactor.getDelayedCalls(), [])
            self.assertEqual(cluster.reactor.listening, {})

        self.addCleanup(stop)
        return cluster

    def test_what_is_sent_is_received(self) -> None:
        """As in the module's example."""
        cluster = self.cluster()
        received: list[bytes] = []

        def listen(messages: Any, context: object) -> ConsumeStatus:
            received.extend(message.body for message in messages)
            return ConsumeStatus.CONSUME_SUCCESS

        producer = cluster.producer("orders_out")
        cluster.result(producer.send(Message("orders", b"one")))
        cluster.push_consumer("orders", listen)
        cluster.tick(0.1, 3)
        self.assertEqual(received, [b"one"])

    def test_a_broker_lasts_over_a_restart(self) -> None:
        """Its disk is in memory, and is the real store's; no second goes by that the test did not ask for."""
        cluster = self.cluster(2, flushDiskType="SYNC_FLUSH")
        producer = cluster.producer()
        for number in range(4):
            cluster.result(producer.send(Message("orders", b"%d" % number)))
        for broker in cluster.brokers:
            self.assertIn(broker.name, broker.said[-1])
            cluster.result(broker.stop())
            self.assertFalse(broker.files.exists("abort"))
        for broker in cluster.brokers:
            broker.start()
        received: list[bytes] = []

        def listen(messages: Any, context: object) -> ConsumeStatus:
            received.extend(message.body for message in messages)
            return ConsumeStatus.CONSUME_SUCCESS

        cluster.push_consumer("orders", listen)
        cluster.tick(0.5, 10)
        self.assertEqual(sorted(received), [b"0", b"1", b"2", b"3"])

    def test_errors_are_raised(self) -> None:
        """Of what was asked for, and for what never ends."""
        cluster = self.cluster(1, autoCreateTopicEnable="false")
        producer = cluster.producer()
        self.assertRaises((NoRoute, ClientError), cluster.result, producer.send(Message("nowhere", b"x")))
        self.assertRaises(AssertionError, cluster.result, Deferred())
