"""Tests of pymq.client.transactions."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.hooks import EndTransactionContext
from pymq.client.results import SendStatus
from pymq.client.transactions import LocalTransactionState, TransactionProducer, TransactionSendResult
from pymq.errors import BrokerRefused, ConfigError, InvalidMessage, NotStarted, RequestError
from pymq.message.ids import decode_offset_message_id
from pymq.message.message import Message
from pymq.message.record import encode_record
from pymq.testing.builders import draft
from pymq.testing.channels import FakeChannel
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.transactions import CheckTransactionStateRequestHeader, EndTransactionRequestHeader
from tests.client.cases import TOPIC, ClientCase

COMMIT, ROLLBACK, UNKNOW = LocalTransactionState
UNIQUE = "C0A80001000018B4AAC20123456789AB"


class Case(ClientCase):
    """A producer whose transaction and check give what the test says: a value, an awaitable, or an error to raise."""

    def setUp(self) -> None:
        super().setUp()
        self.outcome: Any = COMMIT
        self.executed: list[tuple[Message, Any]] = []
        self.checked: list[Any] = []

    def said(self) -> Any:
        """Give the outcome."""
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def execute(self, message: Message, argument: Any) -> Any:
        """The local transaction."""
        self.executed.append((message, argument))
        return self.said()

    def check(self, message: Any) -> Any:
        """The question about it."""
        self.checked.append(message)
        return self.said()

    def started(self, **settings: Any) -> TransactionProducer:
        """A producer that runs."""
        producer = self.make(TransactionProducer, "pg", execute=self.execute, check=self.check, **settings)
        self.result(producer.start())
        return producer

    def ends(self) -> list[tuple[EndTransactionRequestHeader, str | None]]:
        """What the broker was told, with remarks."""
        asked = self.cluster.of(RequestCode.END_TRANSACTION)
        self.assertTrue(all(one.command.is_oneway for one in asked))
        return [(EndTransactionRequestHeader.from_fields(one.command.ext_fields), one.command.remark) for one in asked]


class SendTests(Case):
    """send_in_transaction."""

    def send(self, producer: TransactionProducer, **properties: str) -> Deferred[TransactionSendResult]:
        """Send one message."""
        return producer.send_in_transaction(Message(TOPIC, b"body", properties=properties), "argument")

    def test_commit(self) -> None:
        """A half message, the transaction, its end under the half message's place."""
        result = self.result(self.send(self.started()))
        (half,) = self.cluster.broker.stored(TOPIC)
        self.assertEqual((half.properties["TRAN_MSG"], half.properties["PGROUP"], half.sys_flag), ("true", "pg", 4))
        ((message, argument),) = self.executed
        self.assertEqual((message.unique_id, argument, message.body), (half.unique_id, "argument", b"body"))
        self.assertEqual((result.local_state, result.status, result.msg_id), (COMMIT, SendStatus.SEND_OK, half.unique_id))
        self.assertEqual(result.transaction_id, half.unique_id)
        ((header, remark),) = self.ends()
        self.assertEqual((header.producer_group, header.commit_or_rollback, header.from_transaction_check), ("pg", 8, False))
        self.assertEqual(header.tran_state_table_offset, result.queue_offset)
        self.assertEqual(header.commit_log_offset, decode_offset_message_id(result.offset_msg_id)[2])
        self.assertEqual((header.msg_id, header.topic, remark), (half.unique_id, TOPIC, None))

    def test_hooks(self) -> None:
        """Are told of the end that the producer tells, and of the answer to a check; one that fails hinders nothing."""
        told: list[Any] = []

        class Hook:
            """Keeps contexts, and fails."""

            def end_transaction(self, context: EndTransactionContext) -> None:
                """Kept."""
                told.append((context.address, context.message.body, context.state, context.from_transaction_check))
                raise ValueError("no good")

        producer = self.started(end_hooks=[Hook()])
        self.result(self.send(producer))
        (half,) = self.cluster.broker.stored(TOPIC)
        self.outcome = ROLLBACK
        channel = FakeChannel()
        header = CheckTransactionStateRequestHeader(tran_state_table_offset=0, commit_log_offset=0)
        producer.check_transaction(channel, header, half)
        peer = "{}:{}".format(*channel.peer)
        self.assertEqual(told, [("10.0.0.2:10911", b"body", COMMIT, False), (peer, b"body", ROLLBACK, True)])
        self.assertEqual((len(self.ends()), len(channel.sent), len(self.flushLoggedErrors(ValueError))), (1, 1, 2))

    def test_the_message_stays_as_it_is(self) -> None:
        """It can be sent again."""
        message = Message(TOPIC, b"body")
        before = dict(message.properties)
        self.result(self.started().send_in_transaction(message))
        self.assertEqual(message.properties, before)

    def test_states(self) -> None:
        """As they are on the wire; None is unknown."""
        producer = self.started()
        for outcome, state, code in ((ROLLBACK, ROLLBACK, 12), (UNKNOW, UNKNOW, 0), (None, UNKNOW, 0)):
            self.outcome = outcome
            self.assertIs(self.result(self.send(producer)).local_state, state)
            self.assertEqual(self.ends()[-1][0].commit_or_rollback, code)

    def test_errors_of_the_transaction(self) -> None:
        """Unknown, with the error for the broker's log; nonsense likewise."""
        producer = self.started()
        for outcome, word in ((OSError("no database"), "no database"), ("COMMIT", "COMMIT")):
            self.outcome = outcome
            self.assertIs(self.result(self.send(producer)).local_state, UNKNOW)
            header, remark = self.ends()[-1]
            self.assertEqual(header.commit_or_rollback, 0)
            self.assertIn(word, remark or "")
        self.assertEqual(len(self.flushLoggedErrors(OSError, TypeError)), 2)

    def test_awaitables(self) -> None:
        """Deferreds and coroutines are waited for."""
        producer = self.started()
        self.outcome = waiting = Deferred()
        sending = self.send(producer)
        self.assertNoResult(sending)
        waiting.callback(ROLLBACK)
        self.assertIs(self.successResultOf(sending).local_state, ROLLBACK)

        async def later() -> LocalTransactionState:
            return COMMIT

        self.outcome = later()
        self.assertIs(self.result(self.send(producer)).local_state, COMMIT)

    def test_a_half_message_that_is_not_safe(self) -> None:
        """Rolled back without a transaction."""

        def rule(address: str, request: RemotingCommand) -> RemotingCommand | None:
            if request.code != RequestCode.SEND_MESSAGE_V2:
                return None
            answer = self.cluster.broker.handle(request)
            assert isinstance(answer, RemotingCommand)
            return request.reply(ResponseCode.FLUSH_DISK_TIMEOUT, ext_fields=answer.ext_fields)

        self.cluster.rules.append(rule)
        result = self.result(self.send(self.started()))
        self.assertEqual((result.status, result.local_state, self.executed), (SendStatus.FLUSH_DISK_TIMEOUT, ROLLBACK, []))
        self.assertEqual(self.ends()[-1][0].commit_or_rollback, 12)

    def test_a_send_that_fails(self) -> None:
        """No transaction, nothing to end."""
        self.cluster.refuse(RequestCode.SEND_MESSAGE_V2, ResponseCode.MESSAGE_ILLEGAL)
        self.failure(self.send(self.started()), BrokerRefused)
        self.assertEqual((self.executed, self.ends()), ([], []))

    def test_delayed_messages(self) -> None:
        """Refused: nobody could tell what the delay counts from."""
        self.failure(self.send(self.started(), DELAY="3"), InvalidMessage)

    def test_an_end_that_cannot_be_told(self) -> None:
        """The broker will ask; the result is there all the same."""
        producer = self.started()
        execute = self.execute

        def dying(message: Message, argument: Any) -> Any:
            self.cluster.down.add(self.cluster.broker.address)
            return execute(message, argument)

        producer._execute = dying
        self.assertIs(self.result(self.send(producer)).local_state, COMMIT)

    def test_before_the_start_and_after_the_end(self) -> None:
        """NotStarted, also for a transaction that a shutdown interrupts: the broker will ask."""
        producer = self.make(TransactionProducer, "pg", execute=self.execute, check=self.check)
        self.failure(self.send(producer), NotStarted)
        self.result(producer.start())
        self.outcome = Deferred()
        sending = self.send(producer)
        self.result(producer.shutdown())
        self.failure(sending, NotStarted)
        self.assertEqual(self.ends(), [])

    def test_settings(self) -> None:
        """Those of a producer, and its own."""
        self.assertRaises(ConfigError, TransactionProducer, "pg", execute=self.execute, check=self.check, check_concurrency=0)


class CheckTests(Case):
    """A broker asks."""

    def ask(self, channel: FakeChannel, group: str = "pg", body: bytes | None = None) -> None:
        """CHECK_TRANSACTION_STATE, as brokers send it."""
        header = CheckTransactionStateRequestHeader(
            tran_state_table_offset=8, commit_log_offset=900, msg_id=UNIQUE, transaction_id=UNIQUE, offset_msg_id="00"
        )
        half = draft(TOPIC, b"half", unique=UNIQUE, more={"TRAN_MSG": "true", "PGROUP": group})
        request = RemotingCommand.request(
            RequestCode.CHECK_TRANSACTION_STATE, header, encode_record(half) if body is None else body, oneway=True
        )
        processor = self.cluster.remotings[0].processors.lookup(request.code)
        assert processor is not None
        self.assertIsNone(processor.process(channel, request))

    def told(self, channel: FakeChannel) -> list[int]:
        """The states that the broker was told."""
        for command in channel.sent:
            self.assertEqual((command.code, command.is_oneway), (37, True))
        return [EndTransactionRequestHeader.from_fields(command.ext_fields).commit_or_rollback for command in channel.sent]

    def test_the_answer(self) -> None:
        """Over the same connection, with the broker's own offsets."""
        self.started()
        channel = FakeChannel()
        self.ask(channel)
        self.assertEqual((self.told(channel), self.checked[0].body, self.checked[0].unique_id), ([8], b"half", UNIQUE))
        header = EndTransactionRequestHeader.from_fields(channel.sent[0].ext_fields)
        self.assertEqual((header.tran_state_table_offset, header.commit_log_offset), (8, 900))
        self.assertEqual((header.from_transaction_check, header.producer_group), (True, "pg"))
        self.assertEqual((header.msg_id, header.transaction_id), (UNIQUE, UNIQUE))

    def test_states_and_errors(self) -> None:
        """An error is unknown, and its words go to the broker's log."""
        self.started()
        channel = FakeChannel()
        for outcome in (ROLLBACK, UNKNOW, None, OSError("no database")):
            self.outcome = outcome
            self.ask(channel)
        self.assertEqual(self.told(channel), [12, 0, 0, 0])
        self.assertIn("no database", channel.sent[-1].remark or "")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_not_too_many_at_once(self) -> None:
        """`check_concurrency` calls are unfinished, `check_request_hold_max` questions in hand; more are dropped."""
        self.started(check_concurrency=1, check_request_hold_max=2)
        channel = FakeChannel()
        self.outcome = waiting = Deferred()
        for _ in range(3):
            self.ask(channel)
        self.assertEqual(len(self.checked), 1)
        self.outcome = ROLLBACK
        waiting.callback(COMMIT)
        self.assertEqual(self.told(channel), [8, 12])
        self.ask(channel)
        self.assertEqual(self.told(channel), [8, 12, 12])

    def test_a_shutdown(self) -> None:
        """Ends a check that is under way; nothing is told."""
        producer = self.started()
        self.outcome = Deferred()
        channel = FakeChannel()
        self.ask(channel)
        self.result(producer.shutdown())
        self.assertEqual(channel.sent, [])

    def test_questions_for_others(self) -> None:
        """A group that is not here, one that sends no transactions, bytes that are no message."""
        self.started()
        self.producer("plain", instance_name="plain")
        for group, body in (("other", None), ("plain", None), ("pg", b"nonsense")):
            self.assertRaises(RequestError, self.ask, FakeChannel(), group, body)
        self.assertEqual(self.checked, [])
