# Tests: tests/client/test_send.py
"""Sending: check, encode, choose a queue, send, and try elsewhere when that failed (Java: DefaultMQProducerImpl)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import attrs

from pymq.client.config import ProducerConfig
from pymq.client.hooks import SendMessageContext, SendMessageHook, run_hooks
from pymq.client.instance import MQClientInstance
from pymq.client.results import SEND_STATUS_OF_CODE, SendResult, SendStatus
from pymq.client.retries import Retries
from pymq.client.routes import PublishInfo
from pymq.client.selector import QueueSelector
from pymq.client.transport import TRANSPORT_ERRORS
from pymq.errors import BrokerRefused, ClientError, ConnectFailed, InvalidMessage, RequestTimeout, TooManyRequests
from pymq.message import flags
from pymq.message import properties as names
from pymq.message.batch import encode_batch
from pymq.message.compression import COMPRESSION_TYPES, compress
from pymq.message.message import Message
from pymq.message.namespaces import Namespace
from pymq.message.topics import NOT_ALLOWED_SEND, check_topic, is_retry_topic
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import SendMessageRequestHeaderV2, SendMessageResponseHeader

#: A connection with too many unanswered requests is left alone for so long before the next try.
CONGESTION_PAUSE_S = 0.01
BATCH_MESSAGES_MAX = 65_536


@attrs.frozen
class Prepared:
    """A message, or a batch, ready to be sent to any queue of its topic."""

    messages: Sequence[Message]
    topic: str
    body: bytes
    properties: str
    msg_id: str
    sys_flag: int = 0
    flag: int = 0
    is_batch: bool = False
    reconsume_times: int = 0
    max_reconsume_times: int | None = None


def check_message(message: Message, max_message_size: int) -> None:
    """Raise InvalidMessage for what no broker would take (Java: Validators.checkMessage)."""
    try:
        check_topic(message.topic)
    except ValueError as error:
        raise InvalidMessage(str(error)) from error
    if message.topic in NOT_ALLOWED_SEND:
        raise InvalidMessage(f"the topic {message.topic} is the system's and takes no messages; choose another")
    if not message.body:
        raise InvalidMessage("the body is empty; a message needs at least one byte")
    if len(message.body) > max_message_size:
        raise InvalidMessage(
            f"the body of {len(message.body)} bytes is larger than max_message_size, {max_message_size}; send less, or raise "
            "it here and in the broker"
        )


def property_text(properties: dict[str, str]) -> str:
    """The property string. Raises InvalidMessage."""
    try:
        text = names.encode_properties(properties)
    except ValueError as error:
        raise InvalidMessage(str(error)) from error
    if len(text) > names.PROPERTIES_BYTES_MAX // 4 and len(text.encode("utf-8")) > names.PROPERTIES_BYTES_MAX:
        raise InvalidMessage(f"the properties take more than {names.PROPERTIES_BYTES_MAX} bytes; put less into them")
    return text


class Sender:
    """Sends the messages of one producer group."""

    def __init__(
        self,
        group: str,
        config: ProducerConfig,
        instance: MQClientInstance,
        next_id: Callable[[], str],
        *,
        hooks: Sequence[SendMessageHook] = (),
        first_turn: int = 0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.group = group
        self._config = config
        self._namespace = Namespace(config.namespace)
        self._instance = instance
        self._next_id = next_id
        self._hooks = hooks
        self._clock = instance.clock
        self.selector = QueueSelector(fault_enable=config.send_latency_fault_enable, first_turn=first_turn)
        self._chance = chance
        self.in_flight = 0

    # Preparing

    def prepare(self, message: Message) -> Prepared:
        """Check and encode one message; the message itself stays as it is. Raises InvalidMessage."""
        config = self._config
        check_message(message, config.max_message_size)
        properties = self._properties_of(message)
        msg_id = properties[names.UNIQ_KEY] = properties.get(names.UNIQ_KEY) or self._next_id()
        reconsume_times, max_reconsume_times = 0, None
        if is_retry_topic(message.topic):
            reconsume_times = int(properties.pop(names.RECONSUME_TIME, "0"))
            limit = properties.pop(names.MAX_RECONSUME_TIMES, None)
            max_reconsume_times = None if limit is None else int(limit)
        body, sys_flag = message.body, 0
        if len(body) >= config.compress_msg_body_over_howmuch:
            kind = COMPRESSION_TYPES[config.compress_type]
            smaller = compress(body, kind, config.compress_level)
            if len(smaller) < len(body):
                body, sys_flag = smaller, flags.COMPRESSED | kind
        return Prepared(
            messages=(message,),
            topic=self._namespace.wrap(message.topic),
            body=body,
            properties=property_text(properties),
            msg_id=msg_id,
            sys_flag=sys_flag,
            flag=message.flag,
            reconsume_times=reconsume_times,
            max_reconsume_times=max_reconsume_times,
        )

    def prepare_batch(self, messages: Sequence[Message]) -> Prepared:
        """Check and encode messages of one topic as one body (Java: MessageBatch). Raises InvalidMessage."""
        if not 0 < len(messages) <= BATCH_MESSAGES_MAX:
            raise InvalidMessage(f"a batch takes from 1 to {BATCH_MESSAGES_MAX} messages, not {len(messages)}")
        first, items, ids = messages[0], [], []
        for message in messages:
            check_message(message, self._config.max_message_size)
            if message.topic != first.topic or message.wait_store_ok != first.wait_store_ok:
                raise InvalidMessage("the messages of a batch must have the same topic and the same wait_store_ok")
            if message.delay_level > 0 or is_retry_topic(message.topic):
                raise InvalidMessage("delayed messages and retry topics cannot be sent in a batch; send them one by one")
            properties = self._properties_of(message)
            ids.append(properties.get(names.UNIQ_KEY) or self._next_id())
            properties[names.UNIQ_KEY] = ids[-1]
            items.append((message.flag, message.body, property_text(properties)))
        body = encode_batch(items)
        if len(body) > self._config.max_message_size:
            raise InvalidMessage(
                f"the batch of {len(body)} bytes is larger than max_message_size, {self._config.max_message_size}; divide it"
            )
        wait = "true" if first.wait_store_ok else "false"
        topic = self._namespace.wrap(first.topic)
        return Prepared(tuple(messages), topic, body, property_text({names.WAIT: wait}), ",".join(ids), is_batch=True)

    def _properties_of(self, message: Message) -> dict[str, str]:
        """A copy of the message's, to be added to."""
        namespace = self._namespace.name
        return {**message.properties, names.INSTANCE_ID: namespace} if namespace else dict(message.properties)

    # Sending

    async def send(self, prepared: Prepared, timeout_s: float | None = None) -> SendResult:
        """Send to a queue in turn, and after a failure to another broker. Raises the last error when all tries failed."""
        deadline = self._deadline(timeout_s)
        config, selector = self._config, self.selector
        info = await self._publish_info(prepared.topic, deadline)
        retries = Retries(self._chance)
        last_broker: str | None = None
        error: Exception | None = None
        result: SendResult | None = None
        for tries_left in range(config.retry_times_when_send_failed, -1, -1):
            queue = selector.select(info, last_broker, self._instance.now_ms())
            pause_s = retries.pause_s(queue.broker_name, begin := self._clock.seconds())
            if begin + pause_s >= deadline:
                break
            if pause_s:
                await self._instance.tasks.sleep(pause_s)
                begin = self._clock.seconds()
            failed = False
            try:
                result = await self.send_to(queue, prepared, self._deadline_of_try(begin, deadline, tries_left))
                if result.status is SendStatus.SEND_OK or not config.retry_another_broker_when_not_store_ok:
                    return result
            except BrokerRefused as refusal:
                error, failed = refusal, True
                if refusal.code not in config.retry_response_codes:
                    raise
            except (ClientError, *TRANSPORT_ERRORS) as problem:
                error, failed = problem, True
                if isinstance(problem, ConnectFailed):
                    self._instance.look_again(prepared.topic)
            finally:
                end = self._clock.seconds()
                selector.record(queue.broker_name, int((end - begin) * 1000), int(end * 1000), failed)
            last_broker = queue.broker_name
            retries.failed(last_broker, error if failed else None, end)
        if result is not None:
            return result
        raise error or RequestTimeout("the brokers", RequestCode.SEND_MESSAGE_V2, timeout_s or config.send_msg_timeout_s)

    async def send_to_queue(self, queue: MessageQueue, prepared: Prepared, timeout_s: float | None = None) -> SendResult:
        """Send to this very queue, once."""
        queue = self._checked(queue, prepared)
        return await self.send_to(queue, prepared, self._deadline(timeout_s))

    async def send_to(self, queue: MessageQueue, prepared: Prepared, deadline: float) -> SendResult:
        """One try. Raises BrokerRefused, NoRoute or one of TRANSPORT_ERRORS."""
        address = await self._instance.broker_address(prepared.topic, queue.broker_name)
        context = self._before(queue, prepared, address, is_oneway=False)
        self._enter()
        try:
            response = await self._request(address, queue, prepared, deadline)
            result = send_result(response, self._namespace.unwrap_queue(queue), prepared.msg_id, address)
        except Exception as error:
            self._after(context, None, error)
            raise
        finally:
            self.in_flight -= 1
        self._after(context, result, None)
        return result

    async def _request(self, address: str, queue: MessageQueue, prepared: Prepared, deadline: float) -> RemotingCommand:
        header = self._header(queue, prepared)
        while True:
            remaining_s = deadline - self._clock.seconds()
            try:
                return await self._instance.api.send_message(address, header, prepared.body, max(remaining_s, 0.0))
            except TooManyRequests:
                if remaining_s <= CONGESTION_PAUSE_S:
                    raise
            await self._instance.tasks.sleep(CONGESTION_PAUSE_S)

    async def send_oneway(self, prepared: Prepared, queue: MessageQueue | None = None) -> None:
        """Send without an answer, to a queue in turn or to the one given; returns when it is written."""
        if queue is None:
            info = await self._publish_info(prepared.topic, self._deadline(None))
            queue = self.selector.select(info, None, self._instance.now_ms())
        else:
            queue = self._checked(queue, prepared)
        address = await self._instance.broker_address(prepared.topic, queue.broker_name)
        context = self._before(queue, prepared, address, is_oneway=True)
        try:
            await self._instance.api.send_message_oneway(address, self._header(queue, prepared), prepared.body)
        except Exception as error:
            self._after(context, None, error)
            raise
        self._after(context, None, None)

    def _deadline(self, timeout_s: float | None) -> float:
        return self._clock.seconds() + (self._config.send_msg_timeout_s if timeout_s is None else timeout_s)

    def _deadline_of_try(self, begin: float, deadline: float, tries_left: int) -> float:
        """When to try elsewhere: at the end, or sooner where that is wanted and there is another try (5.x)."""
        most_s = self._config.send_msg_max_timeout_per_request_s
        return min(begin + most_s, deadline) if most_s > 0 and tries_left else deadline

    async def _publish_info(self, topic: str, deadline: float) -> PublishInfo:
        config, left_s = self._config, deadline - self._clock.seconds()
        return await self._instance.publish_info(topic, config.create_topic_key, config.default_topic_queue_nums, left_s)

    def _enter(self) -> None:
        if self.in_flight >= self._config.sends_in_flight_max:
            raise TooManyRequests(f"{self.in_flight} sends wait for their answer, which is sends_in_flight_max; await some")
        self.in_flight += 1

    def _checked(self, queue: MessageQueue, prepared: Prepared) -> MessageQueue:
        """The queue that the user gave, as the brokers know it. Raises InvalidMessage for one of another topic."""
        queue = self._namespace.wrap_queue(queue)
        if queue.topic != prepared.topic:
            raise InvalidMessage(f"the queue is one of the topic {queue.topic}, the message is for {prepared.topic}")
        return queue

    def _header(self, queue: MessageQueue, prepared: Prepared) -> SendMessageRequestHeaderV2:
        config = self._config
        return SendMessageRequestHeaderV2(
            producer_group=self.group,
            topic=prepared.topic,
            default_topic=config.create_topic_key,
            default_topic_queue_nums=config.default_topic_queue_nums,
            queue_id=queue.queue_id,
            sys_flag=prepared.sys_flag,
            born_timestamp=self._instance.now_ms(),
            flag=prepared.flag,
            properties=prepared.properties,
            reconsume_times=prepared.reconsume_times,
            unit_mode=config.unit_mode,
            max_reconsume_times=prepared.max_reconsume_times,
            batch=prepared.is_batch,
            broker_name=queue.broker_name,
        )

    def _before(self, queue: MessageQueue, prepared: Prepared, address: str, is_oneway: bool) -> SendMessageContext | None:
        if not self._hooks:
            return None
        context = SendMessageContext(self.group, prepared.messages, queue, address, is_oneway)
        run_hooks(self._hooks, "send_message_before", context)
        return context

    def _after(self, context: SendMessageContext | None, result: SendResult | None, error: BaseException | None) -> None:
        if context is not None:
            context.result, context.error = result, error
            run_hooks(self._hooks, "send_message_after", context)


def send_result(response: RemotingCommand, queue: MessageQueue, msg_id: str, address: str) -> SendResult:
    """What an answer to a send says. Raises BrokerRefused when the message is not stored."""
    status = SEND_STATUS_OF_CODE.get(response.code)
    if status is None:
        raise BrokerRefused(response.code, response.remark, address)
    header = SendMessageResponseHeader.from_fields(response.ext_fields)
    fields = response.ext_fields or {}
    return SendResult(
        status=status,
        msg_id=msg_id,
        offset_msg_id=header.msg_id,
        queue=MessageQueue(queue.topic, queue.broker_name, header.queue_id),
        queue_offset=header.queue_offset,
        transaction_id=header.transaction_id,
        region_id=fields.get(names.MSG_REGION),
        trace_on=fields.get(names.TRACE_ON) == "true",
    )
