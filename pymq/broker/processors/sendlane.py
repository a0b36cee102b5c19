# Tests: tests/broker/processors/test_sendlane.py
"""The hot lane of SEND_MESSAGE_V2 (310): plain messages are collected during a reactor turn, stored and answered together.

An optimisation of `pymq.broker.processors.send`, not a second broker: `take` says False, and has done nothing, to everything that
is not a plain message to a known topic; the general path serves it. Answers are cut from that path's own (`templates`), and
tests/broker/processors/test_lanes_equal.py holds both equal.
"""

from __future__ import annotations

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pymq.broker.config import BrokerConfig
from pymq.broker.fastfailure import BrokerFastFailure
from pymq.broker.processors.compactfields import CompactFields
from pymq.broker.processors.jsonfields import json_decoder
from pymq.broker.processors.linger import Linger
from pymq.broker.processors.send import IFlusher, SendAnswers, after_flush, check_stored, flush_error, store_closed
from pymq.broker.processors.sendproperties import own_properties, read_send_properties
from pymq.broker.processors.templates import AnswerTemplate, answer_templates
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError, StoreClosed
from pymq.interfaces import IBufferedChannel, IClock, IMessageStore
from pymq.message import topics as names
from pymq.message.flags import TRANSACTION_MASK
from pymq.message.ids import encode_host
from pymq.message.properties import PROPERTIES_BYTES_MAX
from pymq.message.record import RecordDraft
from pymq.message.results import PutResult, PutStatus
from pymq.message.tags import tags_code
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import encode_frame
from pymq.wire.headers.messages import SendMessageRequestHeaderV2

#: A turn is finished early when it holds so much. Larger ones save nothing, and what they collect leaves the processor's cache.
TURN_MESSAGES_MAX = 256
TURN_BYTES_MAX = 512 * 1024

_CODE = int(RequestCode.SEND_MESSAGE_V2)

#: A message that comes so long after a turn of one message, in seconds, is alone and need not wait for others of its turn.
#: Where many send, the next messages have arrived by the time a turn ends.
LONE_S = 0.00003
_RESPONSE_BIT = 1
_ONEWAY_BIT = 2
_UNUSUAL = 0


_decode_json = json_decoder(SendMessageRequestHeaderV2)

#: Who waits for an answer: channel, header type, opaque; None for a oneway message.
_Caller = tuple[IBufferedChannel, int, int] | None


class SendLane:
    """Takes plain sends; see the module. `take` is the lane; `finish_turn` must be called before any other request is served."""

    _log = Logger()

    def __init__(
        self,
        *,
        config: BrokerConfig,
        store: IMessageStore,
        topics: TopicConfigManager,
        stats: BrokerStatsManager,
        flusher: IFlusher,
        fast_failure: BrokerFastFailure,
        clock: IClock,
        store_host: bytes,
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._stats = stats
        self._flusher = flusher
        self._fast_failure = fast_failure
        self._clock = clock
        self._store_host = store_host
        self._answers = SendAnswers(config, store_host)
        self._own_properties = own_properties(config)
        self._accept_from_ms = config.start_accept_send_request_time_stamp
        #: How many queues a topic has for sends, by name; `_UNUSUAL` for one whose sends the general path serves.
        self._queue_counts: dict[str, int] = {}
        self._topics_version = topics.data_version
        self._compact = CompactFields(SendMessageRequestHeaderV2)
        self._drafts: list[RecordDraft] = []
        self._callers: list[_Caller] = []
        self._bytes = 0
        self._is_scheduled = False
        #: Since when the turn's first message has waited, seconds since the epoch.
        self._since = 0.0
        #: When the last turn ended, seconds since the epoch.
        self._ended_at = clock.seconds()
        #: Whether it was of one message.
        self._was_lone = False
        self._linger = Linger(clock)
        #: The peer of the last message, and how a record holds it.
        self._peer: tuple[str, int] | None = None
        self._born_host = b""
        self._trace_on = config.trace_on
        self._templates = self._make_templates()

    def take(self, channel: IBufferedChannel, header_type: int, header: bytes, body: bytes) -> bool:
        """Take one frame of code 310 into the turn; False when the general path must serve it, which nothing has touched then."""
        try:
            if header_type == 0:
                frame = _decode_json(header)
                if frame.code != _CODE:
                    return False
                fields, opaque, flag = frame.extFields, frame.opaque, frame.flag
            else:
                read = self._compact.read(header)
                if read is None:
                    return False
                fields, opaque, flag = read
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        if flag & _RESPONSE_BIT or fields.batch:
            return False
        if fields.sys_flag & TRANSACTION_MASK or (self._accept_from_ms and self._is_too_early()):
            return False
        if self._topics.data_version is not self._topics_version:
            self._queue_counts = {}
            self._topics_version = self._topics.data_version
        topic = fields.topic
        queue_count = self._queue_counts.get(topic)
        if queue_count is None:
            queue_count = self._queue_count_of(topic)
        queue_id = fields.queue_id
        if not 0 <= queue_id < queue_count:
            return False
        text, tags, keys, waits, transaction, delay = read_send_properties(fields.properties or "", self._own_properties)
        if transaction or delay:
            return False
        properties = text.encode("utf-8")
        if len(properties) > PROPERTIES_BYTES_MAX:
            return False
        if channel.peer is not self._peer:
            self._born_host = encode_host(*channel.peer)
            self._peer = channel.peer
        drafts = self._drafts
        drafts.append(RecordDraft(
            topic, queue_id, fields.flag, fields.sys_flag, fields.born_timestamp, self._born_host, self._store_host,
            fields.reconsume_times or 0, 0, body, properties, tags_code(tags), keys, waits,
        ))  # fmt: skip
        self._callers.append(None if flag & _ONEWAY_BIT else (channel, header_type, opaque))
        self._bytes += len(body)
        if not self._is_scheduled:
            self._begin_turn()
        elif len(drafts) >= TURN_MESSAGES_MAX or self._bytes >= TURN_BYTES_MAX:
            self.finish_turn()
        return True

    def _begin_turn(self) -> None:
        """The first message of a turn: let the turn end with the reactor's, or at once when nobody else is sending."""
        now = self._clock.seconds()
        due = self._fast_failure.due
        self._since = now if now < due else due
        if self._was_lone and now - self._ended_at > LONE_S:
            self.finish_turn()
            self._linger.keep_awake()
        else:
            self._is_scheduled = True
            self._clock.callLater(0, self._turn_ends)

    def _queue_count_of(self, topic: str) -> int:
        """The queues of a topic that takes plain messages, remembered until any topic changes."""
        known = self._topics.get(topic)
        if known is None or not self._topics.is_saved(topic):
            return _UNUSUAL
        try:
            names.check_topic(topic)
        except ValueError:
            return _UNUSUAL
        if known.order or topic in names.NOT_ALLOWED_SEND or names.is_retry_topic(topic):
            count = _UNUSUAL
        else:
            count = max(known.read_queue_nums, known.write_queue_nums)
        self._queue_counts[topic] = count
        return count

    def _is_too_early(self) -> bool:
        """Whether sends are still refused after the start (startAcceptSendRequestTimeStamp)."""
        if self._clock.seconds() * 1000 < self._accept_from_ms:
            return True
        self._accept_from_ms = 0
        return False

    def _turn_ends(self) -> None:
        self._is_scheduled = False
        self.finish_turn()

    def finish_turn(self) -> None:
        """Store and answer what was collected. Nothing happens when there is nothing."""
        drafts, callers = self._drafts, self._callers
        if not drafts:
            return
        self._drafts, self._callers, self._bytes = [], [], 0
        started = self._clock.seconds()
        if started - self._since >= self._fast_failure.send_limit_s or self._fast_failure.sends_waiting:
            try:
                self._check_busy(started - self._since, len(drafts))
            except RequestError as error:
                self._refuse_busy(callers, error)
                return
        try:
            results = self._store.put(drafts)
        except StoreClosed as error:
            self._refuse_all(callers, store_closed(error))
            return
        except Exception as error:
            self._log.failure("a turn of {count} messages could not be stored", count=len(drafts))
            self._refuse_all(callers, RequestError(ResponseCode.SYSTEM_ERROR, f"{type(error).__qualname__}: {error}"))
            return
        self._stats.store.put_took((self._clock.seconds() - started) * 1000)
        if self._config.trace_on != self._trace_on:
            self._trace_on = self._config.trace_on
            self._templates = self._make_templates()
        self._answer(drafts, callers, results)
        self._was_lone = len(drafts) == 1
        self._ended_at = self._clock.seconds()

    def _check_busy(self, waited_s: float, count: int) -> None:
        """Raise RequestError (SYSTEM_BUSY) when the turn waited for too long, or too many sends wait for the disk."""
        late = self._fast_failure.late(_CODE, waited_s, count)
        if late is not None:
            raise late
        if self._flusher.sync:
            self._fast_failure.check_capacity()

    def _refuse_busy(self, callers: list[_Caller], error: RequestError) -> None:
        """Answer a turn of which nothing was stored, as the dispatcher answers for the general path."""
        for caller in callers:
            if caller is not None:
                channel, header_type, opaque = caller
                channel.send(_request(header_type, opaque).reply(error.code, error.remark))

    def _answer(self, drafts: list[RecordDraft], callers: list[_Caller], results: list[PutResult]) -> None:
        """Count, and write the answers, one write for each channel; who waits for the disk is answered when it has everything."""
        is_sync, ok, templates = self._flusher.sync, PutStatus.PUT_OK, self._templates
        answers: dict[IBufferedChannel, list[bytes]] = {}
        waiting: list[tuple[IBufferedChannel, int, int, int, PutResult]] = []
        counts: dict[str, list[int]] = {}
        topic, count = "", [0, 0]
        for draft, caller, result in zip(drafts, callers, results):
            is_ok = result.status is ok
            if is_ok:
                if draft.topic != topic:
                    topic = draft.topic
                    count = counts.setdefault(topic, [0, 0])
                count[0] += 1
                count[1] += result.size
            else:
                self._count_unusual(draft.topic, result)
            if caller is None:
                continue
            channel, header_type, opaque = caller
            if not is_ok:
                answer = self._unusual_answer(caller, draft.queue_id, result)
            elif is_sync and draft.wait:
                waiting.append((channel, header_type, opaque, draft.queue_id, result))
                continue
            else:
                answer = templates[header_type].fill(opaque, (result.log_offset, draft.queue_id, result.queue_offset))
            parts = answers.get(channel)
            if parts is None:
                answers[channel] = [answer]
            else:
                parts.append(answer)
        for topic, (count_messages, size_bytes) in counts.items():
            self._stats.put(topic, count_messages, size_bytes)
        _write(answers)
        if waiting:
            self._wait_for_disk(waiting)

    def _wait_for_disk(self, waiting: list[tuple[IBufferedChannel, int, int, int, PutResult]]) -> None:
        """One wait for the end of the turn's last record."""
        last = waiting[-1][-1]
        self._fast_failure.sends_waiting += len(waiting)
        durable: Deferred[bool] = self._flusher.when_durable(last.log_offset + last.size)
        durable.addCallbacks(self._flushed, self._flush_failed, callbackArgs=(waiting,), errbackArgs=(waiting,))
        durable.addErrback(lambda failure: self._log.failure("answers after a flush failed", failure))

    def _flushed(self, durable: bool, waiting: list[tuple[IBufferedChannel, int, int, int, PutResult]]) -> None:
        """Answer those who waited for the disk."""
        self._fast_failure.sends_waiting -= len(waiting)
        code = after_flush(durable)
        answers: dict[IBufferedChannel, list[bytes]] = {}
        for channel, header_type, opaque, queue_id, result in waiting:
            if code == ResponseCode.SUCCESS:
                answer = self._templates[header_type].fill(opaque, (result.log_offset, queue_id, result.queue_offset))
            else:
                answer = encode_frame(self._answers.stored(_request(header_type, opaque), code, queue_id, [result]))
            answers.setdefault(channel, []).append(answer)
        _write(answers)

    def _flush_failed(self, failure: Failure, waiting: list[tuple[IBufferedChannel, int, int, int, PutResult]]) -> None:
        self._fast_failure.sends_waiting -= len(waiting)
        error = flush_error(failure)
        self._refuse_all([(channel, header_type, opaque) for channel, header_type, opaque, _, _ in waiting], error)

    def _refuse_all(self, callers: list[_Caller], error: RequestError) -> None:
        for caller in callers:
            if caller is not None:
                channel, header_type, opaque = caller
                channel.send(self._answers.refused(_request(header_type, opaque), error))

    def _count_unusual(self, topic: str, result: PutResult) -> None:
        """Count a message that the store refused, or took with a doubt."""
        if result.size:
            self._stats.put(topic, 1, result.size)
        else:
            self._stats.store.put_failed_times += 1

    def _unusual_answer(self, caller: tuple[IBufferedChannel, int, int], queue_id: int, result: PutResult) -> bytes:
        """What the general path says to such a message."""
        request = _request(caller[1], caller[2])
        try:
            return encode_frame(self._answers.stored(request, check_stored([result]), queue_id, [result]))
        except RequestError as error:
            return encode_frame(self._answers.refused(request, error))

    def _make_templates(self) -> tuple[AnswerTemplate, AnswerTemplate]:
        """The answers by header type, cut from the general path's."""
        message_id = self._store_host.hex().upper().encode("ascii") + b"%016X"
        holes = {"msgId": message_id, "queueId": b"%d", "queueOffset": b"%d"}
        stored = [PutResult(PutStatus.PUT_OK, 0, 0)]
        return answer_templates(lambda kind: self._answers.stored(_request(kind, 0), ResponseCode.SUCCESS, 0, stored), holes)


def _request(header_type: int, opaque: int) -> RemotingCommand:
    """As much of the request as its answer needs."""
    return RemotingCommand(RequestCode.SEND_MESSAGE_V2, opaque, serialize_type=SerializeType(header_type))


def _write(answers: dict[IBufferedChannel, list[bytes]]) -> None:
    """One write for each channel."""
    for channel, parts in answers.items():
        channel.write_parts([b"".join(parts)] if len(parts) > 1 else parts)
