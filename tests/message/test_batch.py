"""A client's batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import DecodeError
from pymq.message.batch import ITEM_LAYOUT, BatchItem, decode_batch, encode_batch

FLAGS = st.integers(-(2**31), 2**31 - 1)
ITEMS = st.lists(st.builds(BatchItem, FLAGS, st.binary(max_size=20), st.text(max_size=10)), max_size=4)
SAMPLE = [BatchItem(1, b"one", "KEYS\x01k"), BatchItem(-2, b"", ""), BatchItem(0, b"three", "a\x01\u6f22")]


class BatchTests(SynchronousTestCase):
    """Both directions."""

    @given(ITEMS)
    def test_round_trip(self, items: list[BatchItem]) -> None:
        """Every list of messages."""
        self.assertEqual(decode_batch(encode_batch(items)), items)

    def test_is_the_declared_layout(self) -> None:
        """The compiled engine and construct write the same."""
        built = ITEM_LAYOUT.build(
            {
                "total_size": 22 + 3 + 6, "magic": 0, "body_crc": 0, "flag": 1, "body_length": 3, "body": b"one",
                "properties_length": 6, "properties": b"KEYS\x01k",
            }
        )  # fmt: skip
        self.assertEqual(encode_batch(SAMPLE[:1]), built)

    def test_every_cut(self) -> None:
        """Only a cut between items leaves a batch; the error says where."""
        data = encode_batch(SAMPLE)
        whole = {len(encode_batch(SAMPLE[:count])): count for count in range(4)}
        for cut in range(len(data) + 1):
            if cut in whole:
                self.assertEqual(decode_batch(memoryview(data)[:cut]), SAMPLE[: whole[cut]])
            else:
                self.assertRaises(DecodeError, decode_batch, data[:cut])

    def test_lengths_that_lie(self) -> None:
        """Negative, too large, or not adding up."""
        data = encode_batch(SAMPLE[:1])
        lies = ((0, b"\x00\x00\x00\x01"), (16, b"\xff\xff\xff\xff"), (16, b"\x7f\xff\xff\xff"), (23, b"\xff\xff"))
        for position, value in lies:
            broken = data[:position] + value + data[position + len(value) :]
            self.assertRaises(DecodeError, decode_batch, broken)

    def test_properties_that_are_no_text(self) -> None:
        """Are refused rather than changed."""
        data = encode_batch([(0, b"", "ab")])
        self.assertRaises(DecodeError, decode_batch, data[:-1] + b"\xff")

    def test_too_long_properties(self) -> None:
        """Do not fit into two bytes."""
        self.assertRaises(ValueError, encode_batch, [(0, b"", "x" * 32768)])
