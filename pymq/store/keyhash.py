# Tests: tests/store/test_keyhash.py
"""Java's string hash of an index key `topic#key`, fast enough for the send path (store.md 4.2).

The hash is a polynomial in 31 over UTF-16 units, so the hash of a joined text is the sum of its parts' hashes, each times a power
of 31. Hence the topic's part is reckoned once per topic, and of a client's 32-character unique keys (UNIQ_KEY) only what is new:
their first 26 characters stay the same for 256 ms, and the two groups of three that follow take few values. Other keys are mostly
numbered ones, of which only the last three characters change for long. What was seen is kept in bounded dictionaries that hold
ASCII text only; so a hit for each part means that the whole key is ASCII.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import mul

from pymq.message.tags import java_hash, java_hash_onto

__all__ = ["index_hash", "index_hashes", "topic_seed"]

#: Entries that each dictionary holds before it is emptied: the 4096 tails of unique keys, and as many of numbered ones.
CACHED_PARTS_MAX = 8192
#: Longer keys take the slow way.
FAST_LENGTH_MAX = 255

_UNIQUE_LENGTH = 32
_HEAD_LENGTH = 26
_MIDDLE_END = 29
_TAIL_LENGTH = 3
_MASK = 0xFFFFFFFF
_POWERS = [pow(31, n, 1 << 32) for n in range(FAST_LENGTH_MAX + 1)]
_WEIGHTS = [tuple(reversed(_POWERS[:n])) for n in range(FAST_LENGTH_MAX + 1)]
_UNIQUE_POWER = _POWERS[_UNIQUE_LENGTH]
_TAIL_POWER = _POWERS[_TAIL_LENGTH]

_seeds: dict[str, int] = {}
_heads: dict[str, int] = {}
_middles: dict[str, int] = {}
_tails: dict[str, int] = {}
#: What stands before the last three characters of keys of other lengths, up to FAST_LENGTH_MAX.
_stems: dict[str, int] = {}


def topic_seed(topic: str) -> int:
    """The hash of `topic#`, unsigned; what `index_hash` goes on from."""
    seed = _seeds.get(topic)
    if seed is None:
        seed = _keep(_seeds, topic, java_hash(topic + "#") & _MASK)
    return seed


def index_hash(seed: int, key: str) -> int:
    """The hash of an index entry: the absolute value of Java's `hashCode` of `topic#key`, with 0 for the least integer.

    `seed` is `topic_seed(topic)`. Java: IndexFile.indexKeyHashMethod.
    """
    return index_hashes(seed, (key,))[0]


def index_hashes(seed: int, keys: Iterable[str]) -> list[int]:
    """`index_hash` of each key: those of a message at once, for a call costs as much as the hash."""
    heads, middles, tails, hashes = _heads, _middles, _tails, []
    for key in keys:
        length = len(key)
        try:
            if length == 32:
                value = seed * _UNIQUE_POWER + heads[key[:26]] + middles[key[26:29]] + tails[key[29:]] & _MASK
            else:
                value = seed * _POWERS[length] + _stems[key[:-3]] + tails[key[-3:]] & _MASK
        except (KeyError, IndexError):
            value = _hash_slowly(seed, key) & _MASK
        hashes.append(value if value < 0x80000000 else -value & 0x7FFFFFFF)
    return hashes


def _keep(cache: dict[str, int], text: str, value: int) -> int:
    if len(cache) >= CACHED_PARTS_MAX:
        cache.clear()
    cache[text] = value
    return value


def _hash_slowly(seed: int, key: str) -> int:
    """The hash of any key; the parts of an ASCII key that is not too long are kept for the next one."""
    length = len(key)
    if length > FAST_LENGTH_MAX or not key.isascii():
        return java_hash_onto(seed, key)
    if length != _UNIQUE_LENGTH:
        tail = _part(_tails, key[-_TAIL_LENGTH:], 1)
        return seed * _POWERS[length] + _part(_stems, key[:-_TAIL_LENGTH], _TAIL_POWER) + tail
    value = seed * _UNIQUE_POWER
    parts = ((_heads, 0, _HEAD_LENGTH), (_middles, _HEAD_LENGTH, _MIDDLE_END), (_tails, _MIDDLE_END, _UNIQUE_LENGTH))
    for cache, start, end in parts:
        value += _part(cache, key[start:end], _POWERS[_UNIQUE_LENGTH - end])
    return value


def _part(cache: dict[str, int], text: str, power: int) -> int:
    """What an ASCII part of a key adds to the hash, from its cache or reckoned and kept there."""
    part = cache.get(text)
    if part is None:
        part = _keep(cache, text, sum(map(mul, text.encode("ascii"), _WEIGHTS[len(text)])) * power & _MASK)
    return part
