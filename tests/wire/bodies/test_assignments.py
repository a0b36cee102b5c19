"""Bodies of shared consumption."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies import request_bodies
from pymq.wire.bodies.assignments import (
    BatchAck,
    BatchAckMessageRequestBody,
    MessageQueueAssignment,
    QueryAssignmentRequestBody,
    QueryAssignmentResponseBody,
    SetMessageRequestModeRequestBody,
)
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import RequestCode


class AssignmentBodyTests(SynchronousTestCase):
    """Each body, against the shape of the reference."""

    def test_assignments(self) -> None:
        """Question and answer."""
        question = QueryAssignmentRequestBody("T", "g", "c", "AVG", "CLUSTERING")
        self.assertEqual(javajson.decode_as(javajson.encode(question), QueryAssignmentRequestBody), question)
        self.assertEqual(
            javajson.encode(QueryAssignmentResponseBody((MessageQueueAssignment(MessageQueue("T", "b", 0)),))),
            b'{"messageQueueAssignments":[{"messageQueue":{"brokerName":"b","queueId":0,"topic":"T"},"mode":"PULL"}]}',
        )

    def test_no_change_is_no_member(self) -> None:
        """An empty list would take all queues away."""
        self.assertEqual(javajson.encode(QueryAssignmentResponseBody()), b"{}")

    def test_batch_ack(self) -> None:
        """Short names."""
        text = b'{"acks":[{"b":"AQ==","c":"g","it":60000,"pt":1,"q":0,"r":"0","rq":3,"so":5,"t":"T"}],"brokerName":"b"}'
        body = BatchAckMessageRequestBody("b", (BatchAck("g", "T", "0", 5, 0, 3, 1, 60000, "AQ=="),))
        self.assertEqual(javajson.decode_as(text, BatchAckMessageRequestBody), body)
        self.assertEqual(javajson.encode(body), text)

    def test_the_mode_of_a_group(self) -> None:
        """PULL unless it says otherwise."""
        self.assertEqual(SetMessageRequestModeRequestBody("T", "g").mode, "PULL")

    def test_the_table_of_bodies(self) -> None:
        """By request code."""
        self.assertIs(request_bodies()[RequestCode.BATCH_ACK_MESSAGE], BatchAckMessageRequestBody)
