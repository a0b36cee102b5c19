# Tests: tests/wire/test_command.py
"""A command of the remoting protocol: one request or one response."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import attrs

from pymq.wire.codes import LanguageCode, RequestCode, ResponseCode, request_name, response_name
from pymq.wire.fields import CommandHeader

#: What we say we are: the `version` of Apache RocketMQ 4.9.8 (remoting.md 1.6). Clients compare it, SQL92 pulls need 232 or more.
PROTOCOL_VERSION = 409

_RESPONSE_BIT = 1
_ONEWAY_BIT = 2
_REPR_BODY_BYTES_MAX = 32


class SerializeType(IntEnum):
    """How the header of a frame is written; the number is the first byte of the frame's second word."""

    JSON = 0
    ROCKETMQ = 1


@attrs.frozen(repr=False, eq=True)
class RemotingCommand:
    """One frame's content. `opaque` pairs a response with its request, separately for each direction of a connection.

    `ext_fields` are the custom header as text, `body` the raw bytes behind the header (empty for none). Java: RemotingCommand.
    """

    code: int
    opaque: int = 0
    flag: int = 0
    ext_fields: Mapping[str, str] | None = None
    body: bytes = b""
    remark: str | None = None
    language: int | None = LanguageCode.PYTHON
    version: int = PROTOCOL_VERSION
    serialize_type: SerializeType = SerializeType.JSON

    @classmethod
    def request(
        cls, code: int, header: CommandHeader | None = None, body: bytes = b"", *, oneway: bool = False, opaque: int = 0
    ) -> RemotingCommand:
        """A new request. The channel that sends it gives it its opaque."""
        return cls(
            code=int(code),
            opaque=opaque,
            flag=_ONEWAY_BIT if oneway else 0,
            ext_fields=None if header is None else header.to_fields(),
            body=body,
        )

    def reply(
        self,
        code: int = ResponseCode.SUCCESS,
        remark: str | None = None,
        header: CommandHeader | None = None,
        body: bytes = b"",
        ext_fields: Mapping[str, str] | None = None,
    ) -> RemotingCommand:
        """The response to this request: its opaque and its kind of header (remoting.md 1.3: mirroring suits every client)."""
        fields = ext_fields if header is None else {**header.to_fields(), **(ext_fields or {})}
        return RemotingCommand(
            code=int(code),
            opaque=self.opaque,
            flag=_RESPONSE_BIT,
            ext_fields=fields,
            body=body,
            remark=remark,
            serialize_type=self.serialize_type,
        )

    @property
    def is_response(self) -> bool:
        """Bit 0 of the flag alone decides (remoting.md 1.4)."""
        return bool(self.flag & _RESPONSE_BIT)

    @property
    def is_oneway(self) -> bool:
        """No answer is expected, not even an error."""
        return bool(self.flag & _ONEWAY_BIT)

    @property
    def name(self) -> str:
        """The code's name, for logs and remarks; a code without one is its number."""
        return response_name(self.code) if self.is_response else request_name(self.code)

    def __repr__(self) -> str:
        kind = "response" if self.is_response else "oneway" if self.is_oneway else "request"
        shown = bytes(self.body[:_REPR_BODY_BYTES_MAX])
        tail = "..." if len(self.body) > _REPR_BODY_BYTES_MAX else ""
        remark = f" remark={self.remark!r}" if self.remark else ""
        return (
            f"<{kind} {self.name} opaque={self.opaque} fields={dict(self.ext_fields or {})}{remark}"
            f" body[{len(self.body)}]={shown!r}{tail}>"
        )


__all__ = ["PROTOCOL_VERSION", "RemotingCommand", "RequestCode", "ResponseCode", "SerializeType"]
