# Tests: tests/client/test_pulling.py
"""One pull: which broker to ask, what to ask, and what the answer means (Java: PullAPIWrapper)."""

from __future__ import annotations

from collections.abc import Iterable

from pymq.client.instance import MQClientInstance
from pymq.client.messageselector import check_broker_version
from pymq.client.results import PULL_STATUS_OF_CODE, PullResult, PullStatus
from pymq.client.routes import MASTER_ID
from pymq.errors import BrokerRefused
from pymq.message import flags
from pymq.message.message import StoredMessage
from pymq.message.record import iter_records
from pymq.wire.bodies.heartbeat import EXPRESSION_TAG, SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import PullMessageRequestHeader, PullMessageResponseHeader


class PullClient:
    """Pulls for one group, and remembers from which broker id each queue is best read."""

    def __init__(self, group: str, instance: MQClientInstance) -> None:
        self._group = group
        self._instance = instance
        self._best_broker: dict[MessageQueue, int] = {}

    async def pull(
        self,
        queue: MessageQueue,
        offset: int,
        subscription: SubscriptionData,
        *,
        count_max: int,
        timeout_s: float,
        suspend_s: float = 0.0,
        commit_offset: int | None = None,
        send_expression: bool = True,
    ) -> PullResult:
        """The messages from an offset on. `suspend_s` above 0 lets the broker wait for some; `commit_offset` is kept by it.

        Raises BrokerRefused for an answer that is no PullStatus, ClientError for a broker too old for the expression, NoRoute, or
        one of TRANSPORT_ERRORS.
        """
        address, is_slave = await self._instance.broker_to_read(
            queue.topic, queue.broker_name, self._best_broker.get(queue, MASTER_ID)
        )
        check_broker_version(subscription, self._instance.broker_versions.get(address), address)
        commits = commit_offset is not None and not is_slave
        header = PullMessageRequestHeader(
            consumer_group=self._group,
            topic=queue.topic,
            queue_id=queue.queue_id,
            queue_offset=offset,
            max_msg_nums=count_max,
            sys_flag=(flags.PULL_COMMIT_OFFSET if commits else 0)
            | (flags.PULL_SUSPEND if suspend_s > 0 else 0)
            | (flags.PULL_SUBSCRIPTION if send_expression else 0),
            commit_offset=commit_offset or 0,
            suspend_timeout_millis=int(suspend_s * 1000),
            subscription=subscription.sub_string if send_expression else None,
            sub_version=subscription.sub_version,
            expression_type=subscription.expression_type,
            broker_name=queue.broker_name,
        )
        response = await self._instance.api.pull_message(address, header, timeout_s)
        return self._result(response, queue, subscription, address)

    def _result(self, response: RemotingCommand, queue: MessageQueue, subscription: SubscriptionData, address: str) -> PullResult:
        status = PULL_STATUS_OF_CODE.get(response.code)
        if status is None:
            raise BrokerRefused(response.code, response.remark, address)
        header = PullMessageResponseHeader.from_fields(response.ext_fields)
        self._best_broker[queue] = header.suggest_which_broker_id
        messages: list[StoredMessage] = []
        if status is PullStatus.FOUND:
            messages = matching(iter_records(response.body), subscription)
            for message in messages:
                message.broker_name = queue.broker_name
        return PullResult(status, header.next_begin_offset, header.min_offset, header.max_offset, messages)

    def forget(self, queue: MessageQueue) -> None:
        """The queue is not pulled any more."""
        self._best_broker.pop(queue, None)


def matching(messages: Iterable[StoredMessage], subscription: SubscriptionData) -> list[StoredMessage]:
    """Those that the subscription wants: brokers filter tags by hash, so a stranger may be among them."""
    wanted = subscription.tags_set
    if not wanted or subscription.expression_type != EXPRESSION_TAG:
        return list(messages)
    return [message for message in messages if message.tags in wanted]
