# Tests: tests/broker/test_halfmessages.py
"""The rules of transactional messages: what is stored for them, and what to do with one that nobody ended (store.md 6.3).

A message is *half* from its send until its producer says commit or rollback. It lies in a topic of the system, as an ordinary
message that knows where it belongs. To end it, an *op message* with its queue offset is stored in a second topic, for a log takes
nothing back. Everything here is plain values: nothing is read, stored or sent. Java: TransactionalMessageBridge,
TransactionalMessageServiceImpl, AbstractTransactionalMessageCheckListener.
"""

from __future__ import annotations

from enum import Enum

import attrs

from pymq.errors import RequestError
from pymq.message import flags
from pymq.message import properties as names
from pymq.message.message import StoredMessage
from pymq.message.record import RecordDraft, draft_from, encode_record
from pymq.message.topics import HALF_TOPIC, OP_HALF_TOPIC, TRANS_CHECK_MAX_TIME_TOPIC
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.transactions import CheckTransactionStateRequestHeader

#: The system's topics of transactions have one queue.
HALF_QUEUE_ID = 0
#: The tag of every op message, and its properties as Java 4.9.8 stores them.
OP_TAG = "d"
_OP_PROPERTIES = names.encode_properties({names.WAIT: "true", names.TAGS: OP_TAG})
#: Digits of the largest queue offset; longer numbers are none.
_OFFSET_DIGITS_MAX = 19
_MS_PER_HOUR = 3_600_000
_TRUE = "true"


# What becomes of a send


def prepare(draft: RecordDraft, *, is_allowed: bool) -> bool:
    """Make a draft half when its property TRAN_MSG says so; whether it is half now. It must not be delayed then.

    A delay is taken off, as the Java client does: a half message must be found at once. Raises RequestError: NO_PERMISSION unless
    `is_allowed`; MESSAGE_ILLEGAL for a transaction's flag without the property, which Java stores where nobody ever finds it.
    """
    text = draft.properties.decode("utf-8")
    if not _is_transactional(text, draft):
        return False
    if not is_allowed:
        raise RequestError(ResponseCode.NO_PERMISSION, "this broker takes no transactional messages (rejectTransactionMessage)")
    text = names.without_property(text, names.DELAY)
    text = names.with_property(text, names.REAL_TOPIC, draft.topic)
    text = names.with_property(text, names.REAL_QID, str(draft.queue_id))
    draft.properties = text.encode("utf-8")
    if len(draft.properties) > names.PROPERTIES_BYTES_MAX:
        raise RequestError(ResponseCode.MESSAGE_ILLEGAL, f"with REAL_TOPIC the properties take {len(draft.properties)} bytes")
    draft.topic, draft.queue_id = HALF_TOPIC, HALF_QUEUE_ID
    draft.sys_flag = flags.with_transaction_type(draft.sys_flag, flags.TRANSACTION_NONE)
    return True


def _is_transactional(text: str, draft: RecordDraft) -> bool:
    if (names.property_of(text, names.TRAN_MSG) or "").lower() != _TRUE:
        if draft.sys_flag & flags.TRANSACTION_MASK:
            raise RequestError(ResponseCode.MESSAGE_ILLEGAL, "sysFlag tells of a transaction, but TRAN_MSG=true is missing")
        return False
    if draft.reconsume_times > 0 and names.property_of(text, names.DELAY):
        # Clients before 4.6.1 leave TRAN_MSG in what they send to a retry topic.
        draft.sys_flag = flags.with_transaction_type(draft.sys_flag, flags.TRANSACTION_NONE)
        return False
    return True


# What ends a half message


def real_place(half: StoredMessage) -> tuple[str, int] | None:
    """(topic, queue id) where a half message belongs; None when it does not say so."""
    topic, queue_id = half.properties.get(names.REAL_TOPIC, ""), half.properties.get(names.REAL_QID, "")
    return (topic, int(queue_id)) if topic and queue_id.isdecimal() else None


def mismatch(half: StoredMessage | None, producer_group: str, queue_offset: int, log_offset: int) -> str:
    """Why an END_TRANSACTION does not fit the record at its log offset; empty when it does."""
    if half is None or half.topic != HALF_TOPIC or real_place(half) is None:
        return "Find prepared transaction message failed"
    if half.properties.get(names.PGROUP) != producer_group:
        return "The producer group wrong"
    if half.queue_offset != queue_offset:
        return "The transaction state table offset wrong"
    return "The commit log offset wrong" if half.log_offset != log_offset else ""


def committed(half: StoredMessage) -> RecordDraft:
    """The message that consumers get. Its properties still tell of the transaction, as they do in Java.

    Raises RequestError (SYSTEM_ERROR) when the half message does not say where it belongs.
    """
    place = real_place(half)
    if place is None:
        raise RequestError(ResponseCode.SYSTEM_ERROR, "Find prepared transaction message failed")
    draft = _copy(half, *place, half.properties)
    draft.sys_flag = flags.with_transaction_type(half.sys_flag, flags.TRANSACTION_COMMIT)
    draft.prepared_transaction_offset = half.log_offset
    return draft


def ended(half: StoredMessage, now_ms: int, store_host: bytes) -> RecordDraft:
    """The op message for a half message: one offset without a comma, which Java 4.9 and 5.x both read."""
    return draft_from(
        OP_HALF_TOPIC,
        half.queue_id,
        str(half.queue_offset).encode("ascii"),
        _OP_PROPERTIES,
        born_timestamp=now_ms,
        born_host=store_host,
        store_host=store_host,
        wait=False,
    )


def ended_offsets(body: bytes) -> list[int]:
    """The half queue offsets in an op message: one (4.9), or several with a comma behind each (5.x). Other words are left out."""
    words = body.decode("ascii", "replace").split(",")
    return [int(word) for word in map(str.strip, words) if word.isdecimal() and len(word) <= _OFFSET_DIGITS_MAX]


# What becomes of a half message that is not ended


class Verdict(Enum):
    """What to do with a half message that was found without an op message."""

    WAIT = "too young, as are all behind it: the round ends here"
    POSTPONE = "it asked for more time than others: it goes to the end of the queue"
    CHECK = "its producer is asked"
    GIVE_UP = "it was checked too often or is too old: it goes where operators look"


@attrs.frozen
class CheckRules:
    """When a half message is to be checked. Ages are counted from its birth, in milliseconds."""

    timeout_ms: int
    checks_max: int
    reserved_ms: int

    @classmethod
    def of(cls, transaction_time_out_ms: int, transaction_check_max: int, file_reserved_hours: int) -> CheckRules:
        """The rules that settings make."""
        return cls(transaction_time_out_ms, transaction_check_max, file_reserved_hours * _MS_PER_HOUR)

    def judge(self, half: StoredMessage, now_ms: int, round_started_ms: int) -> Verdict:
        """What to do with a half message `now_ms`, in a round that began at `round_started_ms`."""
        age_ms = now_ms - half.born_timestamp
        if checks_of(half) >= self.checks_max or age_ms > self.reserved_ms:
            return Verdict.GIVE_UP
        if half.store_timestamp >= round_started_ms:
            return Verdict.WAIT
        own_ms = immunity_ms(half, self.timeout_ms)
        if own_ms is not None:
            return Verdict.POSTPONE if age_ms < own_ms else Verdict.CHECK
        # Born in the future: the clocks differ, and its age tells nothing.
        return Verdict.WAIT if 0 <= age_ms < self.timeout_ms else Verdict.CHECK


def checks_of(half: StoredMessage) -> int:
    """How often it was checked."""
    return _number(half.properties.get(names.TRANSACTION_CHECK_TIMES, ""), 0)


def immunity_ms(half: StoredMessage, otherwise_ms: int) -> int | None:
    """The time that it asked for; None when it did not ask. Nonsense and -1 stand for `otherwise_ms`."""
    text = half.properties.get(names.CHECK_IMMUNITY_TIME_IN_SECONDS)
    if text is None:
        return None
    seconds = _number(text, -1)
    return otherwise_ms if seconds == -1 else seconds * 1000


def first_offset(half: StoredMessage) -> int:
    """The queue offset under which its producer knows it, when it was postponed since; else -1."""
    return _number(half.properties.get(names.TRAN_PREPARED_QUEUE_OFFSET, ""), -1)


def _number(text: str, otherwise: int) -> int:
    try:
        return int(text) if len(text) <= _OFFSET_DIGITS_MAX else otherwise
    except ValueError:
        return otherwise


def checked_once_more(half: StoredMessage) -> RecordDraft:
    """The half message for the end of its queue, with one check more."""
    return _copy(half, HALF_TOPIC, half.queue_id, {**half.properties, names.TRANSACTION_CHECK_TIMES: str(checks_of(half) + 1)})


def postponed(half: StoredMessage) -> RecordDraft:
    """The half message for the end of its queue. It remembers the offset that its producer will name."""
    first = first_offset(half)
    offset = str(half.queue_offset if first < 0 else first)
    return _copy(half, HALF_TOPIC, half.queue_id, {**half.properties, names.TRAN_PREPARED_QUEUE_OFFSET: offset})


def given_up(half: StoredMessage) -> RecordDraft:
    """The half message for the topic of those that nobody ended."""
    return _copy(half, TRANS_CHECK_MAX_TIME_TOPIC, HALF_QUEUE_ID, half.properties)


def resumed(given_up_half: StoredMessage) -> RecordDraft:
    """A message that was given up, half again, as if it had never been checked (code 323)."""
    return _copy(given_up_half, HALF_TOPIC, HALF_QUEUE_ID, {**given_up_half.properties, names.TRANSACTION_CHECK_TIMES: "0"})


def _copy(half: StoredMessage, topic: str, queue_id: int, properties: dict[str, str]) -> RecordDraft:
    return draft_from(
        topic,
        queue_id,
        half.raw_body,
        names.encode_properties(properties),
        born_timestamp=half.born_timestamp,
        born_host=half.born_host_bytes,
        store_host=half.store_host_bytes,
        flag=half.flag,
        sys_flag=half.sys_flag,
        reconsume_times=half.reconsume_times,
        wait=False,
    )


def check_request(half: StoredMessage) -> RemotingCommand:
    """CHECK_TRANSACTION_STATE: the message as its producer sent it, and under which offsets to end it.

    Raises RequestError (SYSTEM_ERROR) when the half message does not say where it belongs.
    """
    body = committed(half)
    body.sys_flag, body.prepared_transaction_offset = half.sys_flag, half.prepared_transaction_offset
    body.queue_offset, body.log_offset, body.store_timestamp = half.queue_offset, half.log_offset, half.store_timestamp
    unique_id = half.properties.get(names.UNIQ_KEY)
    header = CheckTransactionStateRequestHeader(
        tran_state_table_offset=half.queue_offset,
        commit_log_offset=half.log_offset,
        msg_id=unique_id,
        transaction_id=unique_id,
        offset_msg_id=half.offset_msg_id,
    )
    return RemotingCommand.request(RequestCode.CHECK_TRANSACTION_STATE, header, encode_record(body), oneway=True)
