# Tests: tests/broker/test_consumers.py
"""The connected consumers by group: who is there, and what they subscribe to (Java: ConsumerManager, ConsumerGroupInfo)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from twisted.logger import Logger

from pymq.broker.clients import CHANNEL_EXPIRED_MS, ClientChannelInfo, Members
from pymq.broker.filters import ConsumerFilterManager
from pymq.errors import RequestError
from pymq.interfaces import IChannel, IClock
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.codes import ResponseCode

#: Groups of consumers that are online at one time; a heartbeat that names one more is refused.
CONSUMER_GROUPS_MAX = 65_536
#: Topics that one group may subscribe to; a heartbeat with more is refused.
SUBSCRIPTIONS_PER_GROUP_MAX = 4096


class ConsumerGroupInfo:
    """One group that is online: members, subscriptions by topic, and the settings that its last heartbeat named.

    All members of a group should subscribe to the same; those that do not overwrite each other, as with Apache (remoting.md 3.4).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.members = Members(name)
        self.consume_type = ""
        self.message_model = ""
        self.consume_from_where = ""
        self.subscriptions: dict[str, SubscriptionData] = {}

    def client_ids(self) -> list[str]:
        """The ids of the members in the order in which they joined, each once."""
        return list(dict.fromkeys(info.client_id for info in self.members))

    def channels(self) -> list[IChannel]:
        """The channels of the members."""
        return [info.channel for info in self.members]

    def find(self, client_id: str) -> ClientChannelInfo | None:
        """A member with that client id, or None."""
        return self.members.find(client_id)

    def find_subscription(self, topic: str) -> SubscriptionData | None:
        """What the group subscribes to of a topic, or None."""
        return self.subscriptions.get(topic)

    def subscribe(self, subscriptions: Iterable[SubscriptionData]) -> bool:
        """Take over a heartbeat's subscriptions; whether a topic was added or removed.

        A topic's subscription is replaced by one of a greater `sub_version` only, which does not count as a change.
        Raises RequestError (SYSTEM_ERROR) above SUBSCRIPTIONS_PER_GROUP_MAX.
        """
        listed = {subscription.topic: subscription for subscription in subscriptions}
        if len(listed) > SUBSCRIPTIONS_PER_GROUP_MAX:
            raise RequestError(
                ResponseCode.SYSTEM_ERROR,
                f"group {self.name} names {len(listed)} topics, the most is {SUBSCRIPTIONS_PER_GROUP_MAX}",
            )
        has_changed = listed.keys() != self.subscriptions.keys()
        for topic, old in self.subscriptions.items():
            if topic in listed and listed[topic].sub_version <= old.sub_version:
                listed[topic] = old
        self.subscriptions = listed
        return has_changed


class ConsumerManager:
    """The consumer groups that are online. `on_members_changed(group, channels)` is told when a group is to rebalance,
    `filters` of what the groups subscribe to.
    """

    log = Logger()

    def __init__(
        self,
        *,
        clock: IClock,
        on_members_changed: Callable[[str, list[IChannel]], None],
        expired_ms: int = CHANNEL_EXPIRED_MS,
        filters: ConsumerFilterManager | None = None,
    ) -> None:
        self._clock = clock
        self._filters = filters
        self._on_members_changed = on_members_changed
        self._expired_ms = expired_ms
        self._groups: dict[str, ConsumerGroupInfo] = {}
        self._groups_of: dict[IChannel, set[str]] = {}

    @property
    def table(self) -> Mapping[str, ConsumerGroupInfo]:
        """The groups by name. For reading only."""
        return self._groups

    def register(
        self,
        group: str,
        info: ClientChannelInfo,
        consume_type: str,
        message_model: str,
        consume_from_where: str,
        subscriptions: Iterable[SubscriptionData],
        notify: bool,
    ) -> bool:
        """Note a consumer's heartbeat; whether the members or the topics of the group changed by it.

        When they did and `notify` says so, every member is told, the newcomer too. Raises RequestError (SYSTEM_ERROR) above
        the bounds.
        """
        known = self._groups.get(group)
        if known is None and len(self._groups) >= CONSUMER_GROUPS_MAX:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"the broker knows {CONSUMER_GROUPS_MAX} consumer groups, its most")
        state = known or ConsumerGroupInfo(group)
        has_changed = state.subscribe(subscriptions)
        if state.members.put(info, int(self._clock.seconds() * 1000)):
            has_changed = True
            self.log.info("consumer {client} joined {group}", client=info.client_id, group=group)
        state.consume_type, state.message_model, state.consume_from_where = consume_type, message_model, consume_from_where
        self._groups[group] = state
        self._groups_of.setdefault(info.channel, set()).add(group)
        if self._filters is not None:
            self._filters.register(group, state.subscriptions.values())
        if has_changed and notify:
            self._on_members_changed(group, state.channels())
        return has_changed

    def unregister(self, group: str, channel: IChannel, *, notify: bool = True) -> bool:
        """Remove a channel from one group and tell the others; whether it was in it. The last one takes the group with it."""
        state = self._groups.get(group)
        info = None if state is None else state.members.remove(channel)
        if state is None or info is None:
            return False
        self.log.info("consumer {client} left {group}", client=info.client_id, group=group)
        groups = self._groups_of[channel]
        groups.discard(group)
        if not groups:
            del self._groups_of[channel]
        if not state.members:
            del self._groups[group]
            if self._filters is not None:
                self._filters.unregister(group)
        elif notify:
            self._on_members_changed(group, state.channels())
        return True

    def channel_closed(self, channel: IChannel) -> None:
        """Remove a closed channel from every group and tell the other members."""
        for group in list(self._groups_of.get(channel, ())):
            self.unregister(group, channel)

    def expire(self, now_ms: int) -> list[IChannel]:
        """Remove the silent members and tell the others; the channels of the silent ones, which the caller should close."""
        channels: dict[IChannel, None] = {}
        for group, state in list(self._groups.items()):
            for info in state.members.silent(now_ms, self._expired_ms):
                self.unregister(group, info.channel)
                channels[info.channel] = None
        return list(channels)

    def group(self, name: str) -> ConsumerGroupInfo | None:
        """The group, or None when no member is online."""
        return self._groups.get(name)

    def find_subscription(self, group: str, topic: str) -> SubscriptionData | None:
        """What the group subscribes to of a topic; None when it does not, or is offline."""
        state = self._groups.get(group)
        return None if state is None else state.subscriptions.get(topic)

    def groups_of_topic(self, topic: str) -> set[str]:
        """The groups that are online and subscribe to the topic."""
        return {name for name, state in self._groups.items() if topic in state.subscriptions}
