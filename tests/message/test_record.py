"""The stored record, held to bytes that Apache RocketMQ 4.9.8 wrote."""

from __future__ import annotations

from typing import Any

from construct import Container
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import DecodeError
from pymq.message import flags
from pymq.message import record as r
from pymq.message.ids import encode_host

V4, V6 = encode_host("10.1.2.3", 5555), encode_host("2001:db8::1", 5555)
STORE_V4, STORE_V6 = encode_host("127.0.0.1", 10911), encode_host("::1", 10911)

#: store.md appendix B: made by the 4.9.8 store.
GOLDEN_V4 = bytes.fromhex(
    "00000075daa320a73610a686000000000000000000000000000000000000000000000000000000000000018bcfe56800"
    "0a010203000015b3000001a1fd01de3b7f00000100002a9f0000000000000000000000000000000568656c6c6f0154"
    "00144b455953016b31206b3202544147530154616741"
)
GOLDEN_V6 = bytes.fromhex(
    "0000008bdaa320a719554ca7000000000000000000000000000000010000000000000075000000300000018bcfe56800"
    "20010db8000000000000000000000001000015b3000001a1fd01de4b0000000000000000000000000000000100002a9f"
    "0000000000000000000000000000000668656c6c6f36015400114b455953016b3302544147530154616742"
)


def draft(body: bytes = b"hello", properties: str = "", topic: str = "T", **fields: Any) -> r.RecordDraft:
    """A draft with its offsets and store time set."""
    later = {name: fields.pop(name) for name in ("queue_offset", "log_offset", "store_timestamp") if name in fields}
    fields = {"queue_id": 0, "born_timestamp": 1700000000000, "born_host": V4, "store_host": STORE_V4, **fields}
    made = r.draft_from(topic, fields.pop("queue_id"), body, properties, **fields)
    for name, value in later.items():
        setattr(made, name, value)
    return made


DRAFTS = st.builds(
    draft,
    st.binary(max_size=40),
    st.text(max_size=20),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=20),
    queue_id=st.integers(-(2**31), 2**31 - 1),
    flag=st.integers(-(2**31), 2**31 - 1),
    sys_flag=st.sampled_from([0, 1, 4, 8, 12, 0x301]),
    born_timestamp=st.integers(-(2**63), 2**63 - 1),
    born_host=st.sampled_from([V4, V6]),
    store_host=st.sampled_from([STORE_V4, STORE_V6]),
    reconsume_times=st.integers(-(2**31), 2**31 - 1),
    prepared_transaction_offset=st.integers(-(2**63), 2**63 - 1),
    queue_offset=st.integers(-(2**63), 2**63 - 1),
    log_offset=st.integers(-(2**63), 2**63 - 1),
    store_timestamp=st.integers(-(2**63), 2**63 - 1),
)


class GoldenTests(SynchronousTestCase):
    """Bytes made by Java, in both directions."""

    def test_v4(self) -> None:
        """Both addresses IPv4."""
        made = draft(properties="KEYS\x01k1 k2\x02TAGS\x01TagA", store_timestamp=1795246120507)
        self.assertEqual(r.encode_record(made).hex(), GOLDEN_V4.hex())
        self.assertEqual((made.size, made.tags_code, made.index_keys), (117, 2598919, ("k1", "k2")))

    def test_v6(self) -> None:
        """Both addresses IPv6; the flag's bits come from the addresses."""
        made = draft(
            b"hello6", "KEYS\x01k3\x02TAGS\x01TagB", born_host=V6, store_host=STORE_V6,
            store_timestamp=1795246120523, queue_offset=1, log_offset=117,
        )  # fmt: skip
        self.assertEqual(r.encode_record(made).hex(), GOLDEN_V6.hex())

    def test_decoded(self) -> None:
        """Every field of a Java record."""
        message = r.decode_record(GOLDEN_V6)
        self.assertEqual((message.topic, message.queue_id, message.queue_offset, message.log_offset), ("T", 0, 1, 117))
        self.assertEqual((message.body, message.body_crc, message.size), (b"hello6", 0x19554CA7, 139))
        self.assertEqual((message.born_host, message.store_host), (("2001:db8::1", 5555), ("::1", 10911)))
        self.assertEqual((message.born_timestamp, message.store_timestamp), (1700000000000, 1795246120523))
        self.assertEqual((message.sys_flag, message.properties), (0x30, {"KEYS": "k3", "TAGS": "TagB"}))
        self.assertEqual(message.offset_msg_id, "0000000000000000000000000000000100002A9F0000000000000075")

    def test_empty(self) -> None:
        """No body, no properties: 92 bytes, CRC 0, no property bytes."""
        data = r.encode_record(draft(b"", queue_id=1, log_offset=256))
        self.assertEqual((len(data), data[8:12], data[-8:].hex()), (92, bytes(4), "0000000001540000"))

    def test_blank(self) -> None:
        """With 50 bytes left."""
        self.assertEqual(r.blank_record(50).hex(), "00000032cbd43194")

    def test_sizes(self) -> None:
        """Overheads of 91, 103 and 115 bytes (store.md 2.2)."""
        self.assertEqual(r.OVERHEADS, (91, 103, 103, 115))


class EngineTests(SynchronousTestCase):
    """One declaration, two engines, one result."""

    @given(DRAFTS)
    def test_round_trip(self, made: r.RecordDraft) -> None:
        """What is written is read, by the compiled engine and by construct."""
        data = r.encode_record(made)
        self.assertEqual((len(data), len(data)), (made.size, r.record_size(made)))
        message = r.decode_record(data)
        wanted = (
            "topic", "queue_id", "flag", "sys_flag", "born_timestamp", "reconsume_times", "prepared_transaction_offset",
            "log_offset", "queue_offset", "store_timestamp", "size",
        )  # fmt: skip
        for name in wanted:
            self.assertEqual(getattr(message, name), getattr(made, name), name)
        self.assertEqual(message.raw_body, made.body)
        parsed = r.record_layout(bool(made.sys_flag & 0x10), bool(made.sys_flag & 0x20)).parse(data)
        self.assertEqual((parsed.total_size, parsed.log_offset, parsed.body), (made.size, made.log_offset, made.body))
        self.assertEqual((parsed.topic.decode(), parsed.properties), (made.topic, made.properties))

    def test_v2(self) -> None:
        """A 5.x record with a long topic is read."""
        parsed = r.record_layout().parse(GOLDEN_V4)
        topic = b"x" * 200
        fields = {**parsed, "magic": r.MAGIC_V2, "topic": topic, "topic_length": 200, "total_size": 117 + 200}
        data = r.record_layout(v2=True).build(Container(fields))
        message = r.decode_record(data)
        self.assertEqual((message.topic, message.body, message.properties["TAGS"]), ("x" * 200, b"hello", "TagA"))

    def test_store_time(self) -> None:
        """Is found without reading the rest."""
        self.assertEqual(r.store_time_at(b"xx" + GOLDEN_V6, 2), 1795246120523)
        self.assertEqual(r.store_time_at(GOLDEN_V4, 0), 1795246120507)

    def test_several(self) -> None:
        """A pull's body is records one after the other."""
        messages = list(r.iter_records(memoryview(GOLDEN_V4 + GOLDEN_V6)))
        self.assertEqual([message.body for message in messages], [b"hello", b"hello6"])

    def test_several_with_a_torn_one(self) -> None:
        """The whole ones come first, then the error."""
        records = r.iter_records(GOLDEN_V4 + GOLDEN_V6[:-1])
        self.assertEqual(next(records).body, b"hello")
        self.assertRaises(DecodeError, next, records)

    def test_too_long(self) -> None:
        """Topics and properties have lengths of one and two bytes."""
        self.assertRaises(ValueError, r.encode_record, draft(topic="\u6f22" * 43))
        self.assertRaises(ValueError, r.encode_record, draft(properties="x" * 32768))
        self.assertEqual(len(r.encode_record(draft(topic="t" * 127, properties="x" * 32767))), 91 + 5 + 127 + 32767)

    def test_group(self) -> None:
        """A batch is marked at its first draft."""
        drafts = [draft(), draft(), draft()]
        r.mark_group(drafts)
        self.assertEqual([made.group_count for made in drafts], [3, 1, 1])


class CheckTests(SynchronousTestCase):
    """The verdict on bytes of which nothing is known (store.md 5.6)."""

    def test_sound(self) -> None:
        """With all that dispatching needs."""
        check = r.check_record(b"pad" + GOLDEN_V6 + b"more", 3)
        self.assertEqual((check.outcome, check.size, check.reason), (r.Outcome.OK, 139, ""))
        self.assertEqual((check.topic, check.queue_id, check.queue_offset, check.log_offset), ("T", 0, 1, 117))
        self.assertEqual((check.tags_code, check.index_keys, check.store_timestamp), (2598920, ("k3",), 1795246120523))

    def test_unparsed(self) -> None:
        """Topic and properties cost time and may be left out."""
        check = r.check_record(GOLDEN_V4, parse=False)
        self.assertEqual((check.outcome, check.size, check.topic, check.index_keys), (r.Outcome.OK, 117, "", ()))

    def test_every_cut(self) -> None:
        """Is bad, wherever it is, and nothing behind the limit is looked at."""
        for golden in (GOLDEN_V4, GOLDEN_V6):
            for cut in range(len(golden)):
                self.assertEqual(r.check_record(golden[:cut]).outcome, r.Outcome.BAD, cut)
                self.assertEqual(r.check_record(golden, 0, cut).outcome, r.Outcome.BAD, cut)

    def test_every_torn_tail(self) -> None:
        """A record of which only the first bytes reached the disk is bad; the empty topic's and properties' ends cannot show."""
        for cut in range(8, len(GOLDEN_V4)):
            torn = GOLDEN_V4[:cut] + bytes(len(GOLDEN_V4) - cut)
            outcome = r.check_record(torn).outcome
            if cut < 93 + 2:
                self.assertEqual(outcome, r.Outcome.BAD, cut)

    def test_blank(self) -> None:
        """Whatever its size says."""
        for size in ("00000032", "ffffffff", "00000000"):
            check = r.check_record(bytes.fromhex(size + "cbd43194") + bytes(10))
            self.assertEqual(check.outcome, r.Outcome.BLANK)

    def test_zeros(self) -> None:
        """Are the normal end of a log."""
        self.assertEqual(r.check_record(bytes(200)).outcome, r.Outcome.BAD)

    def test_body_crc(self) -> None:
        """A flipped bit in the body is found, when asked for."""
        broken = bytearray(GOLDEN_V4)
        broken[90] ^= 1
        self.assertEqual(r.check_record(broken).outcome, r.Outcome.BAD)
        self.assertEqual(r.check_record(broken, check_crc=False).outcome, r.Outcome.OK)

    def test_sizes_that_lie(self) -> None:
        """Huge, negative, or too small ones never lead out of the buffer; a wrong but possible one is told."""
        for size in (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0, 8, 87, 91):
            broken = size.to_bytes(4, "big") + GOLDEN_V4[4:]
            self.assertEqual(r.check_record(broken + bytes(500)).outcome, r.Outcome.BAD, size)
        check = r.check_record((118).to_bytes(4, "big") + GOLDEN_V4[4:] + bytes(1))
        self.assertEqual((check.outcome, check.size), (r.Outcome.BAD, 118))

    def test_inner_lengths_that_lie(self) -> None:
        """Body, topic and properties: negative and too large."""
        for position, values in ((84, ("ffffffff", "7fffffff", "00000006")), (93, ("ff", "7f")), (95, ("ffff", "7fff", "0015"))):
            for value in values:
                broken = bytearray(GOLDEN_V4 + bytes(200))
                broken[position : position + len(value) // 2] = bytes.fromhex(value)
                self.assertEqual(r.check_record(broken).outcome, r.Outcome.BAD, (position, value))

    @given(st.binary(max_size=300))
    def test_never_raises(self, junk: bytes) -> None:
        """Whatever stands there."""
        for data in (junk, GOLDEN_V4[:8] + junk, bytes([0, 0, 0, len(junk) % 256]) + GOLDEN_V4[4:84] + junk):
            self.assertIsInstance(r.check_record(data), r.RecordCheck)

    @given(st.integers(0, len(GOLDEN_V6) - 1), st.integers(0, 7))
    def test_any_flipped_bit(self, position: int, bit: int) -> None:
        """Is survived; in the body and in lengths it is found."""
        broken = bytearray(GOLDEN_V6)
        broken[position] ^= 1 << bit
        check = r.check_record(broken)
        if position < 12 or 112 <= position < 119:
            self.assertEqual(check.outcome, r.Outcome.BAD)

    def test_decode_says_why(self) -> None:
        """The error of a bad record names place and cause."""
        error = self.assertRaises(DecodeError, r.decode_record, bytes(4) + bytes(100), 4)
        self.assertIn("byte 4", str(error))
        self.assertIn("magic", str(error))


class FlagTests(SynchronousTestCase):
    """Addresses and the flag."""

    def test_bits(self) -> None:
        """One for each address."""
        pairs = ((V4, STORE_V4), (V6, STORE_V4), (V4, STORE_V6), (V6, STORE_V6))
        self.assertEqual([r.v6_bits(*pair) for pair in pairs], [0, flags.BORN_HOST_V6, flags.STORE_HOST_V6, 0x30])
