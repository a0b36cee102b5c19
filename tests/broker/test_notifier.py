"""Tests of pymq.broker.notifier."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.notifier import ConsumerIdsNotifier
from pymq.testing.channels import FakeChannel
from pymq.wire.codes import RequestCode
from tests.broker.fixtures import broker_config


class ConsumerIdsNotifierTests(SynchronousTestCase):
    """NOTIFY_CONSUMER_IDS_CHANGED."""

    def test_every_channel_gets_it_one_way(self) -> None:
        """With the group's name and nothing else."""
        channels = [FakeChannel(), FakeChannel()]
        ConsumerIdsNotifier(config=broker_config())("g", channels)
        for channel in channels:
            (sent,) = channel.sent
            self.assertEqual((sent.code, sent.is_oneway), (RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, True))
            self.assertEqual((sent.ext_fields, sent.body), ({"consumerGroup": "g"}, b""))

    def test_broker_can_forbid_it(self) -> None:
        """By notifyConsumerIdsChangedEnable."""
        channel = FakeChannel()
        ConsumerIdsNotifier(config=broker_config(notify_consumer_ids_changed_enable=False))("g", [channel])
        self.assertEqual(channel.sent, [])
