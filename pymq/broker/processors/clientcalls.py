# Tests: tests/broker/processors/test_clientcalls.py
"""Questions of tools that only a consumer can answer, passed on to it: GET_CONSUMER_RUNNING_INFO (307) (remoting.md 3.11)."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.broker.consumers import ConsumerManager
from pymq.errors import ConnectionClosed, RequestError, RequestTimeout, TooManyRequests
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.clients import GetConsumerRunningInfoRequestHeader

CLIENT_CALL_TIMEOUT_S = 10.0
#: Older clients do not know the question: V3_1_8_SNAPSHOT (remoting.md 1.6).
CLIENT_VERSION_MIN = 62


@implementer(IRequestProcessor)
class ClientCallProcessor:
    """Passes a request on over the consumer's own connection, and its answer back (Java: AdminBrokerProcessor, Broker2Client)."""

    codes = frozenset({RequestCode.GET_CONSUMER_RUNNING_INFO})

    def __init__(self, *, consumers: ConsumerManager) -> None:
        self._consumers = consumers

    def process(self, channel: IChannel, request: RemotingCommand) -> Deferred[RemotingCommand]:
        """The consumer's answer, word for word.

        Raises RequestError when it is not connected or too old; fails with one when it does not answer, as some never do.
        """
        header = GetConsumerRunningInfoRequestHeader.from_fields(request.ext_fields)
        who = f"<{header.consumer_group}> <{header.client_id}>"
        group = self._consumers.group(header.consumer_group)
        info = None if group is None else group.find(header.client_id)
        if info is None:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"The Consumer {who} not online")
        if info.version < CLIENT_VERSION_MIN:
            raise RequestError(
                ResponseCode.SYSTEM_ERROR, f"The Consumer {who} Version <{info.version}> too low to finish, please upgrade it"
            )
        passed_on = RemotingCommand(code=request.code, ext_fields=request.ext_fields, body=request.body)
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
