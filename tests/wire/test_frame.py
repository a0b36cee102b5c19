"""Frames: whole, in pieces, and bad ones."""

from __future__ import annotations

import contextlib
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import FrameError, HeaderError, ProtocolError
from pymq.wire.codes import LanguageCode
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import FRAME_BYTES_MAX, FRAME_HEAD, FrameReader, decode_command, encode_frame, frame_head
from tests.wire.cuts import halves, mutations, prefixes

#: GET_ROUTEINFO_BY_TOPIC for topic T1 as Java 4.9.8 writes it with rocketmq.serialize.type=ROCKETMQ (remoting.md 1.3).
GOLDEN_COMPACT = bytes.fromhex("00000026 01000022 0069 00 0199 00000003 00000000 00000000 0000000d 0005 746f706963 00000002 5431")
#: A success response as Java 4.9.8 writes it in JSON (remoting.md 1.2).
GOLDEN_JSON_HEADER = b'{"code":0,"flag":1,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":409}'
GOLDEN_JSON = struct.pack(">ii", 4 + len(GOLDEN_JSON_HEADER) + 4, len(GOLDEN_JSON_HEADER)) + GOLDEN_JSON_HEADER + b"body"

ROUTE_REQUEST = RemotingCommand(
    code=105, opaque=3, ext_fields={"topic": "T1"}, language=LanguageCode.JAVA, serialize_type=SerializeType.ROCKETMQ
)
JSON_RESPONSE = RemotingCommand(code=0, flag=1, opaque=1, body=b"body", language=LanguageCode.JAVA)

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
commands = st.builds(
    RemotingCommand,
    code=st.integers(0, 2**15 - 1),
    opaque=st.integers(-(2**31), 2**31 - 1),
    flag=st.integers(0, 3),
    ext_fields=st.none() | st.dictionaries(texts, texts, min_size=1, max_size=5),
    body=st.binary(max_size=100),
    remark=st.none() | texts,
    language=st.sampled_from([int(language) for language in LanguageCode]),
    version=st.integers(0, 2**15 - 1),
    serialize_type=st.sampled_from(SerializeType),
)


def read_all(*chunks: bytes) -> list[RemotingCommand]:
    """Every command in the chunks, by feed and next_command."""
    reader, found = FrameReader(), []
    for chunk in chunks:
        reader.feed(chunk)
        while (command := reader.next_command()) is not None:
            found.append(command)
    return found


def take_all(*chunks: bytes) -> list[RemotingCommand]:
    """The same by take_frames."""
    reader = FrameReader()
    return [decode_command(*frame) for chunk in chunks for frame in reader.take_frames(chunk)]


class GoldenTests(SynchronousTestCase):
    """Bytes made by Java, both ways."""

    def test_binary_header(self) -> None:
        """The frame of the reference."""
        self.assertEqual(read_all(GOLDEN_COMPACT), [ROUTE_REQUEST])
        self.assertEqual(encode_frame(ROUTE_REQUEST), GOLDEN_COMPACT)

    def test_json_header(self) -> None:
        """The response of the reference."""
        self.assertEqual(read_all(GOLDEN_JSON), [JSON_RESPONSE])
        self.assertEqual(encode_frame(JSON_RESPONSE), GOLDEN_JSON)

    def test_the_declaration_in_construct_says_the_same(self) -> None:
        """The eight bytes before the header."""
        head = FRAME_HEAD.parse(GOLDEN_COMPACT)
        self.assertEqual((head.length, head.type_and_header_length), (38, 1 << 24 | 34))
        self.assertEqual(frame_head(1, 34, 0), FRAME_HEAD.build(head))


class FrameReaderTests(SynchronousTestCase):
    """FrameReader over cuts, floods and errors."""

    def test_both_kinds_mix_on_one_connection(self) -> None:
        """A decoder looks at each frame's own type."""
        data = GOLDEN_COMPACT + GOLDEN_JSON + GOLDEN_COMPACT
        self.assertEqual(read_all(data), [ROUTE_REQUEST, JSON_RESPONSE, ROUTE_REQUEST])

    def test_two_frames_cut_at_every_byte(self) -> None:
        """Nothing is lost and nothing comes early, whichever way they are read."""
        for first, second in halves(GOLDEN_JSON + GOLDEN_COMPACT):
            self.assertEqual(read_all(first, second), [JSON_RESPONSE, ROUTE_REQUEST])
            self.assertEqual(take_all(first, second), [JSON_RESPONSE, ROUTE_REQUEST])

    def test_byte_by_byte(self) -> None:
        """The slowest peer."""
        data = [bytes((byte,)) for byte in GOLDEN_JSON + GOLDEN_COMPACT]
        self.assertEqual(read_all(*data), [JSON_RESPONSE, ROUTE_REQUEST])
        self.assertEqual(take_all(*data), [JSON_RESPONSE, ROUTE_REQUEST])

    def test_no_frame_before_its_last_byte(self) -> None:
        """Every beginning of a frame is waited for, and counted as buffered."""
        for part in prefixes(GOLDEN_JSON):
            reader = FrameReader()
            reader.feed(part)
            self.assertIsNone(reader.next_frame())
            self.assertEqual(reader.buffered_bytes, len(part))

    def test_a_large_frame_in_pieces_is_not_joined_again_and_again(self) -> None:
        """16 MiB in pieces of 1 KiB: joining at each piece would copy 128 GiB."""
        body = b"x" * (FRAME_BYTES_MAX - 8 - len(GOLDEN_JSON_HEADER))
        data = encode_frame(RemotingCommand(code=0, flag=1, opaque=1, body=body, language=LanguageCode.JAVA))
        self.assertEqual(len(data), FRAME_BYTES_MAX)
        reader = FrameReader()
        frames = [frame for at in range(0, len(data), 1024) for frame in reader.take_frames(data[at : at + 1024])]
        self.assertEqual([len(frame[2]) for frame in frames], [len(body)])

    def test_lengths_that_contradict_each_other(self) -> None:
        """Negative, smaller than its own header, or over the limit: the stream has lost its step."""
        for length, header_length in ((-1, 0), (3, 0), (10, 7), (FRAME_BYTES_MAX - 3, 0), (2**31 - 1, 10)):
            reader = FrameReader()
            reader.feed(struct.pack(">ii", length, header_length))
            with self.assertRaisesRegex(FrameError, f"length {length} "):
                reader.next_frame()

    def test_the_limit_can_be_set(self) -> None:
        """A frame of just that size passes, one byte more does not."""
        size = len(GOLDEN_JSON)
        reader = FrameReader(size)
        reader.feed(GOLDEN_JSON)
        self.assertEqual(reader.next_command(), JSON_RESPONSE)
        reader = FrameReader(size - 1)
        reader.feed(GOLDEN_JSON)
        self.assertRaises(FrameError, reader.next_frame)

    def test_frames_before_a_bad_one_are_given_out(self) -> None:
        """One bad frame must not take good ones of the same read with it."""
        bad = struct.pack(">ii", -5, 0)
        reader = FrameReader()
        self.assertEqual(len(reader.take_frames(GOLDEN_JSON + GOLDEN_COMPACT + bad)), 2)
        self.assertIsInstance(reader.error, FrameError)
        self.assertEqual(reader.take_frames(GOLDEN_JSON), [])

        other = FrameReader()
        other.feed(GOLDEN_JSON + bad)
        self.assertEqual(other.next_command(), JSON_RESPONSE)
        self.assertRaises(FrameError, other.next_command)

    def test_an_unknown_header_type(self) -> None:
        """Only 0 and 1 are known."""
        with self.assertRaisesRegex(HeaderError, "type 2"):
            decode_command(2, b"{}", b"")

    def test_a_frame_too_large_to_send(self) -> None:
        """The sender hears of it, not the receiver."""
        with self.assertRaises(FrameError):
            encode_frame(RemotingCommand(code=1, body=b"x" * FRAME_BYTES_MAX))

    def test_an_empty_body(self) -> None:
        """A frame may end with its header."""
        command = RemotingCommand(code=34, opaque=2)
        self.assertEqual(read_all(encode_frame(command)), [command])

    def test_mutated_frames_raise_protocol_errors_alone(self) -> None:
        """Whatever byte is changed: a command, a wait, or an error that closes the connection."""
        for golden in (GOLDEN_JSON, GOLDEN_COMPACT):
            for data in mutations(golden):
                reader = FrameReader()
                reader.feed(data)
                with contextlib.suppress(ProtocolError):
                    reader.next_command()

    @settings(deadline=None)
    @given(st.lists(commands, min_size=1, max_size=4), st.data())
    def test_round_trip_in_random_pieces(self, sent: list[RemotingCommand], data: st.DataObject) -> None:
        """Any commands, in any pieces, by either way of reading."""
        stream = b"".join(map(encode_frame, sent))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
        chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)])]
        self.assertEqual(read_all(*chunks), sent)
        self.assertEqual(take_all(*chunks), sent)

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_noise(self, data: bytes) -> None:
        """Random bytes never raise anything but a protocol error."""
        with contextlib.suppress(ProtocolError):
            read_all(data)
