# Tests: tests/remoting/test_writer.py
"""How bytes leave a connection: straight into the kernel where that is possible, by the transport's own buffer elsewhere.

Twisted's `transport.write` copies and waits for the reactor's next round; an answer that is ready now loses up to a whole round
by that. A plain TCP transport is therefore written to directly, with `sendmsg`, so that stored bytes are not copied in Python
either. What the kernel does not take stays here, in order, and is offered again whenever the transport, which sees this writer as
its pull producer, says that the socket is writable. Only public names of Twisted are used for that. Every other transport, such
as TLS or the ones of tests, gets plain bytes.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol

from twisted.internet import tcp
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

Part = bytes | memoryview

#: Bytes that a peer may leave unread before the connection is given up.
WRITE_BUFFER_BYTES_MAX = 64 * 1024 * 1024
#: Unsent bytes from which on the owner is told that the peer does not keep up.
WRITE_BUFFER_FULL_BYTES = 1024 * 1024
#: Parts that one `sendmsg` takes (IOV_MAX of Linux).
PARTS_PER_CALL_MAX = 1024
#: Up to this size the parts of one write are joined first: copying them costs less than a long vector does.
JOIN_BYTES_MAX = 32 * 1024


class Writer(Protocol):
    """What a channel asks of either writer."""

    resumed_count: int
    """How often sending went on after it had to wait."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were accepted and are not known to be sent."""

    def write(self, parts: Sequence[Part]) -> None:
        """Send, after everything written before. The parts must not change until they are sent."""

    def write_soon(self, data: bytes) -> None:
        """Send in the reactor's next round, together with what else comes until then."""

    def close(self) -> None:
        """Close the connection once everything is sent."""


class WriterOwner(Protocol):
    """Who is told how a writer fares."""

    def writer_full(self) -> None:
        """The peer does not keep up."""

    def writer_drained(self) -> None:
        """Everything is sent, after `writer_full`."""

    def writer_overflowed(self, unsent_bytes: int) -> None:
        """More waits than WRITE_BUFFER_BYTES_MAX."""


def writer_for(transport: Any, owner: WriterOwner, buffer_bytes_max: int = WRITE_BUFFER_BYTES_MAX) -> Writer:
    """The best writer for a connected transport."""
    if isinstance(transport, tcp.Connection) and not transport.TLS:
        return DirectWriter(transport, owner, buffer_bytes_max)
    return TransportWriter(transport, owner, buffer_bytes_max)


@implementer(IPullProducer)
class DirectWriter:
    """Writes to the socket of a plain TCP transport; keeps what the kernel did not take.

    When the peer is gone, everything is dropped but the connection is left alone: requests that arrived before may still be
    unread, and the reactor will see the end by itself when it has read them (remoting.md 8.6).
    """

    def __init__(self, transport: Any, owner: WriterOwner, buffer_bytes_max: int = WRITE_BUFFER_BYTES_MAX) -> None:
        self._transport = transport
        self._owner = owner
        self._buffer_bytes_max = buffer_bytes_max
        handle: socket.socket = transport.getHandle()
        self._send: Callable[[Part], int] = handle.send
        self._sendmsg: Callable[[Sequence[Part]], int] = handle.sendmsg
        self._waiting: deque[Part] = deque()
        self._waiting_bytes = 0
        self.resumed_count = 0
        self._is_producer = False
        self._is_full = False
        self._is_closing = False
        self._is_gone = False

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the kernel did not take yet."""
        return self._waiting_bytes

    def write(self, parts: Sequence[Part]) -> None:
        """Send now what the kernel takes, after everything written before; keep the rest."""
        if self._waiting_bytes:
            self._keep(parts, 0)
            return
        if self._is_gone or self._is_closing:
            return
        if len(parts) == 1:
            data = parts[0]
        else:
            total = sum(map(len, parts))
            if total > JOIN_BYTES_MAX:
                self._write_vector(parts, total)
                return
            data = b"".join(parts)
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._peer_is_gone()
            return
        if sent != len(data):
            self._keep((data,), sent)

    def _write_vector(self, parts: Sequence[Part], total: int) -> None:
        for start in range(0, len(parts), PARTS_PER_CALL_MAX):
            some = parts[start : start + PARTS_PER_CALL_MAX] if len(parts) > PARTS_PER_CALL_MAX else parts
            some_bytes = total if some is parts else sum(map(len, some))
            try:
                sent = self._sendmsg(some)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._peer_is_gone()
                return
            if sent != some_bytes:
                self._keep(parts[start:], sent)
                return

    def write_soon(self, data: bytes) -> None:
        """Keep `data` for the reactor's next round: fewer and larger writes when many come."""
        if not self._is_gone and not self._is_closing:
            self._keep((data,), 0)

    def _keep(self, parts: Sequence[Part], sent: int) -> None:
        """Store what follows the first `sent` bytes, and ask to be called when the socket is writable."""
        waiting, kept = self._waiting, 0
        for part in parts:
            size = len(part)
            if sent >= size:
                sent -= size
                continue
            waiting.append(memoryview(part)[sent:] if sent else part)
            kept += size - sent
            sent = 0
        if not kept:
            return
        self._waiting_bytes += kept
        if not self._is_producer:
            # Registering calls resumeProducing at once; the socket is known to be full, or the round not over, so that one is
            # ignored.
            self._transport.registerProducer(self, False)
            self._is_producer = True
            self._transport.startWriting()
        if self._waiting_bytes > WRITE_BUFFER_FULL_BYTES and not self._is_full:
            self._is_full = True
            self._owner.writer_full()
        if self._waiting_bytes > self._buffer_bytes_max and not self._is_gone:
            self._owner.writer_overflowed(self._waiting_bytes)
            self._peer_is_gone()

    def resumeProducing(self) -> None:
        """The reactor's word that the socket is writable (IPullProducer)."""
        if not self._is_producer:
            return
        waiting = self._waiting
        parts = list(islice(waiting, PARTS_PER_CALL_MAX))
        try:
            sent = self._sendmsg(parts)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._peer_is_gone()
            return
        self._waiting_bytes -= sent
        self.resumed_count += 1
        while waiting and sent >= len(waiting[0]):
            sent -= len(waiting.popleft())
        if sent:
            waiting[0] = memoryview(waiting[0])[sent:]
        if waiting:
            self._transport.startWriting()
        else:
            self._drained()

    def _drained(self) -> None:
        self._is_producer = False
        self._transport.unregisterProducer()
        if self._is_full:
            self._is_full = False
            self._owner.writer_drained()
        if self._is_closing and not self._waiting_bytes:
            self._transport.loseConnection()

    def _peer_is_gone(self) -> None:
        self._is_gone = True
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._is_producer:
            self._drained()

    def stopProducing(self) -> None:
        """The transport's word that the connection is lost (IPullProducer)."""
        self._is_gone = True
        self._is_producer = False
        self._waiting.clear()
        self._waiting_bytes = 0

    def close(self) -> None:
        """Close the connection once everything is sent."""
        self._is_closing = True
        if not self._waiting_bytes:
            self._transport.loseConnection()


@implementer(IPushProducer)
class TransportWriter:
    """Writes plain bytes to any transport, which may tell us to pause; what it buffers is counted while it does.

    A transport that has `write_soon` collects small pieces of one round of its reactor itself.
    """

    def __init__(self, transport: Any, owner: WriterOwner, buffer_bytes_max: int = WRITE_BUFFER_BYTES_MAX) -> None:
        self._transport = transport
        self._owner = owner
        self._buffer_bytes_max = buffer_bytes_max
        self._is_paused = False
        self._paused_bytes = 0
        self._hand_over_soon: Callable[[bytes], object] = getattr(transport, "write_soon", transport.write)
        self.resumed_count = 0
        transport.registerProducer(self, True)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were written while the transport asked us to pause."""
        return self._paused_bytes

    def write(self, parts: Sequence[Part]) -> None:
        """Hand the parts to the transport as one piece of bytes."""
        data = b"".join(parts)
        self._transport.write(data)
        self._count(len(data))

    def write_soon(self, data: bytes) -> None:
        """Hand the bytes to the transport, which may let them wait for others."""
        self._hand_over_soon(data)
        self._count(len(data))

    def _count(self, size: int) -> None:
        if self._is_paused:
            self._paused_bytes += size
            if self._paused_bytes > self._buffer_bytes_max:
                self._owner.writer_overflowed(self._paused_bytes)

    def pauseProducing(self) -> None:
        """The transport's buffer is full (IPushProducer)."""
        if not self._is_paused:
            self._is_paused = True
            self._owner.writer_full()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again (IPushProducer)."""
        if self._is_paused:
            self._is_paused = False
            self._paused_bytes = 0
            self.resumed_count += 1
            self._owner.writer_drained()

    def stopProducing(self) -> None:
        """The connection is lost (IPushProducer)."""

    def close(self) -> None:
        """Close the connection once everything is sent."""
        # A registered producer that is paused would keep the connection open.
        self._transport.unregisterProducer()
        self._transport.loseConnection()
