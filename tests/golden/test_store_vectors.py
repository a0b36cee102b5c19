"""The vectors of store_vectors.py, read and made."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.message.ids import encode_host, offset_message_id
from pymq.message.record import blank_record, check_record, decode_record, record_layout
from pymq.message.tags import java_hash
from pymq.store.consumequeue import UNIT
from pymq.store.dispatch import delivery_time
from pymq.store.indexfile import INDEX_ENTRY, INDEX_HEADER, IndexFile, file_size
from pymq.testing.builders import draft, record
from pymq.testing.memoryfiles import MemoryFiles
from tests.golden import store_vectors as vectors

V6_HOSTS = {"born_host": encode_host("2001:db8::1", 5555), "store_host": encode_host("::1", 10911)}


class RecordVectorTests(SynchronousTestCase):
    """Records."""

    def test_made(self) -> None:
        """The same message gives the same bytes."""
        made = record("T", b"hello", keys="k1 k2", tags="TagA", store_timestamp=1795246120507)
        self.assertEqual(made, vectors.RECORD_V4)
        made = record(
            "T", b"hello6", keys="k3", tags="TagB", store_timestamp=1795246120523, log_offset=117, queue_offset=1, **V6_HOSTS
        )
        self.assertEqual(made, vectors.RECORD_V6)

    def test_read(self) -> None:
        """And comes back from them."""
        one, two = decode_record(vectors.RECORD_V4), decode_record(vectors.RECORD_V6)
        self.assertEqual((one.raw_body, one.properties, one.body_crc), (b"hello", {"KEYS": "k1 k2", "TAGS": "TagA"}, 0x3610A686))
        self.assertEqual((two.raw_body, two.sys_flag, two.queue_offset), (b"hello6", 0x30, 1))
        self.assertEqual(offset_message_id(two.store_host_bytes, two.log_offset), vectors.RECORD_V6_ID)

    def test_construct_agrees(self) -> None:
        """The declaration reads and builds the same bytes as the fast way."""
        for data, bits in ((vectors.RECORD_V4, 0), (vectors.RECORD_V6, 1)):
            layout = record_layout(bool(bits), bool(bits))
            self.assertEqual(layout.build(layout.parse(data)), data)

    def test_empty_body_and_properties(self) -> None:
        """92 bytes for topic T, CRC 0, no bytes for what is empty."""
        made = record("T", b"", queue_id=1, log_offset=256)
        self.assertEqual((len(made), made[8:12], made[-8:]), (92, bytes(4), bytes.fromhex("00000000 01 54 0000")))

    def test_blank(self) -> None:
        """The end of a file."""
        self.assertEqual(blank_record(50), vectors.BLANK_OF_50)
        self.assertEqual(check_record(vectors.BLANK_OF_50).outcome.value, "BLANK")


class DerivedVectorTests(SynchronousTestCase):
    """Queue units, index, hashes."""

    def test_units(self) -> None:
        """Place, size, hash of the tag."""
        places = ((0, vectors.RECORD_V4, "TagA"), (117, vectors.RECORD_V6, "TagB"))
        for unit, (log_offset, data, tag) in zip(vectors.UNITS, places):
            self.assertEqual(UNIT.pack(log_offset, len(data), java_hash(tag)), unit)
            self.assertEqual(UNIT.unpack(unit), (log_offset, len(data), java_hash(tag)))

    def test_delayed_unit(self) -> None:
        """In place of the hash the time when it is due."""
        self.assertEqual(UNIT.unpack(vectors.DELAYED_UNIT)[2], delivery_time(vectors.DELAYED_STORED_MS, 1, (1000,)))

    def test_hashes(self) -> None:
        """Java's hash of strings."""
        self.assertEqual({text: java_hash(text) for text in vectors.HASHES}, vectors.HASHES)

    def test_index_entries(self) -> None:
        """The entries of the two records."""
        file = IndexFile(MemoryFiles().create("index/1", file_size(50, 40)), 50, 40)
        stored_ms = (1795246120507, 1795246120523)
        drafts = (draft("T", keys="k1 k2"), draft("T", keys="k3"))
        file.put([(made.topic, made.index_keys, at, ms) for made, at, ms in zip(drafts, (0, 117), stored_ms)], 0, 0)
        made = bytes(file.file.view()[240:])
        self.assertEqual(tuple(made[at : at + 20] for at in range(0, 80, 20)), vectors.INDEX_ENTRIES)
        self.assertEqual(INDEX_ENTRY.parse(vectors.INDEX_ENTRIES[3]).log_offset, 117)

    def test_index_header(self) -> None:
        """Read by construct, and by the file itself."""
        disk = MemoryFiles()
        disk.replace("index/1", vectors.INDEX_HEADER_BYTES.ljust(file_size(50, 40), b"\0"))
        file = IndexFile(disk.open("index/1"), 50, 40)
        header = INDEX_HEADER.parse(vectors.INDEX_HEADER_BYTES)
        self.assertEqual((file.begin_ms, file.end_ms, file.end_offset), (1795246120507, 1795246120571, 7819))
        self.assertEqual((header.used_slots, header.index_count, file.is_full), (27, 40, True))
