# Tests: tests/wire/test_header_compact.py
"""The binary header (type 1, ROCKETMQ).

::

    code: 2 | language: 1 | version: 2 | opaque: 4 | flag: 4 | remark length: 4 | remark | fields length: 4 | fields
    one field:  name length: 2 | name | value length: 4 | value
"""

from __future__ import annotations

from construct import Int8ub, Int16sb, Int32sb, Struct

from pymq.errors import HeaderError
from pymq.layout import fixed_head
from pymq.wire.codes import LanguageCode
from pymq.wire.command import RemotingCommand, SerializeType

COMPACT_HEAD = Struct(
    "code" / Int16sb,
    "language" / Int8ub,
    "version" / Int16sb,
    "opaque" / Int32sb,
    "flag" / Int32sb,
    "remark_length" / Int32sb,
)
FIELD_NAME_HEAD = Struct("length" / Int16sb)
LENGTH = Struct("length" / Int32sb)

_head = fixed_head(COMPACT_HEAD)
_name_head = fixed_head(FIELD_NAME_HEAD)
_length = fixed_head(LENGTH)
_LANGUAGES = frozenset(int(language) for language in LanguageCode)
_CODE_MASK = 0xFFFF


def decode(header: bytes, body: bytes) -> RemotingCommand:
    """A command from its binary header. Raises HeaderError."""
    if len(header) < _head.size_bytes + _length.size_bytes:
        raise HeaderError(f"binary header of {len(header)} bytes; the smallest has {_head.size_bytes + _length.size_bytes}")
    code, language, version, opaque, flag, remark_length = _head.unpack_from(header)
    remark, position = _text(header, _head.size_bytes, remark_length, "remark")
    if len(header) - position < _length.size_bytes:
        raise HeaderError(f"binary header ends at byte {len(header)}, before the length of its fields at {position}")
    (fields_length,) = _length.unpack_from(header, position)
    return RemotingCommand(
        code=code,
        opaque=opaque,
        flag=flag,
        ext_fields=decode_fields(header, position + _length.size_bytes, fields_length),
        body=body,
        remark=remark,
        language=language if language in _LANGUAGES else None,
        version=version,
        serialize_type=SerializeType.ROCKETMQ,
    )


def _text(header: bytes, position: int, length: int, what: str) -> tuple[str | None, int]:
    """The text of `length` bytes at `position`, and where it ends; zero length is null."""
    end = position + length
    if length < 0 or end > len(header):
        raise HeaderError(f"binary header: {what} of {length} bytes at byte {position}, but the header has {len(header)} bytes")
    try:
        return (header[position:end].decode("utf-8") if length else None), end
    except UnicodeDecodeError as error:
        raise HeaderError(f"binary header: {what} at byte {position} is not UTF-8") from error


def decode_fields(header: bytes, position: int, length: int) -> dict[str, str] | None:
    """The extFields of `length` bytes at `position`. Entries with an empty name or value are null in Java and left out."""
    end = position + length
    if length < 0 or end > len(header):
        raise HeaderError(f"binary header: fields of {length} bytes at byte {position}, but the header has {len(header)} bytes")
    if not length:
        return None
    fields: dict[str, str] = {}
    while position < end:
        if end - position < _name_head.size_bytes:
            raise HeaderError(f"binary header: a field's name is cut at byte {position}")
        (name_length,) = _name_head.unpack_from(header, position)
        name, position = _text(header, position + _name_head.size_bytes, name_length, "a field's name")
        if end - position < _length.size_bytes:
            raise HeaderError(f"binary header: the value of field {name!r} is cut at byte {position}")
        (value_length,) = _length.unpack_from(header, position)
        value, position = _text(header, position + _length.size_bytes, value_length, f"the value of field {name!r}")
        if name is not None and value is not None:
            fields[name] = value
    if position != end:
        raise HeaderError(f"binary header: the fields end at byte {position}, but {end} was declared")
    return fields


def encode(command: RemotingCommand) -> bytes:
    """The binary header of a command. Codes above 16 bits lose their upper part, as in Java (remoting.md 1.3)."""
    remark = command.remark.encode("utf-8") if command.remark else b""
    parts = []
    for name, value in (command.ext_fields or {}).items():
        raw_name, raw_value = name.encode("utf-8"), value.encode("utf-8")
        parts.append(_name_head.pack(len(raw_name)) + raw_name + _length.pack(len(raw_value)) + raw_value)
    fields = b"".join(parts)
    code = command.code & _CODE_MASK
    head = _head.pack(
        code - 0x10000 if code > 0x7FFF else code,
        LanguageCode.OTHER if command.language is None else command.language,
        command.version,
        command.opaque,
        command.flag,
        len(remark),
    )
    return head + remark + _length.pack(len(fields)) + fields
