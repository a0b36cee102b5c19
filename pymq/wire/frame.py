# Tests: tests/wire/test_frame.py
"""The frame around every command.

::

    0        4                              8                    8 + H
    +--------+---------+--------------------+--------------------+----------------------+
    | length | type: 1 | header length H: 3 | header (H bytes)   | body (length - 4 - H) |
    +--------+---------+--------------------+--------------------+----------------------+

`length` does not count itself. `type` says how the header is written: 0 is JSON, 1 is ROCKETMQ's binary form.
"""

from __future__ import annotations

from construct import Int32sb, Int32ub, Struct

from pymq.errors import FrameError, HeaderError
from pymq.layout import fixed_head
from pymq.wire import header_compact, header_json
from pymq.wire.command import RemotingCommand, SerializeType

#: The largest frame, its four length bytes included (com.rocketmq.remoting.frameMaxLength).
FRAME_BYTES_MAX = 16_777_216

FRAME_HEAD = Struct("length" / Int32sb, "type_and_header_length" / Int32ub)

_head = fixed_head(FRAME_HEAD)
_HEAD_BYTES = _head.size_bytes
_unpack_head = _head.unpack_from
_pack_head = _head.pack
_HEADER_LENGTH_MASK = 0xFFFFFF


class FrameReader:
    """Takes bytes as they come and hands out whole frames, one at a time, so that a bad frame never takes good ones with it.

    `feed` stores, `next_frame` and `next_command` give one frame or None for "need more"; `take_frames` does both for a whole
    read at once, which is what a connection wants. After an error the reader is of no further use: the stream lost its step.
    """

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._data = b""
        self._position = 0
        self._chunks: list[bytes] = []
        self._chunk_bytes = 0
        self._needed_bytes = _HEAD_BYTES
        #: What `take_frames` met behind the frames that it gave out; None while the stream is sound.
        self.error: FrameError | None = None

    def feed(self, data: bytes) -> None:
        """Add received bytes. Nothing is parsed here; a large frame that comes in pieces is joined once, when it is whole."""
        self._chunks.append(data)
        self._chunk_bytes += len(data)

    @property
    def buffered_bytes(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._data) - self._position + self._chunk_bytes

    def _gather(self) -> bool:
        """Join the waiting pieces when they hold the next thing that is needed."""
        if self.buffered_bytes < self._needed_bytes:
            return False
        if self._chunks:
            if self._position < len(self._data):
                self._chunks.insert(0, self._data[self._position :])
            self._data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._position = 0
            self._chunks = []
            self._chunk_bytes = 0
        return True

    def next_frame(self) -> tuple[int, bytes, bytes] | None:
        """The next frame as (header type, header bytes, body bytes), or None. Raises FrameError."""
        while self._gather():
            data, position = self._data, self._position
            length, word = _unpack_head(data, position)
            header_length = word & _HEADER_LENGTH_MASK
            if not 4 <= length <= self._frame_bytes_max - 4 or header_length > length - 4:
                raise self._bad_lengths(length, header_length)
            end = position + 4 + length
            if end > len(data):
                # What is needed may lie in the pieces already: the loop joins them, or finds them too few.
                self._needed_bytes = 4 + length
                continue
            self._position = end
            self._needed_bytes = _HEAD_BYTES
            body_start = position + _HEAD_BYTES + header_length
            return word >> 24, data[position + _HEAD_BYTES : body_start], data[body_start:end]
        return None

    def take_frames(self, data: bytes) -> list[tuple[int, bytes, bytes]]:
        """Add received bytes and take every whole frame, as `next_frame` gives them.

        Never raises: the frames before a bad one are given out, and `error` holds what is wrong with the bad one. This is the
        hot path of a connection, hence one loop over local names.
        """
        frames: list[tuple[int, bytes, bytes]] = []
        if self.error is not None:
            return frames
        if self._chunks or self._position < len(self._data):
            self.feed(data)
            if not self._gather():
                return frames
            data = self._data
        position, size, length_max = 0, len(data), self._frame_bytes_max - 4
        unpack, take = _unpack_head, frames.append
        self._needed_bytes = _HEAD_BYTES
        while size - position >= _HEAD_BYTES:
            length, word = unpack(data, position)
            header_length = word & _HEADER_LENGTH_MASK
            if not 4 <= length <= length_max or header_length > length - 4:
                self.error = self._bad_lengths(length, header_length)
                break
            end = position + 4 + length
            if end > size:
                self._needed_bytes = 4 + length
                break
            position += _HEAD_BYTES
            body_start = position + header_length
            take((word >> 24, data[position:body_start], data[body_start:end]))
            position = end
        if position == size:
            data, position = b"", 0
        self._data, self._position = data, position
        return frames

    def _bad_lengths(self, length: int, header_length: int) -> FrameError:
        return FrameError(
            f"frame of length {length} with a header of {header_length} bytes; the limit is {self._frame_bytes_max} bytes"
        )

    def next_command(self) -> RemotingCommand | None:
        """The next frame as a command, or None. Raises FrameError or HeaderError."""
        frame = self.next_frame()
        return None if frame is None else decode_command(*frame)


def decode_command(header_type: int, header: bytes, body: bytes) -> RemotingCommand:
    """A command from the three parts of its frame. Raises HeaderError."""
    if header_type == SerializeType.JSON:
        return header_json.decode(header, body)
    if header_type == SerializeType.ROCKETMQ:
        return header_compact.decode(header, body)
    raise HeaderError(f"unknown header type {header_type}; 0 (JSON) and 1 (ROCKETMQ) are known")


def encode_frame(command: RemotingCommand) -> bytes:
    """The whole frame of a command. Raises FrameError when it passes FRAME_BYTES_MAX."""
    if command.serialize_type == SerializeType.ROCKETMQ:
        header = header_compact.encode(command)
    else:
        header = header_json.encode(command)
    return frame_head(command.serialize_type, len(header), len(command.body)) + header + command.body


def frame_head(serialize_type: int, header_bytes: int, body_bytes: int) -> bytes:
    """The eight bytes before the header."""
    length = 4 + header_bytes + body_bytes
    if length > FRAME_BYTES_MAX - 4:
        raise FrameError(f"a frame of {length + 4} bytes passes the limit of {FRAME_BYTES_MAX}")
    return _pack_head(length, serialize_type << 24 | header_bytes)
