# Tests: tests/broker/test_groups.py
"""What each consumer group is allowed (remoting.md 5.2, store.md 1.5; Java: SubscriptionGroupManager)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from twisted.logger import Logger

from pymq.broker.config import BrokerConfig
from pymq.errors import RequestError, StoreDamaged
from pymq.interfaces import IClock, IDocuments
from pymq.message import topics as names
from pymq.wire.bodies.topics import DataVersion, SubscriptionGroupConfig, SubscriptionGroupWrapper
from pymq.wire.codes import ResponseCode

DOCUMENT = "subscriptionGroup.json"

#: Groups of one broker; the request that would make one more is refused.
GROUPS_MAX = 65_536


class SubscriptionGroupManager:
    """The table of subscription groups, kept in the document subscriptionGroup.json. A change is saved before it can be seen."""

    log = Logger()

    def __init__(self, config: BrokerConfig, documents: IDocuments, *, clock: IClock) -> None:
        self._config = config
        self._documents = IDocuments(documents)
        self._clock = clock
        self._table = {group: SubscriptionGroupConfig(group_name=group) for group in names.BUILT_IN_GROUPS}
        self._version = DataVersion(timestamp=self._now_ms(), counter=0)

    @property
    def table(self) -> Mapping[str, SubscriptionGroupConfig]:
        """The groups by name. For reading only."""
        return self._table

    @property
    def data_version(self) -> DataVersion:
        """The version of the table; another one after each change."""
        return self._version

    def get(self, group: str) -> SubscriptionGroupConfig | None:
        """The group as it is, or None; makes none."""
        return self._table.get(group)

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
        self._replace({**self._table, config.group_name: config})
        self.log.info("subscription group {group} is set", group=config.group_name)

    def delete(self, group: str) -> bool:
        """Remove a group; whether it was there."""
        if group not in self._table:
            return False
        self._replace({name: config for name, config in self._table.items() if name != group})
        self.log.info("subscription group {group} was deleted", group=group)
        return True

    def load(self) -> None:
        """Put the saved groups over the built-in ones. Raises StoreDamaged when the document is not what a broker writes."""
        document = self._documents.load(DOCUMENT)
        if document is None:
            return
        saved = _read(document)
        self._table.update(saved.subscription_group_table)
        self._version = saved.data_version

    def save(self) -> None:
        """Save the table; the manager's own changes do so by themselves."""
        self._documents.save(DOCUMENT, self.wrapper())

    def wrapper(self) -> SubscriptionGroupWrapper:
        """The table with its version, as it is saved and sent (code 201)."""
        return SubscriptionGroupWrapper(subscription_group_table=dict(self._table), data_version=self._version)

    def _replace(self, table: dict[str, SubscriptionGroupConfig]) -> None:
        """Save the table under a new version, then let it be seen. When saving fails all stays as it was."""
        version = DataVersion(timestamp=self._now_ms(), counter=self._version.counter + 1)
        self._documents.save(DOCUMENT, SubscriptionGroupWrapper(subscription_group_table=table, data_version=version))
        self._table, self._version = table, version

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)


def _read(document: Any) -> SubscriptionGroupWrapper:
    try:
        return msgspec.convert(document, SubscriptionGroupWrapper, strict=False, str_keys=True)
    except msgspec.ValidationError as error:
        raise StoreDamaged(f"{DOCUMENT}: {error}") from error
