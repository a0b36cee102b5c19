"""Tests of pymq.broker.delays."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.delays import delay_level, delay_of, due_ms, redirected, restored
from pymq.errors import DecodeError
from pymq.message.flags import TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from pymq.message.properties import decode_properties
from pymq.message.record import RecordDraft, decode_record, encode_record
from pymq.message.tags import java_hash
from pymq.testing.builders import NOW_MS, draft

LEVELS = 18
#: What a delivered message has in common with the one that was sent.
KEPT = ("topic", "queue_id", "body", "flag", "reconsume_times", "born_timestamp", "born_host", "store_host", "index_keys")
#: Property values: text without separators, which UTF-8 can hold.
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x01\x02"), min_size=1, max_size=8)
SCHEDULE = "SCHEDULE_TOPIC_XXXX"


def record_of(waiting: RecordDraft) -> memoryview:
    """The record that the store makes of a draft."""
    waiting.store_timestamp = NOW_MS
    return memoryview(encode_record(waiting))


class RedirectedTests(SynchronousTestCase):
    """What is stored instead of a delayed message."""

    def test_it_waits_in_the_queue_of_its_level(self) -> None:
        """With the place that it is for; everything else stays."""
        more = {"DELAY": "2", "own": "x"}
        message = draft("T", b"later", queue_id=3, tags="A", keys="k1", more=more, flag=7, reconsume_times=1)
        waiting = redirected(message, LEVELS)
        self.assertEqual((waiting.topic, waiting.queue_id), (SCHEDULE, 1))
        properties = decode_properties(waiting.properties.decode())
        self.assertEqual(properties, {"own": "x", "KEYS": "k1", "TAGS": "A", "DELAY": "2", "REAL_TOPIC": "T", "REAL_QID": "3"})
        self.assertEqual((waiting.body, waiting.flag, waiting.reconsume_times), (b"later", 7, 1))
        self.assertEqual((waiting.index_keys, waiting.wait), (message.index_keys, True))
        self.assertEqual((message.topic, message.queue_id), ("T", 3))

    def test_level_above_the_last_is_the_last(self) -> None:
        """In the property too."""
        waiting = redirected(draft(more={"DELAY": "99"}), LEVELS)
        self.assertEqual(waiting.queue_id, 17)
        self.assertEqual(delay_level(waiting.properties.decode()), 18)

    def test_earlier_places_are_replaced(self) -> None:
        """A message that was delayed before carries where it went then."""
        waiting = redirected(draft("New", more={"DELAY": "1", "REAL_TOPIC": "Old", "REAL_QID": "9"}), LEVELS)
        properties = decode_properties(waiting.properties.decode())
        self.assertEqual((properties["REAL_TOPIC"], properties["REAL_QID"]), ("New", "0"))

    def test_messages_for_now(self) -> None:
        """Without a level, or with one of 0 or less, they stay what they are."""
        for more in ({}, {"DELAY": "0"}, {"DELAY": "-1"}):
            message = draft(more=more)
            self.assertIs(redirected(message, LEVELS), message)

    def test_only_what_can_be_consumed_is_delayed(self) -> None:
        """A committed message, but neither a prepared nor a rolled back one."""
        for kind in (TRANSACTION_PREPARED, TRANSACTION_ROLLBACK):
            message = draft(more={"DELAY": "1"}, sys_flag=kind)
            self.assertIs(redirected(message, LEVELS), message)
        self.assertEqual(redirected(draft(more={"DELAY": "1"}, sys_flag=TRANSACTION_COMMIT), LEVELS).topic, SCHEDULE)

    def test_level_that_is_no_number(self) -> None:
        """Is the caller's to refuse."""
        self.assertRaises(ValueError, redirected, draft(more={"DELAY": "soon"}), LEVELS)


class RestoredTests(SynchronousTestCase):
    """What a waiting record becomes."""

    @given(
        st.binary(max_size=50),
        st.integers(0, 100),
        st.integers(-(2**31), 2**31 - 1),
        st.integers(0, 20),
        st.dictionaries(st.text("abcXYZ", min_size=1, max_size=5), VALUES, max_size=3),
    )
    def test_round_trip(self, body: bytes, queue_id: int, flag: int, times: int, more: dict[str, str]) -> None:
        """All is as it was sent, and the properties of the delay are still there (store.md 6.1)."""
        more = {**more, "DELAY": "3"}
        sent = draft("T", body, queue_id=queue_id, tags="A", keys="k", more=more, flag=flag, reconsume_times=times)
        back = restored(record_of(redirected(sent, LEVELS)))
        for name in KEPT:
            self.assertEqual(getattr(back, name), getattr(sent, name), name)
        self.assertEqual(back.tags_code, java_hash("A"))
        self.assertFalse(back.wait)
        properties = decode_properties(back.properties.decode())
        left = {"DELAY": "3", "REAL_TOPIC": "T", "REAL_QID": str(queue_id)}
        self.assertEqual(properties, {**decode_properties(sent.properties.decode()), **left})

    def test_committed_message_stays_one(self) -> None:
        """Its type is kept, and a delivered record does not wait again."""
        back = restored(record_of(redirected(draft(more={"DELAY": "1"}, sys_flag=TRANSACTION_COMMIT), LEVELS)))
        self.assertEqual(back.sys_flag & TRANSACTION_COMMIT, TRANSACTION_COMMIT)
        self.assertEqual(decode_record(record_of(back)).topic, back.topic)

    def test_records_without_a_place(self) -> None:
        """They go nowhere, nor back into the schedule topic or to the half messages (Java discards those)."""
        places = [(None, None), ("T", None), (None, "0"), ("T", "-1"), (SCHEDULE, "0"), ("RMQ_SYS_TRANS_HALF_TOPIC", "0")]
        for topic, queue_id in places:
            more = {name: value for name, value in (("REAL_TOPIC", topic), ("REAL_QID", queue_id)) if value}
            self.assertRaises(DecodeError, restored, record_of(draft(SCHEDULE, more=more)))

    def test_damaged_record(self) -> None:
        """The body does not match its checksum."""
        data = bytearray(record_of(redirected(draft(body=b"hello", more={"DELAY": "1"}), LEVELS)))
        data[88] ^= 1
        self.assertRaises(DecodeError, restored, memoryview(data))


class DueTests(SynchronousTestCase):
    """Times."""

    def test_due_time_is_that_of_the_unit(self) -> None:
        """Whether it lies behind or ahead."""
        self.assertEqual(due_ms(NOW_MS - 5, NOW_MS, 1000), NOW_MS - 5)
        self.assertEqual(due_ms(NOW_MS + 1000, NOW_MS, 1000), NOW_MS + 1000)

    def test_clock_was_set_back(self) -> None:
        """Nothing can be due later than one delay from now."""
        self.assertEqual(due_ms(NOW_MS + 1001, NOW_MS, 1000), NOW_MS)

    def test_delay_of_a_level(self) -> None:
        """One that the settings have no more can be due at any time."""
        self.assertEqual(delay_of(2, (1000, 5000)), 5000)
        self.assertEqual(delay_of(3, (1000, 5000)), math.inf)
        self.assertEqual(due_ms(NOW_MS + 10**9, NOW_MS, math.inf), NOW_MS + 10**9)
