"""What every decoder is put through: the bytes cut at each position, and those with a foreign byte at each position."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def prefixes(data: bytes) -> Iterator[bytes]:
    """Every beginning of `data` but the whole."""
    return (data[:end] for end in range(len(data)))


def halves(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """`data` in two parts, cut at each position, its ends included."""
    return ((data[:at], data[at:]) for at in range(len(data) + 1))


def mutations(data: bytes) -> Iterator[bytes]:
    """`data` with one byte changed, at each position, to the values that break most."""
    for at in range(len(data)):
        for value in (0x00, 0x22, 0x5C, 0x7B, 0x7F, 0x80, 0xFF, data[at] ^ 1):
            yield data[:at] + bytes((value,)) + data[at + 1 :]


def outcomes(decode: Callable[[bytes], object], inputs: Iterator[bytes], *errors: type[Exception]) -> tuple[int, int]:
    """How many inputs were decoded and how many refused with one of `errors`. Every other error goes through."""
    read = refused = 0
    for data in inputs:
        try:
            decode(data)
            read += 1
        except errors:
            refused += 1
    return read, refused
