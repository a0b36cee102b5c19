"""Message queues, and maps keyed by them."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.messagequeue import (
    MessageQueue,
    by_queue,
    parse_queue_key,
    queue_key,
    queue_table,
    write_keys_bare,
    write_numbers_bare,
)
from pymq.wire.javajson import IntegerKeys, JavaJSONError, ObjectKeys

QUEUE = MessageQueue("T1", "broker-a", 0)
KEY = '{"brokerName":"broker-a","queueId":0,"topic":"T1"}'

names = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
queues = st.builds(MessageQueue, names, names, st.integers(-(2**31), 2**31 - 1))


class Sample(msgspec.Struct, frozen=True):
    """A body with a map of each kind."""

    table: dict[str, int] | None = None
    numbers: dict[int, int] | None = None

    def __post_init__(self) -> None:
        write_keys_bare(self, "table")
        write_numbers_bare(self, "numbers")


class MessageQueueTests(SynchronousTestCase):
    """MessageQueue and its keys."""

    def test_the_order_is_java_s(self) -> None:
        """Topic, then broker, then number: every member of a group must sort alike."""
        unsorted = [
            MessageQueue("T2", "a", 0),
            MessageQueue("T1", "b", 0),
            MessageQueue("T1", "a", 10),
            MessageQueue("T1", "a", 9),
        ]
        self.assertEqual([(q.topic, q.broker_name, q.queue_id) for q in sorted(unsorted)], [
            ("T1", "a", 9), ("T1", "a", 10), ("T1", "b", 0), ("T2", "a", 0),
        ])  # fmt: skip

    def test_equal_queues_are_one_key(self) -> None:
        """Of sets and dicts."""
        self.assertEqual({QUEUE, MessageQueue("T1", "broker-a", 0)}, {QUEUE})

    def test_the_key_is_what_the_lenient_reader_makes(self) -> None:
        """Compact, members in alphabetical order."""
        self.assertEqual(queue_key(QUEUE), KEY)
        self.assertEqual(javajson.decode("{" + '{"topic":"T1","queueId":0,"brokerName":"broker-a"}' + ":7}"), {KEY: 7})

    def test_keys_in_any_order_are_read(self) -> None:
        """And numbers as text."""
        self.assertEqual(parse_queue_key('{"topic":"T1", "queueId":"0", "brokerName":"broker-a"}'), QUEUE)

    def test_what_is_no_key(self) -> None:
        """Refused."""
        for text in ("", "T1", "{}", '{"topic":"T1"}', "[]"):
            with self.assertRaises(JavaJSONError, msg=text):
                parse_queue_key(text)

    def test_tables(self) -> None:
        """There and back."""
        table = queue_table({QUEUE: 7})
        self.assertIsInstance(table, ObjectKeys)
        self.assertEqual((dict(table), by_queue(table)), ({KEY: 7}, {QUEUE: 7}))

    def test_bodies_are_written_with_bare_keys_however_they_were_made(self) -> None:
        """By a plain dict of texts, of queues, or decoded from either form."""
        expected = b'{"numbers":{3:4},"table":{' + KEY.encode() + b":7}}"
        for sample in (
            Sample({KEY: 7}, {3: 4}),
            Sample({QUEUE: 7}, IntegerKeys({3: 4})),  # type: ignore[dict-item]
            javajson.decode_as(expected, Sample),
            javajson.decode_as(msgspec.json.encode({"numbers": {"3": 4}, "table": {KEY: 7}}), Sample),
        ):
            self.assertEqual(javajson.encode(sample), expected)
        self.assertEqual(javajson.encode(Sample()), b"{}")

    @settings(deadline=None)
    @given(st.dictionaries(queues, st.integers(-(2**63), 2**63 - 1), max_size=4))
    def test_round_trip(self, table: dict[MessageQueue, int]) -> None:
        """Through fastjson's form, whatever the names hold."""
        written = javajson.encode(queue_table(table))
        self.assertEqual(by_queue(javajson.decode(written)), table)
