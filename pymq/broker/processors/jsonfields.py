# Tests: tests/broker/processors/test_lanes_equal.py
"""JSON headers as typed header classes, fast: for the hot lanes, beside `compactfields` for binary ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pymq.wire.fields import CommandHeader


def json_decoder(header_class: type[CommandHeader]) -> Callable[[bytes], Any]:
    """Decodes a JSON header whose extFields are those of `header_class`; attributes are named as its members are.

    Types are strict where the general reader is lenient: it raises msgspec's errors for what does not fit, which goes there.
    """
    frame = msgspec.defstruct(
        "Frame",
        [
            ("code", int),
            ("extFields", header_class),
            ("opaque", int, 0),
            ("flag", int, 0),
            ("version", int, 0),
            ("language", str, "JAVA"),
            ("remark", str | None, None),
        ],
    )
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(frame, strict=False).decode
    return decode
