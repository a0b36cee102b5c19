# Tests: tests/broker/test_groups.py
"""What each consumer group is allowed (remoting.md 5.2, store.md 1.5; Java: SubscriptionGroupManager)."""

from __future__ import annotations

import msgspec
from twisted.logger import Logger

from pymq.broker.config import BrokerConfig
from pymq.broker.versionedtable import VersionedTable
from pymq.errors import RequestError
from pymq.interfaces import IClock, IDocuments
from pymq.message import topics as names
from pymq.wire.bodies.topics import SubscriptionGroupConfig, SubscriptionGroupWrapper
from pymq.wire.codes import ResponseCode

DOCUMENT = "subscriptionGroup.json"

#: Groups of one broker; the request that would make one more is refused.
GROUPS_MAX = 65_536


class SubscriptionGroupManager(VersionedTable[SubscriptionGroupConfig, SubscriptionGroupWrapper]):
    """The table of subscription groups, kept in the document subscriptionGroup.json."""

    log = Logger()

    def __init__(self, config: BrokerConfig, documents: IDocuments, *, clock: IClock) -> None:
        built_in = {group: SubscriptionGroupConfig(group_name=group) for group in names.BUILT_IN_GROUPS}
        super().__init__(DOCUMENT, SubscriptionGroupWrapper, built_in, documents, clock=clock)
        self._config = config

    def find(self, group: str) -> SubscriptionGroupConfig | None:
        """The group, made with the defaults when it is missing and the broker makes groups by itself; None when it may not.

        Raises RequestError (SYSTEM_ERROR) for a name that no group may have and above GROUPS_MAX.
        """
        known = self._table.get(group)
        if known is not None:
            return known
        if not (self._config.auto_create_subscription_group or names.is_system_group(group)):
            return None
        created = SubscriptionGroupConfig(group_name=group)
        self.update(created)
        return created

    def update(self, config: SubscriptionGroupConfig) -> None:
        """Make or replace a group. Raises RequestError (SYSTEM_ERROR) for a name that no group may have and above GROUPS_MAX."""
        try:
            names.check_group(config.group_name)
        except ValueError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error
        if config.group_name not in self._table and len(self._table) >= GROUPS_MAX:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the broker has {len(self._table)} groups, the most is {GROUPS_MAX}")
        self.put({config.group_name: config})
        self.log.info("subscription group {group} is set", group=config.group_name)

    def disable_consume(self, group: str) -> bool:
        """Let a group consume no more (consumeEnable); whether it could until now."""
        known = self.get(group)
        if known is None or not known.consume_enable:
            return False
        self.update(msgspec.structs.replace(known, consume_enable=False))
        return True

    def delete(self, name: str) -> bool:
        """Remove a group; whether it was there."""
        was_there = super().delete(name)
        if was_there:
            self.log.info("subscription group {group} was deleted", group=name)
        return was_there
