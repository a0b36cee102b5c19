# Tests: tests/message/test_tags.py
"""Tags, as the broker sees them: 32-bit hashes. And Java's string hash, on which they and the key index rest.

The hash runs over UTF-16 units, not over UTF-8 bytes (store.md 0): `h = 31 * h + unit`, wrapped to signed 32 bits.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from operator import mul

_UTF16 = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"
_CHUNK = 256
_POWERS = [pow(31, exponent, 1 << 32) for exponent in range(_CHUNK, -1, -1)]
#: _TAIL_POWERS[n] holds the weights of a text of n units; building a slice at each call would cost a third of the time.
_TAIL_POWERS = [_POWERS[_CHUNK + 1 - count :] for count in range(_CHUNK + 1)]


def java_hash(text: str) -> int:
    """Java's String.hashCode: a signed 32-bit number."""
    return java_hash_onto(0, text)


def java_hash_onto(start: int, text: str) -> int:
    """The hash of `prefix + text`, where `start` is the hash of `prefix`; so that a common prefix is hashed once."""
    if text.isascii():
        units: bytes | memoryview = text.encode("ascii")
    else:
        units = memoryview(text.encode(_UTF16, "surrogatepass")).cast("H")
    count = len(units)
    if count > _CHUNK:
        for begin in range(0, count - _CHUNK, _CHUNK):
            start = start * _POWERS[0] + sum(map(mul, units[begin : begin + _CHUNK], _TAIL_POWERS[_CHUNK])) & 0xFFFFFFFF
        units = units[(count - 1) // _CHUNK * _CHUNK :]
        count = len(units)
    value = start * _POWERS[_CHUNK - count] + sum(map(mul, units, _TAIL_POWERS[count])) & 0xFFFFFFFF
    return value - 0x100000000 if value & 0x80000000 else value


@lru_cache(maxsize=4096)
def tags_code(tags: str | None) -> int:
    """The tags code of a queue unit: 0 without a tag, else the hash of the whole TAGS value (store.md 3.2)."""
    return java_hash(tags) if tags else 0


def narrow_code(code: int) -> int:
    """The low 32 bits of a tags code as a signed number: what a tag filter is compared with (store.md 3.2)."""
    code &= 0xFFFFFFFF
    return code - 0x100000000 if code & 0x80000000 else code
