# Tests: tests/client/test_api.py
"""Every request that a client sends, one method each: header, answer checked, answer decoded (Java: MQClientAPIImpl).

Methods that talk to a broker take its address. An answer other than success raises BrokerRefused with the server's code and
remark; no answer raises one of TRANSPORT_ERRORS.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pymq.client.config import ClientConfig
from pymq.client.nameservers import NameServers
from pymq.client.transport import IRemoting, check, check_known
from pymq.errors import BrokerRefused
from pymq.message.message import StoredMessage
from pymq.message.properties import MSG_TYPE, REPLY_TYPE, property_of
from pymq.message.record import iter_records
from pymq.wire import javajson
from pymq.wire.bodies.assignment import (
    MessageQueueAssignment,
    QueryAssignmentRequestBody,
    QueryAssignmentResponseBody,
    SetMessageRequestModeRequestBody,
)
from pymq.wire.bodies.batchack import BatchAckMessageRequestBody
from pymq.wire.bodies.consumerlist import GetConsumerListByGroupResponseBody
from pymq.wire.bodies.heartbeat import CheckClientRequestBody, HeartbeatData, SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.queuelocks import LockBatchRequestBody, LockBatchResponseBody, UnlockBatchRequestBody
from pymq.wire.bodies.topics import PERM_READ, PERM_WRITE
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.clients import GetConsumerListByGroupRequestHeader, UnregisterClientRequestHeader
from pymq.wire.headers.messages import (
    ConsumerSendMsgBackRequestHeader,
    PullMessageRequestHeader,
    QueryMessageRequestHeader,
    QueryMessageResponseHeader,
    SendMessageRequestHeaderV2,
    ViewMessageRequestHeader,
)
from pymq.wire.headers.offsets import (
    GetEarliestMsgStoretimeRequestHeader,
    GetEarliestMsgStoretimeResponseHeader,
    GetMaxOffsetRequestHeader,
    GetMaxOffsetResponseHeader,
    GetMinOffsetRequestHeader,
    GetMinOffsetResponseHeader,
    QueryConsumerOffsetRequestHeader,
    QueryConsumerOffsetResponseHeader,
    SearchOffsetRequestHeader,
    SearchOffsetResponseHeader,
    UpdateConsumerOffsetRequestHeader,
)
from pymq.wire.headers.pop import (
    AckMessageRequestHeader,
    ChangeInvisibleTimeRequestHeader,
    ChangeInvisibleTimeResponseHeader,
    PeekMessageRequestHeader,
    PopMessageRequestHeader,
)
from pymq.wire.headers.topics import CreateTopicRequestHeader

VIP_PORT_DISTANCE = 2
#: Unlocking at shutdown is not worth a longer wait.
UNLOCK_TIMEOUT_S = 1.0
#: What a broker must be that knows the requests of POP.
POP_NEEDS = "a broker that lets consumers pop, such as Apache RocketMQ from 5.0 on"


class MQClientAPI:
    """The requests, over one RemotingClient."""

    def __init__(self, remoting: IRemoting, name_servers: NameServers, config: ClientConfig) -> None:
        self.remoting = remoting
        self.name_servers = name_servers
        self._timeout_s = config.mq_client_api_timeout_s
        self._vip_channel_enabled = config.vip_channel_enabled

    def broker_channel(self, address: str) -> str:
        """The address, or with `vip_channel_enabled` that of the broker's fast port (Java: brokerVIPChannel)."""
        if not self._vip_channel_enabled:
            return address
        host, _, port = address.rpartition(":")
        return f"{host}:{int(port) - VIP_PORT_DISTANCE}"

    async def ask(
        self,
        address: str,
        code: int,
        header: CommandHeader | None = None,
        body: bytes = b"",
        timeout_s: float | None = None,
        *,
        needs: str | None = None,
    ) -> RemotingCommand:
        """The answer of a server. Raises BrokerRefused, TRANSPORT_ERRORS.

        `needs` is for requests that not all servers know, and says which do; others then raise NotSupported.
        """
        command = RemotingCommand.request(code, header, body)
        response = await self.remoting.request(address, command, timeout_s or self._timeout_s)
        return check(response if needs is None else check_known(response, address, needs), address)

    async def _tell(self, address: str, code: int, header: CommandHeader | None = None, body: bytes = b"") -> None:
        await self.remoting.oneway(address, RemotingCommand.request(code, header, body, oneway=True))

    # Producing

    async def send_message(
        self, address: str, header: SendMessageRequestHeaderV2, body: bytes, timeout_s: float
    ) -> RemotingCommand:
        """SEND_MESSAGE_V2, for a batch SEND_BATCH_MESSAGE, for a reply SEND_REPLY_MESSAGE_V2; the response whatever its code."""
        command = RemotingCommand.request(_send_code(header), header, body)
        return await self.remoting.request(self.broker_channel(address), command, timeout_s)

    async def send_message_oneway(self, address: str, header: SendMessageRequestHeaderV2, body: bytes) -> None:
        """The same without an answer."""
        await self._tell(self.broker_channel(address), _send_code(header), header, body)

    async def create_topic(self, address: str, template: str, topic: str, queue_count: int, sys_flag: int = 0) -> None:
        """UPDATE_AND_CREATE_TOPIC on one broker."""
        header = CreateTopicRequestHeader(
            topic=topic,
            default_topic=template,
            read_queue_nums=queue_count,
            write_queue_nums=queue_count,
            perm=PERM_READ | PERM_WRITE,
            topic_filter_type="SINGLE_TAG",
            topic_sys_flag=sys_flag,
        )
        await self.ask(self.broker_channel(address), RequestCode.UPDATE_AND_CREATE_TOPIC, header)

    # Consuming

    async def pull_message(self, address: str, header: PullMessageRequestHeader, timeout_s: float) -> RemotingCommand:
        """PULL_MESSAGE; the response whatever its code."""
        return await self.remoting.request(address, RemotingCommand.request(RequestCode.PULL_MESSAGE, header), timeout_s)

    async def send_back(self, address: str, header: ConsumerSendMsgBackRequestHeader) -> None:
        """CONSUMER_SEND_MSG_BACK."""
        await self.ask(self.broker_channel(address), RequestCode.CONSUMER_SEND_MSG_BACK, header)

    async def consumer_ids(self, address: str, group: str) -> list[str]:
        """GET_CONSUMER_LIST_BY_GROUP: the client ids of a group's members as this broker knows them, sorted.

        Each once: Apache's brokers name a member twice whose old connection they still believe in, and shares would be counted
        out for a member that is not there.
        """
        header = GetConsumerListByGroupRequestHeader(consumer_group=group)
        response = await self.ask(self.broker_channel(address), RequestCode.GET_CONSUMER_LIST_BY_GROUP, header)
        return sorted(set(javajson.decode_as(response.body, GetConsumerListByGroupResponseBody).consumer_id_list))

    async def query_consumer_offset(self, address: str, group: str, queue: MessageQueue) -> int:
        """QUERY_CONSUMER_OFFSET: the group's offset of a queue, -1 when the broker has none."""
        header = QueryConsumerOffsetRequestHeader(consumer_group=group, topic=queue.topic, queue_id=queue.queue_id)
        try:
            response = await self.ask(self.broker_channel(address), RequestCode.QUERY_CONSUMER_OFFSET, header)
        except BrokerRefused as error:
            if error.code == ResponseCode.QUERY_NOT_FOUND:
                return -1
            raise
        return QueryConsumerOffsetResponseHeader.from_fields(response.ext_fields).offset

    async def update_consumer_offset(
        self, address: str, group: str, queue: MessageQueue, offset: int, *, oneway: bool = True
    ) -> None:
        """UPDATE_CONSUMER_OFFSET; one-way as Java's periodic commit unless told otherwise."""
        header = UpdateConsumerOffsetRequestHeader(
            consumer_group=group, topic=queue.topic, queue_id=queue.queue_id, commit_offset=offset
        )
        send: Any = self._tell if oneway else self.ask
        await send(self.broker_channel(address), RequestCode.UPDATE_CONSUMER_OFFSET, header)

    async def lock_batch(self, address: str, group: str, client_id: str, queues: Iterable[MessageQueue]) -> set[MessageQueue]:
        """LOCK_BATCH_MQ: those of the queues that this client now holds."""
        body = LockBatchRequestBody(consumer_group=group, client_id=client_id, mq_set=frozenset(queues))
        response = await self.ask(self.broker_channel(address), RequestCode.LOCK_BATCH_MQ, body=javajson.encode(body))
        return set(javajson.decode_as(response.body, LockBatchResponseBody).lock_ok_mq_set)

    async def unlock_batch(self, address: str, group: str, client_id: str, queues: Iterable[MessageQueue]) -> None:
        """UNLOCK_BATCH_MQ."""
        body = javajson.encode(UnlockBatchRequestBody(consumer_group=group, client_id=client_id, mq_set=frozenset(queues)))
        await self.ask(self.broker_channel(address), RequestCode.UNLOCK_BATCH_MQ, body=body, timeout_s=UNLOCK_TIMEOUT_S)

    # Popping

    async def _ask_pop(
        self, address: str, code: int, header: CommandHeader | None = None, body: bytes = b"", timeout_s: float | None = None
    ) -> RemotingCommand:
        """A request that came with 5.x; the response whatever its code. Raises NotSupported."""
        command = RemotingCommand.request(code, header, body)
        return check_known(await self.remoting.request(address, command, timeout_s or self._timeout_s), address, POP_NEEDS)

    async def query_assignment(self, address: str, body: QueryAssignmentRequestBody) -> tuple[MessageQueueAssignment, ...] | None:
        """QUERY_ASSIGNMENT: the queues of a topic for one member, or None when the broker cannot say. Raises NotSupported."""
        channel = self.broker_channel(address)
        response = check(await self._ask_pop(channel, RequestCode.QUERY_ASSIGNMENT, body=javajson.encode(body)), address)
        return javajson.decode_as(response.body, QueryAssignmentResponseBody).message_queue_assignments

    async def set_message_request_mode(self, address: str, body: SetMessageRequestModeRequestBody) -> None:
        """SET_MESSAGE_REQUEST_MODE: whether a group's members pull or pop a topic. Raises NotSupported."""
        channel = self.broker_channel(address)
        check(await self._ask_pop(channel, RequestCode.SET_MESSAGE_REQUEST_MODE, body=javajson.encode(body)), address)

    async def pop_message(self, address: str, header: PopMessageRequestHeader, timeout_s: float) -> RemotingCommand:
        """POP_MESSAGE; the response whatever its code. Raises NotSupported."""
        return await self._ask_pop(address, RequestCode.POP_MESSAGE, header, timeout_s=timeout_s)

    async def peek_message(self, address: str, header: PeekMessageRequestHeader) -> RemotingCommand:
        """PEEK_MESSAGE; the response whatever its code. Raises NotSupported."""
        return await self._ask_pop(address, RequestCode.PEEK_MESSAGE, header)

    async def ack_message(self, address: str, header: AckMessageRequestHeader) -> None:
        """ACK_MESSAGE. Raises NotSupported."""
        check(await self._ask_pop(address, RequestCode.ACK_MESSAGE, header), address)

    async def batch_ack_message(self, address: str, body: BatchAckMessageRequestBody) -> None:
        """BATCH_ACK_MESSAGE. Raises NotSupported."""
        check(await self._ask_pop(address, RequestCode.BATCH_ACK_MESSAGE, body=javajson.encode(body)), address)

    async def change_invisible_time(
        self, address: str, header: ChangeInvisibleTimeRequestHeader
    ) -> ChangeInvisibleTimeResponseHeader:
        """CHANGE_MESSAGE_INVISIBLETIME; what the next receipt is made of. Raises NotSupported."""
        response = check(await self._ask_pop(address, RequestCode.CHANGE_MESSAGE_INVISIBLETIME, header), address)
        return ChangeInvisibleTimeResponseHeader.from_fields(response.ext_fields)

    # Membership

    async def heartbeat(self, address: str, data: HeartbeatData) -> int:
        """HEART_BEAT; the broker's version."""
        return (await self.ask(address, RequestCode.HEART_BEAT, body=javajson.encode(data))).version

    async def unregister(self, address: str, client_id: str, producer_group: str | None, consumer_group: str | None) -> None:
        """UNREGISTER_CLIENT: leave one group of either kind, or both."""
        header = UnregisterClientRequestHeader(client_id=client_id, producer_group=producer_group, consumer_group=consumer_group)
        await self.ask(address, RequestCode.UNREGISTER_CLIENT, header)

    async def check_client_config(self, address: str, client_id: str, group: str, subscription: SubscriptionData) -> None:
        """CHECK_CLIENT_CONFIG: whether the broker can serve a subscription that is not by tags."""
        body = javajson.encode(CheckClientRequestBody(client_id=client_id, group=group, subscription_data=subscription))
        await self.ask(address, RequestCode.CHECK_CLIENT_CONFIG, body=body)

    # Asking about queues and messages

    async def max_offset(self, address: str, queue: MessageQueue) -> int:
        """GET_MAX_OFFSET: the offset that the next message gets."""
        header = GetMaxOffsetRequestHeader(topic=queue.topic, queue_id=queue.queue_id)
        response = await self.ask(self.broker_channel(address), RequestCode.GET_MAX_OFFSET, header)
        return GetMaxOffsetResponseHeader.from_fields(response.ext_fields).offset

    async def min_offset(self, address: str, queue: MessageQueue) -> int:
        """GET_MIN_OFFSET: the first offset that can be read."""
        header = GetMinOffsetRequestHeader(topic=queue.topic, queue_id=queue.queue_id)
        response = await self.ask(self.broker_channel(address), RequestCode.GET_MIN_OFFSET, header)
        return GetMinOffsetResponseHeader.from_fields(response.ext_fields).offset

    async def search_offset(self, address: str, queue: MessageQueue, time_ms: int) -> int:
        """SEARCH_OFFSET_BY_TIMESTAMP: the offset of the message stored nearest to a time."""
        header = SearchOffsetRequestHeader(topic=queue.topic, queue_id=queue.queue_id, timestamp=time_ms)
        response = await self.ask(self.broker_channel(address), RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, header)
        return SearchOffsetResponseHeader.from_fields(response.ext_fields).offset

    async def earliest_store_time(self, address: str, queue: MessageQueue) -> int:
        """GET_EARLIEST_MSG_STORETIME in milliseconds, -1 when the queue is empty."""
        header = GetEarliestMsgStoretimeRequestHeader(topic=queue.topic, queue_id=queue.queue_id)
        response = await self.ask(self.broker_channel(address), RequestCode.GET_EARLIEST_MSG_STORETIME, header)
        return GetEarliestMsgStoretimeResponseHeader.from_fields(response.ext_fields).timestamp

    async def view_message(self, address: str, log_offset: int) -> StoredMessage:
        """VIEW_MESSAGE_BY_ID: the message at a log offset."""
        header = ViewMessageRequestHeader(offset=log_offset)
        response = await self.ask(self.broker_channel(address), RequestCode.VIEW_MESSAGE_BY_ID, header)
        return next(iter(iter_records(response.body)))

    async def query_message(
        self, address: str, header: QueryMessageRequestHeader, timeout_s: float
    ) -> tuple[list[StoredMessage], int]:
        """QUERY_MESSAGE: the broker's hits and the time up to which its index goes; none when it says QUERY_NOT_FOUND."""
        try:
            response = await self.ask(self.broker_channel(address), RequestCode.QUERY_MESSAGE, header, timeout_s=timeout_s)
        except BrokerRefused as error:
            if error.code == ResponseCode.QUERY_NOT_FOUND:
                return [], 0
            raise
        answer = QueryMessageResponseHeader.from_fields(response.ext_fields)
        return list(iter_records(response.body)), answer.index_last_update_timestamp


def _send_code(header: SendMessageRequestHeaderV2) -> RequestCode:
    if property_of(header.properties or "", MSG_TYPE) == REPLY_TYPE:
        return RequestCode.SEND_REPLY_MESSAGE_V2
    return RequestCode.SEND_BATCH_MESSAGE if header.batch else RequestCode.SEND_MESSAGE_V2
