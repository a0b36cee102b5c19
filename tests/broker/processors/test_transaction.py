"""Tests of pymq.broker.processors.transaction."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.halfmessages import given_up
from pymq.broker.halfqueue import HalfQueue
from pymq.broker.processors.transaction import TransactionProcessor
from pymq.interfaces import IRequestProcessor
from pymq.message.message import StoredMessage
from pymq.message.results import PutResult, PutStatus
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.transactions import EndTransactionRequestHeader, ResumeCheckHalfMessageRequestHeader
from tests.broker.processors.parts import STORE_HOST, Parts, answer_of, send_header

HALF, OP, GIVEN_UP = "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "TRANS_CHECK_MAX_TIME_TOPIC"
COMMIT, ROLLBACK, UNKNOWN = 8, 12, 0


class Case(SynchronousTestCase):
    """A broker that takes transactional messages."""

    def setUp(self) -> None:
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Serve from these parts."""
        self.parts = parts
        half_queue = HalfQueue(store=parts.store, topics=parts.topics, clock=parts.clock, store_host=STORE_HOST)
        self.processor = TransactionProcessor(store_config=parts.store_config, half_queue=half_queue, stats=parts.stats)

    def prepare(self, **changes: Any) -> StoredMessage:
        """Send a half message."""
        header = send_header(queue_id=2, sys_flag=4, properties="TRAN_MSG\x01true\x02PGROUP\x01PG\x02UNIQ_KEY\x01U1", **changes)
        request = RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, header, b"hello")
        self.assertEqual(answer_of(self.parts.send_processor(), self.parts.channel, request).code, 0)
        return self.parts.stored(HALF)[-1]

    def end(self, half: StoredMessage, state: int, **changes: Any) -> Any:
        """End it; the answer."""
        fields = {
            "producer_group": "PG",
            "tran_state_table_offset": half.queue_offset,
            "commit_log_offset": half.log_offset,
            "commit_or_rollback": state,
            "msg_id": "U1",
            **changes,
        }
        request = RemotingCommand.request(RequestCode.END_TRANSACTION, EndTransactionRequestHeader(**fields))
        return answer_of(self.processor, self.parts.channel, request)

    def ops(self) -> list[bytes]:
        """The bodies of the op messages."""
        return [op.body for op in self.parts.stored(OP)]


class EndTransactionTests(Case):
    """Code 37."""

    def test_it_is_a_processor(self) -> None:
        """For the codes 37 and 323."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {37, 323})

    def test_commit(self) -> None:
        """The message comes to its queue, of type commit, and an op message tells so."""
        self.prepare()
        half = self.prepare()
        self.assertEqual(self.end(half, COMMIT).code, 0)
        (message,) = self.parts.stored("T", 2)
        self.assertEqual((message.body, message.sys_flag, message.queue_offset), (b"hello", COMMIT, 0))
        self.assertEqual((message.prepared_transaction_offset, message.properties), (half.log_offset, half.properties))
        self.assertEqual(self.ops(), [b"1"])

    def test_rollback(self) -> None:
        """Nothing but an op message."""
        self.assertEqual(self.end(self.prepare(), ROLLBACK).code, 0)
        self.assertEqual((self.parts.stored("T", 2), self.ops()), ([], [b"0"]))

    def test_unknown(self) -> None:
        """No answer, nothing done; it will be asked. What is no state at all is refused, so that its sender hears of it."""
        for from_check in (False, True):
            self.assertIsNone(self.end(self.prepare(), UNKNOWN, from_transaction_check=from_check))
        answer = self.end(self.prepare(), 77)
        self.assertEqual((answer.code, "77" in answer.remark), (1, True))
        self.assertEqual((self.parts.stored("T", 2), self.ops()), ([], []))

    def test_what_does_not_fit(self) -> None:
        """Another group, other offsets, another kind of message: refused, nothing stored."""
        half = self.prepare()
        for state in (COMMIT, ROLLBACK):
            for changes, word in (
                ({"producer_group": "OTHER"}, "group"),
                ({"tran_state_table_offset": 1}, "table offset"),
                ({"commit_log_offset": 1}, "Find"),
                ({"commit_log_offset": -1}, "Find"),
            ):
                answer = self.end(half, state, **changes)
                self.assertEqual(answer.code, 1)
                self.assertIn(word, answer.remark)
        self.assertEqual((self.parts.stored("T", 2), self.ops()), ([], []))
        self.end(half, COMMIT)
        (message,) = self.parts.stored("T", 2)
        self.assertEqual(self.end(message, COMMIT).code, 1)

    def test_a_slave(self) -> None:
        """It ends nothing."""
        half = self.prepare()
        object.__setattr__(self.parts.store_config, "broker_role", "SLAVE")
        self.assertEqual(self.end(half, COMMIT).code, 11)
        self.assertEqual(self.ops(), [])

    def test_a_store_that_takes_nothing(self) -> None:
        """Then nothing is ended: the producer will be asked."""
        half = self.prepare()
        put = self.parts.store.put
        self.parts.store.put = lambda drafts: [PutResult(PutStatus.SERVICE_NOT_AVAILABLE)]
        self.assertEqual(self.end(half, COMMIT).code, 14)
        self.parts.store.put = put
        self.assertEqual((self.parts.stored("T", 2), self.ops()), ([], []))
        self.parts.store.close()
        self.parts.store.read_at = lambda offset: None
        self.assertEqual(self.end(half, COMMIT).code, 1)

    def test_counted(self) -> None:
        """The half message under the system's topic, the committed one under its own."""
        self.end(self.prepare(), COMMIT)
        self.parts.clock.advance(60)
        for topic in (HALF, "T"):
            self.assertIsNotNone(self.parts.stats.view("TOPIC_PUT_NUMS", topic))


class ResumeTests(Case):
    """Code 323."""

    def resume(self, message_id: str | None) -> RemotingCommand:
        """Ask for it; the answer."""
        header = ResumeCheckHalfMessageRequestHeader(msg_id=message_id)
        answer: RemotingCommand = answer_of(
            self.processor, self.parts.channel, RemotingCommand.request(RequestCode.RESUME_CHECK_HALF_MESSAGE, header)
        )
        return answer

    def test_a_message_that_was_given_up(self) -> None:
        """It is half again, with a fresh counter."""
        half = self.prepare()
        half.properties["TRANSACTION_CHECK_TIMES"] = "15"
        half_queue = HalfQueue(store=self.parts.store, topics=self.parts.topics, clock=self.parts.clock, store_host=STORE_HOST)
        half_queue.put(given_up(half))
        (lying,) = self.parts.stored(GIVEN_UP)
        self.assertEqual(self.resume(lying.offset_msg_id).code, 0)
        again = self.parts.stored(HALF)[-1]
        self.assertEqual((again.queue_offset, again.body), (1, b"hello"))
        self.assertEqual(again.properties, {**half.properties, "TRANSACTION_CHECK_TIMES": "0"})

    def test_what_is_none(self) -> None:
        """No id, nonsense, nothing there, a message that never was half."""
        request = RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, send_header(), b"hello")
        answer = answer_of(self.parts.send_processor(), self.parts.channel, request)
        plain = self.parts.stored()[0].offset_msg_id
        self.assertEqual(answer.code, 0)
        for message_id in (None, "", "xyz", plain, plain[:-1] + "1"):
            self.assertEqual(self.resume(message_id).code, 1)
