"""Assignments and request modes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.assignment import (
    MODE_POP,
    MessageQueueAssignment,
    QueryAssignmentRequestBody,
    QueryAssignmentResponseBody,
    SetMessageRequestModeRequestBody,
)
from pymq.wire.bodies.messagequeue import MessageQueue

#: As Java 5.5.0 writes them.
REQUEST = b'{"clientId":"cid1","consumerGroup":"GO","messageModel":"CLUSTERING","strategyName":"AVG","topic":"TO"}'
ANSWER = b'{"messageQueueAssignments":[{"messageQueue":{"brokerName":"broker-a","queueId":-1,"topic":"TO"},"mode":"POP"}]}'
MODE = b'{"consumerGroup":"GO","mode":"POP","popShareQueueNum":0,"topic":"TO"}'


class AssignmentTests(SynchronousTestCase):
    """The bodies of the two requests."""

    def test_golden(self) -> None:
        """Read, and written to the byte."""
        for text, body in (
            (REQUEST, QueryAssignmentRequestBody("TO", "GO", "cid1", "AVG", "CLUSTERING")),
            (ANSWER, QueryAssignmentResponseBody((MessageQueueAssignment(MessageQueue("TO", "broker-a", -1), MODE_POP),))),
            (MODE, SetMessageRequestModeRequestBody("TO", "GO", MODE_POP)),
        ):
            self.assertEqual(javajson.decode_as(text, type(body)), body)
            self.assertEqual(javajson.encode(body), text)

    def test_no_answer_is_not_the_answer_none(self) -> None:
        """The first says nothing, the second that there is nothing."""
        read = [javajson.decode_as(text, QueryAssignmentResponseBody) for text in (b"{}", b'{"messageQueueAssignments":[]}')]
        self.assertEqual([one.message_queue_assignments for one in read], [None, ()])
