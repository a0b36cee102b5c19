"""A TCP proxy that can go wrong, to be put between a client and its servers.

    with Proxy("127.0.0.1:9876") as proxy:
        ...                     # clients use proxy.address
        proxy.reset()           # connections are reset, and so is every new one
        proxy.black_hole()      # nothing goes through any more, and nobody is told: neither data nor the end of a connection
        proxy.mute()            # requests arrive, and their answers are lost
        proxy.slow(50_000, 0.2) # bytes per second in each direction, and seconds that each piece takes
        proxy.heal()            # new connections work; those from the black hole never do, as after a NAT forgot them

The proxy has a thread of its own with an event loop; its methods may be called from any other.
"""

import asyncio
import contextlib
import socket
import struct
import threading

from . import wire
from .processes import free_port

PIECE_BYTES = 65536
#: A limit for what takes a moment.
DONE_S = 60
#: On close, a reset instead of a farewell.
LINGER_NONE = struct.pack("ii", 1, 0)
PASS, RESET, BLACK_HOLE, MUTE = "pass", "reset", "black hole", "mute"


class Proxy:
    """Listens on `address` and passes on to `target`. `rewrite`: (what, by what) in the target's frames, of one length."""

    def __init__(self, target, rewrite=None):
        self.target, self.address = target, f"127.0.0.1:{free_port()}"
        assert rewrite is None or len(rewrite[0]) == len(rewrite[1]), f"frames must keep their length: {rewrite}"
        self._rewrite = None if rewrite is None else tuple(text.encode() for text in rewrite)
        self._mode, self._bytes_per_s, self._latency_s = PASS, None, 0.0
        self._pairs, self._forgotten = set(), []
        self.accepted = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy of {target}", daemon=True)

    def __enter__(self):
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_reason):
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DONE_S)

    @property
    def open_count(self):
        """How many connections clients hold open to it now."""
        return len(self._pairs)

    def reset(self):
        """Reset all connections, and each new one as soon as it is there."""
        self._do(self._set(RESET))

    def black_hole(self):
        """Swallow all that comes over the connections there are and over new ones."""
        self._do(self._set(BLACK_HOLE))

    def mute(self):
        """Pass on what clients say, and swallow what is said to them. Connections outlive it."""
        self._do(self._set(MUTE))

    def slow(self, bytes_per_s, latency_s=0.0):
        """Pass on no more than that in each direction of each connection."""
        self._do(self._set(PASS, bytes_per_s, latency_s))

    def heal(self):
        """Let new connections work at full speed."""
        self._do(self._set(PASS))

    async def _set(self, mode, bytes_per_s=None, latency_s=0.0):
        self._mode, self._bytes_per_s, self._latency_s = mode, bytes_per_s, latency_s
        for pair in list(self._pairs):
            if mode == RESET:
                pair.reset()
            elif mode == BLACK_HOLE:
                pair.is_dead = True

    async def _listen(self):
        host, port = self.address.split(":")
        self._server = await asyncio.start_server(self._accepted, host, int(port))

    async def _close(self):
        self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for pair in [*self._pairs, *self._forgotten]:
            pair.reset()
        await asyncio.sleep(0)

    async def _accepted(self, reader, writer):
        self.accepted += 1
        pair = Pair(writer)
        self._pairs.add(pair)
        try:
            if self._mode == RESET:
                return
            pair.is_dead = self._mode == BLACK_HOLE
            if pair.is_dead:
                await self._pump(reader, None, pair)
                return
            upstream = await asyncio.open_connection(*self.target.split(":"))
            pair.server = upstream[1]
            down = asyncio.ensure_future(self._pump(upstream[0], writer, pair, self._rewrite))
            try:
                await self._pump(reader, upstream[1], pair)
            finally:
                down.cancel()
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            self._pairs.discard(pair)
            if pair.is_dead:
                self._forgotten.append(Pair(pair.server))
                pair.server = None
            pair.reset()

    async def _pump(self, reader, writer, pair, rewrite=None):
        """Pass on until the end. A dead pair's bytes are read and dropped, so that its client's close is noticed."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await (reader.read(PIECE_BYTES) if rewrite is None else frame(reader)):
                if rewrite is not None:
                    data = data.replace(*rewrite)
                if self._bytes_per_s:
                    await asyncio.sleep(self._latency_s + len(data) / self._bytes_per_s)
                if not pair.is_dead and not (self._mode == MUTE and writer is pair.client):
                    writer.write(data)
                    await writer.drain()
        if writer is not None and not pair.is_dead:
            writer.close()


async def frame(reader):
    """The next frame of the remoting protocol, with its length."""
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head, "big"))


class Pair:
    """A client's connection and the one that was made to the target for it. Of a dead one neither learns of the other's end."""

    def __init__(self, client):
        self.client, self.server, self.is_dead = client, None, False

    def reset(self):
        """End both at once."""
        for writer in (self.client, self.server):
            if writer is not None and not writer.transport.is_closing():
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
                writer.transport.abort()


class Proxied:
    """A server behind proxies: clients that are given `namesrv` reach both its name server and its broker through them."""

    def __init__(self, server):
        self.server = server
        self.broker_proxy = Proxy(server.broker)
        self.namesrv_proxy = Proxy(server.namesrv, rewrite=(server.broker, self.broker_proxy.address))
        self.namesrv, self.broker = self.namesrv_proxy.address, self.broker_proxy.address
        self.proxies = (self.broker_proxy, self.namesrv_proxy)

    def __enter__(self):
        for proxy in self.proxies:
            proxy.__enter__()
        return self

    def __exit__(self, *reason):
        for proxy in self.proxies:
            proxy.__exit__(*reason)

    def create_topic(self, topic, queues=4):
        """Make a topic, past the proxies."""
        return wire.create_topic(self.server.broker, self.server.namesrv, topic, queues)

    @property
    def open_count(self):
        """How many connections there are through both."""
        return sum(proxy.open_count for proxy in self.proxies)

    def all(self, fault, *arguments):
        """The same fault for both, or the end of it."""
        for proxy in self.proxies:
            getattr(proxy, fault)(*arguments)
