"""Tests of pymq.broker.processors.queuelocks."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.queuelocks import QueueLockProcessor
from pymq.broker.queuelocks import RebalanceLockManager
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.testing.channels import FakeChannel
from pymq.testing.documents import MemoryDocuments
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import started_clock
from tests.broker.processors.parts import FakeSaver

QUEUES = '[{"brokerName":"broker-a","queueId":0,"topic":"T1"},{"brokerName":"broker-a","queueId":1,"topic":"T1"}]'


class QueueLockProcessorTests(SynchronousTestCase):
    """Codes 41 and 42."""

    def setUp(self) -> None:
        """No locks."""
        self.documents = MemoryDocuments()
        self.saver = FakeSaver()
        locks = RebalanceLockManager(self.documents, clock=started_clock())
        self.processor = QueueLockProcessor(locks=locks, when_saved=self.saver.when_saved)

    def asked(self, code: int, client_id: str, queues: str = QUEUES) -> Deferred[RemotingCommand]:
        """The answer, when it is there."""
        body = f'{{"clientId":"{client_id}","consumerGroup":"g","mqSet":{queues}}}'.encode()
        return maybeDeferred(self.processor.process, FakeChannel(), RemotingCommand.request(code, body=body))

    def ask(self, code: int, client_id: str, queues: str = QUEUES) -> bytes:
        """The body of the answer, which must be a success."""
        answer = self.successResultOf(self.asked(code, client_id, queues))
        self.assertEqual(answer.code, 0)
        return bytes(answer.body)

    def lock(self, client_id: str, queues: str = QUEUES) -> list[dict[str, object]]:
        """What is granted."""
        granted = json.loads(self.ask(RequestCode.LOCK_BATCH_MQ, client_id, queues))["lockOKMQSet"]
        return sorted(granted, key=lambda queue: queue["queueId"])

    def test_it_is_a_processor(self) -> None:
        """Of two codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {41, 42})

    def test_granted_queues_are_repeated_exactly(self) -> None:
        """Clients compare them with their own, broker name included."""
        self.assertEqual(self.lock("a"), json.loads(QUEUES))

    def test_lock_is_saved_before_its_owner_knows(self) -> None:
        """So that a broker that is killed cannot give it to another afterwards."""
        self.saver.is_slow = True
        waiting = self.asked(RequestCode.LOCK_BATCH_MQ, "a")
        self.assertNoResult(waiting)
        self.saver.finish()
        self.assertEqual((self.successResultOf(waiting).code, self.documents.saves), (0, ["queueLocks.json"]))

    def test_lock_that_cannot_be_saved_is_not_given(self) -> None:
        """The client asks again."""
        self.saver.is_slow = True
        waiting = self.asked(RequestCode.LOCK_BATCH_MQ, "a")
        self.saver.finish(OSError(28, "No space left on device"))
        self.failureResultOf(waiting, OSError)

    def test_nothing_granted_is_an_empty_list(self) -> None:
        """Not a missing one: Go reads it strictly."""
        self.lock("a")
        self.assertEqual(self.ask(RequestCode.LOCK_BATCH_MQ, "b"), b'{"lockOKMQSet":[]}')

    def test_released_queues_are_free(self) -> None:
        """For the next client."""
        self.lock("a")
        self.assertEqual(self.ask(RequestCode.UNLOCK_BATCH_MQ, "a"), b"")
        self.assertEqual(len(self.lock("b")), 2)

    def test_body_that_cannot_be_read_is_refused(self) -> None:
        """With a remark that names the request."""
        for code in (RequestCode.LOCK_BATCH_MQ, RequestCode.UNLOCK_BATCH_MQ):
            for body in (b"", b"{", b"[]", b'{"clientId":"a"}'):
                request = RemotingCommand.request(code, body=body)
                error = self.assertRaises(RequestError, self.processor.process, FakeChannel(), request)
                self.assertEqual(error.code, 1)
                self.assertIn("_BATCH_MQ cannot be read", error.remark)
