"""Compressed bodies."""

from __future__ import annotations

import importlib
import sys
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import DecodeError
from pymq.message import compression, flags
from pymq.message.compression import COMPRESSION_TYPES, codec_of, compress, decompress

BODY = b"hello, hello, hello " * 50
KINDS = tuple(COMPRESSION_TYPES.values())
LZ4_MAGIC, ZSTD_MAGIC = bytes.fromhex("04224d18"), bytes.fromhex("28b52ffd")
#: What the Java clients 4.9.8 and 5.5.0, both, make of this body with level 5.
JAVA_BODY = b"hello hello hello hello hello hello"
JAVA_BYTES = {
    flags.COMPRESSION_LZ4: "04224d18607073100000006f68656c6c6f200600055068656c6c6f00000000",
    flags.COMPRESSION_ZSTD: "28b52ffd00586400003068656c6c6f200100b94b11010000",
    flags.COMPRESSION_ZLIB: "785ecb48cdc9c957c8c0470200eb550d19",
}


class EveryKindTests(SynchronousTestCase):
    """What holds for zlib, LZ4 and ZSTD alike."""

    @settings(deadline=None)
    @given(st.binary(max_size=5000), st.sampled_from(KINDS), st.integers(0, 9))
    def test_round_trip(self, body: bytes, bits: int, level: int) -> None:
        """Any body, any level."""
        self.assertEqual(decompress(compress(body, bits, level), flags.COMPRESSED | bits), body)

    def test_smaller(self) -> None:
        """That is what it is for; a level beyond a kind's last one is its last one."""
        for bits in KINDS:
            self.assertLess(len(compress(BODY, bits)), len(BODY) // 2)
            self.assertEqual(compress(BODY, bits, 99), compress(BODY, bits, codec_of(bits).level_max))

    def test_uncompressed(self) -> None:
        """Bit 0 alone decides."""
        for bits in KINDS:
            self.assertEqual(decompress(b"raw", bits), b"raw")

    def test_every_cut(self) -> None:
        """Is an error."""
        for bits in KINDS:
            packed = compress(b"some body", bits)
            for cut in range(len(packed)):
                self.assertRaises(DecodeError, decompress, packed[:cut], flags.COMPRESSED | bits)

    def test_other_bytes(self) -> None:
        """Are an error, and so is an unknown kind."""
        for bits in KINDS:
            self.assertRaises(DecodeError, decompress, b"not compressed at all", flags.COMPRESSED | bits)
        self.assertRaises(DecodeError, decompress, BODY, flags.COMPRESSED | 0x700)

    def test_bomb(self) -> None:
        """A body that unfolds beyond the bound is refused before it fills the memory."""
        self.patch(compression, "DECOMPRESSED_BYTES_MAX", 100_000)
        for bits in KINDS:
            self.assertRaises(DecodeError, decompress, compress(bytes(100_001), bits), flags.COMPRESSED | bits)
            self.assertEqual(decompress(compress(bytes(100_000), bits), flags.COMPRESSED | bits), bytes(100_000))


class FormatTests(SynchronousTestCase):
    """What other clients read and write."""

    def test_old_clients(self) -> None:
        """Set no kind and mean zlib."""
        self.assertEqual(decompress(zlib.compress(BODY), flags.COMPRESSED), BODY)

    def test_what_java_writes(self) -> None:
        """Is read."""
        for bits, packed in JAVA_BYTES.items():
            self.assertEqual(decompress(bytes.fromhex(packed), flags.COMPRESSED | bits), JAVA_BODY)

    def test_frames(self) -> None:
        """The frame formats of LZ4 and ZSTD, not their bare blocks; LZ4 blocks stand alone, for Java reads no others."""
        lz4, zstd = (compress(BODY, bits) for bits in (flags.COMPRESSION_LZ4, flags.COMPRESSION_ZSTD))
        self.assertEqual((lz4[:4], zstd[:4]), (LZ4_MAGIC, ZSTD_MAGIC))
        block_independence = 0x20
        self.assertTrue(lz4[4] & block_independence)


class MissingPackageTests(SynchronousTestCase):
    """A kind whose package is not installed."""

    def setUp(self) -> None:
        """No codec is remembered, before or after."""
        codec_of.cache_clear()
        self.addCleanup(codec_of.cache_clear)

    def test_the_error_says_what_to_install(self) -> None:
        """Zlib goes on working."""

        def absent(name: str) -> Any:
            raise ImportError(name)

        packed = compress(BODY)
        codec_of.cache_clear()
        self.patch(sys.modules[compression.__name__], "importlib", type("Importer", (), {"import_module": absent}))
        for bits in (flags.COMPRESSION_LZ4, flags.COMPRESSION_ZSTD):
            for error in (
                self.assertRaises(DecodeError, compress, BODY, bits),
                self.assertRaises(DecodeError, decompress, BODY, flags.COMPRESSED | bits),
            ):
                self.assertIn("pip install pymq-broker[compression]", str(error))
        self.patch(sys.modules[compression.__name__], "importlib", importlib)
        self.assertEqual(decompress(packed, flags.COMPRESSED), BODY)
