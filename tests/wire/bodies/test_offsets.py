"""Bodies about offsets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.offsets import (
    ConsumeStats,
    ConsumeStatsList,
    GetConsumerStatusBody,
    MessageQueueForC,
    OffsetWrapper,
    QueryConsumeTimeSpanBody,
    QueryCorrectionOffsetBody,
    QueueTimeSpan,
    ResetOffsetBody,
    ResetOffsetBodyForC,
)

QUEUE = MessageQueue("T1", "broker-a", 0)
KEY = b'{"brokerName":"broker-a","queueId":0,"topic":"T1"}'


class OffsetBodyTests(SynchronousTestCase):
    """Each body, against the shape of the reference."""

    def test_consume_stats(self) -> None:
        """Object keys, and a double with a fraction."""
        stats = ConsumeStats({QUEUE: OffsetWrapper(9)}, 0.5)  # type: ignore[dict-item]
        text = b'{"consumeTps":0.5,"offsetTable":{' + KEY + b':{"brokerOffset":9,"consumerOffset":0,"lastTimestamp":0}}}'
        self.assertEqual(javajson.encode(stats), text)
        self.assertEqual(javajson.decode_as(text, ConsumeStats), stats)

    def test_consume_stats_of_a_broker(self) -> None:
        """Maps by group in a list."""
        body = ConsumeStatsList(({"g1": [ConsumeStats()]},), "a:1", 7)
        text = b'{"brokerAddr":"a:1","consumeStatsList":[{"g1":[{"consumeTps":0.0,"offsetTable":{}}]}],"totalDiff":7}'
        self.assertEqual(javajson.encode(body), text)

    def test_reset(self) -> None:
        """A map for Java, a list for C++."""
        text = b'{"offsetTable":{' + KEY + b":7}}"
        self.assertEqual(javajson.encode(ResetOffsetBody({QUEUE: 7})), text)  # type: ignore[dict-item]
        self.assertEqual(javajson.encode(javajson.decode_as(text, ResetOffsetBody)), text)
        self.assertEqual(
            javajson.encode(ResetOffsetBodyForC((MessageQueueForC("T1", "broker-a", 0, 7),))),
            b'{"offsetTable":[{"brokerName":"broker-a","offset":7,"queueId":0,"topic":"T1"}]}',
        )

    def test_consumer_status(self) -> None:
        """By queue from a client, by client and queue from a broker."""
        one = b'{"consumerTable":{},"messageQueueTable":{' + KEY + b":7}}"
        all_ = b'{"consumerTable":{"c":{' + KEY + b':7}},"messageQueueTable":{}}'
        for text in (one, all_):
            self.assertEqual(javajson.encode(javajson.decode_as(text, GetConsumerStatusBody)), text)
        made = GetConsumerStatusBody(consumer_table={"c": {QUEUE: 7}})  # type: ignore[dict-item]
        self.assertEqual(javajson.encode(made), all_)

    def test_corrections(self) -> None:
        """By queue id, bare."""
        self.assertEqual(javajson.encode(QueryCorrectionOffsetBody({0: 1})), b'{"correctionOffsets":{0:1}}')

    def test_time_spans(self) -> None:
        """With the queue as a member."""
        text = (
            b'{"consumeTimeSpanSet":[{"consumeTimeStamp":0,"delayTime":0,"maxTimeStamp":0,"messageQueue":'
            + KEY
            + b',"minTimeStamp":0}]}'
        )
        self.assertEqual(javajson.encode(QueryConsumeTimeSpanBody((QueueTimeSpan(QUEUE),))), text)
        self.assertEqual(javajson.encode(javajson.decode_as(text, QueryConsumeTimeSpanBody)), text)
