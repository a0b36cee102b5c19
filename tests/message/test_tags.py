"""Java's hash and tag expressions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.tags import java_hash, java_hash_onto, narrow_code, tags_code


def hash_by_definition(text: str) -> int:
    """`h = 31 * h + unit`, unit by unit."""
    data = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for at in range(0, len(data), 2):
        value = 31 * value + (data[at] << 8 | data[at + 1]) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


class JavaHashTests(SynchronousTestCase):
    """String.hashCode."""

    def test_golden(self) -> None:
        """Values made by Java (store.md appendix B)."""
        values = {"TagA": 2598919, "TagB": 2598920, "T#k1": 2539445, "": 0, "polygenelubricants": -2147483648}
        self.assertEqual({text: java_hash(text) for text in values}, values)

    @given(st.text(st.characters(), max_size=600))
    def test_is_the_definition(self, text: str) -> None:
        """For every text, also beyond the basic plane and with lone surrogates."""
        self.assertEqual(java_hash(text), hash_by_definition(text))

    def test_lengths_around_a_chunk(self) -> None:
        """Long texts are hashed in chunks."""
        for length in (255, 256, 257, 511, 512, 513, 1025):
            text = "x\u6f22"[: length % 2 + 1] * length
            self.assertEqual(
                (java_hash(text), java_hash("x" * length)), (hash_by_definition(text), hash_by_definition("x" * length))
            )

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_goes_on_from_a_prefix(self, prefix: str, rest: str) -> None:
        """So that a topic is hashed once for many keys."""
        self.assertEqual(java_hash_onto(java_hash(prefix), rest), java_hash(prefix + rest))


class TagsCodeTests(SynchronousTestCase):
    """What a queue unit holds."""

    def test_no_tag(self) -> None:
        """Is 0, missing or empty."""
        self.assertEqual((tags_code(None), tags_code("")), (0, 0))

    def test_narrowing(self) -> None:
        """Keeps the low 32 bits, signed."""
        self.assertEqual([narrow_code(code) for code in (5, -5, 2**31, 0x1A1FD01E239)], [5, -5, -(2**31), -50208199])

    @given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
    def test_low_half_counts_as_a_signed_number(self, low: int, high: int) -> None:
        """Whatever stands in the upper half, and whichever sign the whole has."""
        self.assertEqual(narrow_code(low), low)
        self.assertEqual(narrow_code(low & 0xFFFFFFFF), low)
        self.assertEqual(narrow_code((high << 32) | (low & 0xFFFFFFFF)), low)
