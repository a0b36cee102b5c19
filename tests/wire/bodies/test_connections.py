"""Bodies about connected clients."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.connections import (
    Connection,
    ConsumeMessageDirectlyResult,
    ConsumerConnection,
    ConsumerRunningInfo,
    ConsumeStatus,
    ProcessQueueInfo,
    ProducerConnection,
    ProducerInfo,
    ProducerTableInfo,
)
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue

#: As Java 4.9.8 writes it (remoting.md 3.11).
GOLDEN_INFO = (
    b'{"mqTable":{{"brokerName":"broker-a","queueId":0,"topic":"T1"}:{"cachedMsgCount":0,"cachedMsgMaxOffset":0,'
    b'"cachedMsgMinOffset":0,"cachedMsgSizeInMiB":0,"commitOffset":0,"droped":false,"lastConsumeTimestamp":0,"lastLockTimestamp":0,'
    b'"lastPullTimestamp":0,"locked":false,"transactionMsgCount":0,"transactionMsgMaxOffset":0,"transactionMsgMinOffset":0,'
    b'"tryUnlockTimes":0}},"properties":{"k":"v"},"statusTable":{},"subscriptionSet":[]}'
)
CONNECTION = Connection("x", "1.2.3.4:5", "JAVA", 409)


class ConnectionBodyTests(SynchronousTestCase):
    """Each body, against the shape of the reference."""

    def test_running_info(self) -> None:
        """Read, made, and written to the byte."""
        made = ConsumerRunningInfo({"k": "v"}, mq_table={MessageQueue("T1", "broker-a", 0): ProcessQueueInfo()})  # type: ignore[dict-item]
        self.assertEqual(javajson.encode(made), GOLDEN_INFO)
        self.assertEqual(javajson.decode_as(GOLDEN_INFO, ConsumerRunningInfo), made)

    def test_consume_status(self) -> None:
        """Java's capitals."""
        self.assertEqual(
            javajson.encode(ConsumeStatus()),
            b'{"consumeFailedMsgs":0,"consumeFailedTPS":0.0,"consumeOKTPS":0.0,"consumeRT":0.0,"pullRT":0.0,"pullTPS":0.0}',
        )

    def test_consumer_connection(self) -> None:
        """With the subscriptions by topic."""
        body = ConsumerConnection(
            (CONNECTION,), {"T1": SubscriptionData("T1")}, "CONSUME_PASSIVELY", "CLUSTERING", "CONSUME_FROM_LAST_OFFSET"
        )
        written = javajson.encode(body)
        self.assertTrue(
            written.startswith(
                b'{"connectionSet":[{"clientAddr":"1.2.3.4:5","clientId":"x","language":"JAVA","version":409}],"consumeFromWhere":'
            )
        )
        self.assertEqual(javajson.decode_as(written, ConsumerConnection), body)

    def test_producers(self) -> None:
        """The list of one group, and the table of all; `remoteIP` has its capitals."""
        self.assertEqual(
            javajson.decode_as(javajson.encode(ProducerConnection((CONNECTION,))), ProducerConnection).connection_set,
            (CONNECTION,),
        )
        self.assertEqual(
            javajson.encode(ProducerTableInfo({"g": [ProducerInfo("x", "/1.2.3.4:5", "JAVA", 409, 1)]})),
            b'{"data":{"g":[{"clientId":"x","language":"JAVA","lastUpdateTimestamp":1,"remoteIP":"/1.2.3.4:5","version":409}]}}',
        )

    def test_direct_consumption(self) -> None:
        """Nulls are left out."""
        self.assertEqual(
            javajson.encode(ConsumeMessageDirectlyResult("CR_SUCCESS", spent_time_mills=3)),
            b'{"autoCommit":true,"consumeResult":"CR_SUCCESS","order":false,"spentTimeMills":3}',
        )
