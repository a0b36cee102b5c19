"""The real members have what their instance asks of them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.membership import ConsumerMember, ProducerMember
from pymq.client.producer import Producer
from pymq.client.pullconsumer import PullConsumer
from pymq.client.pushconsumer import PushConsumer


def methods_of(protocol: Any) -> list[str]:
    """The methods that a protocol names."""
    return [name for name in vars(protocol) if not name.startswith("_") and callable(getattr(protocol, name))]


class MembershipTests(SynchronousTestCase):
    """Producers and consumers."""

    def test_each_member_is_complete(self) -> None:
        """No method is missing."""
        for protocol, members in ((ProducerMember, [Producer]), (ConsumerMember, [PushConsumer, PullConsumer])):
            for member in members:
                self.assertEqual([name for name in methods_of(protocol) if not hasattr(member, name)], [])
