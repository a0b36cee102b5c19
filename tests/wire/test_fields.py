"""Typed headers: both directions, and errors that name the field."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import RequestError
from pymq.wire.fields import CommandHeader, Int32, Int64, java_text


class SampleHeader(CommandHeader, frozen=True, kw_only=True):
    """One field of each kind."""

    consumer_group: str
    queue_id: Int32
    commit_offset: Int64 = 0
    unit_mode: bool = False
    order: bool | None = None
    client_id: str | None = msgspec.field(default=None, name="clientID")


class CommandHeaderTests(SynchronousTestCase):
    """CommandHeader."""

    def test_fields_become_java_text(self) -> None:
        """camelCase names, lower-case booleans, nothing for None."""
        header = SampleHeader(consumer_group="g", queue_id=-1, client_id="c")
        self.assertEqual(
            header.to_fields(),
            {"consumerGroup": "g", "queueId": "-1", "commitOffset": "0", "unitMode": "false", "clientID": "c"},
        )

    def test_text_becomes_fields(self) -> None:
        """Unknown fields, of which clients send many, are ignored."""
        header = SampleHeader.from_fields(
            {"consumerGroup": "g", "queueId": "3", "commitOffset": "-1", "unitMode": "true", "nsd": "x", "AccessKey": "k"}
        )
        self.assertEqual(header, SampleHeader(consumer_group="g", queue_id=3, commit_offset=-1, unit_mode=True))

    def test_only_the_word_true_is_true(self) -> None:
        """Boolean.parseBoolean: any case, and everything else is false; so the C++ client's `1` is no batch."""
        for text, value in (("TRUE", True), ("True", True), ("1", False), ("yes", False), ("", False), ("false", False)):
            header = SampleHeader.from_fields({"consumerGroup": "g", "queueId": "0", "unitMode": text, "order": text})
            self.assertEqual((header.unit_mode, header.order), (value, value), text)

    def test_text_that_reads_null_stays_text(self) -> None:
        """A topic may be called so."""
        header = SampleHeader.from_fields({"consumerGroup": "null", "queueId": "0", "clientID": "null"})
        self.assertEqual((header.consumer_group, header.client_id), ("null", "null"))

    def test_a_missing_field_is_named(self) -> None:
        """Java would answer a NullPointerException."""
        with self.assertRaisesRegex(RequestError, "SampleHeader: .*queueId") as raised:
            SampleHeader.from_fields({"consumerGroup": "g"})
        self.assertEqual(raised.exception.code, 1)

    def test_no_fields_at_all(self) -> None:
        """As an empty header."""
        with self.assertRaises(RequestError):
            SampleHeader.from_fields(None)

    def test_numbers_are_checked(self) -> None:
        """Not a number, a number with other digits around it, and one beyond Java's type."""
        for text in ("", "x", "1x", "2147483648", "-2147483649", "9" * 5000):
            with self.assertRaisesRegex(RequestError, "queueId", msg=text):
                SampleHeader.from_fields({"consumerGroup": "g", "queueId": text})

    def test_java_text(self) -> None:
        """Java's toString of the types that headers hold."""
        self.assertEqual([java_text(value) for value in (True, False, -5, "a")], ["true", "false", "-5", "a"])

    @settings(deadline=None)
    @given(
        st.builds(
            SampleHeader,
            consumer_group=st.text(),
            queue_id=st.integers(-(2**31), 2**31 - 1),
            commit_offset=st.integers(-(2**63), 2**63 - 1),
            unit_mode=st.booleans(),
            order=st.none() | st.booleans(),
            client_id=st.none() | st.text(),
        )
    )
    def test_round_trip(self, header: SampleHeader) -> None:
        """Every header survives its text."""
        self.assertEqual(SampleHeader.from_fields(header.to_fields()), header)
