# Tests: tests/message/test_sqlvalues.py
"""The values of SQL92 filters, converted and compared as Java does it (Java: ComparisonExpression).

A Java Boolean is a bool here, a String a str, a Double a float; an Integer and a Long are both an int, told apart by their size.
"""

from __future__ import annotations

import math
import re
import struct

__all__ = ["LONG_MAX", "EvaluationError", "compare", "double_of", "integer_of", "is_equal", "order"]

LONG_MAX = 2**63 - 1
_INTEGER_MAX = 2**31 - 1
_LONG_DIGITS = 19

_INTEGER = re.compile(r"[+-]?(\d+)")
_DOUBLE = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?")
_HEX_DOUBLE = re.compile(r"([+-]?0[xX](?:[0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?")
_NAMED_DOUBLE = re.compile(r"([+-]?)(NaN|Infinity)")
#: What String.trim takes away.
_TRIMMED = "".join(map(chr, range(0x21)))
_bits_of = struct.Struct(">d").pack


class EvaluationError(Exception):
    """Values that Java refuses to compare, by an exception that leaves the whole filter without a result."""


def integer_of(text: str, *, like: int) -> int:
    """Integer.valueOf or Long.valueOf, whichever type `like` is of. Raises EvaluationError."""
    match = _INTEGER.fullmatch(text)
    # Digits of any script count, but not those that take two UTF-16 units.
    if match is None or any(digit > "\uffff" for digit in match.group(1)):
        raise EvaluationError
    digits = match.group(1)
    if len(digits) > _LONG_DIGITS:
        digits = "".join(str(int(digit)) for digit in digits).lstrip("0") or "0"
        if len(digits) > _LONG_DIGITS:
            raise EvaluationError
    value = -int(digits) if text[0] == "-" else int(digits)
    most = _INTEGER_MAX if abs(like) <= _INTEGER_MAX else LONG_MAX
    if not -most - 1 <= value <= most:
        raise EvaluationError
    return value


def double_of(text: str) -> float:
    """Double.valueOf. Raises EvaluationError."""
    text = text.strip(_TRIMMED)
    match = _DOUBLE.fullmatch(text)
    if match is not None:
        return float(match.group(1))
    match = _HEX_DOUBLE.fullmatch(text)
    if match is not None:
        try:
            return float.fromhex(match.group(1))
        except OverflowError:
            return -math.inf if text[0] == "-" else math.inf
    match = _NAMED_DOUBLE.fullmatch(text)
    if match is None:
        raise EvaluationError
    value = math.nan if match.group(2) == "NaN" else math.inf
    return -value if match.group(1) == "-" else value


def compare(left: object, right: object) -> int:
    """Below, at or above 0 as Java's __compare: a string is read as the type of the other side; strangers give -1.

    Raises EvaluationError for a string that cannot be read so.
    """
    if isinstance(left, bool):
        if isinstance(right, bool):
            return left - right
        if isinstance(right, str):
            # Java casts the wrong one of the two here, and fails.
            raise EvaluationError
        return -1
    if isinstance(left, str):
        if isinstance(right, str):
            return (left > right) - (left < right)
        if isinstance(right, bool):
            return (left.lower() == "true") - right
        if isinstance(right, int):
            return compare(integer_of(left, like=right), right)
        return compare(double_of(left), right)
    if isinstance(right, bool):
        return -1
    if isinstance(left, int):
        if isinstance(right, str):
            right = integer_of(right, like=left)
        if isinstance(right, int):
            return (left > right) - (left < right)
        return compare(float(left), right)
    assert isinstance(left, float)
    if isinstance(right, str):
        return _compare_doubles(left, double_of(right))
    assert isinstance(right, (int, float))
    return _compare_doubles(left, float(right))


def _compare_doubles(left: float, right: float) -> int:
    """Double.compareTo: NaN is itself and above everything, -0.0 is below 0.0."""
    if left < right:
        return -1
    if left > right:
        return 1
    if left == right != 0.0:
        return 0
    keys = [(math.isnan(value), b"" if math.isnan(value) else bytes([_bits_of(value)[0] ^ 0x80])) for value in (left, right)]
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


def is_equal(left: object, right: object) -> bool | None:
    """The operator `=`, which IS NULL uses too: None when only the left side is missing. Raises EvaluationError."""
    if left is None or right is None:
        if left is right:
            return True
        return None if left is None else False
    return compare(left, right) == 0


def order(left: object, right: object) -> int | None:
    """What `> >= < <=` go by: two strings are compared as doubles; None when a side is missing. Raises EvaluationError."""
    if left is None or right is None:
        return None
    if isinstance(left, str) and isinstance(right, str):
        return _compare_doubles(double_of(left), double_of(right))
    return compare(left, right)
