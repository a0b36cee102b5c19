# Tests: tests/broker/processors/test_clientcalls.py
"""Questions of tools that only a consumer can answer, passed on to it (remoting.md 3.11).

GET_CONSUMER_RUNNING_INFO (307) goes on as it is. CONSUME_MESSAGE_DIRECTLY (309) names a message; the broker adds the message.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.broker.consumers import ConsumerManager
from pymq.errors import ConnectionClosed, DecodeError, RequestError, RequestTimeout, TooManyRequests
from pymq.interfaces import IChannel, IMessageStore, IRequestProcessor
from pymq.message.ids import decode_offset_message_id
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import ConsumeMessageDirectlyResultRequestHeader, GetConsumerRunningInfoRequestHeader

CLIENT_CALL_TIMEOUT_S = 10.0
#: Older clients do not know the question: V3_1_8_SNAPSHOT (remoting.md 1.6).
CLIENT_VERSION_MIN = 62


@implementer(IRequestProcessor)
class ClientCallProcessor:
    """Passes a request on over the consumer's own connection, and its answer back (Java: AdminBrokerProcessor, Broker2Client)."""

    codes = frozenset({RequestCode.GET_CONSUMER_RUNNING_INFO, RequestCode.CONSUME_MESSAGE_DIRECTLY})

    def __init__(self, *, config: BrokerConfig, store: IMessageStore, consumers: ConsumerManager) -> None:
        self._config = config
        self._store = store
        self._consumers = consumers

    def process(self, channel: IChannel, request: RemotingCommand) -> Deferred[RemotingCommand]:
        """The consumer's answer, word for word.

        Raises RequestError when it is not connected or too old, or when there is no such message; fails with one when the
        consumer does not answer, as some never do.
        """
        if request.code == RequestCode.CONSUME_MESSAGE_DIRECTLY:
            return self._consume_directly(request)
        header = GetConsumerRunningInfoRequestHeader.from_fields(request.ext_fields)
        passed_on = RemotingCommand(code=request.code, ext_fields=request.ext_fields, body=request.body)
        return self._call(request, passed_on, header.consumer_group, header.client_id)

    def _consume_directly(self, request: RemotingCommand) -> Deferred[RemotingCommand]:
        header = ConsumeMessageDirectlyResultRequestHeader.from_fields(request.ext_fields)
        fields = {**(request.ext_fields or {}), "brokerName": self._config.broker_name}
        passed_on = RemotingCommand(code=request.code, ext_fields=fields, body=self._record(header.msg_id or ""))
        return self._call(request, passed_on, header.consumer_group, header.client_id or "")

    def _record(self, msg_id: str) -> bytes:
        """The stored message of an offset message id. Raises RequestError."""
        try:
            log_offset = decode_offset_message_id(msg_id)[2]
        except DecodeError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error
        record = self._store.read_at(log_offset) if log_offset >= 0 else None
        if record is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"there is no message {msg_id} in this broker")
        return bytes(record)

    def _call(self, request: RemotingCommand, passed_on: RemotingCommand, name: str, client_id: str) -> Deferred[RemotingCommand]:
        who = f"<{name}> <{client_id}>"
        group = self._consumers.group(name)
        info = None if group is None else group.find(client_id)
        if info is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"The Consumer {who} not online")
        if info.version < CLIENT_VERSION_MIN:
            raise RequestError(
                ResponseCode.SYSTEM_ERROR, f"The Consumer {who} Version <{info.version}> too low to finish, please upgrade it"
            )
        asked = info.channel.request(passed_on, CLIENT_CALL_TIMEOUT_S)
        return asked.addCallbacks(_pass_back, _explain, callbackArgs=(request,), errbackArgs=(who,))


def _pass_back(answer: RemotingCommand, request: RemotingCommand) -> RemotingCommand:
    return request.reply(answer.code, answer.remark, body=answer.body, ext_fields=answer.ext_fields)


def _explain(failure: Failure, who: str) -> RemotingCommand:
    """Turn what went wrong on the way to the consumer into an answer's code and words."""
    failure.trap(RequestTimeout, ConnectionClosed, TooManyRequests)
    if failure.check(RequestTimeout):
        raise RequestError(ResponseCode.CONSUME_MSG_TIMEOUT, f"consumer {who} Timeout: {failure.value}")
    raise RequestError(ResponseCode.SYSTEM_ERROR, f"invoke consumer {who} Exception: {failure.value}")
