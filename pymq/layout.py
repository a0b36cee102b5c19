# Tests: tests/test_layout.py
"""One declaration, two engines: the fixed-size part of a `construct.Struct`, compiled into a `struct.Struct`.

A layout of the wire or of the disk is declared once, in construct. Interpreted construct is some forty times slower than
`struct`, so code on the hot path asks this module for the same layout as a `FixedRun`. Nothing is spelled twice.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import attrs
from construct import Bytes, Construct, FormatField, Renamed, Struct


@attrs.frozen
class FixedRun:
    """Fields of fixed size that follow each other, with the speed of `struct`.

    `names` are the declaration's field names in order, `offsets` their byte positions from the start of the run, `size_bytes` the
    length of the whole run. `pack`, `pack_into`, `unpack` and `unpack_from` are those of `struct.Struct`.
    """

    names: tuple[str, ...]
    offsets: dict[str, int]
    size_bytes: int
    struct: struct.Struct
    pack: Any
    pack_into: Any
    unpack: Any
    unpack_from: Any
    iter_unpack: Any

    def unpack_dict(self, data: bytes | memoryview, offset: int = 0) -> dict[str, Any]:
        """The fields by name, for code where clearness matters more than time."""
        return dict(zip(self.names, self.unpack_from(data, offset)))


def _format_of(con: Construct) -> str | None:
    """The `struct` format of one field in big-endian order, or None when its size is not fixed."""
    if isinstance(con, Renamed):
        return _format_of(con.subcon)
    if isinstance(con, FormatField):
        return con.fmtstr[1:] if con.fmtstr[0] == ">" else None
    if isinstance(con, Bytes) and isinstance(con.length, int):
        return f"{con.length}s"
    return None


def _run(fields: Sequence[tuple[str, str]]) -> FixedRun:
    compiled = struct.Struct(">" + "".join(form for _, form in fields))
    offsets, position = {}, 0
    for name, form in fields:
        offsets[name] = position
        position += struct.calcsize(">" + form)
    return FixedRun(
        names=tuple(name for name, _ in fields),
        offsets=offsets,
        size_bytes=compiled.size,
        struct=compiled,
        pack=compiled.pack,
        pack_into=compiled.pack_into,
        unpack=compiled.unpack,
        unpack_from=compiled.unpack_from,
        iter_unpack=compiled.iter_unpack,
    )


def fixed_runs(layout: Struct) -> tuple[FixedRun, ...]:
    """Every maximal run of fixed-size fields of `layout`, in order. A field of variable size ends a run."""
    runs: list[FixedRun] = []
    fields: list[tuple[str, str]] = []
    for con in layout.subcons:
        form = _format_of(con)
        if form is not None:
            fields.append((con.name, form))
        elif fields:
            runs.append(_run(fields))
            fields = []
    if fields:
        runs.append(_run(fields))
    return tuple(runs)


def fixed_head(layout: Struct) -> FixedRun:
    """The run at the start of `layout`. Raises ValueError when its first field has no fixed size."""
    if not layout.subcons or _format_of(layout.subcons[0]) is None:
        raise ValueError("the layout does not begin with a field of fixed size")
    return fixed_runs(layout)[0]
