# Tests: tests/test_interfaces.py
"""Every seam of pymq, to be read first. The parts know each other only through these.

Each interface stands where a test wants to cut: it has a real provider and a second one (a fake in `pymq.testing`, or a memory
version), and `tests/test_interfaces.py` verifies both. Time is `IClock`, which is Twisted's own `IReactorTime`.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime as IClock
from zope.interface import Attribute, Interface

__all__ = [
    "IArrivalListener",
    "IBufferedChannel",
    "IChannel",
    "IChannelListener",
    "IClock",
    "IDocuments",
    "IFile",
    "IFiles",
    "IMessageListener",
    "IMessageStore",
    "IMessageStoreProvider",
    "INameServers",
    "IProcessorTable",
    "IQueueAllocator",
    "IRequestProcessor",
]


class IRequestProcessor(Interface):
    """Answers the requests of one family (Java: NettyRequestProcessor)."""

    codes = Attribute("frozenset of the request codes that it answers")

    def process(channel, request):
        """Answer `request`, a RemotingCommand that came over `channel`, an IChannel.

        Returns a RemotingCommand made by `request.reply(...)`; or None for no answer; or a Deferred of either, which is held
        until it fires and is cancelled when the channel closes. A RequestError raised or failed with becomes its answer.
        """


class IProcessorTable(Interface):
    """Which processor answers which code."""

    def register(processor):
        """Serve all `processor.codes` by it. Raises ValueError for a code that is served already."""

    def lookup(code):
        """The IRequestProcessor for a code, or None."""


class IChannel(Interface):
    """One connection, seen by those who speak commands."""

    peer = Attribute("(ip text, port int) of the other side")
    local = Attribute("(ip text, port int) of this side")
    is_open = Attribute("False once the connection is closed or being closed")

    def send(command):
        """Write a command without waiting for anything. Does nothing on a closed channel."""

    def request(command, timeout_s):
        """Send a request under a new opaque; a Deferred of the response command.

        Fails with RequestTimeout, ConnectionClosed or TooManyRequests. Cancelling it gives the answer up.
        """

    def close():
        """Close the connection after what was written is sent."""

    def on_close(callback):
        """Call `callback(channel, reason_text)` once, when the channel is closed; at once if it is closed already.

        Returns a callable that takes the callback back.
        """


class IBufferedChannel(IChannel):
    """A channel to which whole encoded frames can be written in parts, so that stored bytes reach the kernel uncopied."""

    def write_parts(parts):
        """Write a list of bytes-like objects, in order. They must not change until they are sent."""


class IChannelListener(Interface):
    """Told of the channels of a server."""

    def channel_opened(channel):
        """A peer connected."""

    def channel_closed(channel, reason):
        """The channel is closed: by the peer, by us, or as idle; `reason` is text for the log."""


class IArrivalListener(Interface):
    """Told when messages became readable."""

    def messages_arrived(arrivals):
        """`arrivals` is a list of RecordDraft that were stored and indexed, in log order, with their offsets set."""


class IMessageStore(Interface):
    """Messages by log offset, by queue and by key. Offsets: `log_offset` counts bytes, `queue_offset` counts messages.

    Nothing here knows Twisted. `put` makes messages readable at once and leaves durability to `flush`, which may block and is
    called off-thread by the flusher.
    """

    def load():
        """Open, or create, and recover. Raises StoreLocked, StoreDamaged."""

    def put(drafts):
        """Append RecordDrafts in order, index them, tell the arrival listeners; a list of PutResult, one for each draft.

        Never raises for a single bad draft (its result's status says why it was not stored); raises StoreClosed.
        """

    def get(topic, queue_id, queue_offset, count_max, tag_filter, bit_filter=None):
        """A GetResult: status, record views (memoryviews of whole records), next, min and max queue offset.

        `tag_filter` is None for every message or a frozenset of 32-bit tag hashes. `bit_filter(store_ms, bit_map)`, if given, is
        asked about the messages of which a bit map is kept; the others pass.
        """

    def units(topic, queue_id, queue_offset, count_max):
        """Up to `count_max` units of a queue from an offset on, as a list of (log offset, record size, tags code).

        Fewer than there are when a file ends between them; none outside the queue.
        """

    def extension(topic, queue_id, queue_offset):
        """(address, ExtUnit) of a unit whose queue is extended; None in its place when it is lost. None for every other unit."""

    def read_at(log_offset):
        """The whole record at a log offset as a memoryview, or None when no record begins there."""

    def find_by_key(topic, key, count_max, begin_ms, end_ms):
        """A FoundByKey: record views ascending by log offset, and how far the index goes."""

    def min_offset(topic, queue_id):
        """The first readable queue offset; 0 for an unknown queue."""

    def max_offset(topic, queue_id):
        """The queue offset that the next message gets; 0 for an unknown queue."""

    def offset_at(topic, queue_id, time_ms):
        """The queue offset of the message stored nearest to a time, as Java 4.9.8 finds it (store.md 3.5)."""

    def store_time(topic, queue_id, queue_offset):
        """When the message was stored, in milliseconds since the epoch; -1 when it is not there."""

    def drop_queues(is_unwanted):
        """Remove the queues of topics of which `is_unwanted(topic)` is true, apart from system queues; these topics, sorted."""

    def flush():
        """Make everything put so far durable; the log offset up to which it is. May block.

        Raises StoreReadOnly on an I/O error, and ever after until the store is opened anew.
        """

    def describe():
        """Facts for operators as a dict of plain values: log_min_offset, log_max_offset, flushed_offset, dispatch_behind_bytes,
        disk_used_ratio, earliest_store_time_ms, writable, topics (sorted list of those with queues); and where the log lies on
        disks, log_disks_used_ratio (a list)."""

    def run_maintenance(now_ms):
        """One round of the periodic care: expire files by age and disk use, flush queues and checkpoint. May block briefly."""

    def keep_bit_maps(bit_map_of):
        """Keep beside each new message what `bit_map_of(record)` gives, bytes or None, where the settings ask for such a thing.

        `record` is a RecordDraft or a RecordCheck.
        """

    def watch(listener):
        """Tell an IArrivalListener of every stored message from now on."""

    def close():
        """Flush all, write the checkpoint, take the `abort` file away if all is dispatched, unlock."""


class IMessageStoreProvider(Interface):
    """Opens one kind of store. Found as a Twisted plugin by the name that `storeType` gives; see docs/store.rst."""

    name = Attribute("what `storeType` calls it")
    description = Attribute("one sentence for people")
    keeps = Attribute("False when nothing outlives the process; then the name server inside keeps nothing either")

    def open(config, *, clock, files=None):
        """(an IMessageStore, the IDocuments of the broker), for a MessageStoreConfig; nothing is loaded yet.

        `files` is an IFiles that stands for the folder `storePathRootDir`; without it a provider that wants files goes there.
        """


class IFiles(Interface):
    """All that the store asks of a disk. Paths are text, relative to one root, with `/` between the parts."""

    def list(folder):
        """Names in a folder, sorted; an empty list when there is no such folder."""

    def is_folder(path):
        """Whether the path is a folder."""

    def exists(path):
        """Whether there is a file or folder of that name."""

    def size(path):
        """Bytes of a file."""

    def modified_ms(path):
        """When the file was last written, in milliseconds since the epoch."""

    def create(path, size_bytes):
        """A new sparse IFile of that size, folders made as needed. Raises FileExistsError."""

    def open(path):
        """The IFile of an existing file, for reading and writing. Raises FileNotFoundError."""

    def delete(path):
        """Remove a file, or an empty folder. Nothing happens when it is not there."""

    def read_bytes(path):
        """The whole of a small file. Raises FileNotFoundError."""

    def replace(path, data):
        """Put a small file in place atomically and durably: write beside it, sync, rename, sync the folder."""

    def sync_folder(folder):
        """Make creations and deletions in a folder durable. Raises SyncFailed, an OSError."""

    def lock(path):
        """Take the process lock of store.md 1.3 on a file. Raises StoreLocked. Returns a callable that releases it."""

    def is_locked(path):
        """Whether somebody, in this process or another, holds the process lock on a file. Takes nothing and makes nothing."""

    def space():
        """(used bytes, usable bytes) of the disk that holds the root."""

    def spaces():
        """The same for each folder that is behind this; one, as a rule."""


class IFile(Interface):
    """One file of fixed size."""

    path = Attribute("its path")
    size_bytes = Attribute("its size")

    def write_at(position, data):
        """Write all of `data`. Raises OSError."""

    def zero_from(position):
        """Make every byte from `position` to the end zero, and holes stay holes; whether there was anything to do.

        Raises OSError.
        """

    def data_end():
        """A position from which on there is surely nothing but zeros, found without reading; the size when nobody can tell."""

    def view():
        """A writable memoryview of the whole file, the same one at each call; reads see what write_at wrote."""

    def sync():
        """Make the content durable. Raises SyncFailed, an OSError: what was written since the last sync may be lost although it
        can be read, and a later sync that succeeds proves nothing.
        """

    def close():
        """Give the file back; views that are still held stay readable."""


class IDocuments(Interface):
    """Small JSON documents by name, replaced whole, the previous one kept (Java: ConfigManager and its .bak)."""

    def load(name):
        """The document as plain values, or None when there is none. Raises StoreDamaged when it and its .bak cannot be read."""

    def save(name, document):
        """Replace it, durably. `document` is anything that wire.javajson can encode. May block; may be called in another thread,
        one call after the other. Raises OSError."""


class INameServers(Interface):
    """The name servers, as a broker uses them."""

    addresses = Attribute("their addresses, a tuple of host:port")

    def register(header, body):
        """Register with every name server; a Deferred of the list of (address, result header) of those that accepted.

        `body` is the encoded registration that `header` describes.
        """

    def unregister(header):
        """Unregister from every name server; a Deferred that fires when all answered or failed."""

    def on_forgotten(callback):
        """Call `callback()` whenever a name server that accepted a registration forgot it, because its connection ended."""


class IQueueAllocator(Interface):
    """Shares the queues of a topic among the consumers of a group; every member computes it alone and must come to the same."""

    name = Attribute("the strategy's name as Java gives it, such as AVG")

    def allocate(group, me, queues, consumers):
        """The list of queues for client id `me`; `queues` and `consumers` are sorted lists."""


class IMessageListener(Interface):
    """The user's callback of a push consumer; a plain callable will do wherever this is asked for."""

    def __call__(messages, context):
        """Consume a list of messages; a ConsumeStatus, None for success, or a Deferred or awaitable of one."""
