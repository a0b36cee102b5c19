"""Where a group begins."""

from __future__ import annotations

from typing import Any

from pymq.client.beginning import begin_time_ms, first_offset
from pymq.client.config import ConsumeFromWhere, PushConfig
from pymq.client.offsets import RemoteBrokerOffsetStore
from pymq.errors import BrokerRefused
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue
from tests.client.fakecluster import START_S

RETRY = "%RETRY%g"
LAST, FIRST, TIME = (
    ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET,
    ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET,
    ConsumeFromWhere.CONSUME_FROM_TIMESTAMP,
)


class BeginningTests(ClientCase):
    """A queue of five messages, and a retry queue of two."""

    def setUp(self) -> None:
        """The queues; the fake finds offset 1 for every time."""
        super().setUp()
        for topic, count in ((TOPIC, 5), (RETRY, 2)):
            for _ in range(count):
                self.cluster.broker.put(topic, 0, b"x")
        self.shared = self.instance()

    def begin(self, where: ConsumeFromWhere, topic: str = TOPIC) -> Any:
        """Where a group begins with the first queue."""
        offsets = RemoteBrokerOffsetStore("g", self.shared)
        return first_offset(queue(topic=topic), offsets, self.shared, PushConfig(consume_from_where=where), 1)

    def test_a_new_group(self) -> None:
        """As it is told; retried messages are never passed over, except by time."""
        found = {
            (where, topic): self.result(self.begin(where, topic)) for where in (LAST, FIRST, TIME) for topic in (TOPIC, RETRY)
        }
        self.assertEqual(found, {
            (LAST, TOPIC): 5, (LAST, RETRY): 0, (FIRST, TOPIC): 0, (FIRST, RETRY): 0, (TIME, TOPIC): 1, (TIME, RETRY): 2,
        })  # fmt: skip

    def test_a_group_that_has_an_offset(self) -> None:
        """Goes on there, wherever it is told to begin."""
        self.cluster.broker.offsets["g", TOPIC, 0] = 3
        self.assertEqual({self.result(self.begin(where)) for where in (LAST, FIRST, TIME)}, {3})

    def test_when_the_broker_does_not_know(self) -> None:
        """An error is no offset."""
        self.cluster.refuse(Code.QUERY_CONSUMER_OFFSET, 1)
        self.failure(self.begin(LAST), BrokerRefused)

    def test_times(self) -> None:
        """Absolute, or back from the start."""
        self.assertEqual(begin_time_ms(12.5, START_S), 12_500)
        self.assertEqual(begin_time_ms(-1800.0, START_S), (START_S - 1800) * 1000)
