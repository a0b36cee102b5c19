# Tests: tests/client/test_queries.py
"""What every client can ask: queues of a topic, their offsets, single messages (Java: MQAdminImpl)."""

from __future__ import annotations

from twisted.python.failure import Failure

from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.results import QueryResult
from pymq.client.tasks import all_of
from pymq.errors import ClientError, NoRoute
from pymq.message import properties as names
from pymq.message.ids import decode_offset_message_id
from pymq.message.message import StoredMessage
from pymq.message.namespaces import NO_NAMESPACE, Namespace
from pymq.message.topics import check_topic
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.headers.messages import QueryMessageRequestHeader

#: Asking a broker's index may take so long (Java: 15 s).
QUERY_TIMEOUT_S = 15.0
UNIQUE_KEY_HITS_MAX = 32
_FOR_EVER_MS = 2**63 - 1


class Queries:
    """Questions to the brokers of an instance."""

    def __init__(self, instance: MQClientInstance, namespace: Namespace = NO_NAMESPACE) -> None:
        self._instance = instance
        self._namespace = namespace

    async def _know_route(self, topic: str) -> None:
        if self._instance.routes.subscribe_queues(topic) is None and not await self._instance.update_route(topic):
            raise NoRoute(f"no name server knows the topic {topic}; was it created, and are its brokers registered?")

    async def fetch_publish_queues(self, topic: str) -> list[MessageQueue]:
        """The queues to which messages of a topic can be sent, as the name server says now. Raises NoRoute."""
        topic = self._namespace.wrap(topic)
        await self._instance.update_route(topic)
        info = self._instance.routes.publish_info(topic)
        if info is None:
            raise NoRoute(f"no name server knows the topic {topic}; was it created, and are its brokers registered?")
        return self._namespace.unwrap_queues(info.queues)

    async def fetch_subscribe_queues(self, topic: str) -> list[MessageQueue]:
        """The queues from which a topic can be read, as the name server says now. Raises NoRoute."""
        topic = self._namespace.wrap(topic)
        await self._instance.update_route(topic)
        queues = self._instance.routes.subscribe_queues(topic)
        if queues is None:
            raise NoRoute(f"no name server knows the topic {topic}; was it created, and are its brokers registered?")
        return self._namespace.unwrap_queues(queues)

    async def create_topic(self, key: str, new_topic: str, queue_count: int, sys_flag: int = 0) -> None:
        """Create or change a topic on every broker that has the topic `key` (such as TBW102). Raises NoRoute, BrokerRefused."""
        new_topic = self._namespace.wrap(new_topic)
        try:
            check_topic(new_topic)
        except ValueError as error:
            raise ClientError(str(error)) from error
        await self._know_route(key)
        masters = [
            address
            for name in self._instance.routes.broker_names_of(key)
            if (address := self._instance.routes.master_of(name)) is not None
        ]
        if not masters:
            raise NoRoute(f"no broker of the topic {key} has a master now")
        for outcome in await all_of(
            self._instance.api.create_topic(address, key, new_topic, queue_count, sys_flag) for address in masters
        ):
            if isinstance(outcome, Failure):
                outcome.raiseException()

    async def _master_of(self, queue: MessageQueue) -> tuple[MessageQueue, str]:
        """(the queue as the brokers know it, the address of its master)."""
        queue = self._namespace.wrap_queue(queue)
        return queue, await self._instance.broker_address(queue.topic, queue.broker_name)

    async def max_offset(self, queue: MessageQueue) -> int:
        """The offset that the queue's next message gets."""
        queue, address = await self._master_of(queue)
        return await self._instance.api.max_offset(address, queue)

    async def min_offset(self, queue: MessageQueue) -> int:
        """The offset of the queue's first message."""
        queue, address = await self._master_of(queue)
        return await self._instance.api.min_offset(address, queue)

    async def search_offset(self, queue: MessageQueue, time_ms: int) -> int:
        """The offset of the message that was stored nearest to a time in milliseconds since the epoch."""
        queue, address = await self._master_of(queue)
        return await self._instance.api.search_offset(address, queue, time_ms)

    async def earliest_store_time(self, queue: MessageQueue) -> int:
        """When the queue's first message was stored, in milliseconds since the epoch; -1 when there is none."""
        queue, address = await self._master_of(queue)
        return await self._instance.api.earliest_store_time(address, queue)

    async def view_message(self, offset_msg_id: str) -> StoredMessage:
        """The message of an offset message id, from the broker whose address is in it. Raises DecodeError, BrokerRefused."""
        host, port, log_offset = decode_offset_message_id(offset_msg_id)
        message = await self._instance.api.view_message(address_of(host, port), log_offset)
        message.topic = self._namespace.unwrap(message.topic)
        return message

    async def query_message(
        self,
        topic: str,
        key: str,
        count_max: int = 64,
        begin_ms: int = 0,
        end_ms: int = _FOR_EVER_MS,
        *,
        is_unique_id: bool = False,
    ) -> QueryResult:
        """Messages of a topic by one of their keys, or by their unique id, stored between two times; oldest first.

        Brokers that do not answer are left out, unless none answers: then their error is raised. Raises NoRoute.
        """
        topic = self._namespace.wrap(topic)
        await self._know_route(topic)
        header = QueryMessageRequestHeader(
            topic=topic,
            key=key,
            max_num=UNIQUE_KEY_HITS_MAX if is_unique_id else count_max,
            begin_timestamp=begin_ms,
            end_timestamp=end_ms,
            unique_key_query=True if is_unique_id else None,
        )
        routes = self._instance.routes
        addresses = [found[0] for name in routes.broker_names_of(topic) if (found := routes.address_of(name))]
        outcomes = await all_of(self._instance.api.query_message(address, header, QUERY_TIMEOUT_S) for address in addresses)
        messages: list[StoredMessage] = []
        last_ms, failure, answered = 0, None, False
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                outcome.trap(*EXPECTED_ERRORS)
                failure = outcome
                continue
            answered = True
            messages += [message for message in outcome[0] if _has_key(message, topic, key, is_unique_id)]
            last_ms = max(last_ms, outcome[1])
        if failure is not None and not answered:
            failure.raiseException()
        messages.sort(key=lambda message: message.store_timestamp)
        for message in messages:
            message.topic = self._namespace.unwrap(message.topic)
        return QueryResult(messages[:count_max], last_ms)


def address_of(host: str, port: int) -> str:
    """Where a message says that it is stored, as an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _has_key(message: StoredMessage, topic: str, key: str, is_unique_id: bool) -> bool:
    """Brokers find by hash; the client looks whether it is what was meant."""
    if message.topic != topic:
        return False
    return message.properties.get(names.UNIQ_KEY) == key or (not is_unique_id and key in message.keys)
