# Tests: tests/message/test_sql92.py
"""SQL92 filters over the properties of a message, with the results of Java's (remoting.md 3.3; Java: SelectorParser).

What differs from the SQL of databases is Java's, and kept: NOT binds tighter than a comparison; a property alone is never true; a
property is read as the type of the literal beside it, so that `a > 3` has no result for a = 5.5, and two properties under
`> >= < <=` as doubles; 0.0 is no literal; text behind a whole expression is passed over if it begins with a word of the language.
CONTAINS, STARTSWITH and ENDSWITH are those of 5.x; where no operator can stand they are names of properties, as in 4.9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from pymq.message.sqlnodes import Node, NodeBuilder, SqlSyntaxError
from pymq.message.sqlvalues import EvaluationError

if TYPE_CHECKING:
    from lark import Lark

__all__ = ["COMMENTS_MAX", "LENGTH_MAX", "SqlFilter", "compile_sql"]

#: Characters of an expression.
LENGTH_MAX = 32_767
#: Comments that end with their line, or double negations, in it.
COMMENTS_MAX = 256
#: Compiled expressions that are remembered.
_CACHED_MAX = 256
_SHOWN_MAX = 20

#: What an expression says of a mapping of properties: True, False, or None for unknown, which also an error in comparing is.
SqlFilter = Callable[[Mapping[str, str]], "bool | None"]

_GRAMMAR = r"""
start: or_expression
?or_expression: and_expression
    | and_expression (_OR and_expression)+              -> or_
?and_expression: equality
    | equality (_AND equality)+                         -> and_
?equality: comparison
    | equality "=" comparison                           -> equal
    | equality _UNEQUAL comparison                      -> unequal
    | equality _IS _NULL                                -> is_null
    | equality _IS _NOT _NULL                           -> is_not_null
?comparison: unary
    | comparison ORDER unary                            -> order
    | comparison _BETWEEN unary _AND unary              -> between
    | comparison _NOT _BETWEEN unary _AND unary         -> not_between
    | comparison _IN "(" STRING ("," STRING)* ")"       -> in_
    | comparison _NOT _IN "(" STRING ("," STRING)* ")"  -> not_in
    | comparison WITHIN STRING                          -> within
    | comparison _NOT WITHIN STRING                     -> not_within
?unary: primary
    | "+" unary
    | "-" unary                                         -> negate
    | _NOT unary                                        -> not_
?primary: STRING                                        -> string
    | DECIMAL                                           -> decimal
    | FLOAT                                             -> float
    | TRUTH                                             -> truth
    | _NULL                                             -> null
    | NAME                                              -> property
    | "(" or_expression ")"

_OR.3: /OR(?![A-Z0-9_$])/i
_AND.3: /AND(?![A-Z0-9_$])/i
_IS.3: /IS(?![A-Z0-9_$])/i
_IN.3: /IN(?![A-Z0-9_$])/i
_NOT.3: /NOT(?![A-Z0-9_$])/i
_NULL.3: /NULL(?![A-Z0-9_$])/i
_BETWEEN.3: /BETWEEN(?![A-Z0-9_$])/i
TRUTH.3: /(TRUE|FALSE)(?![A-Z0-9_$])/i
WITHIN.3: /(CONTAINS|STARTSWITH|ENDSWITH)(?![A-Z0-9_$])/i
_UNEQUAL.2: "<>"
ORDER: /[<>]=?/
STRING: /'(''|[^'])*'/
FLOAT.2: /([0-9]+\.[0-9]*|\.[0-9]+)(E[+-]?[0-9]+)?|[0-9]+E[+-]?[0-9]+/i
DECIMAL: /0|[1-9][0-9]*L?/i
NAME: /(?!(NOT|AND|OR|BETWEEN|IN|TRUE|FALSE|NULL|IS)(?![A-Z0-9_$]))[A-Z_$][A-Z0-9_$]*/i
LINE_COMMENT.4: /--[^\n\r]*(\r\n|\n|\r)/
BLOCK_COMMENT.4: /\/\*[^*]*\*(\*|[^*\/][^*]*\*)*\//
%ignore /[ \t\n\r\f]+/
%ignore LINE_COMMENT
%ignore BLOCK_COMMENT
"""


@lru_cache(maxsize=1)
def _parser() -> Lark:
    """The parser, made at the first expression: most brokers and clients never need it."""
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=NodeBuilder())


@lru_cache(maxsize=_CACHED_MAX)
def compile_sql(expression: str) -> SqlFilter:
    """The filter that an expression describes. Raises ValueError, which names the place, for one that Java refuses as well, or
    that is longer or deeper than the bounds.
    """
    if len(expression) > LENGTH_MAX:
        raise ValueError(f"the expression has {len(expression)} characters, {LENGTH_MAX} are allowed")
    if expression.count("--") > COMMENTS_MAX:
        raise ValueError(f"the expression has more than {COMMENTS_MAX} comments or double negations")
    evaluate = _parse(expression).evaluate

    def matches(properties: Mapping[str, str]) -> bool | None:
        try:
            outcome = evaluate(properties)
        except EvaluationError:
            return None
        return outcome if isinstance(outcome, bool) else None

    return matches


def _parse(expression: str) -> Node:
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    parsing = _parser().parse_interactive(expression)
    try:
        try:
            parsing.exhaust_lexer()
        except UnexpectedToken as stray:
            # As in Java, nobody asks for the end of the text: what stands here is passed over if all before it is whole.
            try:
                node = parsing.feed_eof()
            except UnexpectedToken:
                raise stray from None
        else:
            node = parsing.feed_eof()
    except SqlSyntaxError as error:
        raise ValueError(f"{error.problem} {_place(expression, error.position)}") from None
    except UnexpectedCharacters as error:
        raise ValueError(f"no word of SQL92 begins {_place(expression, error.pos_in_stream or 0)}") from None
    except UnexpectedInput as error:
        is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        position = len(expression) if is_end or error.pos_in_stream is None else error.pos_in_stream
        raise ValueError(f"the expression cannot go on {_place(expression, position)}") from None
    assert isinstance(node, Node)
    return node


def _place(expression: str, position: int) -> str:
    """Where a position is, for a person."""
    if position >= len(expression):
        return "at its end"
    return f"at character {position + 1}, {expression[position : position + _SHOWN_MAX]!r}"
