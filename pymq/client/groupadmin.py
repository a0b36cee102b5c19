# Tests: tests/client/test_admin.py
"""Operations on consumer groups as brokers keep them (Java: DefaultMQAdminExt)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pymq.client.adminbase import AdminBase, operation
from pymq.client.results import ConsumeProgress, QueueProgress
from pymq.errors import BrokerRefused, ClientError
from pymq.message.topics import check_group
from pymq.wire import javajson
from pymq.wire.bodies.assignment import MODE_POP, MODE_PULL, SetMessageRequestModeRequestBody
from pymq.wire.bodies.messagequeue import MessageQueue, by_queue
from pymq.wire.bodies.offsets import ConsumeStats, ConsumeStatsList, ResetOffsetBody
from pymq.wire.bodies.topics import SubscriptionGroupConfig, SubscriptionGroupWrapper
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.headers.admin import (
    CloneGroupOffsetRequestHeader,
    DeleteSubscriptionGroupRequestHeader,
    GetConsumeStatsInBrokerHeader,
    GetConsumeStatsRequestHeader,
)
from pymq.wire.headers.clients import ResetOffsetRequestHeader

#: Instead of a time: behind the last message.
LATEST = -1


class GroupAdmin(AdminBase):
    """Groups by configuration and progress."""

    # Configuration

    @operation
    async def update_group(self, config: SubscriptionGroupConfig, where: str | None = None) -> None:
        """Create a consumer group, or change it into what `config` says.

        Fails with ClientError for a name that cannot be, or no such place; with BrokerRefused.
        """
        try:
            check_group(config.group_name)
        except ValueError as error:
            raise ClientError(str(error)) from error
        body = javajson.encode(self._wrapped(config))
        masters = await self._masters(where)
        code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
        await self._at_all(masters, lambda address: self._api.ask(address, code, body=body))

    def _wrapped(self, config: SubscriptionGroupConfig) -> SubscriptionGroupConfig:
        return msgspec.structs.replace(config, group_name=self.namespace.wrap(config.group_name))

    @operation
    async def delete_group(self, group: str, where: str | None = None, *, with_offsets: bool = False) -> None:
        """Delete the configuration of a consumer group, and how far it has consumed if that is to go too."""
        header = DeleteSubscriptionGroupRequestHeader(
            group_name=self.namespace.wrap(group), remove_offset=with_offsets, clean_offset=with_offsets
        )
        masters = await self._masters(where)
        await self._at_all(masters, lambda address: self._api.ask(address, RequestCode.DELETE_SUBSCRIPTIONGROUP, header))

    @operation
    async def group_configs(self, broker: str) -> dict[str, SubscriptionGroupConfig]:
        """All consumer groups of one broker, given by name or address, as they are configured there."""
        address = await self._master(broker)
        answer = await self._api.ask(address, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, timeout_s=self._long_s)
        return javajson.decode_as(answer.body, SubscriptionGroupWrapper).subscription_group_table

    @operation
    async def set_message_request_mode(self, group: str, topic: str, mode: str, pop_share_queue_num: int = 0) -> None:
        """Have those members of a group to whom brokers give their queues PULL or POP a topic (5.x).

        With POP each member pops its own queues and those of so many others, or with 0 all queues. Fails with ClientError for
        another mode, NotSupported, NoRoute, BrokerRefused.
        """
        if mode not in (MODE_PULL, MODE_POP):
            raise ClientError(f"the mode {mode} is neither {MODE_PULL} nor {MODE_POP}")
        group, topic = self.namespace.wrap(group), self.namespace.wrap(topic)
        body = SetMessageRequestModeRequestBody(topic, group, mode, pop_share_queue_num)
        addresses = await self._brokers_of_topic(topic)
        await self._at_all(addresses, lambda address: self._api.set_message_request_mode(address, body))

    # Offsets

    @operation
    async def consume_stats(self, group: str, topic: str | None = None) -> ConsumeProgress:
        """How far a group is with each queue of its topics, or of one. Fails with NoRoute for a group that nobody knows."""
        group = self.namespace.wrap(group)
        wrapped = None if topic is None else self.namespace.wrap(topic)
        addresses = await self._brokers_of_group(group)
        return self._progress(await self._at_all(addresses, lambda address: self._stats_at(address, group, wrapped)))

    async def _stats_at(self, address: str, group: str, topic: str | None = None) -> ConsumeStats:
        """How far a group is at one broker; its name and the topic's are as brokers know them."""
        header = GetConsumeStatsRequestHeader(consumer_group=group, topic=topic)
        answer = await self._api.ask(address, RequestCode.GET_CONSUME_STATS, header, timeout_s=self._long_s)
        return javajson.decode_as(answer.body, ConsumeStats)

    def _progress(self, parts: Iterable[ConsumeStats]) -> ConsumeProgress:
        """What several brokers say, or one says of several topics, together."""
        queues: dict[MessageQueue, QueueProgress] = {}
        tps = 0.0
        for stats in parts:
            tps += stats.consume_tps
            for queue, one in by_queue(stats.offset_table).items():
                progress = QueueProgress(one.broker_offset, one.consumer_offset, one.last_timestamp)
                queues[self.namespace.unwrap_queue(queue)] = progress
        return ConsumeProgress(dict(sorted(queues.items())), tps)

    @operation
    async def broker_consume_stats(self, broker: str, *, only_ordered: bool = False) -> dict[str, ConsumeProgress]:
        """How far all groups of one broker, given by name or address, are with its queues; of all topics, or only ordered ones.

        Java: fetchConsumeStatsInBroker.
        """
        header = GetConsumeStatsInBrokerHeader(is_order=only_ordered)
        code = RequestCode.GET_BROKER_CONSUME_STATS
        answer = await self._api.ask(await self._master(broker), code, header, timeout_s=self._long_s)
        listed = javajson.decode_as(answer.body, ConsumeStatsList).consume_stats_list
        by_group = {group: parts for table in listed for group, parts in table.items()}
        return {self.namespace.unwrap(group): self._progress(by_group[group]) for group in sorted(by_group)}

    @operation
    async def consumer_offset(self, group: str, queue: MessageQueue) -> int:
        """A group's offset of a queue as its broker has it, -1 for none. Fails with NoRoute."""
        queue = self.namespace.wrap_queue(queue)
        address = await self.instance.broker_address(queue.topic, queue.broker_name)
        return await self._api.query_consumer_offset(address, self.namespace.wrap(group), queue)

    @operation
    async def update_consumer_offset(self, group: str, queue: MessageQueue, offset: int) -> None:
        """Set a group's offset of a queue at its broker. Members that have the queue overwrite it: see `reset_offsets`."""
        queue = self.namespace.wrap_queue(queue)
        address = await self.instance.broker_address(queue.topic, queue.broker_name)
        await self._api.update_consumer_offset(address, self.namespace.wrap(group), queue, offset, oneway=False)

    @operation
    async def reset_offsets(
        self, group: str, topic: str, timestamp_ms: int = LATEST, *, force: bool = True
    ) -> dict[MessageQueue, int]:
        """Have a group go on with what was stored at a time in milliseconds since the epoch, or behind the last message for -1.

        Members that are online are told; where there are none the broker's offsets are set. Without `force` no queue is moved
        forward. Gives where each queue goes on. Fails with NoRoute, BrokerRefused.
        """
        group, topic = self.namespace.wrap(group), self.namespace.wrap(topic)
        addresses = await self._brokers_of_topic(topic)
        await self.instance.update_route(topic)
        tables = await self._at_all(addresses, lambda address: self._reset_at(address, group, topic, timestamp_ms, force))
        merged = {self.namespace.unwrap_queue(queue): offset for table in tables for queue, offset in table.items()}
        return dict(sorted(merged.items()))

    async def _reset_at(
        self, address: str, group: str, topic: str, time_ms: int, force: bool, *, again: bool = False
    ) -> dict[MessageQueue, int]:
        header = ResetOffsetRequestHeader(topic=topic, group=group, timestamp=time_ms, is_force=force)
        try:
            code = RequestCode.INVOKE_BROKER_TO_RESET_OFFSET
            answer = await self._api.ask(address, code, header, timeout_s=self._long_s)
        except BrokerRefused as error:
            if error.code == ResponseCode.CONSUMER_NOT_ONLINE:
                return await self._set_offsets(address, group, topic, time_ms, force)
            # A broker that has no offset of some queue says that there is no such group, whoever is online. So it gets offsets.
            if again or f"<{group}>" not in (error.remark or ""):
                raise
            await self._set_offsets(address, group, topic, time_ms, force)
            return await self._reset_at(address, group, topic, time_ms, force, again=True)
        return by_queue(javajson.decode_as(answer.body, ResetOffsetBody).offset_table)

    async def _set_offsets(self, address: str, group: str, topic: str, time_ms: int, force: bool) -> dict[MessageQueue, int]:
        """Set what the broker has, with nobody told: the offsets now (Java: resetOffsetByTimestampOld)."""
        api, routes = self._api, self.instance.routes
        table: dict[MessageQueue, int] = {}
        for queue in routes.subscribe_queues(topic) or ():
            if routes.address_of(queue.broker_name) != (address, False):
                continue
            latest = time_ms == LATEST
            offset = await (api.max_offset(address, queue) if latest else api.search_offset(address, queue, time_ms))
            now = await api.query_consumer_offset(address, group, queue)
            table[queue] = offset if force or now < 0 else min(offset, now)
            await api.update_consumer_offset(address, group, queue, table[queue], oneway=False)
        return table

    @operation
    async def clone_offsets(self, group: str, to_group: str, topic: str | None = None, *, offline: bool = False) -> None:
        """Give a group the offsets of another, of all its topics or of one.

        While members of that other are online, only topics count that they subscribe to. `offline` lets the given topic count in
        any case. Fails with ClientError when it is not given, with NoRoute, BrokerRefused. Java: cloneGroupOffset.
        """
        if offline and topic is None:
            raise ClientError("offline needs a topic: of a group that is online, brokers tell only topics that it subscribes to")
        source, target = self.namespace.wrap(group), self.namespace.wrap(to_group)
        wrapped = None if topic is None else self.namespace.wrap(topic)
        addresses = await self._brokers_of_group(source)
        await self._at_all(addresses, lambda address: self._clone_at(address, source, target, wrapped, offline))

    async def _clone_at(self, address: str, source: str, target: str, topic: str | None, offline: bool) -> None:
        # Without a topic Apache's brokers do nothing, and say that they did it.
        for name in await self._topics_at(address, source) if topic is None else [topic]:
            header = CloneGroupOffsetRequestHeader(src_group=source, dest_group=target, topic=name, offline=offline)
            await self._api.ask(address, RequestCode.CLONE_GROUP_OFFSET, header, timeout_s=self._long_s)

    async def _topics_at(self, address: str, group: str) -> list[str]:
        """The topics that a group has offsets of at a broker, and if it is online subscribes to."""
        stats = await self._stats_at(address, group)
        return sorted({queue.topic for queue in by_queue(stats.offset_table)})
