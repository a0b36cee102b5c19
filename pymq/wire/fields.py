# Tests: tests/wire/test_fields.py
"""Typed headers: declare the fields of a request or response once, get both directions and clear errors.

On the wire every value of `extFields` is text (remoting.md 1.7). A header class is a `msgspec.Struct`, whose field names become
camelCase by themselves (`consumer_group` is `consumerGroup`); the short names of SEND_MESSAGE_V2 are given with `rename`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from pymq.errors import RequestError

_SYSTEM_ERROR = 1

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

H = TypeVar("H", bound="CommandHeader")


class CommandHeader(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """The base of every typed header (Java: CommandCustomHeader).

    A field without a default is required; `None` stands for a field that was not sent, and is not written. Subclasses repeat
    `frozen` and `kw_only`: msgspec hands down neither the second nor, to the type checker, the first.
    """

    def to_fields(self) -> dict[str, str]:
        """The header as `extFields`: Java's text for each value, null fields left out."""
        fields: dict[str, str] = {}
        for name, wire_name in zip(self.__struct_fields__, self.__struct_encode_fields__):
            value = getattr(self, name)
            if value is not None:
                fields[wire_name] = java_text(value)
        return fields

    @classmethod
    def from_fields(cls: type[H], fields: Mapping[str, str] | None) -> H:
        """Read the header of a received command; unknown fields are ignored.

        Raises RequestError (SYSTEM_ERROR) that names the field which is missing or of the wrong type.
        """
        try:
            return msgspec.convert(_java_booleans(cls, fields or {}), cls, strict=False)
        except msgspec.ValidationError as error:
            raise RequestError(_SYSTEM_ERROR, f"{cls.__name__}: {error}") from error


def java_text(value: object) -> str:
    """How Java's toString writes a header value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_boolean_names: dict[type, frozenset[str]] = {}


def _java_booleans(cls: type[CommandHeader], fields: Mapping[str, str]) -> Mapping[str, Any]:
    """Only the word `true`, in any case, is true (Boolean.parseBoolean); msgspec would take 1 as well and refuse other words."""
    names = _boolean_names.get(cls)
    if names is None:
        types = {field.encode_name: field.type for field in msgspec.structs.fields(cls)}
        names = _boolean_names[cls] = frozenset(name for name, type_ in types.items() if type_ in (bool, bool | None))
    found = names & fields.keys()
    if not found:
        return fields
    return {**fields, **{name: str(fields[name]).lower() == "true" for name in found}}
