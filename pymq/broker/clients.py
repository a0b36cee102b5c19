# Tests: tests/broker/test_clients.py
"""One connected client of a group, and the producers by group (Java: ClientChannelInfo, ProducerManager).

A client is known by its channel, not by its id: two connections of one process are two members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
from twisted.logger import Logger

from pymq.errors import RequestError
from pymq.interfaces import IChannel, IClock
from pymq.wire.codes import ResponseCode

#: Channels that one group may have; a heartbeat over one more is refused.
CHANNELS_PER_GROUP_MAX = 65_536
#: Groups of producers at one time; a heartbeat that names one more is refused.
PRODUCER_GROUPS_MAX = 65_536
#: A client that sent no heartbeat for so long is forgotten and its channel closed (remoting.md 6.2).
CHANNEL_EXPIRED_MS = 120_000


@attrs.define(eq=False)
class ClientChannelInfo:
    """A member of a group: its channel, what it says of itself and when it was heard last.

    `language` and `version` are those of its heartbeat's header. The managers set `last_update_ms`, milliseconds since the epoch.
    """

    channel: IChannel
    client_id: str
    language: int | None = None
    version: int = 0
    last_update_ms: int = 0


class Members:
    """The members of one group by channel, in the order in which they came."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._infos: dict[IChannel, ClientChannelInfo] = {}

    def __len__(self) -> int:
        return len(self._infos)

    def __iter__(self) -> Iterator[ClientChannelInfo]:
        return iter(list(self._infos.values()))

    def get(self, channel: IChannel) -> ClientChannelInfo | None:
        """The member of a channel, or None."""
        return self._infos.get(channel)

    def find(self, client_id: str) -> ClientChannelInfo | None:
        """A member with that client id, or None."""
        return next((info for info in self._infos.values() if info.client_id == client_id), None)

    def put(self, info: ClientChannelInfo, now_ms: int) -> bool:
        """Add the member, or note that it was heard again; whether its channel is new.

        Raises RequestError (SYSTEM_ERROR) above CHANNELS_PER_GROUP_MAX.
        """
        is_new = info.channel not in self._infos
        if is_new and len(self._infos) >= CHANNELS_PER_GROUP_MAX:
            raise RequestError(
                ResponseCode.SYSTEM_ERROR, f"group {self._group} has {CHANNELS_PER_GROUP_MAX} members, the most a group may have"
            )
        self._infos[info.channel] = attrs.evolve(info, last_update_ms=now_ms)
        return is_new

    def remove(self, channel: IChannel) -> ClientChannelInfo | None:
        """Remove the member of a channel; None when there is none."""
        return self._infos.pop(channel, None)

    def silent(self, now_ms: int, expired_ms: int) -> list[ClientChannelInfo]:
        """The members that were not heard for longer than `expired_ms`."""
        return [info for info in self._infos.values() if now_ms - info.last_update_ms > expired_ms]


class ProducerManager:
    """The connected producers: by group for transaction checks, by client id for replies to requests."""

    log = Logger()

    def __init__(self, *, clock: IClock, expired_ms: int = CHANNEL_EXPIRED_MS) -> None:
        self._clock = clock
        self._expired_ms = expired_ms
        self._groups: dict[str, Members] = {}
        self._groups_of: dict[IChannel, set[str]] = {}
        self._channel_of_client: dict[str, IChannel] = {}
        self._next_pick = 0

    @property
    def table(self) -> Mapping[str, Members]:
        """The members by group. For reading only."""
        return self._groups

    def register(self, group: str, info: ClientChannelInfo) -> None:
        """Note a producer's heartbeat. Raises RequestError (SYSTEM_ERROR) above the bounds."""
        members = self._groups.get(group)
        if members is None:
            if len(self._groups) >= PRODUCER_GROUPS_MAX:
                raise RequestError(ResponseCode.SYSTEM_ERROR, f"the broker knows {PRODUCER_GROUPS_MAX} producer groups, its most")
            members = self._groups[group] = Members(group)
        if members.put(info, int(self._clock.seconds() * 1000)):
            self.log.info("producer {client} joined {group}", client=info.client_id, group=group)
        self._groups_of.setdefault(info.channel, set()).add(group)
        self._channel_of_client[info.client_id] = info.channel

    def unregister(self, group: str, channel: IChannel) -> None:
        """Remove a channel from one group; nothing happens when it is not in it."""
        members = self._groups.get(group)
        info = None if members is None else members.remove(channel)
        if members is None or info is None:
            return
        self.log.info("producer {client} left {group}", client=info.client_id, group=group)
        if not members:
            del self._groups[group]
        groups = self._groups_of[channel]
        groups.discard(group)
        if not groups:
            del self._groups_of[channel]
            if self._channel_of_client.get(info.client_id) is channel:
                del self._channel_of_client[info.client_id]

    def channel_closed(self, channel: IChannel) -> None:
        """Remove a closed channel from every group."""
        for group in list(self._groups_of.get(channel, ())):
            self.unregister(group, channel)

    def expire(self, now_ms: int) -> list[IChannel]:
        """Remove the silent members; their channels, which the caller should close."""
        channels: dict[IChannel, None] = {}
        for group, members in list(self._groups.items()):
            for info in members.silent(now_ms, self._expired_ms):
                self.unregister(group, info.channel)
                channels[info.channel] = None
        return list(channels)

    def group(self, name: str) -> Members | None:
        """The members of a group, or None when it has none."""
        return self._groups.get(name)

    def channel_of_client(self, client_id: str) -> IChannel | None:
        """The channel of the last heartbeat of a producer with that client id, or None."""
        return self._channel_of_client.get(client_id)

    def pick_channel(self, group: str) -> IChannel | None:
        """An open channel of the group, each in turn; None when it has none."""
        channels = [info.channel for info in self._groups.get(group, ()) if info.channel.is_open]
        if not channels:
            return None
        self._next_pick += 1
        return channels[self._next_pick % len(channels)]
