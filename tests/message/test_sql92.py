"""Tests of pymq.message.sql92."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.sql92 import COMMENTS_MAX, LENGTH_MAX, compile_sql

PROPERTIES = {
    "a": "5",
    "b": "5.5",
    "c": "blue",
    "t": "true",
    "n": "-3",
    "e1": "1e1",
    "_x$": "y",
    "big": "3000000000",
    "order": "1",
}

#: Expressions of which Java says TRUE, FALSE or null for PROPERTIES; an exception while it evaluates is null as well.
RESULTS = {
    True: (
        "a = 5", "a = '5'", "5 = a", "a > 3", "a >= 5", "a < 6", "a <= 5", "a <> 4", "a = 5.0", "b > 5.0", "c = 'blue'",
        "c <> 'red'", "a BETWEEN 1 AND 5", "a NOT BETWEEN 6 AND 7", "a not between 7 and 6", "c IN ('red', 'blue')",
        "c NOT IN ('red')", "c IN ('a','b','c','d','e','blue')", "a IS NOT NULL", "z IS NULL", "z = y", "TRUE", "NOT FALSE",
        "t = TRUE", "n = -3", "n < -2", "a > -3", "+a = +5", "a > n", "b > a", "a = 5 OR z > 1", "z > 1 OR a = 5",
        "(a = 1 OR c = 'blue') AND b >= 5.5", "a = 1 OR a = 2 AND c = 'x' OR a = 5", "NOT (a = 1)", "(NOT a) = 1 OR TRUE",
        "/* x * y **/ a = 5", "a = 5 -- all\n", "a -- one\r\n = 5", "a > --3", "_x$ = 'y'", "order = 1",
        "A = 5 OR a = 5",
        "big > 3000000000 OR big = 3000000000", "a = 5L", "e1 = 10.0", "a = 5 = TRUE", "(a > 1) IS NOT NULL",
        "a IS NULL IS NOT NULL",
        "TRUE = TRUE", "'x' = 'x'", "1 = 1", "2 > 1", "NULL IS NULL",
        "c CONTAINS 'lu'", "c startswith 'bl'", "c ENDSWITH 'ue'", "c NOT CONTAINS 'x'", "c NOT STARTSWITH 'x'",
        "a = 5 trailing words", "a = 5 )", "a = 5 AND c = 'blue' 7", "(((a))) = 5", "a=5and c='blue'",
    ),
    False: (
        "a = 4", "a > 5", "a <> 5", "c = 'Blue'", "a", "t", "NOT TRUE", "FALSE", "a NOT BETWEEN 1 AND 5", "c IN ('red')",
        "c NOT IN ('blue')", "z IS NOT NULL", "a IS NULL", "a = 4 AND z > 1", "z > 1 AND a = 4", "a = z", "c = TRUE",
        "1 = TRUE",
        "NOT a = 1", "a LIKE 'x'", "z CONTAINS 'x'", "z NOT CONTAINS 'x'", "c CONTAINS ''", "c NOT CONTAINS ''",
        "a = 00 OR FALSE",
        "a AND z > 1", "(a = 5) = 1", "c = 'it''s'", "n = - c",
    ),
    None: (
        "z", "z = 1", "z > 1", "z <> 1", "z IN ('x')", "z NOT IN ('x')", "NOT z", "z = 1 OR a = 4", "z = 1 AND a = 5",
        "z BETWEEN 1 AND 2", "NULL", "b > 5", "b = 5", "c > 5", "c = 5", "NOT (c > 5)", "c > a", "big > 5", "a = 4 OR c > 5",
        "-a = 1", "TRUE = t", "(c > 5) IS NULL", "A = 5", "c BETWEEN 1 AND 2", "t > 1.5", "a > z",
    ),
}  # fmt: skip

#: What Java refuses to parse, with the character at which we do.
REFUSED = {
    "": 0, "a =": 3, "a = = 5": 4, "a == 5": 3, "a != 5": 2, "(a = 5": 6, "a = 'x": 4, "a > 'x'": 4, "a > TRUE": 4, "TRUE > a": 0,
    "a BETWEEN 5 AND 3": 10, "a BETWEEN 'a' AND 'b'": 10, "a BETWEEN 1": 11, "a IN ()": 6, "a IN (5)": 6, "a IN ('x'": 9,
    "5 IN ('x')": 0, "a = NULL": 0, "TRUE = 5": 0, "5": 0, "'x'": 0, "-a": 1, "a AND 5": 6, "a > 0.0": 4, "a > 1e400": 4,
    "a = 9223372036854775808": 4, "in = 1": 0, "and": 0, "a IS 5": 5, "a NOT 5": 6, "a # 5": 2, "a = 5 ; b": 6, "a / 5": 2,
    "(a = 5 b)": 7, "a = 1 AND": 9, "NOT": 3, "a CONTAINS b": 11,
}  # fmt: skip


class ResultTests(SynchronousTestCase):
    """What expressions say."""

    def test_results_are_java_s(self) -> None:
        """True, False and unknown."""
        for expected, expressions in RESULTS.items():
            for expression in expressions:
                self.assertIs(compile_sql(expression)(PROPERTIES), expected, expression)

    def test_refused_with_the_place(self) -> None:
        """By a ValueError that a person can use."""
        for expression, position in REFUSED.items():
            error = self.assertRaises(ValueError, compile_sql, expression)
            place = f"at character {position + 1}" if position < len(expression) else "at its end"
            if "NULL" not in expression:
                self.assertIn(place, str(error), expression)

    def test_bounds(self) -> None:
        """On length and on comments; a long run of OR is no deep expression."""
        self.assertTrue(compile_sql("a = 1" + " OR a = 5" * 3000)({"a": "5"}))
        self.assertRaises(ValueError, compile_sql, "a = 1" + " " * LENGTH_MAX)
        self.assertRaises(ValueError, compile_sql, "a > " + "--" * (COMMENTS_MAX + 1) + "1")
        self.assertRaises(ValueError, compile_sql, "NOT " * 200 + "a")
        self.assertTrue(compile_sql("(" * 5000 + "a = 5" + ")" * 5000)({"a": "5"}))

    def test_lark_is_loaded_late(self) -> None:
        """A broker that never sees an expression does not pay for it."""
        code = "import sys, pymq.broker.filters, pymq.client; sys.exit('lark' in sys.modules)"
        root = Path(__file__).resolve().parents[2]
        ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)


WORDS = st.sampled_from(
    [
        "a", "b", "5", "5.5", "5L", ".5", "'x'", "''", "NULL", "TRUE", "FALSE", "NOT", "AND", "OR", "IN", "BETWEEN", "IS",
        "CONTAINS", "(", ")", ",", "=", "<>", ">", ">=", "<", "<=", "+", "-", "--", "\n", "/*", "*/", "'", "#", "0",
    ]
)  # fmt: skip


class FuzzTests(SynchronousTestCase):
    """Whatever comes, there is a filter or a ValueError, and a filter never raises."""

    def check(self, expression: str) -> None:
        """Compile and ask."""
        try:
            matches = compile_sql(expression)
        except ValueError:
            return
        for value in ("5", "5.5", "x", "true"):
            self.assertIn(matches({"a": value}), (True, False, None))

    @given(st.lists(WORDS, max_size=14))
    def test_words(self, words: list[str]) -> None:
        """Of the language, in any order."""
        self.check(" ".join(words))
        self.check("".join(words))

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """Of any script."""
        self.check(text)
        self.check("a = '" + text)
