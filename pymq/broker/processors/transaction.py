# Tests: tests/broker/processors/test_transaction.py
"""END_TRANSACTION (37): commit or roll a half message back; RESUME_CHECK_HALF_MESSAGE (323): check one again that was given up.

The rules are in `pymq.broker.halfmessages`, those nobody ended are the work of `pymq.services.transactions` (remoting.md 3.8).
"""

from __future__ import annotations

from twisted.logger import Logger
from zope.interface import implementer

from pymq.broker import halfmessages
from pymq.broker.halfqueue import HalfQueue
from pymq.broker.processors.send import check_stored, store_closed
from pymq.broker.processors.storesettings import ROLE_SLAVE, StoreSettings
from pymq.broker.stats import BrokerStatsManager
from pymq.errors import DecodeError, RequestError, StoreClosed
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.message.flags import TRANSACTION_COMMIT, TRANSACTION_NONE, TRANSACTION_ROLLBACK
from pymq.message.ids import decode_offset_message_id
from pymq.message.message import StoredMessage
from pymq.message.record import RecordDraft
from pymq.message.results import PutResult
from pymq.message.topics import HALF_TOPIC, TRANS_CHECK_MAX_TIME_TOPIC
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.transactions import EndTransactionRequestHeader, ResumeCheckHalfMessageRequestHeader

#: What a producer may say of its transaction; NONE stands for not knowing yet.
_ENDS = frozenset({TRANSACTION_COMMIT, TRANSACTION_ROLLBACK, TRANSACTION_NONE})


@implementer(IRequestProcessor)
class TransactionProcessor:
    """Ends transactions (Java: EndTransactionProcessor, AdminBrokerProcessor.resumeCheckHalfMessage).

    Between the message and its op message the broker may die; then it is checked, and perhaps delivered, once more, as in Java.
    """

    codes = frozenset({RequestCode.END_TRANSACTION, RequestCode.RESUME_CHECK_HALF_MESSAGE})

    log = Logger()

    def __init__(self, *, store_config: StoreSettings, half_queue: HalfQueue, stats: BrokerStatsManager) -> None:
        self._store_config = store_config
        self._half_queue = half_queue
        self._stats = stats

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | None:
        """Serve either code. Raises RequestError; None, and so no answer, for a producer that does not know yet."""
        if request.code == RequestCode.RESUME_CHECK_HALF_MESSAGE:
            return self._resume(request)
        if self._store_config.broker_role == ROLE_SLAVE:
            raise RequestError(ResponseCode.SLAVE_NOT_AVAILABLE, "The transaction cannot be ended at a slave, ask its master")
        header = EndTransactionRequestHeader.from_fields(request.ext_fields)
        if header.commit_or_rollback not in _ENDS:
            remark = f"commitOrRollback {header.commit_or_rollback} is neither commit (8) nor rollback (12) nor unknown (0)"
            raise RequestError(ResponseCode.SYSTEM_ERROR, remark)
        if header.commit_or_rollback == TRANSACTION_NONE:
            self.log.info(
                "the producer {peer} does not know yet what becomes of {id}: {remark}",
                peer=channel.peer,
                id=header.msg_id,
                remark=request.remark,
            )
            return None
        half = self._half_queue.read(header.commit_log_offset)
        reason = halfmessages.mismatch(half, header.producer_group, header.tran_state_table_offset, header.commit_log_offset)
        if half is None or reason:
            raise RequestError(ResponseCode.SYSTEM_ERROR, reason)
        if header.commit_or_rollback == TRANSACTION_COMMIT:
            self._commit(half)
        self._put_op(half)
        return request.reply()

    def _commit(self, half: StoredMessage) -> None:
        draft = halfmessages.committed(half)
        result = self._put(draft)
        check_stored([result])
        self._stats.put(draft.topic, 1, result.size, 1)

    def _put_op(self, half: StoredMessage) -> None:
        """Without its op message the transaction is ended all the same; its producer will be asked and end it again."""
        try:
            check_stored([self._half_queue.end(half)])
        except (RequestError, StoreClosed) as error:
            self.log.error("no op message for {id}: {error}", id=half.msg_id, error=error)

    def _put(self, draft: RecordDraft) -> PutResult:
        try:
            return self._half_queue.put(draft)
        except StoreClosed as error:
            raise store_closed(error) from error

    def _resume(self, request: RemotingCommand) -> RemotingCommand:
        header = ResumeCheckHalfMessageRequestHeader.from_fields(request.ext_fields)
        try:
            _, _, log_offset = decode_offset_message_id(header.msg_id or "")
        except DecodeError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error
        given_up = self._half_queue.read(log_offset)
        if given_up is None or given_up.topic not in (TRANS_CHECK_MAX_TIME_TOPIC, HALF_TOPIC):
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"there is no transactional message {header.msg_id}")
        check_stored([self._put(halfmessages.resumed(given_up))])
        self.log.info("the transaction of {id} is checked again", id=given_up.msg_id)
        return request.reply()
