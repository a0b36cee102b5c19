# Tests: tests/wire/test_header_json.py
"""The JSON header (type 0): what fastjson and other writers really send, and what every reader accepts (remoting.md 1.2)."""

from __future__ import annotations

from typing import Any

import msgspec

from pymq.errors import HeaderError
from pymq.wire import javajson
from pymq.wire.codes import LanguageCode
from pymq.wire.command import RemotingCommand, SerializeType

_ERROR_HEADER_BYTES_SHOWN = 80

_languages = {language.name: int(language) for language in LanguageCode}
_language_names = {int(language): language.name for language in LanguageCode}
_encode = msgspec.json.Encoder().encode


class _Header(msgspec.Struct):
    """Every key is optional; unknown ones are skipped; numbers may come as text. Values of extFields may be of any type."""

    code: int = 0
    flag: int = 0
    opaque: int = 0
    version: int = 0
    language: Any = "JAVA"
    remark: str | None = None
    extFields: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Header, strict=False).decode


def decode(header: bytes, body: bytes) -> RemotingCommand:
    """A command from its JSON header. Raises HeaderError."""
    try:
        read = _decode(header)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        read = _decode_leniently(header)
    fields = read.extFields
    return RemotingCommand(
        code=read.code,
        opaque=read.opaque,
        flag=read.flag,
        ext_fields=None if fields is None else _as_text(fields),
        body=body,
        remark=read.remark,
        language=_language_of(read.language),
        version=read.version,
        serialize_type=SerializeType.JSON,
    )


def _decode_leniently(header: bytes) -> _Header:
    """fastjson also reads unquoted keys and single quotes, and so do its writers' readers: tried only when strict JSON failed."""
    try:
        return msgspec.convert(javajson.decode(header), _Header, strict=False)
    except (msgspec.MsgspecError, javajson.JavaJSONError) as error:
        shown = header[:_ERROR_HEADER_BYTES_SHOWN]
        raise HeaderError(f"JSON header cannot be read: {error}; it begins {shown!r}") from error


def _as_text(fields: dict[str, Any]) -> dict[str, str]:
    """Values as Java's decoder turns them into text; null stays absent (ali-ons and the C++ client send bare numbers)."""
    text: dict[str, str] = {}
    for name, value in fields.items():
        if type(value) is str:
            text[name] = value
        elif value is True or value is False:
            text[name] = "true" if value else "false"
        elif type(value) is int:
            text[name] = str(value)
        elif value is not None:
            text[name] = _text_of(name, value)
    return text


def _text_of(name: str, value: object) -> str:
    """The JSON text of a number with a fraction, a list or an object."""
    try:
        return _encode(value).decode("utf-8")
    except (OverflowError, RecursionError) as error:
        raise HeaderError(f"JSON header: the value of {name!r} is nested too deeply or holds a number over 64 bits") from error


def _language_of(language: object) -> int | None:
    """A name, or an enum ordinal. An unknown name is no error; an ordinal out of range is, as in Java."""
    if isinstance(language, str):
        return _languages.get(language)
    if isinstance(language, int) and language in _language_names:
        return language
    if language is None:
        return None
    raise HeaderError(f"language {language!r} is neither a name nor an ordinal of LanguageCode")


def encode(command: RemotingCommand) -> bytes:
    """The JSON header of a command, its keys in fastjson's alphabetical order, null ones left out."""
    header: dict[str, Any] = {"code": command.code}
    if command.ext_fields is not None:
        header["extFields"] = command.ext_fields
    header["flag"] = command.flag
    if command.language is not None:
        header["language"] = _language_names[command.language]
    header["opaque"] = command.opaque
    if command.remark is not None:
        header["remark"] = command.remark
    header["serializeTypeCurrentRPC"] = "JSON"
    header["version"] = command.version
    return _encode(header)
