# Tests: tests/message/test_compression.py
"""Compressed bodies (store.md 2.4, remoting.md 5.10): zlib always, LZ4 and ZSTD frames where their packages are installed.

The sender sets `COMPRESSED` and the kind's bits in the system flag; old clients set bit 0 alone and mean zlib. The broker never
does this; it keeps bodies as they came. The packages come with `pip install pymq-broker[compression]`; ZSTD is in the standard
library from Python 3.14 on. Java: CompressionType, Compressor.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import attrs

from pymq.errors import DecodeError
from pymq.message import flags

#: More than this no body may unfold to; it keeps a small hostile message from filling the memory.
DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024
DEFAULT_LEVEL = 5
EXTRA = "pymq-broker[compression]"


@attrs.frozen
class Codec:
    """One kind of compression, ready for use.

    `compress(body, level)` takes levels up to `level_max`. `decompressor()` gives an object with `decompress(data, max_length)`
    and `eof`; it raises one of `failures` for what it cannot read.
    """

    level_max: int
    compress: Callable[[bytes, int], bytes]
    decompressor: Callable[[], Any]
    failures: tuple[type[Exception], ...]


@attrs.frozen
class _Kind:
    """A kind before its package is imported."""

    name: str
    module: str
    make: Callable[[Any], Codec]


def _zlib_codec(module: Any) -> Codec:
    return Codec(9, module.compress, module.decompressobj, (module.error,))


def _lz4_codec(module: Any) -> Codec:
    # Java reads no frames whose blocks need those before them, and has no levels here.
    return Codec(
        0,
        lambda body, level: bytes(module.compress(body, block_linked=False)),
        module.LZ4FrameDecompressor,
        (RuntimeError, EOFError),
    )


def _zstd_codec(module: Any) -> Codec:
    return Codec(22, module.compress, module.ZstdDecompressor, (module.ZstdError,))


_KINDS = {
    flags.COMPRESSION_ZLIB: _Kind("ZLIB", "zlib", _zlib_codec),
    flags.COMPRESSION_LZ4: _Kind("LZ4", "lz4.frame", _lz4_codec),
    flags.COMPRESSION_ZSTD: _Kind("ZSTD", "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd", _zstd_codec),
}
#: The kinds' bits in the system flag, by Java's names for them.
COMPRESSION_TYPES = {kind.name: bits for bits, kind in _KINDS.items()}


@functools.cache
def codec_of(bits: int) -> Codec:
    """The codec of a kind, given by its bits in the system flag. Raises DecodeError: unknown, or its package is missing."""
    kind = _KINDS.get(bits)
    if kind is None:
        raise DecodeError(f"compression {bits:#x} is not known")
    try:
        return kind.make(importlib.import_module(kind.module))
    except ImportError as error:
        raise DecodeError(f"compression {kind.name} needs {kind.module}, which is not installed: pip install {EXTRA}") from error


def compress(body: bytes, bits: int = flags.COMPRESSION_ZLIB, level: int = DEFAULT_LEVEL) -> bytes:
    """The compressed body; the sender sets `COMPRESSED | bits` in the system flag. Raises DecodeError as `codec_of` does."""
    codec = codec_of(bits)
    return codec.compress(body, min(level, codec.level_max))


def decompress(body: bytes, sys_flag: int) -> bytes:
    """The body as its sender wrote it; unchanged when the flag says that it is not compressed. Raises DecodeError."""
    if not sys_flag & flags.COMPRESSED:
        return body
    codec = codec_of(sys_flag & flags.COMPRESSION_MASK or flags.COMPRESSION_ZLIB)
    unfold = codec.decompressor()
    try:
        data: bytes = unfold.decompress(body, DECOMPRESSED_BYTES_MAX + 1)
    except codec.failures as error:
        raise DecodeError(f"the compressed body cannot be read: {error}") from error
    if len(data) > DECOMPRESSED_BYTES_MAX:
        raise DecodeError(f"the body unfolds to more than {DECOMPRESSED_BYTES_MAX} bytes")
    if not unfold.eof:
        raise DecodeError("the compressed body ends too early")
    return data
