"""Compressed bodies."""

from __future__ import annotations

import importlib.util
import zlib

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import DecodeError
from pymq.message import compression, flags

BODY = b"hello, hello, hello " * 50


class ZlibTests(SynchronousTestCase):
    """What every client reads."""

    def test_round_trip(self) -> None:
        """With the type bits of new clients and without them."""
        packed = compression.compress(BODY)
        self.assertLess(len(packed), len(BODY))
        for kind in (0, flags.COMPRESSION_ZLIB):
            self.assertEqual(compression.decompress(packed, flags.COMPRESSED | kind), BODY)

    def test_uncompressed(self) -> None:
        """Bit 0 alone decides."""
        self.assertEqual(compression.decompress(b"raw", flags.COMPRESSION_ZLIB), b"raw")

    def test_every_cut(self) -> None:
        """Is an error."""
        packed = zlib.compress(b"some body", 5)
        for cut in range(len(packed)):
            self.assertRaises(DecodeError, compression.decompress, packed[:cut], flags.COMPRESSED)

    def test_other_bytes(self) -> None:
        """Are an error, and so is an unknown kind."""
        self.assertRaises(DecodeError, compression.decompress, b"no zlib data", flags.COMPRESSED)
        self.assertRaises(DecodeError, compression.decompress, BODY, flags.COMPRESSED | 0x700)

    def test_bomb(self) -> None:
        """A body that unfolds beyond the bound is refused before it fills the memory."""
        self.patch(compression, "DECOMPRESSED_BYTES_MAX", 1000)
        packed = zlib.compress(bytes(1001))
        self.assertRaises(DecodeError, compression.decompress, packed, flags.COMPRESSED)
        self.assertEqual(compression.decompress(zlib.compress(bytes(1000)), flags.COMPRESSED), bytes(1000))


class OtherKindsTests(SynchronousTestCase):
    """LZ4 and ZSTD, for which packages may or may not be there."""

    def test_round_trip_or_a_clear_error(self) -> None:
        """The error names the package."""
        for kind, package in ((flags.COMPRESSION_LZ4, "lz4"), (flags.COMPRESSION_ZSTD, "zstandard")):
            if importlib.util.find_spec(package) is not None:
                packed = compression.compress(BODY, kind, 3)
                self.assertEqual(compression.decompress(packed, flags.COMPRESSED | kind), BODY)
                self.assertRaises(DecodeError, compression.decompress, b"garbage!", flags.COMPRESSED | kind)
            else:
                error = self.assertRaises(DecodeError, compression.decompress, BODY, flags.COMPRESSED | kind)
                self.assertIn(package, str(error))
