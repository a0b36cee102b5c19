# Tests: tests/client/test_messageselector.py
"""What a consumer wants of a topic, said by tags or by SQL92 (Java: MessageSelector)."""

from __future__ import annotations

import attrs

from pymq.errors import ClientError
from pymq.wire.bodies.heartbeat import EXPRESSION_TAG, SUBSCRIBE_ALL, SubscriptionData, build_subscription

EXPRESSION_SQL92 = "SQL92"
#: The first release that filters by anything else than tags, V4_1_0_SNAPSHOT in Java's numbers (MQVersion).
SQL_BROKER_VERSION = 232


@attrs.frozen
class MessageSelector:
    """An expression and its type, for `subscribe` and `pull`; made by `by_sql` or `by_tag`."""

    expression: str
    expression_type: str = EXPRESSION_TAG

    @classmethod
    def by_sql(cls, sql: str) -> MessageSelector:
        """The messages of whose properties an SQL92 expression is true, such as `price > 10 AND kind IN ('a', 'b')`."""
        return cls(sql, EXPRESSION_SQL92)

    @classmethod
    def by_tag(cls, tags: str = SUBSCRIBE_ALL) -> MessageSelector:
        """The messages with one of the tags in `TagA || TagB`; all of them for `*`."""
        return cls(tags)


def subscription_of(topic: str, wanted: str | MessageSelector, *, sub_version: int) -> SubscriptionData:
    """The subscription of a selector, or of a text with tags. Raises ClientError."""
    selector = wanted if isinstance(wanted, MessageSelector) else MessageSelector.by_tag(wanted)
    try:
        return build_subscription(topic, selector.expression, selector.expression_type, sub_version=sub_version)
    except ValueError as error:
        raise ClientError(str(error)) from error


def check_broker_version(subscription: SubscriptionData, version: int | None, address: str) -> None:
    """Raise ClientError when a broker is too old to filter by the expression; None is a version that is not known yet."""
    if subscription.expression_type != EXPRESSION_TAG and version is not None and version < SQL_BROKER_VERSION:
        raise ClientError(f"the broker {address} (version {version}) is too old to filter by {subscription.expression_type}")
