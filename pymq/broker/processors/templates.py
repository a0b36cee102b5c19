# Tests: tests/broker/processors/test_templates.py
"""Answers of the hot codes as ready-made bytes with holes for the numbers that differ.

A template is cut from an answer that the general path made, so that nothing about an answer is written down twice: the hot lanes
send what the processors would have sent, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from pymq.layout import fixed_head
from pymq.wire import header_compact, header_json
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import FRAME_BYTES_MAX, FRAME_HEAD, frame_head

_HOLE = "@hole:{}@"
_HOLE_MARK = b"%b"
_OPAQUE_MARK = 1_987_654_321

#: Answers up to this size cannot pass the limit of a frame, so their head is packed without asking.
_CHECK_FROM_BYTES = FRAME_BYTES_MAX // 2

_pack_frame_head = fixed_head(FRAME_HEAD).pack
_pack_length = fixed_head(header_compact.LENGTH).pack
_COMPACT = fixed_head(header_compact.COMPACT_HEAD)


class AnswerTemplate(Protocol):
    """An answer without its numbers. `fill(opaque, values, body_bytes)` gives the frame up to where the body begins.

    `values` go into the holes in the order in which the answer's fields stand.
    """

    def fill(self, opaque: int, values: tuple[int, ...], body_bytes: int = 0) -> bytes:
        """Frame head and header. Raises FrameError when the frame would pass its limit."""


class JSONTemplate:
    """A JSON header as one `%` format; the opaque comes last in it."""

    def __init__(self, marked: RemotingCommand, holes: Mapping[str, bytes]) -> None:
        header = header_json.encode(marked).replace(b"%", b"%%")
        for name, spec in holes.items():
            header = _replace_once(header, _HOLE.format(name).encode("ascii"), spec)
        self._format = _replace_once(header, b"%d" % _OPAQUE_MARK, b"%d")

    def fill(self, opaque: int, values: tuple[int, ...], body_bytes: int = 0) -> bytes:
        """Frame head and header. Raises FrameError when the frame would pass its limit."""
        header = self._format % (*values, opaque)
        size = len(header)
        if size + body_bytes > _CHECK_FROM_BYTES:
            return frame_head(0, size, body_bytes) + header
        return _pack_frame_head(4 + size + body_bytes, size) + header


class CompactTemplate:
    """A binary header in pieces: every value has its length before it, and all of them together have one too."""

    def __init__(self, marked: RemotingCommand, holes: Mapping[str, bytes]) -> None:
        header = header_compact.encode(marked)
        opaque_at = _COMPACT.offsets["opaque"]
        fields_at = _COMPACT.size_bytes + len((marked.remark or "").encode("utf-8"))
        self._before_opaque = header[:opaque_at]
        self._after_opaque = header[opaque_at + len(_pack_length(0)) : fields_at]
        self._specs = tuple(holes.values())
        self._pieces: list[bytes] = []
        begin = fields_at + len(_pack_length(0))
        for name in holes:
            mark = _HOLE.format(name).encode("ascii")
            end = header.index(_pack_length(len(mark)) + mark, begin)
            self._pieces.append(header[begin:end])
            begin = end + len(_pack_length(0)) + len(mark)
        self._tail = header[begin:]
        lengths = len(self._specs) * len(_pack_length(0))
        self._fields_bytes = sum(map(len, self._pieces)) + len(self._tail) + lengths
        #: One format for each pattern of the texts' lengths, of which there are few: a number has at most 20 digits.
        self._formats: dict[tuple[int, ...], bytes] = {}

    def fill(self, opaque: int, values: tuple[int, ...], body_bytes: int = 0) -> bytes:
        """Frame head and header. Raises FrameError when the frame would pass its limit."""
        texts = [spec % value for spec, value in zip(self._specs, values)]
        lengths = tuple(map(len, texts))
        header = (self._formats.get(lengths) or self._format(lengths)) % (_pack_length(opaque), *texts)
        return frame_head(1, len(header), body_bytes) + header

    def _format(self, lengths: tuple[int, ...]) -> bytes:
        """A header with all lengths in it, to be filled with the opaque and the texts."""
        parts = [self._after_opaque, _pack_length(self._fields_bytes + sum(lengths))]
        for piece, length in zip(self._pieces, lengths):
            parts += (piece, _pack_length(length), _HOLE_MARK)
        parts.append(self._tail)
        escaped = [part if part is _HOLE_MARK else part.replace(b"%", b"%%") for part in parts]
        made = self._before_opaque.replace(b"%", b"%%") + _HOLE_MARK + b"".join(escaped)
        self._formats[lengths] = made
        return made


def answer_template(answer: RemotingCommand, holes: Mapping[str, bytes]) -> AnswerTemplate:
    """The template of an answer, its extFields named in `holes` made variable: each by the `%` format of one integer.

    `holes` must be in the order of the fields. Raises ValueError when the answer's own text looks like a hole.
    """
    fields = {name: _HOLE.format(name) if name in holes else value for name, value in (answer.ext_fields or {}).items()}
    marked = attrs.evolve(answer, ext_fields=fields, opaque=_OPAQUE_MARK)
    return CompactTemplate(marked, holes) if answer.serialize_type == SerializeType.ROCKETMQ else JSONTemplate(marked, holes)


def answer_templates(
    answer_to: Callable[[SerializeType], RemotingCommand], holes: Mapping[str, bytes]
) -> tuple[AnswerTemplate, AnswerTemplate]:
    """The templates of an answer by header type; `answer_to(type)` makes it for a request of that type."""
    json, compact = (answer_template(answer_to(kind), holes) for kind in (SerializeType.JSON, SerializeType.ROCKETMQ))
    return json, compact


def _replace_once(header: bytes, mark: bytes, by: bytes) -> bytes:
    if header.count(mark) != 1:
        raise ValueError(f"{mark!r} stands {header.count(mark)} times in {header!r}, once was due")
    return header.replace(mark, by)
