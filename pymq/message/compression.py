# Tests: tests/message/test_compression.py
"""Compressed bodies (store.md 2.4, remoting.md 5.10): zlib, and LZ4 and ZSTD frames where their packages are installed.

The broker never does this; it keeps bodies as they came. Old clients set bit 0 alone and mean zlib.
"""

from __future__ import annotations

import importlib
import zlib
from types import ModuleType

from pymq.errors import DecodeError
from pymq.message import flags

#: More than this no body may unfold to; it keeps a small hostile message from filling the memory.
DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024
DEFAULT_LEVEL = 5

_PACKAGES = {flags.COMPRESSION_LZ4: ("lz4.frame", "lz4"), flags.COMPRESSION_ZSTD: ("zstandard", "zstandard")}


def _package(kind: int) -> ModuleType:
    module, package = _PACKAGES[kind]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DecodeError(f"a body of this compression needs the package {package!r}, which is not installed") from error


def compress(body: bytes, kind: int = flags.COMPRESSION_ZLIB, level: int = DEFAULT_LEVEL) -> bytes:
    """The compressed body; the sender sets `COMPRESSED | kind` in the system flag. Raises DecodeError when the package is
    missing.
    """
    if kind == flags.COMPRESSION_LZ4:
        return bytes(_package(kind).compress(body, compression_level=level))
    if kind == flags.COMPRESSION_ZSTD:
        return bytes(_package(kind).ZstdCompressor(level=level).compress(body))
    return zlib.compress(body, level)


def decompress(body: bytes, sys_flag: int) -> bytes:
    """The body as its sender wrote it; unchanged when the flag says that it is not compressed. Raises DecodeError."""
    if not sys_flag & flags.COMPRESSED:
        return body
    kind = sys_flag & flags.COMPRESSION_MASK
    if kind in _PACKAGES:
        return _decompress_frame(_package(kind), kind, body)
    if kind not in (0, flags.COMPRESSION_ZLIB):
        raise DecodeError(f"compression {kind:#x} is not known")
    unfold = zlib.decompressobj()
    try:
        data = unfold.decompress(body, DECOMPRESSED_BYTES_MAX)
    except zlib.error as error:
        raise DecodeError(f"the body is not zlib data: {error}") from error
    if unfold.unconsumed_tail:
        raise DecodeError(f"the body unfolds to more than {DECOMPRESSED_BYTES_MAX} bytes")
    if not unfold.eof:
        raise DecodeError("the zlib data of the body end too early")
    return data


def _decompress_frame(package: ModuleType, kind: int, body: bytes) -> bytes:
    failures = (RuntimeError, EOFError) if kind == flags.COMPRESSION_LZ4 else (package.ZstdError,)
    try:
        if kind == flags.COMPRESSION_LZ4:
            data = package.LZ4FrameDecompressor().decompress(body, max_length=DECOMPRESSED_BYTES_MAX + 1)
        else:
            with package.ZstdDecompressor().stream_reader(body) as reader:
                data = reader.read(DECOMPRESSED_BYTES_MAX + 1)
    except failures as error:
        raise DecodeError(f"the compressed body cannot be read: {error}") from error
    if len(data) > DECOMPRESSED_BYTES_MAX:
        raise DecodeError(f"the body unfolds to more than {DECOMPRESSED_BYTES_MAX} bytes")
    return bytes(data)
