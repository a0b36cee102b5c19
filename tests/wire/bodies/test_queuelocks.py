"""Lock requests and answers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.queuelocks import LockBatchRequestBody, LockBatchResponseBody, UnlockBatchRequestBody

#: As Java 4.9.8 sends it (remoting.md 3.6).
GOLDEN = b'{"clientId":"c","consumerGroup":"g","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"T1"}]}'
QUEUE = MessageQueue("T1", "broker-a", 0)


class LockBodyTests(SynchronousTestCase):
    """The three bodies."""

    def test_requests(self) -> None:
        """Read, and written to the byte."""
        for body in (LockBatchRequestBody, UnlockBatchRequestBody):
            self.assertEqual(javajson.encode(javajson.decode_as(GOLDEN, body)), GOLDEN)
        self.assertEqual(javajson.decode_as(GOLDEN, LockBatchRequestBody).mq_set, {QUEUE})

    def test_a_request_of_5(self) -> None:
        """One more member."""
        read = javajson.decode_as(
            b'{"clientId":"c","consumerGroup":"g","mqSet":null,"onlyThisBroker":true}', LockBatchRequestBody
        )
        self.assertEqual((read.only_this_broker, read.mq_set), (True, frozenset()))

    def test_the_answer_is_a_list_even_when_empty(self) -> None:
        """Go fails without it."""
        self.assertEqual(javajson.encode(LockBatchResponseBody()), b'{"lockOKMQSet":[]}')
        self.assertEqual(
            javajson.decode_as(javajson.encode(LockBatchResponseBody({QUEUE})), LockBatchResponseBody).lock_ok_mq_set, {QUEUE}
        )
