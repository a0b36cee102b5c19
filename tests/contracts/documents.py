"""What every IDocuments does."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from pymq.interfaces import IDocuments

PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


class DocumentsContract:
    """Mix-in for a SynchronousTestCase."""

    def make_documents(self: Any) -> Any:
        """An empty IDocuments."""
        raise NotImplementedError

    def test_provides_the_interface(self: Any) -> None:
        """To the letter."""
        verifyObject(IDocuments, self.make_documents())

    def test_unknown_name(self: Any) -> None:
        """None, not an error."""
        self.assertIsNone(self.make_documents().load("topics.json"))

    def test_last_save_wins(self: Any) -> None:
        """And names are apart from each other."""
        documents = self.make_documents()
        for number in range(3):
            documents.save("topics.json", {"n": number})
        documents.save("other.json", {})
        self.assertEqual((documents.load("topics.json"), documents.load("other.json")), ({"n": 2}, {}))

    def test_saved_is_a_copy(self: Any) -> None:
        """What is changed after the save, or after the load, does not change the document."""
        documents = self.make_documents()
        table = {"t": {"a": 1}}
        documents.save("topics.json", table)
        table["t"]["a"] = 2
        documents.load("topics.json")["t"]["a"] = 3
        self.assertEqual(documents.load("topics.json"), {"t": {"a": 1}})

    def test_integer_keys_come_back_as_text(self: Any) -> None:
        """As JSON has it; null members are left out."""
        documents = self.make_documents()
        documents.save("offsets.json", {"T@G": {0: 5}, "none": None})
        self.assertEqual(documents.load("offsets.json"), {"T@G": {"0": 5}})

    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=4))
    def test_round_trip(self: Any, document: dict[str, Any]) -> None:
        """Any plain document comes back as it was."""
        documents = self.make_documents()
        documents.save("any.json", document)
        self.assertEqual(documents.load("any.json"), document)
