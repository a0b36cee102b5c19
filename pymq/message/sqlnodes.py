# Tests: tests/message/test_sqlnodes.py
"""The parts of an SQL92 filter: what Java checks when it makes them, and how each is evaluated (Java: filter.expression).

Every node is a closure over the closures of its operands; none knows the grammar.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from pymq.message.sqlvalues import LONG_MAX, EvaluationError, compare, is_equal, order

__all__ = ["DEPTH_MAX", "Evaluate", "Node", "NodeBuilder", "SqlSyntaxError"]

#: Operators inside each other; a run of AND or of OR counts once.
DEPTH_MAX = 128

#: The value of a part for a mapping of properties; None is SQL's NULL.
Evaluate = Callable[[Mapping[str, str]], Any]

_ORDERS: dict[str, Callable[[int, int], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_WITHIN: dict[str, Callable[[str, str], bool]] = {
    "CONTAINS": operator.contains,
    "STARTSWITH": str.startswith,
    "ENDSWITH": str.endswith,
}


class SqlSyntaxError(Exception):
    """A part that cannot be; `position` counts characters from 0."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem, position)
        self.problem = problem
        self.position = position


@attrs.frozen
class Node:
    """One part. `value` is set for a constant; `position` is where the part's leftmost operand stands."""

    evaluate: Evaluate
    position: int
    depth: int = 1
    is_boolean: bool = False
    is_property: bool = False
    is_constant: bool = False
    value: Any = None

    def as_boolean(self) -> Node:
        """This part where a truth value is needed; a property is one that is never true. Raises SqlSyntaxError."""
        if self.is_boolean:
            return self
        if not self.is_property:
            raise SqlSyntaxError("a condition is needed, not a value,", self.position)
        evaluate = self.evaluate
        return _inner(lambda properties: None if evaluate(properties) is None else False, self)

    def check_comparable(self) -> None:
        """Raise SqlSyntaxError where `> >= < <=` cannot use this part: neither conditions nor literals other than numbers."""
        if self.is_boolean or (self.is_constant and isinstance(self.value, str)):
            raise SqlSyntaxError("this cannot be compared by size,", self.position)


def _inner(evaluate: Evaluate, *operands: Node, is_boolean: bool = True) -> Node:
    """A part with operands. Raises SqlSyntaxError when they lie too deep already."""
    depth = 1 + max(operand.depth for operand in operands)
    if depth > DEPTH_MAX:
        raise SqlSyntaxError(f"more than {DEPTH_MAX} operators are inside each other", operands[0].position)
    return Node(evaluate, operands[0].position, depth, is_boolean)


def _constant(value: Any, token: Any, *, is_boolean: bool = False) -> Node:
    return Node(lambda properties: value, _position(token), is_boolean=is_boolean, is_constant=True, value=value)


def _position(token: Any) -> int:
    return getattr(token, "start_pos", None) or 0


def _negated(evaluate: Evaluate) -> Evaluate:
    def opposite(properties: Mapping[str, str]) -> bool | None:
        outcome = evaluate(properties)
        return None if outcome is None else not outcome

    return opposite


def _all_of(conditions: Sequence[Evaluate]) -> Evaluate:
    def all_of(properties: Mapping[str, str]) -> bool | None:
        result: bool | None = True
        for condition in conditions:
            outcome = condition(properties)
            if outcome is None:
                result = None
            elif not outcome:
                return False
        return result

    return all_of


def _any_of(conditions: Sequence[Evaluate]) -> Evaluate:
    def any_of(properties: Mapping[str, str]) -> bool | None:
        result: bool | None = False
        for condition in conditions:
            outcome = condition(properties)
            if outcome is None:
                result = None
            elif outcome:
                return True
        return result

    return any_of


def _ordered(left: Node, right: Node, sign: str) -> Evaluate:
    left.check_comparable()
    right.check_comparable()
    first, second, is_so = left.evaluate, right.evaluate, _ORDERS[sign]

    def ordered(properties: Mapping[str, str]) -> bool | None:
        outcome = order(first(properties), second(properties))
        return None if outcome is None else is_so(outcome, 0)

    return ordered


def _text_of(token: str) -> str:
    return token[1:-1].replace("''", "'")


class NodeBuilder:
    """Makes a node of each rule of the grammar; the methods are named as the rules. They raise SqlSyntaxError."""

    # Leaves

    def string(self, children: list[Any]) -> Node:
        """A text."""
        return _constant(_text_of(children[0]), children[0])

    def decimal(self, children: list[Any]) -> Node:
        """An integer of up to 64 bits; an L behind it means nothing."""
        digits = children[0].rstrip("lL")
        if len(digits) > len(str(LONG_MAX)) or int(digits) > LONG_MAX:
            raise SqlSyntaxError("the integer is too great", _position(children[0]))
        return _constant(int(digits), children[0])

    def float(self, children: list[Any]) -> Node:
        """A decimal number; Java refuses 0.0 together with what is too small."""
        value = float(children[0])
        if value == 0.0 or math.isinf(value):
            raise SqlSyntaxError("the number is too great or too small for a double", _position(children[0]))
        return _constant(value, children[0])

    def truth(self, children: list[Any]) -> Node:
        """TRUE or FALSE."""
        return _constant(children[0].upper() == "TRUE", children[0], is_boolean=True)

    def null(self, children: list[Any]) -> Node:
        """NULL, which counts as a condition."""
        return _constant(None, None, is_boolean=True)

    def property(self, children: list[Any]) -> Node:
        """What the message has under a name."""
        name = str(children[0])
        return Node(lambda properties: properties.get(name), _position(children[0]), is_property=True)

    # Operators

    def start(self, children: list[Any]) -> Node:
        """The whole, a condition."""
        node: Node = children[0]
        return node.as_boolean()

    def or_(self, children: list[Any]) -> Node:
        """A run of OR."""
        conditions = [child.as_boolean() for child in children]
        return _inner(_any_of([condition.evaluate for condition in conditions]), *conditions)

    def and_(self, children: list[Any]) -> Node:
        """A run of AND."""
        conditions = [child.as_boolean() for child in children]
        return _inner(_all_of([condition.evaluate for condition in conditions]), *conditions)

    def not_(self, children: list[Any]) -> Node:
        """NOT."""
        condition = children[0].as_boolean()
        return _inner(_negated(condition.evaluate), condition)

    def negate(self, children: list[Any]) -> Node:
        """A minus sign: of a number; of anything else comes NULL."""
        operand: Node = children[0]
        evaluate = operand.evaluate

        def negative(properties: Mapping[str, str]) -> Any:
            value = evaluate(properties)
            return -value if type(value) in (int, float) else None

        return _inner(negative, operand, is_boolean=False)

    def equal(self, children: list[Any]) -> Node:
        """The operator =."""
        left, right = children
        for side in (left, right):
            if side.is_constant and side.value is None:
                raise SqlSyntaxError("NULL cannot be compared, only asked for by IS NULL,", side.position)
        if left.is_constant and left.is_boolean and right.is_constant and not right.is_boolean:
            raise SqlSyntaxError("a truth value cannot be compared with a value,", left.position)
        first, second = left.evaluate, right.evaluate
        return _inner(lambda properties: is_equal(first(properties), second(properties)), left, right)

    def unequal(self, children: list[Any]) -> Node:
        """The operator <>."""
        return self.not_([self.equal(children)])

    def is_null(self, children: list[Any]) -> Node:
        """IS NULL."""
        evaluate = children[0].evaluate
        return _inner(lambda properties: evaluate(properties) is None, children[0])

    def is_not_null(self, children: list[Any]) -> Node:
        """IS NOT NULL."""
        evaluate = children[0].evaluate
        return _inner(lambda properties: evaluate(properties) is not None, children[0])

    def order(self, children: list[Any]) -> Node:
        """The operators > >= < <=."""
        left, sign, right = children
        return _inner(_ordered(left, right, str(sign)), left, right)

    def between(self, children: list[Any]) -> Node:
        """BETWEEN, of which literal bounds must be in order."""
        value, low, high = children
        if low.is_constant and high.is_constant:
            try:
                is_upside_down = low.value is None or high.value is None or compare(high.value, low.value) < 0
            except EvaluationError:
                is_upside_down = True
            if is_upside_down:
                raise SqlSyntaxError("the bounds of BETWEEN must be in order,", low.position)
        return _inner(_all_of([_ordered(value, low, ">="), _ordered(value, high, "<=")]), value, low, high)

    def not_between(self, children: list[Any]) -> Node:
        """NOT BETWEEN."""
        value, low, high = children
        return _inner(_any_of([_ordered(value, low, "<"), _ordered(value, high, ">")]), value, low, high)

    def in_(self, children: list[Any], *, outcome: bool = True) -> Node:
        """IN, of a property and texts alone."""
        left, *tokens = children
        if not left.is_property:
            raise SqlSyntaxError("IN needs a property to its left,", left.position)
        evaluate, texts = left.evaluate, frozenset(map(_text_of, tokens))

        def is_in(properties: Mapping[str, str]) -> bool | None:
            value = evaluate(properties)
            return None if value is None else (value in texts) is outcome

        return _inner(is_in, left)

    def not_in(self, children: list[Any]) -> Node:
        """NOT IN."""
        return self.in_(children, outcome=False)

    def within(self, children: list[Any], *, outcome: bool = True) -> Node:
        """CONTAINS, STARTSWITH, ENDSWITH: false, never unknown, for what is no text, and of an empty text."""
        left, word, token = children
        evaluate, is_so, text = left.evaluate, _WITHIN[word.upper()], _text_of(token)

        def is_within(properties: Mapping[str, str]) -> bool:
            value = evaluate(properties)
            return bool(text) and isinstance(value, str) and is_so(value, text) is outcome

        return _inner(is_within, left)

    def not_within(self, children: list[Any]) -> Node:
        """NOT before one of them; false as well for what is no text."""
        return self.within(children, outcome=False)
