# Tests: tests/client/test_transactions.py
"""Messages that consumers get only after a local transaction went well (Java: TransactionMQProducer, TransactionListener)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore

from pymq.client.config import ProducerConfig
from pymq.client.hooks import EndTransactionContext, EndTransactionHook, SendMessageHook, run_hooks
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.producer import Producer
from pymq.client.results import LocalTransactionState, SendResult, SendStatus
from pymq.client.trace import EndTransactionTraceHook
from pymq.errors import InvalidMessage
from pymq.interfaces import IChannel
from pymq.message import flags
from pymq.message import properties as names
from pymq.message.ids import decode_offset_message_id
from pymq.message.message import Message, StoredMessage
from pymq.settings import setting
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.transactions import CheckTransactionStateRequestHeader, EndTransactionRequestHeader

_REMARK_CHARS_MAX = 2000


_ON_THE_WIRE = {
    LocalTransactionState.COMMIT_MESSAGE: flags.TRANSACTION_COMMIT,
    LocalTransactionState.ROLLBACK_MESSAGE: flags.TRANSACTION_ROLLBACK,
    LocalTransactionState.UNKNOW: flags.TRANSACTION_NONE,
}

#: Does the local transaction: called with the message, which has its `unique_id`, and the caller's argument.
Execute = Callable[[Message, Any], Any]
#: Tells what became of it: called with the message as the broker has it, perhaps in another process than `execute` was.
Check = Callable[[StoredMessage], Any]


@attrs.frozen
class TransactionSendResult(SendResult):
    """The half message, and what `execute` said. `queue_offset` is that of the half message."""

    local_state: LocalTransactionState = LocalTransactionState.UNKNOW


@attrs.frozen(kw_only=True)
class TransactionConfig(ProducerConfig):
    """The settings of a transaction producer (Java: TransactionMQProducer)."""

    check_concurrency: int = setting(20, "calls of `check` that may be unfinished at one time", least=1, most=1000)
    check_request_hold_max: int = setting(2000, "questions of brokers in hand; more are left to be asked again", least=1)


class TransactionProducer(Producer):
    """A producer whose messages become visible when its local transaction is committed, also when it dies in between.

    ::

        producer = TransactionProducer("orders", execute=book, check=is_booked, namesrv_addr="127.0.0.1:9876")
        await producer.start()
        result = await producer.send_in_transaction(Message("order-topic", b"..."), order)

    `execute(message, argument)` does the local transaction and gives a LocalTransactionState; an error, or None, is UNKNOW. For
    what stayed unknown a broker later asks any producer of the group, whose `check(message)` gives the state. Both may give a
    Deferred or an awaitable. `message.unique_id` is the same in both calls: write it down within the local transaction.
    """

    config_class = TransactionConfig

    def __init__(
        self,
        group: str,
        *,
        execute: Execute,
        check: Check,
        hooks: Sequence[SendMessageHook] = (),
        end_hooks: Sequence[EndTransactionHook] = (),
        **settings: Any,
    ) -> None:
        """`end_hooks` are told of every end of a transaction. Raises ConfigError, ClientError."""
        super().__init__(group, hooks=hooks, **settings)
        config = self.config
        assert isinstance(config, TransactionConfig), "made of its class"
        self._execute = execute
        self._check = check
        self._end_hooks = list(end_hooks)
        self._checks = DeferredSemaphore(config.check_concurrency)
        self._checks_held_max = config.check_request_hold_max
        self._checks_held = 0

    def _join(self, instance: MQClientInstance) -> None:
        super()._join(instance)
        if self._trace is not None:
            self._end_hooks.append(EndTransactionTraceHook(self._trace, self.clock))

    # Sending

    def send_in_transaction(
        self, message: Message, argument: Any = None, *, timeout_s: float | None = None
    ) -> Deferred[TransactionSendResult]:
        """Send a half message, call `execute`, tell the broker what it said. Fails as `send` does, before `execute` is called.

        A half message that is stored but not safe is rolled back without calling it, as in Java. A delayed message is refused.
        """
        return self._do(self._send_in_transaction(message, argument, timeout_s))

    async def _send_in_transaction(self, message: Message, argument: Any, timeout_s: float | None) -> TransactionSendResult:
        sender = self._ready(message.topic)
        if message.delay_level:
            raise InvalidMessage("a transactional message cannot be delayed; leave its delay_level at 0")
        assert self._ids is not None, "made together with the instance"
        properties = {**message.properties, names.TRAN_MSG: "true", names.PGROUP: self.group}
        properties.setdefault(names.UNIQ_KEY, self._ids.next())
        half = Message(message.topic, message.body, flag=message.flag, properties=properties)
        prepared = sender.prepare(half)
        prepared = attrs.evolve(prepared, sys_flag=prepared.sys_flag | flags.TRANSACTION_PREPARED)
        result = await sender.send(prepared, timeout_s)
        state, remark = LocalTransactionState.ROLLBACK_MESSAGE, None
        if result.status is SendStatus.SEND_OK:
            state, remark = await self._asked_user(lambda: self._execute(half, argument), f"the transaction of {result.msg_id}")
        await self._end(half, result, state, remark)
        fields = {field.name: getattr(result, field.name) for field in attrs.fields(SendResult)}
        fields["transaction_id"] = result.transaction_id or result.msg_id
        return TransactionSendResult(**fields, local_state=state)

    async def _end(self, half: Message, result: SendResult, state: LocalTransactionState, remark: str | None) -> None:
        """Tell the broker, one-way. When that fails it will ask."""
        queue = self.namespace.wrap_queue(result.queue)
        header = EndTransactionRequestHeader(
            producer_group=self.group,
            tran_state_table_offset=result.queue_offset,
            commit_log_offset=decode_offset_message_id(result.offset_msg_id)[2],
            commit_or_rollback=_ON_THE_WIRE[state],
            msg_id=result.msg_id,
            transaction_id=result.transaction_id,
            topic=queue.topic,
            broker_name=queue.broker_name,
        )
        api = self.instance.api
        try:
            address = await self.instance.broker_address(queue.topic, queue.broker_name)
            context = EndTransactionContext(self.group, half, address, result.msg_id, result.msg_id, state)
            run_hooks(self._end_hooks, "end_transaction", context)
            await api.remoting.oneway(api.broker_channel(address), _end_request(header, remark))
        except EXPECTED_ERRORS as error:
            self._log.warn("the end of {id} could not be told; the broker will ask: {error}", id=result.msg_id, error=error)

    # Being asked

    def check_transaction(self, channel: IChannel, header: CheckTransactionStateRequestHeader, message: StoredMessage) -> None:
        """A broker asks what became of a transaction; it is told over the same connection, one-way."""
        if self._checks_held >= self._checks_held_max:
            self._log.warn("{count} questions are in hand; that about {id} is left", count=self._checks_held, id=message.msg_id)
            return
        self._checks_held += 1
        self.tasks.spawn(self._checked(channel, header, message), f"the check of {message.msg_id}")

    async def _checked(self, channel: IChannel, header: CheckTransactionStateRequestHeader, message: StoredMessage) -> None:
        try:
            await self._checks.acquire()
            topic, message.topic = message.topic, self.namespace.unwrap(message.topic)
            try:
                state, remark = await self._asked_user(lambda: self._check(message), f"the check of {message.msg_id}")
                context = EndTransactionContext(
                    self.group, message, "{}:{}".format(*channel.peer), message.msg_id, header.transaction_id, state, True
                )
                run_hooks(self._end_hooks, "end_transaction", context)
                channel.send(_end_request(self._answer(header, topic, message.msg_id, state), remark))
            finally:
                self._checks.release()
        finally:
            self._checks_held -= 1

    def _answer(
        self, header: CheckTransactionStateRequestHeader, topic: str, msg_id: str, state: LocalTransactionState
    ) -> EndTransactionRequestHeader:
        return EndTransactionRequestHeader(
            producer_group=self.group,
            tran_state_table_offset=header.tran_state_table_offset,
            commit_log_offset=header.commit_log_offset,
            commit_or_rollback=_ON_THE_WIRE[state],
            from_transaction_check=True,
            msg_id=msg_id,
            transaction_id=header.transaction_id,
            topic=topic,
            broker_name=header.broker_name,
        )

    async def _asked_user(self, call: Callable[[], Any], what: str) -> tuple[LocalTransactionState, str | None]:
        """The state that the user's callable gives, and the error, for the broker's log, that made it UNKNOW."""
        try:
            outcome = call()
            if inspect.isawaitable(outcome):
                outcome = await _awaited(outcome)
            if outcome is not None and not isinstance(outcome, LocalTransactionState):
                raise TypeError(f"{outcome!r} is no LocalTransactionState")
        except CancelledError:
            raise
        except Exception as error:
            self._log.failure("{what} failed; its state counts as unknown", what=what)
            return LocalTransactionState.UNKNOW, f"{type(error).__qualname__}: {error}"[:_REMARK_CHARS_MAX]
        return outcome or LocalTransactionState.UNKNOW, None


async def _awaited(outcome: Awaitable[Any]) -> Any:
    return await outcome


def _end_request(header: EndTransactionRequestHeader, remark: str | None) -> RemotingCommand:
    return attrs.evolve(RemotingCommand.request(RequestCode.END_TRANSACTION, header, oneway=True), remark=remark)
