# Tests: tests/wire/test_javajson.py
"""The JSON that Java's fastjson really writes, and a writer that Java, Go and JavaScript clients accept (remoting.md 1.12).

fastjson leaves integer keys unquoted (`{0:"a"}`) and writes object keys as objects (`{{"topic":"T"}:7}`); neither is JSON.
`decode` tries strict JSON first and reads these forms, single quotes and bare words only when that fails. Object keys come back
as the compact JSON text of the object, which `queue_key` also makes: maps by message queue have plain text keys on our side.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from pymq.errors import DecodeError

T = TypeVar("T")

NESTING_MAX = 64

#: Longer numbers are left as text: Python takes quadratic time over them, and Java's are of 19 digits at most.
NUMBER_CHARACTERS_MAX = 400

_strict_decode = msgspec.json.Decoder().decode
_encode_plain = msgspec.json.Encoder(order="sorted").encode
_SPACE = re.compile(r"[ \t\r\n]*")
_BARE = re.compile(r"[^\s,:\[\]{}\"']+")
_STRINGS = {quote: re.compile(rf"{quote}[^{quote}\\]*(?:\\.[^{quote}\\]*)*{quote}", re.DOTALL) for quote in ('"', "'")}
_ESCAPE_OR_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_IN_SINGLE_QUOTES = {"\\'": "'", '"': '\\"'}
_NOT_STRICT = (msgspec.MsgspecError, ValueError, RecursionError)  # ValueError is bad UTF-8, or an integer of thousands of digits
_SCALARS = frozenset({str, int, float, bool})
_INTEGER = re.compile(r"-?\d+\Z")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


class JavaJSONError(DecodeError):
    """The text is JSON in neither Java's dialect nor the standard's; the message names the position."""


class ObjectKeys(dict[str, T]):
    """A map whose keys are the JSON text of objects, written as bare objects: fastjson needs that for Map<MessageQueue, ..>."""


class IntegerKeys(dict[int, T]):
    """A map whose integer keys are written unquoted, as fastjson does."""


def decode(data: bytes | str) -> Any:
    """The value in `data`. Raises JavaJSONError."""
    try:
        return _strict_decode(data)
    except _NOT_STRICT:
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
        text = raw.decode("utf-8", "replace")
        return _Lenient(text).document()


def decode_as(data: bytes | str, type_: type[T]) -> T:
    """The value in `data` as `type_` (a Struct or any type msgspec knows); numbers may come as text, as in fastjson.

    A null member counts as absent, so its default applies. Raises JavaJSONError.
    """
    return convert_as(decode(data), type_)


def convert_as(value: Any, type_: type[T]) -> T:
    """A value that `decode` gave as `type_`. Raises JavaJSONError."""
    try:
        return msgspec.convert(value, type_, strict=False, str_keys=True)
    except msgspec.ValidationError:
        pass
    # Most writers leave null members out; those of the C++ client and old Java come here.
    try:
        return msgspec.convert(_without_nulls(value), type_, strict=False, str_keys=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise JavaJSONError(f"{getattr(type_, '__name__', type_)}: {error}") from error


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def encode(value: Any) -> bytes:
    """Compact JSON with members in alphabetical order and null members left out, as fastjson writes it."""
    return b"".join(_pieces(value))


def _pieces(value: Any) -> list[bytes]:
    if isinstance(value, msgspec.Struct):
        members = zip(value.__struct_encode_fields__, msgspec.structs.astuple(value))
        value = {name: item for name, item in members if item is not None}
        # Tables have thousands of these; all that remains is as in the standard's JSON.
        if _SCALARS.issuperset(map(type, value.values())):
            return [_encode_plain(value)]
    if isinstance(value, dict):
        return _object_pieces(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        pieces = [b"["]
        for item in items:
            pieces += _pieces(item)
            pieces.append(b",")
        if len(pieces) > 1:
            pieces.pop()
        pieces.append(b"]")
        return pieces
    return [_encode_plain(value)]


def _object_pieces(value: dict[Any, Any]) -> list[bytes]:
    pieces = [b"{"]
    for key in sorted(value):
        item = value[key]
        if item is None:
            continue
        if isinstance(value, ObjectKeys):
            pieces.append(key.encode("utf-8"))
        elif isinstance(value, IntegerKeys):
            pieces.append(b"%d" % key)
        else:
            pieces.append(_encode_plain(key if isinstance(key, str) else str(key)))
        pieces.append(b":")
        pieces += _pieces(item)
        pieces.append(b",")
    if len(pieces) > 1:
        pieces.pop()
    pieces.append(b"}")
    return pieces


class _Lenient:
    """A reader for fastjson's dialect: a position in a text, and one method for each kind of value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._in_key = False

    def document(self) -> Any:
        value = self._value()
        self._skip_space()
        if self._at != len(self._text):
            raise self._error("nothing more")
        return value

    def _error(self, wanted: str) -> JavaJSONError:
        found = repr(self._text[self._at : self._at + 20]) if self._at < len(self._text) else "the end"
        return JavaJSONError(f"at character {self._at}: {wanted} was due, found {found}")

    def _skip_space(self) -> str:
        """The next character that is no space, or an empty string at the end."""
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # the pattern matches anything
        return self._text[self._at : self._at + 1]

    def _value(self) -> Any:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise self._error(f"no more than {NESTING_MAX} levels")
        first = self._skip_space()
        if first == "{":
            value: Any = self._object()
        elif first == "[":
            value = self._array()
        elif first in ('"', "'"):
            value = self._string(first)
        else:
            value = self._bare()
        self._depth -= 1
        return value

    def _object(self) -> dict[Any, Any]:
        self._at += 1
        members: dict[Any, Any] = {}
        while self._skip_space() != "}":
            key = self._key()
            if self._skip_space() != ":":
                raise self._error("':'")
            self._at += 1
            members[key] = self._value()
            self._comma_or("}")
        self._at += 1
        return members

    def _key(self) -> str:
        start = self._at
        if not self._text.startswith(("{", "["), start):
            key = self._value()
            return key if isinstance(key, str) else self._text[start : self._at]
        if self._in_key:
            # Each level would escape the quotes of the one inside: a few bytes could grow to gigabytes.
            raise self._error("a plain key inside an object that is a key itself")
        self._in_key = True
        key = self._value()
        self._in_key = False
        return encode(key).decode("utf-8")

    def _array(self) -> list[Any]:
        self._at += 1
        items: list[Any] = []
        while self._skip_space() != "]":
            items.append(self._value())
            self._comma_or("]")
        self._at += 1
        return items

    def _comma_or(self, end: str) -> None:
        found = self._skip_space()
        if found == ",":
            self._at += 1
        elif found != end:
            raise self._error(f"',' or '{end}'")

    def _string(self, quote: str) -> str:
        match = _STRINGS[quote].match(self._text, self._at)
        if match is None:
            raise self._error(f"a string that a {quote} closes")
        inner = match.group()[1:-1]
        if quote == "'":
            inner = _ESCAPE_OR_QUOTE.sub(lambda found: _IN_SINGLE_QUOTES.get(found.group(), found.group()), inner)
        try:
            value = _strict_decode(f'"{inner}"')
        except _NOT_STRICT as error:
            raise self._error("a string with valid escapes") from error
        self._at = match.end()
        return str(value)

    def _bare(self) -> Any:
        match = _BARE.match(self._text, self._at)
        if match is None:
            raise self._error("a value")
        word = match.group()
        self._at = match.end()
        if word in _WORDS:
            return _WORDS[word]
        if len(word) > NUMBER_CHARACTERS_MAX:
            return word
        if _INTEGER.match(word):
            return int(word)
        return float(word) if _NUMBER.match(word) else word
