"""Tests of pymq.message.bloom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.bloom import BloomFilter, BloomFilterData, murmur3_64
from tests.golden.java_bloom_497 import BIT_MAPS, POSITIONS, SIZES


class JavaArithmeticTests(SynchronousTestCase):
    """What Java's class reckons (tests/interop/bloom)."""

    def test_sizes(self) -> None:
        """Hash functions and bits, for every error rate."""
        for (error_percent, group_count), expected in SIZES.items():
            bloom = BloomFilter(error_percent, group_count)
            self.assertEqual((bloom.hash_count, bloom.bit_num), expected, (error_percent, group_count))
        self.assertEqual(len(SIZES), 99 * 6)

    def test_positions(self) -> None:
        """Of texts that end anywhere in a block of the hash."""
        for (error_percent, group_count, text), expected in POSITIONS.items():
            self.assertEqual(BloomFilter(error_percent, group_count).generate(text).bit_pos, expected, text)

    def test_bit_maps(self) -> None:
        """The bytes into which positions are set."""
        for pair, expected in BIT_MAPS.items():
            bloom, bits = BloomFilter(*pair), 0
            for text in {text for *_, text in POSITIONS}:
                bits |= bloom.generate(text).mask
            self.assertEqual(bits.to_bytes(bloom.bytes_count, "little").hex(), expected)

    def test_published_hashes(self) -> None:
        """Of MurmurHash3_x64_128: the empty text, and one with a whole block."""
        self.assertEqual(murmur3_64(b""), 0)
        self.assertEqual(murmur3_64(b"The quick brown fox jumps over the lazy dog"), 0xE34BBC7BBC071B6C)


class BloomFilterTests(SynchronousTestCase):
    """What holds for all texts."""

    def test_refused_as_java_does(self) -> None:
        """An error rate that is none, and no groups."""
        for error_percent, group_count in ((0, 1), (100, 1), (20, 0)):
            self.assertRaises(ValueError, BloomFilter, error_percent, group_count)

    @given(st.integers(1, 99), st.integers(1, 100), st.text())
    def test_positions_lie_in_the_map(self, error_percent: int, group_count: int, text: str) -> None:
        """As many as there are hash functions, and they are valid for their own filter alone."""
        bloom = BloomFilter(error_percent, group_count)
        data = bloom.generate(text)
        self.assertTrue(all(0 <= position < bloom.bit_num for position in data.bit_pos))
        self.assertEqual({position for position in range(bloom.bit_num) if data.mask >> position & 1}, set(data.bit_pos))
        self.assertTrue(bloom.is_valid(data))
        self.assertFalse(bloom.is_valid(BloomFilterData(data.bit_pos, bloom.bit_num + 8)))
        self.assertFalse(bloom.is_valid(BloomFilterData((*data.bit_pos, 0), bloom.bit_num)))
        self.assertFalse(bloom.is_valid(None))
