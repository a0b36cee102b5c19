"""Tests of pymq.message.sqlvalues."""

from __future__ import annotations

import contextlib
import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.sqlvalues import EvaluationError, compare, double_of, integer_of, is_equal, order

INT_MAX, LONG_MAX = 2**31 - 1, 2**63 - 1


class ConversionTests(SynchronousTestCase):
    """Texts become numbers as Java reads them."""

    def test_integers(self) -> None:
        """Signs and leading zeros, digits of other scripts; nothing else."""
        for text, value in (("7", 7), ("+7", 7), ("-7", -7), ("007", 7), ("0" * 5000 + "7", 7), ("\u0667", 7)):
            self.assertEqual(integer_of(text, like=1), value)
        for text in ("", "+", "5.5", " 5", "5 ", "1_000", "0x5", "5L", "9" * 5000, "\U0001d7d7"):
            self.assertRaises(EvaluationError, integer_of, text, like=1)

    def test_the_literal_decides_the_width(self) -> None:
        """An Integer where it fits into one, as 4.9.8 and 5.x have it."""
        self.assertEqual(integer_of(str(INT_MAX), like=5), INT_MAX)
        self.assertRaises(EvaluationError, integer_of, str(INT_MAX + 1), like=5)
        self.assertEqual(integer_of(str(LONG_MAX), like=INT_MAX + 1), LONG_MAX)
        self.assertRaises(EvaluationError, integer_of, str(LONG_MAX + 1), like=INT_MAX + 1)
        self.assertEqual(integer_of(str(-LONG_MAX - 1), like=-INT_MAX - 1), -LONG_MAX - 1)

    def test_doubles(self) -> None:
        """With spaces around, a type's letter behind, in hexadecimal, and by name."""
        for text, value in (
            (" 5 ", 5.0), ("5.", 5.0), (".5", 0.5), ("-1e3", -1000.0), ("5d", 5.0), ("5F", 5.0), ("0x1p3", 8.0),
            ("1e999", math.inf), ("-0x1p9999", -math.inf), ("Infinity", math.inf), ("-Infinity", -math.inf),
        ):  # fmt: skip
            self.assertEqual(double_of(text), value)
        self.assertTrue(math.isnan(double_of("NaN")))
        for text in ("", ".", "inf", "nan", "1_0", "5L", "0x5", "\u0667", "e5", "5 d"):
            self.assertRaises(EvaluationError, double_of, text)

    @given(st.text() | st.text("0123456789+-.eExXpPdDfF NaInity", max_size=12))
    def test_any_text(self, text: str) -> None:
        """Becomes a number or an EvaluationError."""
        for convert in (lambda: integer_of(text, like=1), lambda: double_of(text)):
            with contextlib.suppress(EvaluationError):
                convert()


class ComparisonTests(SynchronousTestCase):
    """Values of all types beside each other."""

    def test_numbers_and_texts(self) -> None:
        """A text is read as the other side's type, from either side."""
        for left, right, sign in (
            (5, "5", 0), ("5", 5, 0), (5, 5.0, 0), (5.5, 5, 1), ("5.5", 5.5, 0), (5.5, "5", 1), (4, "5", -1), ("a", "b", -1),
        ):  # fmt: skip
            self.assertEqual(compare(left, right), sign, (left, right))
        for left, right in ((5, "5.5"), ("x", 5), (5.5, "x"), ("", 5.5)):
            self.assertRaises(EvaluationError, compare, left, right)

    def test_truth_values(self) -> None:
        """A text to the left may be one; to the right Java fails; numbers are always another thing."""
        self.assertEqual((compare("TRUE", True), compare("yes", True), compare(True, True)), (0, -1, 0))
        self.assertEqual((compare(True, 1), compare(1, True), compare(1.0, True)), (-1, -1, -1))
        self.assertRaises(EvaluationError, compare, True, "true")

    def test_doubles_of_java(self) -> None:
        """NaN is equal to itself and above all, and there are two zeros."""
        self.assertEqual(compare(math.nan, math.nan), 0)
        self.assertEqual((compare(math.nan, math.inf), compare(1.0, math.nan)), (1, -1))
        self.assertEqual((compare(-0.0, 0.0), compare(0.0, -0.0), compare(0.0, 0.0)), (-1, 1, 0))

    def test_missing_values(self) -> None:
        """For `=` only the left one makes the result unknown; two of them are equal."""
        self.assertEqual((is_equal(None, 1), is_equal("a", None), is_equal(None, None)), (None, False, True))
        self.assertEqual((is_equal("a", "a"), is_equal("a", "b")), (True, False))
        self.assertEqual((order(None, 1), order(1, None), order(None, None)), (None, None, None))

    def test_two_texts_are_ordered_as_doubles(self) -> None:
        """Or not at all."""
        self.assertEqual((order("10", "9"), order("9.0", "9"), order(5, "6")), (1, 0, -1))
        self.assertRaises(EvaluationError, order, "a", "b")
