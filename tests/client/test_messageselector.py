"""Tests of pymq.client.messageselector."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.messageselector import SQL_BROKER_VERSION, MessageSelector, check_broker_version, subscription_of
from pymq.errors import ClientError


class MessageSelectorTests(SynchronousTestCase):
    """What a consumer wants."""

    def test_two_ways(self) -> None:
        """With the words that go over the wire."""
        self.assertEqual(MessageSelector.by_sql("a > 1"), MessageSelector("a > 1", "SQL92"))
        self.assertEqual((MessageSelector.by_tag("A"), MessageSelector.by_tag()), (MessageSelector("A"), MessageSelector("*")))

    def test_subscriptions(self) -> None:
        """Of a text, which names tags, and of a selector."""
        self.assertEqual(subscription_of("T", "A || B", sub_version=3).tags_set, {"A", "B"})
        subscription = subscription_of("T", MessageSelector.by_sql("a > 1"), sub_version=3)
        self.assertEqual(
            (subscription.sub_string, subscription.expression_type, subscription.tags_set), ("a > 1", "SQL92", set())
        )
        for wanted in ("||", MessageSelector.by_sql("")):
            self.assertRaises(ClientError, subscription_of, "T", wanted, sub_version=3)

    def test_old_brokers(self) -> None:
        """Cannot filter but by tags; one that has not said its version gets its chance."""
        by_sql = subscription_of("T", MessageSelector.by_sql("a > 1"), sub_version=3)
        error = self.assertRaises(ClientError, check_broker_version, by_sql, SQL_BROKER_VERSION - 1, "b:1")
        self.assertIn("b:1", str(error))
        check_broker_version(by_sql, SQL_BROKER_VERSION, "b:1")
        check_broker_version(by_sql, None, "b:1")
        check_broker_version(subscription_of("T", "A", sub_version=3), 0, "b:1")
