# Tests: tests/broker/processors/test_queuelocks.py
"""Locks for consumers that read in order: LOCK_BATCH_MQ (41), UNLOCK_BATCH_MQ (42) (remoting.md 3.6)."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pymq.broker.configmanager import WhenSaved, save_at_once
from pymq.broker.queuelocks import RebalanceLockManager
from pymq.errors import DecodeError, RequestError
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.wire import javajson
from pymq.wire.bodies.queuelocks import LockBatchRequestBody, LockBatchResponseBody, UnlockBatchRequestBody
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand

B = TypeVar("B")


@implementer(IRequestProcessor)
class QueueLockProcessor:
    """Grants, renews and takes back locks (Java: AdminBrokerProcessor). A lock is told of when it is saved."""

    codes = frozenset({RequestCode.LOCK_BATCH_MQ, RequestCode.UNLOCK_BATCH_MQ})

    def __init__(self, *, locks: RebalanceLockManager, when_saved: WhenSaved = save_at_once) -> None:
        self._locks = locks
        self._when_saved = when_saved

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Answer one of the two. Raises RequestError."""
        if request.code == RequestCode.UNLOCK_BATCH_MQ:
            release = _read(request, UnlockBatchRequestBody)
            self._locks.unlock_batch(release.consumer_group, release.mq_set, release.client_id)
            return request.reply()
        wish = _read(request, LockBatchRequestBody)
        granted = self._locks.lock_batch(wish.consumer_group, wish.mq_set, wish.client_id)
        answer = request.reply(body=javajson.encode(LockBatchResponseBody(lock_ok_mq_set=granted)))
        return self._when_saved(self._locks).addCallback(lambda _: answer)


def _read(request: RemotingCommand, type_: type[B]) -> B:
    try:
        return javajson.decode_as(request.body, type_)
    except DecodeError as error:
        raise RequestError(ResponseCode.SYSTEM_ERROR, f"the body of {request.name} cannot be read: {error}") from error
