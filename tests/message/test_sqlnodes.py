"""Tests of pymq.message.sqlnodes. What whole expressions give stands in test_sql92."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.message.sqlnodes import DEPTH_MAX, Node, NodeBuilder, SqlSyntaxError


class NodeTests(SynchronousTestCase):
    """Parts made by hand."""

    def setUp(self) -> None:
        """A builder, and the property a."""
        self.builder = NodeBuilder()
        self.a = self.builder.property(["a"])

    def outcome(self, node: Node, **properties: str) -> Any:
        """What a part says of these properties."""
        return node.evaluate(properties)

    def test_a_property_is_never_true(self) -> None:
        """Java casts only Booleans, and no property is one."""
        node = self.a.as_boolean()
        self.assertEqual((self.outcome(node, a="true"), self.outcome(node)), (False, None))

    def test_a_value_is_no_condition(self) -> None:
        """Neither a literal nor a negative one."""
        number = self.builder.decimal(["5"])
        self.assertRaises(SqlSyntaxError, number.as_boolean)
        self.assertRaises(SqlSyntaxError, self.builder.negate([number]).as_boolean)

    def test_minus_is_for_numbers(self) -> None:
        """Of a text comes nothing, also when it looks like a number."""
        self.assertEqual(self.outcome(self.builder.negate([self.builder.decimal(["5"])])), -5)
        self.assertIsNone(self.outcome(self.builder.negate([self.a]), a="5"))

    def test_depth_is_bounded(self) -> None:
        """By the number of parts inside each other."""
        node = self.a
        for _ in range(DEPTH_MAX - 1):
            node = self.builder.negate([node])
        error = self.assertRaises(SqlSyntaxError, self.builder.negate, [node])
        self.assertEqual(error.position, 0)

    def test_literals_out_of_range(self) -> None:
        """Of a long and of a double."""
        self.assertEqual(self.builder.decimal(["9223372036854775807L"]).value, 2**63 - 1)
        self.assertRaises(SqlSyntaxError, self.builder.decimal, ["9223372036854775808"])
        self.assertRaises(SqlSyntaxError, self.builder.decimal, ["9" * 5000])
        self.assertRaises(SqlSyntaxError, self.builder.float, ["0.0"])
        self.assertRaises(SqlSyntaxError, self.builder.float, ["1e400"])
