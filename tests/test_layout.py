"""The struct engine that is derived from construct declarations."""

from __future__ import annotations

from construct import Byte, Bytes, Int16sb, Int16ul, Int32ub, Int64sb, PascalString, Struct
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.layout import fixed_head, fixed_runs

MIXED = Struct(
    "magic" / Int32ub,
    "kind" / Byte,
    "name" / PascalString(Byte, "ascii"),
    "offset" / Int64sb,
    "tag" / Bytes(3),
    "size" / Int16sb,
)


class FixedRunTests(SynchronousTestCase):
    """`fixed_runs` and `fixed_head`."""

    def test_a_variable_field_ends_a_run(self) -> None:
        """Two runs, before and behind the name."""
        before, behind = fixed_runs(MIXED)
        self.assertEqual((before.names, before.size_bytes), (("magic", "kind"), 5))
        self.assertEqual((behind.names, behind.size_bytes), (("offset", "tag", "size"), 13))

    def test_offsets_count_from_the_start_of_the_run(self) -> None:
        """They are what a reader of single fields adds to the run's position."""
        self.assertEqual(fixed_runs(MIXED)[1].offsets, {"offset": 0, "tag": 8, "size": 11})

    def test_the_head_is_the_first_run(self) -> None:
        """Its names and size are those of the first run."""
        self.assertEqual(fixed_head(MIXED).names, ("magic", "kind"))

    def test_a_head_of_no_fixed_size_is_refused(self) -> None:
        """A layout that begins with a string has no head."""
        with self.assertRaisesRegex(ValueError, "fixed size"):
            fixed_head(Struct("name" / PascalString(Byte, "ascii"), "size" / Byte))
        with self.assertRaises(ValueError):
            fixed_head(Struct())

    def test_little_endian_fields_are_not_compiled(self) -> None:
        """The run is packed big-endian, so such a field must end it rather than be written the wrong way round."""
        self.assertEqual([run.names for run in fixed_runs(Struct("a" / Byte, "b" / Int16ul, "c" / Byte))], [("a",), ("c",)])

    def test_unpack_dict_names_the_fields(self) -> None:
        """For code where clearness matters more than time."""
        self.assertEqual(fixed_head(MIXED).unpack_dict(b"..\x00\x00\x00\x07\x01", 2), {"magic": 7, "kind": 1})

    @settings(deadline=None)
    @given(st.integers(-(2**63), 2**63 - 1), st.binary(min_size=3, max_size=3), st.integers(-(2**15), 2**15 - 1))
    def test_both_engines_agree(self, offset: int, tag: bytes, size: int) -> None:
        """construct and the derived struct write and read the same bytes."""
        layout = Struct(*MIXED.subcons[3:])
        run = fixed_head(layout)
        data = run.pack(offset, tag, size)
        self.assertEqual(data, layout.build({"offset": offset, "tag": tag, "size": size}))
        parsed = layout.parse(data)
        self.assertEqual(run.unpack(data), (parsed.offset, parsed.tag, parsed.size))
