# Tests: tests/store/test_keyhash.py
"""Java's string hash of an index key `topic#key`, fast enough for the send path (store.md 4.2).

The hash is a polynomial in 31 over UTF-16 units, so the hash of a joined text is the sum of its parts' hashes, each times a power
of 31. Hence the topic's part is reckoned once per topic, and of a client's 32-character unique keys (UNIQ_KEY) only what is new:
their first 26 characters stay the same for 256 ms, and the two groups of three that follow take few values. What was seen is kept
in bounded dictionaries that hold ASCII text only; so three hits mean that the whole key is ASCII.
"""

from __future__ import annotations

from operator import mul

from pymq.message.tags import java_hash, java_hash_onto

__all__ = ["index_hash", "topic_seed"]

#: Entries that each dictionary holds before it is emptied.
CACHED_PARTS_MAX = 4096
#: Longer keys take the slow way.
FAST_LENGTH_MAX = 255

_UNIQUE_LENGTH = 32
_HEAD_LENGTH = 26
_MIDDLE_END = 29
_MASK = 0xFFFFFFFF
_POWERS = [pow(31, n, 1 << 32) for n in range(FAST_LENGTH_MAX + 1)]
_WEIGHTS = [tuple(reversed(_POWERS[:n])) for n in range(FAST_LENGTH_MAX + 1)]
_UNIQUE_POWER = _POWERS[_UNIQUE_LENGTH]

_seeds: dict[str, int] = {}
_heads: dict[str, int] = {}
_middles: dict[str, int] = {}
_tails: dict[str, int] = {}


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
    length = len(key)
    try:
        if length == _UNIQUE_LENGTH:
            value = seed * _UNIQUE_POWER + _heads[key[:26]] + _middles[key[26:29]] + _tails[key[29:]]
        else:
            value = sum(map(mul, key.encode("ascii"), _WEIGHTS[length]), seed * _POWERS[length])
    except (KeyError, UnicodeEncodeError, IndexError):
        value = _hash_slowly(seed, key)
    value &= _MASK
    return value if value < 0x80000000 else -value & 0x7FFFFFFF


def _keep(cache: dict[str, int], text: str, value: int) -> int:
    if len(cache) >= CACHED_PARTS_MAX:
        cache.clear()
    cache[text] = value
    return value


def _hash_slowly(seed: int, key: str) -> int:
    """The hash of any key; the parts of an ASCII key of 32 characters are kept for the next one."""
    if len(key) != _UNIQUE_LENGTH or not key.isascii():
        return java_hash_onto(seed, key)
    value = seed * _UNIQUE_POWER
    parts = ((_heads, 0, _HEAD_LENGTH), (_middles, _HEAD_LENGTH, _MIDDLE_END), (_tails, _MIDDLE_END, _UNIQUE_LENGTH))
    for cache, start, end in parts:
        text = key[start:end]
        part = cache.get(text)
        if part is None:
            part = sum(map(mul, text.encode("ascii"), _WEIGHTS[end - start])) * _POWERS[_UNIQUE_LENGTH - end] & _MASK
            _keep(cache, text, part)
        value += part
    return value
