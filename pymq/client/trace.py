# Tests: tests/client/test_trace.py
"""Message traces: who sent and consumed a message, when and how it went, as Java's clients tell it and its tools read it.

A record is a line of fields parted by 0x01 and ended by 0x02. Records are gathered and sent, many in one message, to the trace
topic; the message's keys are the ids and keys of the messages that it tells of: thus `mqadmin queryMsgTraceById` finds it.
Java: TraceDataEncoder, AsyncTraceDispatcher, SendMessageTraceHookImpl, ConsumeMessageTraceHookImpl, EndTransactionTraceHookImpl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pymq.client.config import ProducerConfig
from pymq.client.hooks import ConsumeMessageContext, EndTransactionContext, SendMessageContext
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.results import SendStatus
from pymq.client.send import Sender
from pymq.client.tasks import Tasks, all_of
from pymq.message import properties as names
from pymq.message.message import Message, StoredMessage
from pymq.message.namespaces import without_namespace
from pymq.message.topics import TRACE_TOPIC

FIELD_END = "\x01"
RECORD_END = "\x02"
#: Where a message that does not say its region is from.
DEFAULT_REGION = "DefaultRegion"
GROUP_PREFIX = "_INNER_TRACE_PRODUCER"

#: A record waits for others for so long.
GATHER_S = 0.5
SEND_TIMEOUT_S = 5.0
#: How long a shutdown waits for the last records to be sent.
CLOSE_TIMEOUT_S = 3.0
#: Bytes of records in one message, and of all its keys, which are a property and share its bound with others.
MESSAGE_BYTES_MAX = 118_000
KEYS_BYTES_MAX = 24_000
#: Messages with traces on their way at one time; records that come while so many are under way are given up.
MESSAGES_IN_FLIGHT_MAX = 32

# The kinds of messages and of outcomes, as Java numbers them.
_NORMAL, _HALF, _END, _DELAYED = 0, 1, 2, 3
_CONSUMED, _RAISED, _FAILED = 0, 2, 4
_START_DELIVER_TIME = "__STARTDELIVERTIME"
_BEGIN, _REQUEST = "trace begin", "trace request"


def encode_record(*fields: object) -> str:
    """One record. A missing text is the word `null`, as Java writes it: its reader cannot do with nothing in the last place."""
    return FIELD_END.join(_text(field) for field in fields) + RECORD_END


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    # A separator in a value would shift all fields behind it.
    return str(value).replace(FIELD_END, " ").replace(RECORD_END, " ")


class TraceDispatcher:
    """Gathers the records of one producer or consumer and sends them."""

    _log = Logger()

    def __init__(self, topic: str, instance: MQClientInstance, sender: Sender, tasks: Tasks) -> None:
        self.topic = topic
        self._instance = instance
        self._sender = sender
        self._tasks = tasks
        self._records: list[str] = []
        self._keys: dict[str, None] = {}
        self._size = self._keys_size = 0
        self._sending: set[Deferred[Any]] = set()
        self._timer: Deferred[Any] | None = None
        self.dropped_count = 0

    def append(self, record: str, msg_id: str, keys: Iterable[str] = ()) -> None:
        """Take a record about a message with that id and those keys. It is given up when too many are under way."""
        if len(self._sending) >= MESSAGES_IN_FLIGHT_MAX:
            self.dropped_count += 1
            if self.dropped_count == 1:
                self._log.warn("traces come faster than {topic} takes them; some are given up", topic=self.topic)
            return
        words = dict.fromkeys((msg_id, *keys))
        keys_size = sum(len(word.encode("utf-8")) + 1 for word in words)
        if keys_size > KEYS_BYTES_MAX:
            words, keys_size = {msg_id: None}, len(msg_id) + 1
        size = len(record.encode("utf-8"))
        if self._records and (self._size + size > MESSAGE_BYTES_MAX or self._keys_size + keys_size > KEYS_BYTES_MAX):
            self.flush()
        self._records.append(record)
        self._keys.update(words)
        self._size += size
        self._keys_size += keys_size
        if self._timer is None:
            self._timer = self._tasks.spawn(self._flush_later(), "gathering traces")

    async def _flush_later(self) -> None:
        await self._tasks.sleep(GATHER_S)
        self._timer = None
        self.flush()

    def flush(self) -> None:
        """Send what was gathered, without waiting for it."""
        if not self._records:
            return
        message = Message(self.topic, "".join(self._records).encode("utf-8"), keys=self._keys)
        self._records, self._keys, self._size, self._keys_size = [], {}, 0, 0
        sending = self._tasks.spawn(self._send(message), "sending traces")
        if not sending.called:
            self._sending.add(sending)
            sending.addBoth(lambda _: self._sending.discard(sending))

    async def _send(self, message: Message) -> None:
        try:
            await self._sender.send(self._sender.prepare(message), SEND_TIMEOUT_S)
        except EXPECTED_ERRORS as error:
            self._log.warn("traces could not be sent to {topic}: {error}", topic=self.topic, error=error)
            await self._instance.update_route(self.topic)

    async def close(self) -> None:
        """Send the rest, and wait a while until all is sent."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.flush()
        if self._sending:
            # The waiters get copies, so that giving up the waiting leaves the sends alone.
            waiting = all_of([_ended(sending) for sending in self._sending])
            await waiting.addTimeout(CLOSE_TIMEOUT_S, self._instance.clock, onTimeoutCancel=lambda result, seconds: None)


def _ended(sending: Deferred[Any]) -> Deferred[None]:
    waiter: Deferred[None] = Deferred()

    def over(result: Any) -> Any:
        if not waiter.called:
            waiter.callback(None)
        return result

    sending.addBoth(over)
    return waiter


class SendTraceHook:
    """Tells of every message that a broker took."""

    def __init__(self, dispatcher: TraceDispatcher, clock: Any) -> None:
        self._dispatcher = dispatcher
        self._clock = clock

    def send_message_before(self, context: SendMessageContext) -> None:
        """Note when the send began."""
        context.properties[_BEGIN] = int(self._clock.seconds() * 1000)

    def send_message_after(self, context: SendMessageContext) -> None:
        """One record for each message that was sent, unless the broker says that it wants none (TRACE_ON)."""
        result, begin_ms = context.result, context.properties.get(_BEGIN)
        if result is None or begin_ms is None or not result.trace_on or result.region_id is None:
            return
        if context.queue.topic == self._dispatcher.topic:
            return
        cost_ms = int(self._clock.seconds() * 1000) - begin_ms
        ids, offset_ids = result.msg_id.split(","), result.offset_msg_id.split(",")
        for index, message in enumerate(context.messages):
            record = encode_record(
                "Pub",
                begin_ms,
                result.region_id,
                without_namespace(context.group),
                message.topic,
                ids[index],
                message.tags,
                message.properties.get(names.KEYS),
                context.address,
                len(message.body),
                cost_ms,
                _kind_of(message),
                offset_ids[min(index, len(offset_ids) - 1)],
                result.status is SendStatus.SEND_OK,
            )
            self._dispatcher.append(record, ids[index], message.keys)


class EndTransactionTraceHook:
    """Tells of every end of a transaction."""

    def __init__(self, dispatcher: TraceDispatcher, clock: Any) -> None:
        self._dispatcher = dispatcher
        self._clock = clock

    def end_transaction(self, context: EndTransactionContext) -> None:
        """One record, of what the broker is told."""
        message = context.message
        record = encode_record(
            "EndTransaction",
            int(self._clock.seconds() * 1000),
            message.properties.get(names.MSG_REGION, DEFAULT_REGION),
            without_namespace(context.group),
            message.topic,
            context.msg_id,
            message.tags,
            message.properties.get(names.KEYS),
            context.address,
            _END,
            context.transaction_id,
            context.state.value,
            context.from_transaction_check,
        )
        self._dispatcher.append(record, context.msg_id, message.keys)


def _kind_of(message: Message) -> int:
    if message.properties.get(names.TRAN_MSG, "").lower() == "true":
        return _HALF
    return _DELAYED if message.delay_level > 0 or _START_DELIVER_TIME in message.properties else _NORMAL


class ConsumeTraceHook:
    """Tells of every call of the listener, before and after it."""

    def __init__(self, dispatcher: TraceDispatcher, clock: Any, next_id: Callable[[], str]) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._next_id = next_id

    def consume_message_before(self, context: ConsumeMessageContext) -> None:
        """One record for each message; a number that the later ones bear too."""
        begin_ms = context.properties[_BEGIN] = int(self._clock.seconds() * 1000)
        request_id = context.properties[_REQUEST] = self._next_id()
        group = without_namespace(context.group)
        for message in _traced(context):
            fields = (message.properties.get(names.MSG_REGION), group, request_id, message.msg_id)
            keys = message.properties.get(names.KEYS)
            record = encode_record("SubBefore", begin_ms, *fields, message.reconsume_times, keys)
            self._dispatcher.append(record, message.msg_id, message.keys)

    def consume_message_after(self, context: ConsumeMessageContext) -> None:
        """How long each message took in the mean, and how it went."""
        begin_ms = context.properties.get(_BEGIN)
        if begin_ms is None or context.status is None:
            return
        now_ms = int(self._clock.seconds() * 1000)
        cost_ms = (now_ms - begin_ms) // max(1, len(context.messages))
        is_success = context.status.is_success
        outcome = _RAISED if context.error is not None else _CONSUMED if is_success else _FAILED
        group = without_namespace(context.group)
        for message in _traced(context):
            fields = (message.msg_id, cost_ms, is_success, message.properties.get(names.KEYS), outcome, now_ms, group)
            record = encode_record("SubAfter", context.properties[_REQUEST], *fields)
            self._dispatcher.append(record, message.msg_id, message.keys)


def _traced(context: ConsumeMessageContext) -> list[StoredMessage]:
    return [message for message in context.messages if message.properties.get(names.TRACE_ON) != "false"]


def consume_hook(
    group: str, topic: str, instance: MQClientInstance, tasks: Tasks, next_id: Callable[[], str]
) -> tuple[TraceDispatcher, ConsumeTraceHook]:
    """A consumer's dispatcher, to be closed with it, and its hook."""
    dispatcher = make_dispatcher(group, "CONSUME", topic, instance, tasks, next_id)
    return dispatcher, ConsumeTraceHook(dispatcher, instance.clock, next_id)


def make_dispatcher(
    group: str, role: str, topic: str, instance: MQClientInstance, tasks: Tasks, next_id: Callable[[], str]
) -> TraceDispatcher:
    """The dispatcher of a member; `role` is Java's word PRODUCE or CONSUME, `topic` may be empty for the system's own."""
    sender = Sender(f"{GROUP_PREFIX}-{group}-{role}-1", ProducerConfig(send_msg_timeout_s=SEND_TIMEOUT_S), instance, next_id)
    return TraceDispatcher(topic or TRACE_TOPIC, instance, sender, tasks)
