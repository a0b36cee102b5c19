"""What every header declaration is held to."""

from __future__ import annotations

import types
from typing import Any, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pymq.errors import RequestError
from pymq.wire.fields import CommandHeader


def header_classes(module: types.ModuleType) -> list[type[CommandHeader]]:
    """The headers that a module declares."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, CommandHeader) and value.__module__ == module.__name__
    ]


def required_names(header: type[CommandHeader]) -> list[str]:
    """Wire names of the fields without a default, in order."""
    return [field.encode_name for field in msgspec.structs.fields(header) if field.required]


def optional_names(header: type[CommandHeader]) -> list[str]:
    """Wire names of the others."""
    return [field.encode_name for field in msgspec.structs.fields(header) if not field.required]


def sample(field: msgspec.structs.FieldInfo) -> str:
    """A text that the field takes."""
    return "true" if _kind(field.type) is bool else "7"


def _kind(annotation: Any) -> type:
    """The plain type under Annotated and Optional."""
    kinds = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is not None and kinds:
        return _kind(kinds[0])
    return annotation  # type: ignore[no-any-return]


def check_requirements(header: type[CommandHeader]) -> None:
    """Full fields are read; taking away a required one is refused by its name, taking away any other is not."""
    full = {field.encode_name: sample(field) for field in msgspec.structs.fields(header)}
    header.from_fields(full)
    for name in full:
        rest = {other: value for other, value in full.items() if other != name}
        try:
            header.from_fields(rest)
            missed = False
        except RequestError as error:
            missed = name in error.remark and error.code == 1
        if missed != (name in required_names(header)):
            raise AssertionError(f"{header.__name__}.{name}: required is {not missed}, refused is {missed}")


def instances(header: type[CommandHeader]) -> SearchStrategy[CommandHeader]:
    """Any header of the class, its numbers within 32 bits."""
    kinds: dict[type, SearchStrategy[Any]] = {
        int: st.integers(-(2**31), 2**31 - 1),
        str: st.text(max_size=8),
        bool: st.booleans(),
    }
    return st.builds(
        header,
        **{
            field.name: kinds[_kind(field.type)] | (st.none() if type(None) in get_args(field.type) else st.nothing())
            for field in msgspec.structs.fields(header)
        },
    )
