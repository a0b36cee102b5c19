"""The property string."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.message import properties as p

NAMES = st.text(st.characters(blacklist_characters="\x01\x02", blacklist_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.text(st.characters(blacklist_characters="\x02", blacklist_categories=["Cs"]), min_size=1, max_size=12)
#: Strings made of what confuses parsers: separators, and names that begin alike.
CONFUSING = st.lists(st.sampled_from(["\x01", "\x02", "A", "AB", "B", "x"]), max_size=14).map("".join)


class CodecTests(SynchronousTestCase):
    """Maps to strings and back."""

    @given(st.dictionaries(NAMES, VALUES, max_size=6))
    def test_round_trip(self, properties: dict[str, str]) -> None:
        """Every map that can be written is read back."""
        self.assertEqual(p.decode_properties(p.encode_properties(properties)), properties)

    def test_golden(self) -> None:
        """The string of the golden record (store.md appendix B)."""
        text = bytes.fromhex("4b455953016b31206b3202544147530154616741").decode()
        self.assertEqual(p.decode_properties(text), {"KEYS": "k1 k2", "TAGS": "TagA"})
        self.assertEqual(p.encode_properties({"KEYS": "k1 k2", "TAGS": "TagA"}), text)

    def test_what_readers_pass_over(self) -> None:
        """Items without separator, name or value; the last duplicate wins; the first 0x01 divides; an end 0x02 may be."""
        text = "a\x01\x02\x01b\x02c\x02d\x01e\x02d\x01f\x01g\x02\x02"
        self.assertEqual(p.decode_properties(text), {"d": "f\x01g"})

    def test_separators_are_refused(self) -> None:
        """In a name either, in a value the second."""
        for properties in ({"a\x01": "b"}, {"a\x02": "b"}, {"a": "b\x02"}):
            self.assertRaises(ValueError, p.encode_properties, properties)

    def test_empty_values_are_left_out(self) -> None:
        """As no reader would see them."""
        self.assertEqual(p.encode_properties({"a": "", "b": "c"}), "b\x01c")


class SingleTests(SynchronousTestCase):
    """One property, without a map."""

    @given(CONFUSING)
    def test_finds_what_the_map_holds(self, text: str) -> None:
        """Whatever the string is."""
        everything = p.decode_properties(text)
        for name in ("A", "AB", "B", "x"):
            self.assertEqual(p.property_of(text, name), everything.get(name))

    @given(CONFUSING)
    def test_taking_out(self, text: str) -> None:
        """Takes that one and no other."""
        rest = p.decode_properties(text)
        rest.pop("A", None)
        self.assertEqual(p.decode_properties(p.without_property(text, "A")), rest)

    @given(CONFUSING)
    def test_setting(self, text: str) -> None:
        """Sets that one and no other."""
        self.assertEqual(p.decode_properties(p.with_property(text, "A", "new")), {**p.decode_properties(text), "A": "new"})

    def test_taking_out_keeps_the_rest_as_it_was(self) -> None:
        """Order, and the separator at the end."""
        self.assertEqual(p.without_property("a\x01b\x02WAIT\x01true\x02c\x01d\x02", "WAIT"), "a\x01b\x02c\x01d\x02")
        self.assertEqual(p.without_property("a\x01b", "WAIT"), "a\x01b")


class MeaningTests(SynchronousTestCase):
    """What the store reads in a property string."""

    def test_joined(self) -> None:
        """Exactly one separator stands between (store.md 2.8)."""
        pairs = (("", "b"), ("a\x01b", ""), ("a\x01b", "c\x01d"), ("a\x01b\x02", "c\x01d"))
        self.assertEqual([p.joined(*pair) for pair in pairs], ["b", "a\x01b", "a\x01b\x02c\x01d", "a\x01b\x02c\x01d"])

    def test_index_keys(self) -> None:
        """The unique key first, then each word; several spaces make no empty words."""
        self.assertEqual(p.index_keys("KEYS\x01k1  k2 \x02UNIQ_KEY\x01u"), ("u", "k1", "k2"))
        self.assertEqual(p.index_keys("KEYS\x01k1"), ("k1",))
        self.assertEqual(p.index_keys("UNIQ_KEY\x01u"), ("u",))
        self.assertEqual(p.index_keys(""), ())

    def test_waiting(self) -> None:
        """Missing means yes; of what stands there only the word true does, in any case."""
        texts = ("", "WAIT\x01true", "WAIT\x01TRUE", "WAIT\x01false", "WAIT\x011")
        self.assertEqual([p.waits_for_store(text) for text in texts], [True, True, True, False, False])
