"""The binary header."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import HeaderError
from pymq.wire.codes import LanguageCode
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.header_compact import COMPACT_HEAD, decode, decode_fields, encode
from tests.wire.cuts import mutations, outcomes, prefixes

COMMAND = RemotingCommand(
    code=310,
    opaque=-2,
    flag=1,
    ext_fields={"a": "grüße", "empty?": "no"},
    remark="FOUND",
    language=LanguageCode.GO,
    version=317,
    serialize_type=SerializeType.ROCKETMQ,
)


class CompactHeaderTests(SynchronousTestCase):
    """Decoding and encoding of type 1."""

    def test_round_trip(self) -> None:
        """Everything that the header holds."""
        self.assertEqual(decode(encode(COMMAND), b""), COMMAND)

    def test_the_smallest_header(self) -> None:
        """21 bytes: no remark, no fields."""
        header = encode(RemotingCommand(code=0, serialize_type=SerializeType.ROCKETMQ))
        self.assertEqual(len(header), 21)
        read = decode(header, b"x")
        self.assertEqual((read.remark, read.ext_fields, read.body), (None, None, b"x"))

    def test_construct_reads_the_same_head(self) -> None:
        """One declaration, two engines."""
        head = COMPACT_HEAD.parse(encode(COMMAND))
        self.assertEqual(
            (head.code, head.language, head.version, head.opaque, head.flag, head.remark_length), (310, 9, 317, -2, 1, 5)
        )

    def test_every_cut_is_refused(self) -> None:
        """No beginning of a header is a header."""
        header = encode(COMMAND)
        self.assertEqual(outcomes(lambda data: decode(data, b""), prefixes(header), HeaderError), (0, len(header)))

    def test_every_changed_byte_is_read_or_refused(self) -> None:
        """Never another error."""
        header = encode(COMMAND)
        read, refused = outcomes(lambda data: decode(data, b""), mutations(header), HeaderError)
        self.assertGreater(read, 100)
        self.assertGreater(refused, 50)

    def test_an_unknown_language_is_none(self) -> None:
        """A byte of a later release is no error."""
        header = bytearray(encode(COMMAND))
        header[2] = 99
        self.assertIsNone(decode(bytes(header), b"").language)

    def test_no_language_is_written_as_other(self) -> None:
        """There is no byte for none."""
        self.assertEqual(encode(RemotingCommand(code=1, language=None))[2], LanguageCode.OTHER)

    def test_codes_over_16_bits_lose_their_upper_part(self) -> None:
        """Java's cast: POP_MESSAGE 200050 arrives as 3442."""
        self.assertEqual(decode(encode(RemotingCommand(code=200050)), b"").code, 3442)
        self.assertEqual(decode(encode(RemotingCommand(code=0x8001)), b"").code, -0x7FFF)

    def test_empty_names_and_values_are_left_out(self) -> None:
        """Both are null in Java."""
        block = b"".join(
            struct.pack(">h", len(name)) + name + struct.pack(">i", len(value)) + value
            for name, value in ((b"a", b""), (b"", b"x"), (b"b", b"c"))
        )
        self.assertEqual(decode_fields(block, 0, len(block)), {"b": "c"})

    def test_negative_lengths(self) -> None:
        """Of the remark, of the fields, of a name and of a value."""
        head = struct.pack(">hBhii", 1, 0, 409, 0, 0)
        for tail in (
            struct.pack(">ii", -1, 0),
            struct.pack(">ii", 0, -1),
            struct.pack(">iih", 0, 2, -1),
            struct.pack(">iihi", 0, 6, 0, -1),
        ):
            with self.assertRaises(HeaderError):
                decode(head + tail, b"")

    def test_an_entry_that_passes_the_end_of_the_fields(self) -> None:
        """The declared length of the block is a bound of its entries."""
        block = struct.pack(">h", 1) + b"a" + struct.pack(">i", 4) + b"1234"
        with self.assertRaisesRegex(HeaderError, "declared"):
            decode_fields(block, 0, len(block) - 2)

    def test_text_that_is_not_utf8(self) -> None:
        """Refused, with its place."""
        with self.assertRaisesRegex(HeaderError, "UTF-8"):
            decode(struct.pack(">hBhiii", 1, 0, 409, 0, 0, 1) + b"\xff" + struct.pack(">i", 0), b"")

    @settings(deadline=None)
    @given(st.binary(max_size=80))
    def test_noise(self, data: bytes) -> None:
        """Random bytes are read or refused."""
        outcomes(lambda header: decode(header, b""), iter((data,)), HeaderError)
