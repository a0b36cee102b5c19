"""Tests of pymq.broker.processors.compactfields."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors import compactfields
from pymq.broker.processors.compactfields import CompactFields
from pymq.errors import HeaderError
from pymq.wire import header_compact
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.messages import SendMessageRequestHeaderV2
from tests.broker.processors.parts import send_header

_texts = st.text(max_size=40) | st.sampled_from(["0", "-1", "7", "true", "%d%%", "x" * 37])


class Small(CommandHeader):
    """A header of few fields, which may all be missing."""

    first: str | None = None
    second: str | None = None
    number: int | None = None


def encoded(fields: dict[str, str], **changes: Any) -> bytes:
    """A binary header."""
    return header_compact.encode(RemotingCommand(310, **{"opaque": 9, "ext_fields": fields, **changes}))


class CompactFieldsTests(SynchronousTestCase):
    """Binary headers, read by their layouts."""

    def slow(self, header: bytes, cls: type) -> Any:
        """The fields as the general reader and msgspec give them; None when they cannot be read."""
        try:
            return msgspec.convert(header_compact.decode(header, b"").ext_fields or {}, cls, strict=False)
        except (HeaderError, msgspec.ValidationError):
            return None

    def fast(self, reader: CompactFields[Any], header: bytes) -> Any:
        """The fields as the reader gives them; None when it gives none."""
        try:
            read = reader.read(header)
        except (msgspec.MsgspecError, ValueError):
            return None
        return None if read is None else read[0]

    def test_send_header(self) -> None:
        """All values, the opaque and the flag; twice by the same layout, then by another."""
        reader = CompactFields(SendMessageRequestHeaderV2)
        for header in (send_header(), send_header(topic="S", flag=3), send_header(topic="longer", properties="%s\x02")):
            raw = encoded(header.to_fields(), flag=2, opaque=-7)
            self.assertEqual(reader.read(raw), (header, -7, 2))

    @given(st.lists(st.tuples(_texts, _texts, st.integers(-5, 10**6)), min_size=1, max_size=4))
    def test_agrees_with_the_general_reader(self, rows: list[tuple[str, str, int]]) -> None:
        """Whatever the values are, through one reader with all its memory."""
        reader = CompactFields(Small)
        for first, second, number in rows:
            header = encoded({"first": first, "second": second, "number": str(number)})
            read = self.fast(reader, header)
            if read is not None or (first or second):
                self.assertEqual(read, self.slow(header, Small))

    def test_damage_at_every_byte(self) -> None:
        """A reader that knows the sound header reads a damaged one as the general reader does, or not at all."""
        sound = encoded(send_header().to_fields())
        for position in range(2, len(sound)):
            for byte in (0, 1, 0x25, 0x80, 0xFF):
                reader = CompactFields(SendMessageRequestHeaderV2)
                self.assertIsNotNone(reader.read(sound))
                damaged = sound[:position] + bytes([byte]) + sound[position + 1 :]
                read = self.fast(reader, damaged)
                if read is not None:
                    self.assertEqual(read, self.slow(damaged, SendMessageRequestHeaderV2))

    def test_every_cut(self) -> None:
        """A cut header is never read, known layout or not; one with bytes behind it is left to the general reader."""
        sound = encoded(send_header().to_fields())
        for end in range(len(sound)):
            reader = CompactFields(SendMessageRequestHeaderV2)
            self.assertIsNone(self.fast(reader, sound[:end]))
            reader.read(sound)
            self.assertIsNone(self.fast(reader, sound[:end]))
        self.assertIsNone(self.fast(reader, sound + b"more"))

    def test_what_is_not_plain(self) -> None:
        """A remark, unknown fields, no fields, lengths below zero."""
        fields = {"first": "a", "second": "b"}
        reader = CompactFields(Small)
        self.assertIsNotNone(reader.read(encoded(fields)))
        self.assertIsNone(reader.read(encoded(fields, remark="r")))
        self.assertIsNone(CompactFields(Small).read(encoded(fields, remark="r")))
        self.assertIsNone(reader.read(encoded({**fields, "ns": "x"})))
        self.assertIsNone(reader.read(encoded({})))
        negative = encoded(fields).replace(b"\x00\x00\x00\x01b", b"\xff\xff\xff\xffb")
        self.assertIsNone(reader.read(negative))

    def test_layouts_are_bounded(self) -> None:
        """Beyond the limit they are found anew."""
        self.patch(compactfields, "LAYOUTS_MAX", 2)
        reader = CompactFields(Small)
        for _ in range(2):
            for length in range(1, 5):
                read = reader.read(encoded({"first": "a" * length, "second": "b"}))
                self.assertEqual(read and read[0].first, "a" * length)
