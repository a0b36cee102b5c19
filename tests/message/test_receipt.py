"""Receipts, and the texts in the answer to a pop."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import DecodeError
from pymq.message.receipt import Receipt, entries_in, retry_flag_of

#: As a broker of 5.5 wrote it.
GOLDEN = "0 1795259161637 60000 0 1 broker-a 0 3"
NUMBERS = st.integers(-(2**63), 2**63 - 1)


class ReceiptTests(SynchronousTestCase):
    """Read, written, used."""

    def test_golden(self) -> None:
        """Every word in its place."""
        receipt = Receipt.parse(GOLDEN)
        self.assertEqual(attrs.astuple(receipt), (0, 1795259161637, 60000, 0, "1", "broker-a", 0, 3))
        self.assertEqual(str(receipt), GOLDEN)

    def test_a_proxys_ninth_word(self) -> None:
        """Is passed over."""
        self.assertEqual(Receipt.parse(GOLDEN + " 4711"), Receipt.parse(GOLDEN))

    def test_every_shorter_text_is_refused(self) -> None:
        """Also words that are no numbers, and nothing."""
        words = GOLDEN.split(" ")
        for text in (None, "", *(" ".join(words[:count]) for count in range(1, 8)), GOLDEN.replace("60000", "soon")):
            self.assertRaises(DecodeError, Receipt.parse, text)

    @given(
        st.builds(
            Receipt,
            **dict.fromkeys(
                ("start_offset", "pop_time_ms", "invisible_ms", "revive_queue_id", "queue_id", "queue_offset"), NUMBERS
            ),
            retry_flag=st.sampled_from("012"),
            broker_name=st.from_regex(r"[a-zA-Z0-9_-]+", fullmatch=True),
        )
    )
    def test_there_and_back(self, receipt: Receipt) -> None:
        """Any receipt survives its text."""
        self.assertEqual(Receipt.parse(str(receipt)), receipt)

    def test_the_topic_that_was_read(self) -> None:
        """As the retry flag says."""
        receipts = [attrs.evolve(Receipt.parse(GOLDEN), retry_flag=flag) for flag in "0123"]
        self.assertEqual([one.real_topic("t", "g") for one in receipts[:3]], ["t", "%RETRY%g_t", "%RETRY%g+t"])
        self.assertRaises(DecodeError, receipts[3].real_topic, "t", "g")

    def test_the_flag_of_a_topic(self) -> None:
        """A plus counts only in a retry topic."""
        self.assertEqual([retry_flag_of(name) for name in ("t", "a+b", "%RETRY%g_t", "%RETRY%g+t")], ["0", "0", "1", "2"])

    def test_expiry(self) -> None:
        """From the last millisecond of its time on."""
        receipt = Receipt.parse(GOLDEN)
        self.assertEqual([receipt.is_expired(receipt.pop_time_ms + ms) for ms in (0, 59_999, 60_000)], [False, False, True])


class EntriesTests(SynchronousTestCase):
    """The three texts of an answer."""

    def test_golden(self) -> None:
        """Those of 5.5: offsets of two queues, and how often one message was delivered."""
        self.assertEqual(entries_in("0 0 0,1,2;1 0 0"), {("0", "0"): "0,1,2", ("1", "0"): "0"})
        self.assertEqual(entries_in("0 qo0%1 1;0 0 0"), {("0", "qo0%1"): "1", ("0", "0"): "0"})

    def test_nothing(self) -> None:
        """Absent or empty."""
        self.assertEqual((entries_in(None), entries_in("")), ({}, {}))

    def test_nonsense_is_refused(self) -> None:
        """Two words, four, or a queue twice."""
        for text in ("0 0", "0 0 1 2", "0 0 1;0 0 2", ";"):
            self.assertRaises(DecodeError, entries_in, text)
