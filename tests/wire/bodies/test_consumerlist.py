"""The list of a group's members."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.consumerlist import GetConsumerListByGroupResponseBody


class ConsumerListTests(SynchronousTestCase):
    """GetConsumerListByGroupResponseBody."""

    def test_both_ways(self) -> None:
        """In the order that was given."""
        body = GetConsumerListByGroupResponseBody(("b@2", "a@1"))
        self.assertEqual(javajson.encode(body), b'{"consumerIdList":["b@2","a@1"]}')
        self.assertEqual(javajson.decode_as(javajson.encode(body), GetConsumerListByGroupResponseBody), body)
