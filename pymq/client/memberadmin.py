# Tests: tests/client/test_memberadmin.py
"""Operations on clients that are online: members of consumer groups, and producers (Java: DefaultMQAdminExt)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from twisted.python.failure import Failure

from pymq.client.adminbase import AdminBase, operation
from pymq.client.queries import address_of
from pymq.client.tasks import all_of
from pymq.client.transport import TRANSPORT_ERRORS
from pymq.errors import BrokerRefused
from pymq.message.message import StoredMessage
from pymq.wire import javajson
from pymq.wire.bodies.connections import (
    Connection,
    ConsumeMessageDirectlyResult,
    ConsumerConnection,
    ConsumerRunningInfo,
    ProducerConnection,
    ProducerInfo,
    ProducerTableInfo,
)
from pymq.wire.bodies.messagequeue import MessageQueue, by_queue
from pymq.wire.bodies.offsets import GetConsumerStatusBody
from pymq.wire.codes import RequestCode
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.clients import (
    ConsumeMessageDirectlyResultRequestHeader,
    GetConsumerConnectionListRequestHeader,
    GetConsumerRunningInfoRequestHeader,
    GetConsumerStatusRequestHeader,
    GetProducerConnectionListRequestHeader,
)

B = TypeVar("B")


class MemberAdmin(AdminBase):
    """Who is online, what it says of itself, and what it can be told to do."""

    @operation
    async def consumer_connections(self, group: str, broker: str | None = None) -> ConsumerConnection:
        """Who of a consumer group is online, and what it subscribes to: at all brokers together, each member once, or at one.

        Fails with BrokerRefused (206) when nobody is, and with the error of a broker that could not be asked when the others
        know nobody. Java asks any one broker.
        """
        group = self.namespace.wrap(group)
        header = GetConsumerConnectionListRequestHeader(consumer_group=group)
        addresses = await self._brokers_of_group(group) if broker is None else [await self._master(broker)]
        known = await self._known(addresses, RequestCode.GET_CONSUMER_CONNECTION_LIST, header, ConsumerConnection)
        subscriptions = {topic: one for connection in reversed(known) for topic, one in connection.subscription_table.items()}
        members = _each_once(connection.connection_set for connection in known)
        return msgspec.structs.replace(known[0], connection_set=members, subscription_table=subscriptions)

    @operation
    async def producer_connections(self, group: str, topic: str) -> ProducerConnection:
        """Who of a producer group is online at the brokers of a topic, each member once. Fails as `consumer_connections`.

        A broker knows a producer since that sent something to it, or had a route to it when it told that it lives.
        """
        header = GetProducerConnectionListRequestHeader(producer_group=self.namespace.wrap(group))
        addresses = await self._brokers_of_topic(self.namespace.wrap(topic))
        known = await self._known(addresses, RequestCode.GET_PRODUCER_CONNECTION_LIST, header, ProducerConnection)
        return ProducerConnection(_each_once(connection.connection_set for connection in known))

    @operation
    async def all_producers(self, broker: str) -> dict[str, list[ProducerInfo]]:
        """All producers that are online at one broker, given by name or address, by their groups (Java: getAllProducerInfo)."""
        answer = await self._api.ask(await self._master(broker), RequestCode.GET_ALL_PRODUCER_INFO, timeout_s=self._long_s)
        table = javajson.decode_as(answer.body, ProducerTableInfo).data
        return {self.namespace.unwrap(group): table[group] for group in sorted(table)}

    async def _known(self, addresses: list[str], code: int, header: CommandHeader, body: type[B]) -> list[B]:
        """What those brokers say that know something, at least one. A refusal is the error only when there is no other."""
        known: list[B] = []
        failures: list[Failure] = []
        for outcome in await all_of(self._api.ask(address, code, header, timeout_s=self._long_s) for address in addresses):
            if isinstance(outcome, Failure):
                outcome.trap(BrokerRefused, *TRANSPORT_ERRORS)
                failures.append(outcome)
            else:
                known.append(javajson.decode_as(outcome.body, body))
        if not known:
            max(failures, key=lambda failure: failure.check(BrokerRefused) is None).raiseException()
        return known

    @operation
    async def consumer_running_info(self, group: str, client_id: str, *, with_stacks: bool = False) -> ConsumerRunningInfo:
        """What a consumer that is online says of itself; `with_stacks` also where its threads are. Fails with BrokerRefused."""
        group = self.namespace.wrap(group)
        header = GetConsumerRunningInfoRequestHeader(consumer_group=group, client_id=client_id, jstack_enable=with_stacks)
        addresses = await self._brokers_of_group(group)
        return await self._first(addresses, RequestCode.GET_CONSUMER_RUNNING_INFO, header, ConsumerRunningInfo)

    @operation
    async def consume_status(self, group: str, topic: str, client_id: str | None = None) -> dict[str, dict[MessageQueue, int]]:
        """How far the members that are online, or one of them, say that they are with their queues of a topic, by client id.

        Members tell what they have consumed, brokers only what was committed. Fails with NoRoute, BrokerRefused when nobody is
        online. Java: getConsumeStatus.
        """
        topic = self.namespace.wrap(topic)
        header = GetConsumerStatusRequestHeader(topic=topic, group=self.namespace.wrap(group), client_addr=client_id)
        addresses = await self._brokers_of_topic(topic)
        known = await self._known(addresses, RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, header, GetConsumerStatusBody)
        tables = {member: by_queue(table) for body in known for member, table in body.consumer_table.items()}
        return {
            member: {self.namespace.unwrap_queue(queue): tables[member][queue] for queue in sorted(tables[member])}
            for member in sorted(tables)
        }

    async def _first(self, addresses: list[str], code: int, header: CommandHeader, body: type[B]) -> B:
        """The answer of the first broker that gives one: members are connected to all, or were until lately."""
        for address in addresses[:-1]:
            with contextlib.suppress(BrokerRefused, *TRANSPORT_ERRORS):
                answer = await self._api.ask(address, code, header, timeout_s=self._long_s)
                return javajson.decode_as(answer.body, body)
        answer = await self._api.ask(addresses[-1], code, header, timeout_s=self._long_s)
        return javajson.decode_as(answer.body, body)

    @operation
    async def consume_directly(self, group: str, client_id: str, message: StoredMessage) -> ConsumeMessageDirectlyResult:
        """Have one consumer that is online consume a stored message now, as from `view_message` or `query_message`.

        Its result says how that went; no offset changes. Fails with BrokerRefused.
        """
        header = ConsumeMessageDirectlyResultRequestHeader(
            consumer_group=self.namespace.wrap(group),
            client_id=client_id,
            msg_id=message.offset_msg_id,
            topic=self.namespace.wrap(message.topic),
        )
        address = address_of(*message.store_host)
        answer = await self._api.ask(address, RequestCode.CONSUME_MESSAGE_DIRECTLY, header, timeout_s=self._long_s)
        return javajson.decode_as(answer.body, ConsumeMessageDirectlyResult)


def _each_once(connections: Iterable[Iterable[Connection]]) -> tuple[Connection, ...]:
    """The connections of all brokers by client id: a client has one to each."""
    by_id = {one.client_id: one for members in connections for one in members}
    return tuple(by_id[client_id] for client_id in sorted(by_id))
