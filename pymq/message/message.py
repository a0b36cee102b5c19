# Tests: tests/message/test_message.py
"""The message that a user sends, and the one that comes back from a store.

Tags, keys, delay level and the rest live in `properties`, as in Java; the attributes are other names for their entries.
Java: Message, MessageExt, MessageQueue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from pymq.message import properties as names
from pymq.message.compression import decompress
from pymq.message.ids import decode_host, offset_message_id
from pymq.wire.bodies.messagequeue import MessageQueue

__all__ = ["Message", "MessageQueue", "StoredMessage"]


class _Properties:
    """The attributes that are entries of `properties`."""

    properties: dict[str, str]

    __slots__ = ()

    def _set(self, name: str, value: str | None) -> None:
        if value is None or value == "":
            self.properties.pop(name, None)
        else:
            self.properties[name] = value

    @property
    def tags(self) -> str | None:
        """The tag by which consumers choose messages."""
        return self.properties.get(names.TAGS)

    @tags.setter
    def tags(self, value: str | None) -> None:
        self._set(names.TAGS, value)

    @property
    def keys(self) -> tuple[str, ...]:
        """The words under which the message can be found again."""
        return tuple(filter(None, self.properties.get(names.KEYS, "").split(names.KEY_SEPARATOR)))

    @keys.setter
    def keys(self, value: str | Iterable[str] | None) -> None:
        words = value if value is None or isinstance(value, str) else names.KEY_SEPARATOR.join(value)
        self._set(names.KEYS, words)

    @property
    def delay_level(self) -> int:
        """When to deliver, as a level of the broker's messageDelayLevel from 1 on; 0 for at once."""
        text = self.properties.get(names.DELAY, "")
        return int(text) if text.lstrip("-").isdigit() else 0

    @delay_level.setter
    def delay_level(self, value: int) -> None:
        self._set(names.DELAY, str(value) if value else None)

    @property
    def unique_id(self) -> str | None:
        """The id that the sending client gave (UNIQ_KEY)."""
        return self.properties.get(names.UNIQ_KEY)

    @property
    def wait_store_ok(self) -> bool:
        """Whether the broker answers only after the message is durable, where its settings provide for that."""
        return self.properties.get(names.WAIT, "true").lower() == "true"

    @wait_store_ok.setter
    def wait_store_ok(self, value: bool) -> None:
        self.properties[names.WAIT] = "true" if value else "false"


@attrs.define(init=False)
class Message(_Properties):
    """A message to be sent. `flag` is the user's own and means nothing to the system; `body` is bytes."""

    topic: str
    body: bytes
    flag: int
    properties: dict[str, str]

    def __init__(
        self,
        topic: str,
        body: bytes = b"",
        *,
        tags: str | None = None,
        keys: str | Iterable[str] = (),
        flag: int = 0,
        properties: Mapping[str, str] | None = None,
        delay_level: int = 0,
        wait_store_ok: bool = True,
    ) -> None:
        """Raises TypeError when the body is not bytes-like."""
        self.topic = topic
        self.body = bytes(memoryview(body))
        self.flag = flag
        self.properties = dict(properties or {})
        if tags:
            self.tags = tags
        if keys:
            self.keys = keys
        if delay_level:
            self.delay_level = delay_level
        if not wait_store_ok or names.WAIT not in self.properties:
            self.wait_store_ok = wait_store_ok

    def properties_text(self) -> str:
        """The property string to send. Raises ValueError when a property holds a separator."""
        return names.encode_properties(self.properties)


@attrs.define
class StoredMessage(_Properties):
    """A message as a record holds it. Times are milliseconds since the epoch, `size` is that of the record.

    `raw_body` is what is stored, `body` the same decompressed. Java: MessageExt.
    """

    topic: str
    queue_id: int
    queue_offset: int = 0
    log_offset: int = 0
    flag: int = 0
    sys_flag: int = 0
    born_timestamp: int = 0
    born_host_bytes: bytes = b""
    store_timestamp: int = 0
    store_host_bytes: bytes = b""
    reconsume_times: int = 0
    prepared_transaction_offset: int = 0
    raw_body: bytes = b""
    body_crc: int = 0
    properties: dict[str, str] = attrs.field(factory=dict)
    size: int = 0
    #: The broker it was read from; set by the client, records do not hold it.
    broker_name: str = ""
    _body: bytes | None = attrs.field(default=None, init=False, eq=False, repr=False)

    @property
    def body(self) -> bytes:
        """The body as the sender wrote it. Raises DecodeError when it cannot be decompressed."""
        if self._body is None:
            self._body = decompress(self.raw_body, self.sys_flag)
        return self._body

    @property
    def born_host(self) -> tuple[str, int]:
        """(ip, port) of the sender, as the broker saw it."""
        return decode_host(self.born_host_bytes)

    @property
    def store_host(self) -> tuple[str, int]:
        """(ip, port) of the broker that stored it first."""
        return decode_host(self.store_host_bytes)

    @property
    def offset_msg_id(self) -> str:
        """The id under which the broker finds the message (store.md 2.11)."""
        return offset_message_id(self.store_host_bytes, self.log_offset)

    @property
    def msg_id(self) -> str:
        """The sender's unique id, or the offset id of a message that has none."""
        return self.properties.get(names.UNIQ_KEY) or self.offset_msg_id
