# Tests: tests/client/test_request.py
"""Request and reply: a message that waits for an answer, and the answer to one (remoting.md 3.9).

A request is a plain message with three properties more. Whoever consumes it sends a reply, which the broker passes on to the
client that asked, over that client's own connection; it is recognised by its correlation id.
Java: DefaultMQProducerImpl.request, RequestFutureHolder, MessageUtil.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.errors import DecodeError, InvalidMessage, NoReply, TooManyRequests
from pymq.interfaces import IClock
from pymq.message import properties as names
from pymq.message.ids import encode_host
from pymq.message.message import Message, StoredMessage
from pymq.message.topics import reply_topic
from pymq.wire.headers.messages import ReplyMessageRequestHeader

#: Requests of one client that may wait for their reply at one time.
REQUESTS_MAX = 65_536


class PendingReplies:
    """The requests of one client that wait for their reply, by correlation id (Java: RequestFutureHolder)."""

    _log = Logger()

    def __init__(self) -> None:
        self._waiting: dict[str, Deferred[StoredMessage]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(self, correlation_id: str) -> Deferred[StoredMessage]:
        """The reply to come; cancelling it gives it up. Raises TooManyRequests."""
        if len(self._waiting) >= REQUESTS_MAX:
            raise TooManyRequests(f"{len(self._waiting)} requests wait for their reply, which is the most; await some")

        def given_up(_: Deferred[StoredMessage]) -> None:
            self._waiting.pop(correlation_id, None)

        waiting: Deferred[StoredMessage] = Deferred(given_up)
        self._waiting[correlation_id] = waiting
        return waiting

    def arrived(self, reply: StoredMessage) -> bool:
        """A reply came; whether anybody waited for it."""
        correlation_id = reply.properties.get(names.CORRELATION_ID, "")
        waiting = self._waiting.pop(correlation_id, None)
        if waiting is None:
            self._log.warn("nobody waits for the reply {id} any more, or it is not ours", id=correlation_id)
            return False
        waiting.callback(reply)
        return True


async def ask(
    message: Message,
    timeout_s: float,
    *,
    client_id: str,
    replies: PendingReplies,
    clock: IClock,
    send: Callable[[Message], Awaitable[Any]],
) -> StoredMessage:
    """Send a request by `send` and wait for its reply; `message` itself stays as it is.

    Raises NoReply when none comes in time, TooManyRequests, or what `send` raises, unless the reply is there already.
    """
    request = Message(message.topic, message.body, flag=message.flag, properties=message.properties)
    correlation_id = str(uuid4())
    request.properties[names.CORRELATION_ID] = correlation_id
    request.properties[names.REPLY_TO_CLIENT] = client_id
    request.properties[names.TTL] = str(int(timeout_s * 1000))
    came: list[StoredMessage] = []

    def arrived(reply: StoredMessage) -> StoredMessage:
        came.append(reply)
        return reply

    def too_late(_: object, seconds: float) -> None:
        raise NoReply(message.topic, seconds)

    waiting = replies.expect(correlation_id).addCallback(arrived)
    waiting.addTimeout(timeout_s, clock, onTimeoutCancel=too_late)
    try:
        await send(request)
    except Exception:
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        if came:
            return came[0]
        raise
    return await waiting


def reply_message(request: StoredMessage, body: bytes) -> Message:
    """The reply to a request, to be sent with any producer (Java: MessageUtil.createReplyMessage).

    Raises InvalidMessage when the message did not come from a broker that does request and reply.
    """
    cluster = request.properties.get(names.CLUSTER)
    if not cluster:
        raise InvalidMessage(
            f"the message {request.msg_id} does not say from which cluster it is, so nobody can reply to it; "
            "was it received by a consumer?"
        )
    reply = Message(reply_topic(cluster), body)
    reply.properties[names.MSG_TYPE] = names.REPLY_TYPE
    for name in (names.CORRELATION_ID, names.REPLY_TO_CLIENT, names.TTL):
        if name in request.properties:
            reply.properties[name] = request.properties[name]
    return reply


def pushed_reply(header: ReplyMessageRequestHeader, body: bytes, now_ms: int) -> StoredMessage:
    """The reply that a broker passes on. Raises DecodeError when its body or its hosts cannot be read."""
    try:
        born_host, store_host = (
            encode_host(host.strip("[]"), int(port))
            for host, _, port in (text.rpartition(":") for text in (header.born_host, header.store_host))
        )
    except ValueError as error:
        raise DecodeError(f"the reply names an address that is none: {error}") from error
    reply = StoredMessage(
        topic=header.topic,
        queue_id=header.queue_id,
        flag=header.flag,
        sys_flag=header.sys_flag,
        born_timestamp=header.born_timestamp,
        born_host_bytes=born_host,
        store_timestamp=header.store_timestamp,
        store_host_bytes=store_host,
        reconsume_times=header.reconsume_times or 0,
        raw_body=body,
        properties=names.decode_properties(header.properties or ""),
    )
    reply.properties[names.ARRIVE_TIME] = str(now_ms)
    # Decompressed now: the broker is to hear of a body that nobody can read.
    _ = reply.body
    return reply
