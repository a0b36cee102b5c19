# Tests: tests/message/test_bloom.py
"""Which groups a message passes to, as a few bits: a bloom filter in Java's arithmetic (Java: BloomFilter, BitsArray).

Each group's filter of a topic owns a few positions in a bit map. The map of a message has the positions set of every filter that
it passes; a group one of whose positions is not set need not look at the message. Position p is bit `p % 8` of byte `p // 8`, so
that a bit map is a little-endian number and position p its bit p.
"""

from __future__ import annotations

import math

import attrs

__all__ = ["BloomFilter", "BloomFilterData", "murmur3_64"]

_MASK_64 = 2**64 - 1
_MASK_32 = 2**32 - 1
_SIGN_32 = 2**31
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F
_BLOCK_BYTES = 16


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK_64


def _mixed_1(part: int) -> int:
    return _rotated(part * _C1 & _MASK_64, 31) * _C2 & _MASK_64


def _mixed_2(part: int) -> int:
    return _rotated(part * _C2 & _MASK_64, 33) * _C1 & _MASK_64


def _finished(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK_64
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK_64
    return value ^ value >> 33


def murmur3_64(data: bytes) -> int:
    """The first half of MurmurHash3_x64_128 with seed 0 (Guava: Hashing.murmur3_128().hashBytes(data).asLong()), unsigned."""
    first = second = 0
    whole = len(data) - len(data) % _BLOCK_BYTES
    for at in range(0, whole, _BLOCK_BYTES):
        first ^= _mixed_1(int.from_bytes(data[at : at + 8], "little"))
        first = (_rotated(first, 27) + second) * 5 + 0x52DCE729 & _MASK_64
        second ^= _mixed_2(int.from_bytes(data[at + 8 : at + 16], "little"))
        second = (_rotated(second, 31) + first) * 5 + 0x38495AB5 & _MASK_64
    second ^= _mixed_2(int.from_bytes(data[whole + 8 :], "little"))
    first ^= _mixed_1(int.from_bytes(data[whole : whole + 8], "little"))
    first, second = first ^ len(data), second ^ len(data)
    first = first + second & _MASK_64
    second = second + first & _MASK_64
    return _finished(first) + _finished(second) & _MASK_64


@attrs.frozen
class BloomFilterData:
    """The positions that one filter owns in bit maps of `bit_num` bits."""

    bit_pos: tuple[int, ...]
    bit_num: int

    @property
    def mask(self) -> int:
        """The positions as a number with those bits set."""
        mask = 0
        for position in self.bit_pos:
            mask |= 1 << position
        return mask


class BloomFilter:
    """Positions for `group_count` filters with at most `error_percent` (1 to 99) wrong hits among a hundred.

    `hash_count` (Java: k) is how many positions each filter owns, `bit_num` (m) the bits of a map, a multiple of 8.
    """

    def __init__(self, error_percent: int, group_count: int) -> None:
        """Raises ValueError for what Java refuses too."""
        if not 1 <= error_percent < 100 or group_count < 1:
            raise ValueError(f"from 1 to 99 % of errors and one group at least are needed, not {error_percent}, {group_count}")
        error_rate = error_percent / 100
        self.hash_count = math.ceil(math.log(error_rate) / math.log(0.5))
        bits = math.ceil(group_count * (math.log(1 / error_rate) / math.log(2)) * (math.log(math.e) / math.log(2)))
        self.bit_num = -(-bits // 8) * 8

    @property
    def bytes_count(self) -> int:
        """Bytes of a bit map."""
        return self.bit_num // 8

    def generate(self, text: str) -> BloomFilterData:
        """The positions of what `text` names; two texts may share some, or all."""
        hash_64 = murmur3_64(text.encode("utf-8", "replace"))
        low, high = hash_64 & _MASK_32, hash_64 >> 32
        positions = []
        for number in range(1, self.hash_count + 1):
            combined = low + number * high & _MASK_32
            # Java's int; a negative one has all its bits flipped.
            positions.append((combined ^ _MASK_32 if combined & _SIGN_32 else combined) % self.bit_num)
        return BloomFilterData(tuple(positions), self.bit_num)

    def is_valid(self, data: BloomFilterData | None) -> bool:
        """Whether the positions are for maps of this filter."""
        return data is not None and data.bit_num == self.bit_num and len(data.bit_pos) == self.hash_count
