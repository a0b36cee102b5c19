"""Addresses and ids."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import DecodeError
from pymq.message.ids import UniqueIds, decode_host, decode_offset_message_id, encode_host, offset_message_id


class HostTests(SynchronousTestCase):
    """An address in a record."""

    def test_golden(self) -> None:
        """As in the golden records (store.md appendix B)."""
        self.assertEqual(encode_host("10.1.2.3", 5555).hex(), "0a010203000015b3")
        self.assertEqual(encode_host("2001:db8::1", 5555).hex(), "20010db8000000000000000000000001000015b3")

    def test_round_trip(self) -> None:
        """Both families."""
        for host in (("127.0.0.1", 10911), ("::1", 0), ("255.255.255.255", 65535)):
            self.assertEqual(decode_host(encode_host(*host)), host)

    def test_mapped_address(self) -> None:
        """What a dual socket reports for an IPv4 peer is an IPv4 address; a zone is left out."""
        self.assertEqual(encode_host("::ffff:10.1.2.3", 1), encode_host("10.1.2.3", 1))
        self.assertEqual(encode_host("fe80::1%eth0", 1), encode_host("fe80::1", 1))

    def test_bad_ones(self) -> None:
        """A name is no address, and seven bytes are none."""
        self.assertRaises(ValueError, encode_host, "localhost", 1)
        self.assertRaises(DecodeError, decode_host, b"1234567")


class OffsetIdTests(SynchronousTestCase):
    """The broker's id."""

    def test_golden(self) -> None:
        """store.md 2.11 and appendix B."""
        self.assertEqual(offset_message_id(encode_host("127.0.0.1", 10911), 117), "7F00000100002A9F0000000000000075")
        v6 = offset_message_id(encode_host("::1", 10911), 117)
        self.assertEqual(v6, "0000000000000000000000000000000100002A9F0000000000000075")
        self.assertEqual(decode_offset_message_id(v6), ("::1", 10911, 117))

    def test_reads_its_own(self) -> None:
        """In either case of letters."""
        text = "7F00000100002A9F0000000000000075"
        self.assertEqual(decode_offset_message_id(text.lower()), ("127.0.0.1", 10911, 117))

    def test_bad_ids(self) -> None:
        """No hex, wrong length."""
        for text in ("", "zz" * 16, "7F" * 15, "7F0000010"):
            self.assertRaises(DecodeError, decode_offset_message_id, text)


class UniqueIdTests(SynchronousTestCase):
    """The client's id."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.ids = UniqueIds("10.1.2.3", 0x12345, self.clock, salt=0xABCDEF01)

    def test_shape(self) -> None:
        """Address, process, salt, milliseconds of the month, counter."""
        text = self.ids.next()
        month_ms = (1_700_000_000 - 1_698_796_800) * 1000
        self.assertEqual(text, f"0A0102032345ABCDEF01{month_ms:08X}0000")

    def test_all_differ(self) -> None:
        """Within a millisecond, and over the end of a month."""
        texts = {self.ids.next() for _ in range(1000)}
        self.clock.advance(20 * 86400)
        texts |= {self.ids.next() for _ in range(1000)}
        self.assertEqual((len(texts), {len(text) for text in texts}), (2000, {32}))

    def test_counter_wraps(self) -> None:
        """It has 16 bits."""
        texts = [self.ids.next() for _ in range(65537)]
        self.assertEqual(texts[0], texts[65536])

    def test_v6(self) -> None:
        """56 digits."""
        self.assertEqual(len(UniqueIds("::1", 1, self.clock).next()), 56)
