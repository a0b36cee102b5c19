# Tests: tests/broker/processors/test_admission.py
"""Whether a send may go on: the checks of remoting.md 3.2, in their order (Java: AbstractSendMessageProcessor.msgCheck)."""

from __future__ import annotations

from pymq.broker.config import BrokerConfig
from pymq.broker.topics import TopicConfigManager
from pymq.errors import RequestError
from pymq.interfaces import IClock
from pymq.message import topics as names
from pymq.wire.bodies.topics import PERM_WRITE, TopicConfig
from pymq.wire.codes import ResponseCode
from pymq.wire.headers.messages import SendMessageRequestHeader, SendMessageRequestHeaderV2

SendHeader = SendMessageRequestHeader | SendMessageRequestHeaderV2

_UNIT = 1
_UNIT_SUBSCRIPTION = 2


class Admission:
    """The checks that plain sends and replies have in common."""

    def __init__(self, config: BrokerConfig, topics: TopicConfigManager, clock: IClock) -> None:
        self._config = config
        self._topics = topics
        self._clock = clock

    def admit(self, header: SendHeader) -> TopicConfig:
        """The topic of a send that may go on; made if need be. Raises RequestError."""
        accept_from_ms = self._config.start_accept_send_request_time_stamp
        if accept_from_ms and self._clock.seconds() * 1000 < accept_from_ms:
            raise RequestError(ResponseCode.SYSTEM_ERROR, f"broker unable to service, until {accept_from_ms} ms since the epoch")
        name = header.topic
        known = self._topics.get(name)
        if known is not None and known.order and not self._config.broker_permission & PERM_WRITE:
            raise RequestError(ResponseCode.NO_PERMISSION, f"the broker [{self._config.broker_name}] may not be written to")
        try:
            names.check_topic(name)
        except ValueError as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error
        if name in names.NOT_ALLOWED_SEND:
            raise RequestError(ResponseCode.NO_PERMISSION, f"the topic[{name}] may not be sent to by clients")
        topic = known or self._create(header)
        queues = max(topic.read_queue_nums, topic.write_queue_nums)
        if header.queue_id >= queues:
            remark = f"request queueId[{header.queue_id}] is illegal, topic[{name}] has {queues} queues"
            raise RequestError(ResponseCode.SYSTEM_ERROR, remark)
        return topic

    def _create(self, header: SendHeader) -> TopicConfig:
        unit_flag = _UNIT_SUBSCRIPTION if names.is_retry_topic(header.topic) else _UNIT
        topic = self._topics.create_on_send(
            header.topic, header.default_topic, header.default_topic_queue_nums, unit_flag if header.unit_mode else 0
        )
        if topic is None:
            raise RequestError(ResponseCode.TOPIC_NOT_EXIST, f"topic[{header.topic}] not exist, apply first please!")
        return topic
