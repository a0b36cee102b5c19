"""Bodies with figures."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.stats import BrokerStatsData, BrokerStatsItem, ConsumeQueueData, QueryConsumeQueueResponseBody


class StatsBodyTests(SynchronousTestCase):
    """Each body, against the shape of the reference."""

    def test_broker_stats(self) -> None:
        """Three spans."""
        body = BrokerStatsData(stats_day=BrokerStatsItem(3, 0.5, 1.0))
        item = b'{"avgpt":0.0,"sum":0,"tps":0.0}'
        self.assertEqual(
            javajson.encode(body),
            b'{"statsDay":{"avgpt":1.0,"sum":3,"tps":0.5},"statsHour":' + item + b',"statsMinute":' + item + b"}",
        )

    def test_consume_queue(self) -> None:
        """Its units."""
        text = b'{"maxQueueIndex":1,"minQueueIndex":0,"queueData":[{"eval":false,"physicOffset":0,"physicSize":0,"tagsCode":-5}]}'
        body = QueryConsumeQueueResponseBody((ConsumeQueueData(0, 0, -5),), 0, 1)
        self.assertEqual(javajson.encode(body), text)
        self.assertEqual(javajson.decode_as(text, QueryConsumeQueueResponseBody), body)
