# Tests: tests/broker/processors/test_send.py
"""SEND_MESSAGE (10), SEND_MESSAGE_V2 (310) and SEND_BATCH_MESSAGE (320): check, store, answer when it is safe (remoting.md 3.2).

`pymq.broker.processors.sendlane` does the same for the plain message, many at a time, and is held equal to this by a test.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.broker.configmanager import WhenSaved, save_at_once
from pymq.broker.delays import redirected
from pymq.broker.fastfailure import BrokerFastFailure
from pymq.broker.groups import SubscriptionGroupManager
from pymq.broker.halfqueue import prepare
from pymq.broker.processors.admission import Admission, SendHeader
from pymq.broker.processors.sendproperties import own_properties, read_send_properties
from pymq.broker.processors.storesettings import StoreSettings
from pymq.broker.retries import make_dead_letter_topic, retries_max
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import DecodeError, RequestError, StoreClosed, StoreError
from pymq.interfaces import IChannel, IClock, IMessageStore, IRequestProcessor
from pymq.message import topics as names
from pymq.message.batch import BatchItem, decode_batch
from pymq.message.flags import TRANSACTION_MASK
from pymq.message.ids import encode_host, offset_message_id
from pymq.message.properties import (
    CLUSTER,
    DELAY,
    PROPERTIES_BYTES_MAX,
    TRAN_MSG,
    WAIT,
    joined,
    property_of,
    waits_for_store,
    with_property,
    without_property,
)
from pymq.message.record import RecordDraft, draft_from, mark_group
from pymq.message.results import PutResult, PutStatus
from pymq.message.tags import tags_code
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import Int32
from pymq.wire.headers.messages import SendMessageRequestHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader

#: What became of the put -> the answer's code. The first four are stored, and answered with the message's place.
PUT_ANSWERS: dict[PutStatus, ResponseCode] = {
    PutStatus.PUT_OK: ResponseCode.SUCCESS,
    PutStatus.FLUSH_DISK_TIMEOUT: ResponseCode.FLUSH_DISK_TIMEOUT,
    PutStatus.FLUSH_SLAVE_TIMEOUT: ResponseCode.FLUSH_SLAVE_TIMEOUT,
    PutStatus.SLAVE_NOT_AVAILABLE: ResponseCode.SLAVE_NOT_AVAILABLE,
    PutStatus.SERVICE_NOT_AVAILABLE: ResponseCode.SERVICE_NOT_AVAILABLE,
    PutStatus.MESSAGE_ILLEGAL: ResponseCode.MESSAGE_ILLEGAL,
    PutStatus.PROPERTIES_SIZE_EXCEEDED: ResponseCode.MESSAGE_ILLEGAL,
}

_TRUE = "true"


class IFlusher(Protocol):
    """Group commit, as sending sees it (pymq.services.flusher)."""

    @property
    def sync(self) -> bool:
        """Whether a send is answered only when it is durable (SYNC_FLUSH)."""

    @property
    def head_wait_s(self) -> float:
        """How long the first of those who wait has waited, in seconds; 0 when nobody waits."""

    def when_durable(self, log_offset: int) -> Deferred[bool]:
        """True once everything below `log_offset` is on the disk, False after syncFlushTimeout. Fails with a StoreError."""


class SendAnswers:
    """Makes the answers to sends; the lane uses the same one, so both say the same."""

    def __init__(self, config: BrokerConfig, store_host: bytes) -> None:
        self._config = config
        self._store_host = store_host

    def fields(self) -> dict[str, str]:
        """The extFields that every answer has beside its header: Java clients look at them without asking (remoting.md 1.7)."""
        return {"MSG_REGION": self._config.region_id, "TRACE_ON": _TRUE if self._config.trace_on else "false"}

    def refused(self, request: RemotingCommand, error: RequestError) -> RemotingCommand:
        """The answer to a send that was not stored."""
        return request.reply(error.code, error.remark, ext_fields=self.fields())

    def stored(
        self, request: RemotingCommand, code: ResponseCode, queue_id: int, results: Sequence[PutResult]
    ) -> RemotingCommand:
        """The answer to a send that was stored: where it is. A batch has all its ids and the first one's queue offset."""
        header = SendMessageResponseHeader(
            msg_id=",".join([offset_message_id(self._store_host, result.log_offset) for result in results]),
            queue_id=queue_id,
            queue_offset=results[0].queue_offset,
        )
        return request.reply(code, header=header, ext_fields=self.fields())


def check_stored(results: Sequence[PutResult]) -> ResponseCode:
    """The code for a message that the store took. Raises RequestError for one that it refused."""
    for result in results:
        if not result.status.is_stored:
            code = PUT_ANSWERS.get(result.status, ResponseCode.SYSTEM_ERROR)
            raise RequestError(code, f"the store refused the message: {result.status.name} {result.reason}".rstrip())
    return PUT_ANSWERS[results[0].status]


def after_flush(durable: bool) -> ResponseCode:
    """The code for a stored message whose sender waited for the disk."""
    return ResponseCode.SUCCESS if durable else ResponseCode.FLUSH_DISK_TIMEOUT


def flush_error(failure: Failure) -> RequestError:
    """What to say when the disk failed under a stored message: it may be lost. Other failures go through."""
    failure.trap(StoreError)
    return RequestError(ResponseCode.SERVICE_NOT_AVAILABLE, f"the store takes no messages: {failure.getErrorMessage()}")


def store_closed(error: StoreClosed) -> RequestError:
    """What to say while the broker starts or stops."""
    return RequestError(ResponseCode.SERVICE_NOT_AVAILABLE, f"the store takes no messages: {error}")


@implementer(IRequestProcessor)
class SendMessageProcessor:
    """Stores what producers send (Java: SendMessageProcessor).

    `store_host` is the address that clients are told, encoded (`pymq.message.ids.encode_host`). `choose_queue(count)` picks a
    queue for a sender that leaves the choice to the broker.
    """

    codes = frozenset({RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE})

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store_config: StoreSettings,
        store: IMessageStore,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        stats: BrokerStatsManager,
        flusher: IFlusher,
        fast_failure: BrokerFastFailure,
        clock: IClock,
        store_host: bytes,
        when_saved: WhenSaved = save_at_once,
        choose_queue: Callable[[int], int] = random.randrange,
    ) -> None:
        self._config = config
        self._when_saved = when_saved
        self._store_config = store_config
        self._store = store
        self._topics = topics
        self._groups = groups
        self._stats = stats
        self._flusher = flusher
        self._fast_failure = fast_failure
        self._clock = clock
        self._store_host = store_host
        self._choose_queue = choose_queue
        self._admission = Admission(config, topics, clock)
        self._answers = SendAnswers(config, store_host)
        self._own_properties = own_properties(config)
        self._delay_level_max = len(store_config.delay_levels_ms)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Store one message or one batch. Refusals are answers too, for clients want the send fields in them."""
        try:
            return self._send(channel, request)
        except RequestError as error:
            return self._answers.refused(request, error)

    def _send(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        header: SendHeader
        if request.code == RequestCode.SEND_MESSAGE:
            header = SendMessageRequestHeader.from_fields(request.ext_fields)
        else:
            header = SendMessageRequestHeaderV2.from_fields(request.ext_fields)
        topic = self._admission.admit(header)
        queue_id = header.queue_id if header.queue_id >= 0 else self._choose_queue(max(1, topic.write_queue_nums))
        place = self._place(request, header, queue_id)
        if header.batch:
            drafts, waits = self._batch(channel, request, header, queue_id)
        else:
            drafts, waits = self._single(channel, request, header, *place)
        must_wait = waits and self._flusher.sync
        if must_wait:
            self._fast_failure.check_capacity()
        results = self._put(drafts)
        code = check_stored(results)
        size_bytes = sum([result.size for result in results])
        self._stats.put(drafts[0].topic, len(results), size_bytes, 1)
        self._stats.queue_put(drafts[0].topic, drafts[0].queue_id, len(results), size_bytes)
        answer: RemotingCommand | Deferred[RemotingCommand]
        if must_wait:
            answer = self._when_durable(request, queue_id, results)
        else:
            answer = self._answers.stored(request, code, queue_id, results)
        if self._topics.is_saved(header.topic, place[0]):
            return answer
        return self._when_topic_saved(request, answer)

    def _when_topic_saved(
        self, request: RemotingCommand, answer: RemotingCommand | Deferred[RemotingCommand]
    ) -> Deferred[RemotingCommand]:
        """The answer to a send that made a topic, or met one that is being saved: a crash must leave the messages a topic."""

        def failed(failure: Failure) -> RemotingCommand:
            remark = f"the topic could not be saved: {failure.getErrorMessage()}"
            return self._answers.refused(request, RequestError(ResponseCode.SYSTEM_ERROR, remark))

        return self._when_saved(self._topics).addCallbacks(lambda _: answer, failed)

    def _when_durable(self, request: RemotingCommand, queue_id: int, results: Sequence[PutResult]) -> Deferred[RemotingCommand]:
        """The answer, once the last record of the send is on the disk."""
        last = results[-1]
        self._fast_failure.sends_waiting += 1

        def waited(result: Any) -> Any:
            self._fast_failure.sends_waiting -= 1
            return result

        def flushed(durable: bool) -> RemotingCommand:
            return self._answers.stored(request, after_flush(durable), queue_id, results)

        def failed(failure: Failure) -> RemotingCommand:
            return self._answers.refused(request, flush_error(failure))

        waiting = self._flusher.when_durable(last.log_offset + last.size)
        return waiting.addBoth(waited).addCallbacks(flushed, failed)

    def _put(self, drafts: list[RecordDraft]) -> list[PutResult]:
        started = self._clock.seconds()
        try:
            results: list[PutResult] = self._store.put(drafts)
        except StoreClosed as error:
            raise store_closed(error) from error
        self._stats.store.put_took((self._clock.seconds() - started) * 1000)
        self._stats.store.put_failed_times += sum(not result.size for result in results)
        return results

    def _place(self, request: RemotingCommand, header: SendHeader, queue_id: int) -> tuple[str, int]:
        """Topic and queue for a message: those asked for, or the dead letters for one that was retried too often.

        Consumers send to their retry topic what they could not send back, and orderly ones what is to be a dead letter.
        """
        if not names.is_retry_topic(header.topic):
            return header.topic, queue_id
        if header.batch:
            raise RequestError(ResponseCode.MESSAGE_ILLEGAL, f"a batch cannot go to a retry topic, such as {header.topic}")
        group_name = header.topic[len(names.RETRY_PREFIX) :]
        group = self._groups.find(group_name)
        if group is None:
            raise RequestError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"subscription group [{group_name}] does not exist")
        if (header.reconsume_times or 0) < retries_max(group, request.version, header.max_reconsume_times):
            return header.topic, queue_id
        return make_dead_letter_topic(self._topics, group_name), 0

    # Records

    def _single(
        self, channel: IChannel, request: RemotingCommand, header: SendHeader, topic: str, queue_id: int
    ) -> tuple[list[RecordDraft], bool]:
        text, tags, keys, waits, transaction, delay = read_send_properties(header.properties or "", self._own_properties)
        if delay and topic != header.topic:
            text, delay = with_property(text, DELAY, "0"), ""
        properties = text.encode("utf-8")
        check_properties_size(len(properties))
        draft = RecordDraft(
            topic=topic,
            queue_id=queue_id,
            flag=header.flag,
            sys_flag=header.sys_flag,
            born_timestamp=header.born_timestamp,
            born_host=encode_host(*channel.peer),
            store_host=self._store_host,
            reconsume_times=header.reconsume_times or 0,
            body=request.body,
            properties=properties,
            tags_code=tags_code(tags),
            index_keys=keys,
            wait=waits,
        )
        is_half = (transaction or header.sys_flag & TRANSACTION_MASK) and prepare(draft, self._topics, self._config)
        if delay and not is_half and delay_level(delay) > 0:
            draft = self._delayed(draft, header)
        return [draft], waits

    def _delayed(self, draft: RecordDraft, header: SendHeader) -> RecordDraft:
        """A delayed message where it waits. Java makes its properties anew from those that it was sent with, so WAIT stays."""
        wait = property_of(header.properties or "", WAIT)
        if wait:
            draft.properties = with_property(draft.properties.decode("utf-8"), WAIT, wait).encode("utf-8")
        return redirected(draft, self._delay_level_max)

    def _batch(
        self, channel: IChannel, request: RemotingCommand, header: SendHeader, queue_id: int
    ) -> tuple[list[RecordDraft], bool]:
        """The messages of a batch; the batch's own properties are appended to those of each (store.md 2.8)."""
        if len(request.body) > self._store_config.max_message_size:
            remark = f"a batch of {len(request.body)} bytes, {self._store_config.max_message_size} are allowed"
            raise RequestError(ResponseCode.MESSAGE_ILLEGAL, remark)
        text = header.properties or ""
        if header.sys_flag & TRANSACTION_MASK or property_of(text, TRAN_MSG) or delay_level(property_of(text, DELAY) or "0") > 0:
            raise RequestError(ResponseCode.MESSAGE_ILLEGAL, "a batch can be neither transactional nor delayed")
        waits = waits_for_store(text)
        text = joined(without_property(text, CLUSTER), self._own_properties)
        drafts = []
        for item in _items_of(request.body):
            properties = joined(item.properties, text)
            check_properties_size(len(properties.encode("utf-8")))
            draft = draft_from(
                header.topic,
                queue_id,
                item.body,
                properties,
                born_timestamp=header.born_timestamp,
                born_host=encode_host(*channel.peer),
                store_host=self._store_host,
                flag=item.flag,
                sys_flag=header.sys_flag,
                reconsume_times=header.reconsume_times or 0,
                wait=waits,
            )
            drafts.append(draft)
        mark_group(drafts)
        return drafts, waits


def _items_of(body: bytes) -> list[BatchItem]:
    """The messages in a batch. Raises RequestError (MESSAGE_ILLEGAL) for what is none."""
    try:
        items = decode_batch(body)
    except DecodeError as error:
        raise RequestError(ResponseCode.MESSAGE_ILLEGAL, f"the batch cannot be read: {error}") from error
    if not items:
        raise RequestError(ResponseCode.MESSAGE_ILLEGAL, "the batch is empty")
    return items


def check_properties_size(size_bytes: int) -> None:
    """Raise RequestError (MESSAGE_ILLEGAL) for properties that no record can hold."""
    if size_bytes > PROPERTIES_BYTES_MAX:
        raise RequestError(ResponseCode.MESSAGE_ILLEGAL, f"properties of {size_bytes} bytes, {PROPERTIES_BYTES_MAX} are allowed")


def delay_level(text: str) -> int:
    """The level that a property DELAY names. Raises RequestError (MESSAGE_ILLEGAL) when it is no number."""
    try:
        return msgspec.convert(text, Int32, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError(ResponseCode.MESSAGE_ILLEGAL, f"the property DELAY={text!r} is not a level") from error
