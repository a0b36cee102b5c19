# Tests: tests/client/test_sendback.py
"""Giving a message that could not be consumed back to the broker, which delivers it later or puts it among the dead letters."""

from __future__ import annotations

from twisted.logger import Logger

from pymq.client.config import ConsumerConfig
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.send import Sender
from pymq.errors import DecodeError
from pymq.message import properties as names
from pymq.message.message import Message, StoredMessage
from pymq.message.namespaces import Namespace
from pymq.message.topics import retry_topic
from pymq.wire.headers.messages import ConsumerSendMsgBackRequestHeader

#: Deliveries before the dead letter queue, where nothing else is set.
CONCURRENT_RECONSUME_MAX = 16
ORDERLY_RECONSUME_MAX = 2**31 - 1
#: The delay level of a first retry; each further one is a level higher (Java: 3 + reconsumeTimes).
FIRST_DELAY_LEVEL = 3


class SendBack:
    """Sends messages of one consumer group back."""

    _log = Logger()

    def __init__(self, group: str, config: ConsumerConfig, instance: MQClientInstance, sender: Sender) -> None:
        self._group = group
        self._config = config
        self._namespace = Namespace(config.namespace)
        self._instance = instance
        self._sender = sender

    def reconsume_max(self, *, is_orderly: bool) -> int:
        """After how many deliveries a message is a dead letter."""
        if self._config.max_reconsume_times != -1:
            return self._config.max_reconsume_times
        return ORDERLY_RECONSUME_MAX if is_orderly else CONCURRENT_RECONSUME_MAX

    async def send_back(self, message: StoredMessage, delay_level: int) -> bool:
        """Ask the broker for a later delivery; failing that, send it a copy. Whether either went well."""
        header = ConsumerSendMsgBackRequestHeader(
            offset=message.log_offset,
            group=self._group,
            delay_level=delay_level,
            origin_msg_id=message.msg_id,
            origin_topic=self._namespace.wrap(message.topic),
            unit_mode=self._config.unit_mode,
            max_reconsume_times=self.reconsume_max(is_orderly=False),
            broker_name=message.broker_name or None,
        )
        try:
            address = await self._address_of(message)
            await self._instance.api.send_back(address, header)
            return True
        except EXPECTED_ERRORS as error:
            self._log.warn("{msg_id} was not taken back, a copy is sent: {error}", msg_id=message.msg_id, error=error)
        return await self.send_copy(message, is_orderly=False)

    async def send_copy(self, message: StoredMessage, *, is_orderly: bool) -> bool:
        """Send a copy to the group's retry topic, from where it is delivered again or goes to the dead letters."""
        try:
            copy = Message(retry_topic(self._group), message.body, flag=message.flag, properties=message.properties)
            for name in (names.TRAN_MSG, names.POP_CK):
                copy.properties.pop(name, None)
            copy.properties.setdefault(names.ORIGIN_MESSAGE_ID, message.msg_id)
            copy.properties[names.RETRY_TOPIC] = self._namespace.wrap(message.topic)
            copy.properties[names.RECONSUME_TIME] = str(message.reconsume_times + 1)
            copy.properties[names.MAX_RECONSUME_TIMES] = str(self.reconsume_max(is_orderly=is_orderly))
            copy.delay_level = FIRST_DELAY_LEVEL + message.reconsume_times
            await self._sender.send(self._sender.prepare(copy))
            return True
        except (*EXPECTED_ERRORS, DecodeError) as error:
            self._log.warn("no copy of {msg_id} could be sent either: {error}", msg_id=message.msg_id, error=error)
            return False

    async def _address_of(self, message: StoredMessage) -> str:
        if message.broker_name:
            return await self._instance.broker_address(self._namespace.wrap(message.topic), message.broker_name)
        host, port = message.store_host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
