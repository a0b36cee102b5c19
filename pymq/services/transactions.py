# Tests: tests/services/test_transactions.py
"""Asks producers what became of half messages that nobody ended (store.md 6.3; Java: TransactionalMessageCheckService).

How far it came is kept as the offsets of the group CID_RMQ_SYS_TRANS in the half topic and in the op topic. They move only when
what they rest on is on the disk: a crash may take the end of a transaction, for nobody waits for that, but then it is asked for
again.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pymq.broker import halfmessages
from pymq.broker.clients import ProducerManager
from pymq.broker.config import BrokerConfig
from pymq.broker.halfanswers import HalfAnswers
from pymq.broker.halfmessages import HALF_QUEUE_ID, CheckRules, Verdict
from pymq.broker.halfqueue import HalfQueue
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.processors.storesettings import ROLE_SLAVE
from pymq.errors import DecodeError, RequestError, StoreError
from pymq.interfaces import IClock, IMessageStore
from pymq.message import properties as names
from pymq.message.message import StoredMessage
from pymq.message.record import RecordDraft, decode_record
from pymq.message.topics import HALF_TOPIC, OP_HALF_TOPIC, TRANSACTION_CHECK_GROUP
from pymq.periodic import Periodic
from pymq.services.flusher import Flusher
from pymq.store.config import MessageStoreConfig

#: Op messages of one read.
OPS_READ_MAX = 32
#: What one turn of the reactor may cost: a half message known as ended is 1, a read of op messages or a judgement READ_COST.
TURN_COST_MAX = 512
READ_COST = 32


class TransactionCheckService:
    """Goes through the half messages every `transactionCheckInterval`, in many short turns."""

    name = "transaction checks"
    log = Logger()

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store_config: MessageStoreConfig,
        store: IMessageStore,
        half_queue: HalfQueue,
        offsets: ConsumerOffsetManager,
        producers: ProducerManager,
        flusher: Flusher,
        clock: IClock,
    ) -> None:
        self._config = config
        self._store_config = store_config
        self._store = store
        self._half_queue = half_queue
        self._offsets = offsets
        self._producers = producers
        self._flusher = flusher
        self._clock = clock
        self._next = 0
        #: The log offset behind what the progress rests on: the op messages that were read, and what half messages became.
        self._rests_on = 0
        self._answers: HalfAnswers | None = None
        self._is_stopping = False
        self._periodic = Periodic(clock, config.transaction_check_interval / 1000, self.check, name=self.name)

    def start(self) -> None:
        """Begin; the first round comes after one interval."""
        self._is_stopping = False
        self._periodic.start()

    def stop(self) -> Deferred[None]:
        """End; fires when the turn under way, if any, is over."""
        self._is_stopping = True
        return self._periodic.stop()

    async def check(self) -> None:
        """One round, up to the half messages that are too young. What fails ends it; the next one goes on from there."""
        if self._store_config.broker_role == ROLE_SLAVE or not self._store.max_offset(HALF_TOPIC, HALF_QUEUE_ID):
            return
        answers = self._answers or self._begin()
        started_ms = self._now_ms()
        cost = 0
        while not self._is_stopping and (spent := self._step(answers, started_ms)):
            cost += spent
            if cost >= TURN_COST_MAX:
                cost = 0
                await self._commit(answers)
                await deferLater(self._clock, 0)
        await self._commit(answers)

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    # Progress

    def _begin(self) -> HalfAnswers:
        self._next = self._progress_in(HALF_TOPIC)
        self._answers = HalfAnswers(self._progress_in(OP_HALF_TOPIC), self._next)
        return self._answers

    def _progress_in(self, topic: str) -> int:
        offset = self._offsets.query(TRANSACTION_CHECK_GROUP, topic, HALF_QUEUE_ID)
        return offset if offset >= 0 else self._store.min_offset(topic, HALF_QUEUE_ID)

    async def _commit(self, answers: HalfAnswers) -> None:
        """Note the progress when it is safe to; if that takes too long or cannot be, the next time will do."""
        progress = ((HALF_TOPIC, self._next), (OP_HALF_TOPIC, answers.progress))
        try:
            is_durable = await self._flusher.when_durable(self._rests_on)
        except StoreError:
            return  # the flusher told the operator
        if is_durable:
            for topic, offset in progress:
                self._offsets.commit(TRANSACTION_CHECK_GROUP, topic, HALF_QUEUE_ID, offset)

    def _move_to(self, answers: HalfAnswers, half_offset: int) -> None:
        self._next = half_offset
        answers.move_to(half_offset)

    # Steps

    def _step(self, answers: HalfAnswers, started_ms: int) -> int:
        """One step; what it cost, 0 at the end of the round. Nothing is judged before every op message was read."""
        if answers.take(self._next):
            self._move_to(answers, self._next + 1)
            return 1
        if not answers.is_full and self._read_ops(answers):
            return READ_COST
        return self._look(answers, started_ms)

    def _read_ops(self, answers: HalfAnswers) -> bool:
        """Read some op messages; whether there may be more."""
        offset = answers.next_op_offset
        found = self._store.get(OP_HALF_TOPIC, HALF_QUEUE_ID, offset, OPS_READ_MAX, None)
        for record in found.records:
            try:
                op = decode_record(record)
                answers.note(op.queue_offset, halfmessages.ended_offsets(op.raw_body))
                self._rests_on = max(self._rests_on, op.log_offset + op.size)
            except DecodeError as error:
                self.log.error("the op message at {offset} cannot be read: {error}", offset=offset, error=error)
        answers.next_op_offset = found.next_offset
        return bool(found.next_offset != offset)

    def _look(self, answers: HalfAnswers, started_ms: int) -> int:
        """Look at the next half message, of which no op message tells; as `_step`."""
        found = self._store.get(HALF_TOPIC, HALF_QUEUE_ID, self._next, 1, None)
        if not found.records:
            if found.next_offset == self._next:
                return 0
            self.log.warn("half messages {now} to {next} are gone", now=self._next, next=found.next_offset)
            self._move_to(answers, found.next_offset)
            return READ_COST
        try:
            half = decode_record(found.records[0])
        except DecodeError as error:
            self.log.error("the half message at {offset} cannot be read: {error}", offset=self._next, error=error)
        else:
            if not self._is_ended_late(answers, half) and not self._act(half, started_ms):
                return 0
        self._move_to(answers, self._next + 1)
        return READ_COST

    def _is_ended_late(self, answers: HalfAnswers, half: StoredMessage) -> bool:
        """Whether a postponed message was ended under the offset that its producer knows."""
        first = halfmessages.first_offset(half)
        return first >= 0 and answers.take_late(first)

    def _act(self, half: StoredMessage, started_ms: int) -> bool:
        """Do what the rules say; whether the round goes on behind this message."""
        config = self._config
        rules = CheckRules.of(config.transaction_time_out, config.transaction_check_max, self._store_config.file_reserved_time)
        verdict = rules.judge(half, self._now_ms(), started_ms)
        if verdict is Verdict.CHECK:
            return self._check(half)
        if verdict is Verdict.POSTPONE:
            return self._put(halfmessages.postponed(half), half)
        if verdict is Verdict.GIVE_UP:
            self.log.warn("nobody ended the transaction of {id}; it lies in TRANS_CHECK_MAX_TIME_TOPIC now", id=half.msg_id)
            return self._put(halfmessages.given_up(half), half)
        return False

    def _put(self, draft: RecordDraft, half: StoredMessage) -> bool:
        """Store what a half message becomes; whether that went well."""
        result = self._half_queue.put(draft)
        if not result.status.is_stored:
            self.log.error("{id} cannot be stored again: {status}", id=half.msg_id, status=result.status.name)
        else:
            self._rests_on = result.log_offset + result.size
        return result.status.is_stored

    def _check(self, half: StoredMessage) -> bool:
        """Put the message at the end of its queue with one check more, and ask a producer of its group about that copy."""
        draft = halfmessages.checked_once_more(half)
        if not self._put(draft, half):
            return False
        copy = self._half_queue.read(draft.log_offset)
        group = half.properties.get(names.PGROUP, "")
        channel = self._producers.pick_channel(group)
        if channel is None or copy is None:
            self.log.warn("no producer of {group} is here to tell what became of {id}", group=group, id=half.msg_id)
            return True
        try:
            channel.send(halfmessages.check_request(copy))
        except RequestError as error:
            self.log.error("{id} cannot be checked: {error}", id=half.msg_id, error=error)
        return True
