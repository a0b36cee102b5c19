"""Tests of pymq.broker.halfmessages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import halfmessages as rules
from pymq.broker.halfmessages import CheckRules, Verdict
from pymq.errors import RequestError
from pymq.message.message import StoredMessage
from pymq.message.record import RecordDraft, decode_record, encode_record
from pymq.message.tags import tags_code
from pymq.testing.builders import NOW_MS, STORE_HOST, draft

TIMEOUT_MS = 6000
HOUR_MS = 3_600_000


def half(age_ms: int = 0, *, offset: int = 7, log_offset: int = 500, **properties: str) -> StoredMessage:
    """A half message that is so old at NOW_MS."""
    given_properties = {"TRAN_MSG": "true", "PGROUP": "PG", "UNIQ_KEY": "U1", "TAGS": "A", **properties}
    prepared = draft("T", b"body", queue_id=3, more=given_properties, flag=9, sys_flag=4, born_timestamp=NOW_MS - age_ms)
    assert rules.prepare(prepared, is_allowed=True)
    prepared.queue_offset, prepared.log_offset, prepared.store_timestamp = offset, log_offset, NOW_MS - age_ms
    return decode_record(encode_record(prepared))


def properties_of(message: RecordDraft) -> dict[str, str]:
    """What the draft would store."""
    return decode_record(encode_record(message)).properties


class PrepareTests(SynchronousTestCase):
    """What becomes of a send."""

    def send(self, sys_flag: int = 4, reconsume_times: int = 0, **properties: str) -> RecordDraft:
        """A message as a client sends it."""
        return draft("T", queue_id=3, more=properties, sys_flag=sys_flag, reconsume_times=reconsume_times)

    def test_half(self) -> None:
        """It moves to the system's topic and knows its own; no flag of a transaction and no delay is left."""
        message = self.send(5, TRAN_MSG="True", DELAY="3", TAGS="A")
        self.assertTrue(rules.prepare(message, is_allowed=True))
        self.assertEqual((message.topic, message.queue_id, message.sys_flag), ("RMQ_SYS_TRANS_HALF_TOPIC", 0, 1))
        self.assertEqual(properties_of(message), {"TRAN_MSG": "True", "TAGS": "A", "REAL_TOPIC": "T", "REAL_QID": "3"})
        self.assertEqual(message.tags_code, tags_code("A"))

    def test_own_words_about_its_place_do_not_count(self) -> None:
        """A sender cannot name another real topic than that of its request."""
        message = self.send(TRAN_MSG="true", REAL_TOPIC="OTHER", REAL_QID="x")
        rules.prepare(message, is_allowed=True)
        self.assertEqual((properties_of(message)["REAL_TOPIC"], properties_of(message)["REAL_QID"]), ("T", "3"))

    def test_plain_messages_stay(self) -> None:
        """The property decides."""
        for properties in ({}, {"TRAN_MSG": "false"}):
            message = self.send(0, **properties)
            self.assertFalse(rules.prepare(message, is_allowed=False))
            self.assertEqual(message.topic, "T")

    def test_refusals(self) -> None:
        """A flag without the property, a broker that takes none, properties that no record can hold."""
        long = "x" * 32_740
        for message, allowed, code in (
            (self.send(4), True, 13),
            (self.send(8, TRAN_MSG="no"), True, 13),
            (self.send(TRAN_MSG="true"), False, 16),
            (self.send(TRAN_MSG="true", a=long), True, 13),
        ):
            error = self.assertRaises(RequestError, rules.prepare, message, is_allowed=allowed)
            self.assertEqual(error.code, code)

    def test_a_retry_by_an_old_client(self) -> None:
        """Before 4.6.1 TRAN_MSG stays in what is sent to a retry topic; it is no transaction (Java: SendMessageProcessor)."""
        message = self.send(4, 1, TRAN_MSG="true", DELAY="3")
        self.assertFalse(rules.prepare(message, is_allowed=False))
        self.assertEqual((message.topic, message.sys_flag), ("T", 0))


class EndTests(SynchronousTestCase):
    """What ends a half message."""

    def test_commit(self) -> None:
        """The message in its own topic, of type commit, with all properties; it names the half message's place."""
        message = half()
        draft_ = rules.committed(message)
        stored = decode_record(encode_record(draft_))
        self.assertEqual((stored.topic, stored.queue_id, stored.sys_flag, stored.flag), ("T", 3, 8, 9))
        self.assertEqual((stored.prepared_transaction_offset, stored.born_timestamp), (500, NOW_MS))
        self.assertEqual((stored.properties, stored.body), (message.properties, b"body"))
        self.assertEqual((draft_.tags_code, draft_.index_keys, draft_.wait), (tags_code("A"), ("U1",), False))

    def test_what_must_fit(self) -> None:
        """Group and both offsets; a message elsewhere than in the half topic is none."""
        self.assertEqual(rules.mismatch(half(), "PG", 7, 500), "")
        self.assertIn("group", rules.mismatch(half(), "OTHER", 7, 500))
        self.assertIn("table offset", rules.mismatch(half(), "PG", 8, 500))
        self.assertIn("commit log", rules.mismatch(half(), "PG", 7, 501))
        self.assertIn("Find", rules.mismatch(None, "PG", 7, 500))
        elsewhere, homeless = half(), half()
        elsewhere.topic = "T"
        homeless.properties["REAL_QID"] = "x"
        self.assertIn("Find", rules.mismatch(elsewhere, "PG", 7, 500))
        self.assertIn("Find", rules.mismatch(homeless, "PG", 7, 500))
        self.assertRaises(RequestError, rules.committed, homeless)
        self.assertRaises(RequestError, rules.check_request, homeless)

    def test_op_message(self) -> None:
        """One offset, no comma; properties in the order of Java's map."""
        op = rules.ended(half(offset=17), NOW_MS + 5, STORE_HOST)
        self.assertEqual((op.topic, op.queue_id, op.body, op.sys_flag), ("RMQ_SYS_TRANS_OP_HALF_TOPIC", 0, b"17", 0))
        self.assertEqual((op.properties, op.tags_code), (b"WAIT\x01true\x02TAGS\x01d", tags_code("d")))
        self.assertEqual((op.born_timestamp, op.born_host), (NOW_MS + 5, STORE_HOST))

    def test_offsets_in_op_messages(self) -> None:
        """One, as 4.9 writes it; a list with a comma at its end, as 5.x does; nonsense is left out."""
        for body, offsets in (
            (b"17", [17]),
            (b"17,18,25,", [17, 18, 25]),
            (b"17,x,-1,\xff, 18 ,99999999999999999999", [17, 18]),
            (b"", []),
        ):
            self.assertEqual(rules.ended_offsets(body), offsets)

    @given(st.lists(st.integers(0, 2**63 - 1)), st.booleans())
    def test_any_list(self, offsets: list[int], comma: bool) -> None:
        """Every list of offsets is read back."""
        body = ",".join(map(str, offsets)) + ("," if comma else "")
        self.assertEqual(rules.ended_offsets(body.encode()), offsets)

    @given(st.binary(max_size=40))
    def test_any_bytes(self, body: bytes) -> None:
        """Nothing makes it raise."""
        self.assertTrue(all(offset >= 0 for offset in rules.ended_offsets(body)))


class JudgeTests(SynchronousTestCase):
    """When a half message is checked."""

    rules = CheckRules.of(TIMEOUT_MS, 15, 72)

    def judge(self, message: StoredMessage, started_ms: int = NOW_MS) -> Verdict:
        """The verdict at NOW_MS."""
        return self.rules.judge(message, NOW_MS, started_ms)

    def test_the_timeout(self) -> None:
        """Not before; from then on."""
        self.assertIs(self.judge(half(TIMEOUT_MS - 1)), Verdict.WAIT)
        self.assertIs(self.judge(half(TIMEOUT_MS)), Verdict.CHECK)

    def test_clocks_that_differ(self) -> None:
        """A message from the future is checked at once."""
        message = half(10_000)
        message.born_timestamp = NOW_MS + 1
        self.assertIs(self.judge(message), Verdict.CHECK)

    def test_what_was_stored_since_the_round_began(self) -> None:
        """Such as the copy of a message that was checked just now: the round ends, however old it is."""
        message = half(10_000)
        self.assertIs(self.judge(message, started_ms=NOW_MS - 10_000), Verdict.WAIT)

    def test_too_many_checks(self) -> None:
        """The fifteenth check is the last."""
        self.assertIs(self.judge(half(10_000, TRANSACTION_CHECK_TIMES="14")), Verdict.CHECK)
        self.assertIs(self.judge(half(10_000, TRANSACTION_CHECK_TIMES="15")), Verdict.GIVE_UP)
        self.assertIs(self.judge(half(10_000, TRANSACTION_CHECK_TIMES="many")), Verdict.CHECK)

    def test_too_old(self) -> None:
        """What would be deleted soon is not checked any more."""
        self.assertIs(self.judge(half(72 * HOUR_MS)), Verdict.CHECK)
        self.assertIs(self.judge(half(72 * HOUR_MS + 1)), Verdict.GIVE_UP)

    def test_a_time_of_its_own(self) -> None:
        """It goes to the end of the queue until then, to let others pass; -1 and nonsense stand for the broker's time."""
        for text, last_ms in (("60", 60_000), ("-1", TIMEOUT_MS), ("soon", TIMEOUT_MS), ("9" * 30, TIMEOUT_MS)):
            self.assertIs(self.judge(half(last_ms - 1, CHECK_IMMUNITY_TIME_IN_SECONDS=text)), Verdict.POSTPONE)
            self.assertIs(self.judge(half(last_ms, CHECK_IMMUNITY_TIME_IN_SECONDS=text)), Verdict.CHECK)
        self.assertIs(self.judge(half(1, CHECK_IMMUNITY_TIME_IN_SECONDS="0")), Verdict.CHECK)


class AgainTests(SynchronousTestCase):
    """What a half message becomes that is not ended."""

    def again(self, message: RecordDraft) -> tuple[Any, ...]:
        """Where it goes, and what is new in its properties."""
        old = half().properties
        new = {name: value for name, value in properties_of(message).items() if old.get(name) != value}
        self.assertEqual((message.body, message.flag, message.sys_flag, message.born_timestamp), (b"body", 9, 0, NOW_MS))
        return message.topic, message.queue_id, new

    def test_one_check_more(self) -> None:
        """The counter starts at one."""
        once = rules.checked_once_more(half())
        self.assertEqual(self.again(once), ("RMQ_SYS_TRANS_HALF_TOPIC", 0, {"TRANSACTION_CHECK_TIMES": "1"}))
        twice = rules.checked_once_more(decode_record(encode_record(once)))
        self.assertEqual(properties_of(twice)["TRANSACTION_CHECK_TIMES"], "2")

    def test_postponed(self) -> None:
        """It remembers the first offset, however often it is postponed; that is no check."""
        once = rules.postponed(half(offset=7))
        self.assertEqual(self.again(once), ("RMQ_SYS_TRANS_HALF_TOPIC", 0, {"TRAN_PREPARED_QUEUE_OFFSET": "7"}))
        once.queue_offset = 20
        again = decode_record(encode_record(once))
        self.assertEqual((rules.first_offset(half()), rules.first_offset(again)), (-1, 7))
        self.assertEqual(properties_of(rules.postponed(again))["TRAN_PREPARED_QUEUE_OFFSET"], "7")

    def test_given_up_and_resumed(self) -> None:
        """Word for word where operators look; from there back with a fresh counter."""
        given_up = rules.given_up(half(TRANSACTION_CHECK_TIMES="15"))
        self.assertEqual(self.again(given_up), ("TRANS_CHECK_MAX_TIME_TOPIC", 0, {"TRANSACTION_CHECK_TIMES": "15"}))
        resumed = rules.resumed(decode_record(encode_record(given_up)))
        self.assertEqual(self.again(resumed), ("RMQ_SYS_TRANS_HALF_TOPIC", 0, {"TRANSACTION_CHECK_TIMES": "0"}))

    def test_the_question(self) -> None:
        """CHECK_TRANSACTION_STATE, one-way, with the message as it was sent, and the offsets under which it is to be ended."""
        message = half(offset=8, log_offset=900, TRANSACTION_CHECK_TIMES="2")
        request = rules.check_request(message)
        self.assertEqual((request.code, request.is_oneway), (39, True))
        self.assertEqual(request.ext_fields, {
            "tranStateTableOffset": "8", "commitLogOffset": "900", "msgId": "U1", "transactionId": "U1",
            "offsetMsgId": message.offset_msg_id,
        })  # fmt: skip
        asked = decode_record(request.body)
        self.assertEqual((asked.topic, asked.queue_id, asked.sys_flag, asked.size), ("T", 3, 0, len(request.body)))
        self.assertEqual((asked.queue_offset, asked.log_offset, asked.properties), (8, 900, message.properties))
