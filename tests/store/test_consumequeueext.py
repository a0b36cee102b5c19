"""The extension of one queue."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pymq.errors import StoreDamaged
from pymq.message.results import ExtUnit
from pymq.store.consumequeueext import ADDRESS_MAX, EXT_UNIT_LAYOUT, ConsumeQueueExt, iter_units, read_unit
from tests.store.stores import START_MS, StoreCase

FOLDER = "consumequeue_ext/T/0"
FILE = f"{FOLDER}/00000000000000000000"
#: Room for 30 units with bit maps of 14 bytes.
FILE_BYTES = 1024
BIT_MAP = bytes(range(14))
FIRST = -(2**63)


class ExtCase(StoreCase):
    """Files of 1024 bytes."""

    def ext(self) -> ConsumeQueueExt:
        """An empty one, or what is on the disk."""
        ext = ConsumeQueueExt(self.files, FOLDER, FILE_BYTES)
        ext.load()
        return ext

    def filled(self, ext: ConsumeQueueExt, count: int, first: int = 0) -> list[int]:
        """Units of which each holds its number as tags code; their addresses."""
        addresses = [ext.put(number, START_MS + number, BIT_MAP) for number in range(first, first + count)]
        assert None not in addresses
        return addresses  # type: ignore[return-value]

    def codes(self, ext: ConsumeQueueExt, addresses: list[int]) -> list[int | None]:
        """The tags codes at addresses, None where there is no unit."""
        return [None if unit is None else unit.tags_code for unit in map(ext.get, addresses)]


class UnitTests(ExtCase):
    """One unit."""

    @given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=300))
    def test_engines_agree(self, tags_code: int, store_ms: int, bit_map: bytes) -> None:
        """What was written by the compiled engine is read by both."""
        ext = ConsumeQueueExt(self.files, f"consumequeue_ext/T/{len(self.files.list('consumequeue_ext/T'))}", FILE_BYTES)
        address = ext.put(tags_code, store_ms, bit_map)
        assert address is not None
        self.assertEqual(ext.get(address), ExtUnit(tags_code, store_ms, bit_map, 20 + len(bit_map)))
        assert ext.segments.last is not None
        parsed = EXT_UNIT_LAYOUT.parse(bytes(ext.segments.last.view()[:400]))
        self.assertEqual((parsed.size, parsed.tags_code, parsed.store_ms), (20 + len(bit_map), tags_code, store_ms))
        self.assertEqual(parsed.bit_map, bit_map)

    def test_every_cut(self) -> None:
        """Of a unit of which a part is missing nothing is read, and nothing beyond the file."""
        ext = self.ext()
        ext.put(7, START_MS, BIT_MAP)
        data = self.files.read_bytes(FILE)[:34]
        for kept in range(34):
            self.assertIsNone(read_unit(memoryview(data[:kept]), 0), kept)
        self.assertIsNotNone(read_unit(memoryview(data), 0))

    def test_nonsense(self) -> None:
        """Sizes that cannot be: nothing, a file's end, less than its parts."""
        for size, bits in ((0, 0), (-1, 0), (19, 0), (20, 1), (34, 15)):
            data = size.to_bytes(2, "big", signed=True) + bytes(16) + bits.to_bytes(2, "big") + bytes(100)
            self.assertIsNone(read_unit(memoryview(data), 0), (size, bits))


class PutTests(ExtCase):
    """Writing."""

    def test_addresses(self) -> None:
        """Begin at -2**63, go on by the bytes of units, and lie below every hash."""
        ext = self.ext()
        self.assertEqual(self.filled(ext, 3), [FIRST, FIRST + 34, FIRST + 68])
        self.assertEqual(ext.put(1, 2, b""), FIRST + 102)
        self.assertEqual(ext.end, 122)
        self.assertEqual(ext.get(FIRST + 102), ExtUnit(1, 2, b"", 20))
        self.assertLess(FIRST + 102, ADDRESS_MAX)

    def test_roll(self) -> None:
        """A unit that does not leave four bytes free goes into the next file; -1 ends the one before."""
        ext = self.ext()
        addresses = self.filled(ext, 31)
        self.assertEqual((addresses[29], addresses[30]), (FIRST + 29 * 34, FIRST + 1024))
        self.assertEqual(self.files.read_bytes(FILE)[30 * 34 :], b"\xff\xff" + bytes(2))
        self.assertEqual(self.codes(ext, addresses), list(range(31)))
        assert ext.segments.first is not None
        self.assertEqual([unit.tags_code for _, unit in iter_units(ext.segments.first.view())], list(range(30)))

    def test_what_never_fits(self) -> None:
        """Has no address."""
        ext = self.ext()
        self.assertIsNone(ext.put(1, 2, bytes(1001)))
        self.assertIsNotNone(ext.put(1, 2, bytes(1000)))
        self.assertIsNone(ConsumeQueueExt(self.files, "consumequeue_ext/T/1", 1 << 20).put(1, 2, bytes(2**15)))

    def test_what_is_no_address(self) -> None:
        """A tag's hash, and a place where nothing was written."""
        ext = self.ext()
        self.filled(ext, 1)
        for address in (0, -(2**31), 2**31 - 1, FIRST + 34, FIRST + 5000):
            self.assertIsNone(ext.get(address))


class EndTests(ExtCase):
    """Where it goes on after a start."""

    def test_behind_the_last_unit(self) -> None:
        """What follows it is cut, in its file and behind it."""
        addresses = self.filled(self.ext(), 70)
        for number in (69, 31, 30, 29, 3, 0):
            ext = self.ext()
            ext.end_behind(addresses[number])
            self.assertEqual(self.codes(ext, addresses[number : number + 2]), [number, None][: 70 - number])
            self.assertEqual(self.filled(ext, 1, 500), [addresses[number] + 34] if number % 30 != 29 else [ext.end - 34 + FIRST])
            self.assertEqual(self.codes(ext, addresses[: number + 1]), list(range(number + 1)))

    def test_nothing_left(self) -> None:
        """All files go, and the folder."""
        self.filled(self.ext(), 70)
        ext = self.ext()
        ext.end_behind(None)
        self.assertEqual((ext.end, self.files.list("consumequeue_ext/T")), (0, []))
        self.assertEqual(self.filled(ext, 1), [FIRST])

    def test_an_address_that_leads_nowhere(self) -> None:
        """Is not given out again: a new file begins behind it, also where there is none at all."""
        ext = self.ext()
        self.filled(ext, 3)
        ext.end_behind(FIRST + 500)
        self.assertEqual(self.filled(ext, 1), [FIRST + 1024])
        for name in self.files.list(FOLDER):
            self.files.delete(f"{FOLDER}/{name}")
        ext = self.ext()
        ext.end_behind(FIRST + 5 * 1024)
        self.assertEqual(self.filled(ext, 1), [FIRST + 6 * 1024])
        self.assertEqual(self.codes(self.ext(), [FIRST + 6 * 1024]), [0])

    def test_by_walking(self) -> None:
        """As Java does, over the sizes of the last file."""
        ext = self.ext()
        self.assertEqual(ext.walked_end(), 0)
        self.filled(ext, 35)
        self.assertEqual(self.ext().walked_end(), 1024 + 5 * 34)

    def test_files_of_another_size(self) -> None:
        """Stop the start, as in Java."""
        self.filled(self.ext(), 1)
        self.assertRaises(StoreDamaged, ConsumeQueueExt(self.files, FOLDER, 2048).load)

    def test_old_files_go(self) -> None:
        """Those that end before an address, never the last."""
        ext = self.ext()
        addresses = self.filled(ext, 70)
        ext.delete_before(addresses[29])
        self.assertEqual(len(ext.segments), 3)
        ext.delete_before(addresses[31])
        self.assertEqual((len(ext.segments), self.codes(ext, addresses[29:31])), (2, [None, 30]))
        ext.delete_before(0)
        self.assertEqual(len(ext.segments), 1)
