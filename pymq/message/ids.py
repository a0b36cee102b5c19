# Tests: tests/message/test_ids.py
"""Ids and addresses of messages (store.md 2.11, remoting.md 5.6).

The offset message id is the store host and log offset in hex; the broker makes it. The unique id (UNIQ_KEY) is made by the
client.
"""

from __future__ import annotations

import calendar
import struct
import time
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from pymq.errors import DecodeError

HOST_V4_BYTES = 8
HOST_V6_BYTES = 20

_pack_port = struct.Struct(">i").pack
_pack_offset = struct.Struct(">q").pack


class _Clock(Protocol):
    def seconds(self) -> float:
        """Seconds since the epoch."""


@lru_cache(maxsize=16384)
def encode_host(ip: str, port: int) -> bytes:
    """An address as a record holds it: 4 or 16 bytes and the port in 4. An IPv4 address in IPv6 clothes is an IPv4 address.

    Raises ValueError when `ip` is no address.
    """
    address = ip_address(ip.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).packed + _pack_port(port)


def decode_host(data: bytes | memoryview) -> tuple[str, int]:
    """(ip text, port) of an encoded address. Raises DecodeError for a length other than 8 or 20."""
    if len(data) not in (HOST_V4_BYTES, HOST_V6_BYTES):
        raise DecodeError(f"an address takes 8 or 20 bytes, not {len(data)}")
    return str(ip_address(bytes(data[:-4]))), int.from_bytes(data[-4:], "big", signed=True)


def offset_message_id(store_host: bytes, log_offset: int) -> str:
    """The id under which the broker finds the message again: 32 or 56 upper-case hex digits."""
    return (store_host + _pack_offset(log_offset)).hex().upper()


def decode_offset_message_id(text: str) -> tuple[str, int, int]:
    """(ip, port, log offset) of an offset message id. Raises DecodeError."""
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise DecodeError(f"the message id {text!r} is not hexadecimal") from error
    if len(data) not in (HOST_V4_BYTES + 8, HOST_V6_BYTES + 8):
        raise DecodeError(f"the message id {text!r} has {len(text)} digits, not 32 or 56")
    ip, port = decode_host(data[:-8])
    return ip, port, int.from_bytes(data[-8:], "big", signed=True)


class UniqueIds:
    """Makes the unique ids of one client process in Java's shape (MessageClientIDSetter).

    Hex of address (4 or 16 bytes), low 16 bits of the process id, 4 bytes that tell two makers of one process apart,
    milliseconds since the month began (UTC) and a counter. Java says class loader where we say `salt`.
    """

    def __init__(self, ip: str, pid: int, clock: _Clock, *, salt: int = 0) -> None:
        self._clock = clock
        prefix = ip_address(ip).packed + struct.pack(">HI", pid & 0xFFFF, salt & 0xFFFFFFFF)
        self._prefix = prefix.hex().upper()
        self._counter = 0
        self._month_begin_ms = 0
        self._month_end_ms = 0

    def next(self) -> str:
        """A new id; 65,536 of them may share a millisecond."""
        now_ms = int(self._clock.seconds() * 1000)
        if not self._month_begin_ms <= now_ms < self._month_end_ms:
            self._enter_month(now_ms)
        count = self._counter
        self._counter = count + 1 & 0xFFFF
        return f"{self._prefix}{now_ms - self._month_begin_ms & 0xFFFFFFFF:08X}{count:04X}"

    def _enter_month(self, now_ms: int) -> None:
        date = time.gmtime(now_ms // 1000)
        year, month = date.tm_year, date.tm_mon
        following = (year + 1, 1) if month == 12 else (year, month + 1)
        self._month_begin_ms = calendar.timegm((year, month, 1, 0, 0, 0)) * 1000
        self._month_end_ms = calendar.timegm((*following, 1, 0, 0, 0)) * 1000
