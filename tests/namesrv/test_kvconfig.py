"""The key-value configuration."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import RequestError, StoreDamaged
from pymq.namesrv import kvconfig
from pymq.namesrv.kvconfig import KVConfigManager
from pymq.testing.documents import MemoryDocuments


class KVConfigTests(SynchronousTestCase):
    """KVConfigManager."""

    def setUp(self) -> None:
        """Documents in memory."""
        self.documents = MemoryDocuments()
        self.config = KVConfigManager(self.documents)
        self.config.load()

    def test_values_come_back(self) -> None:
        """By namespace and key."""
        self.config.put("n", "k", "v")
        self.assertEqual(self.config.get("n", "k"), "v")
        self.assertIsNone(self.config.get("n", "other"))
        self.assertIsNone(self.config.get("other", "k"))

    def test_every_change_is_saved_in_java_s_form(self) -> None:
        """Before it is answered; a deletion of nothing is no change."""
        self.config.put("n", "k", "v")
        self.assertEqual(self.documents.texts["kvConfig.json"], b'{"configTable":{"n":{"k":"v"}}}')
        self.config.delete("n", "k")
        self.config.delete("n", "k")
        self.config.delete("other", "k")
        self.assertEqual(self.documents.load("kvConfig.json"), {"configTable": {"n": {}}})
        self.assertEqual(len(self.documents.saves), 2)

    def test_values_survive_a_restart(self) -> None:
        """Another manager over the same documents."""
        self.config.put("n", "k", "ü")
        again = KVConfigManager(self.documents)
        again.load()
        self.assertEqual(again.namespace("n"), {"k": "ü"})

    def test_a_value_too_many_is_refused(self) -> None:
        """One that replaces another is not."""
        self.patch(kvconfig, "VALUES_MAX", 2)
        self.config.put("n", "a", "1")
        self.config.put("m", "b", "2")
        self.assertRaises(RequestError, self.config.put, "n", "c", "3")
        self.config.put("n", "a", "4")
        self.assertEqual(self.config.namespace("n"), {"a": "4"})

    def test_what_cannot_be_saved_is_not_answered_with(self) -> None:
        """Durable before visible."""
        self.config.put("n", "k", "v")

        def fail(name: str, document: object) -> None:
            raise OSError("disk full")

        self.documents.save = fail  # type: ignore[method-assign]
        self.assertRaises(OSError, self.config.put, "n", "k", "w")
        self.assertEqual(self.config.get("n", "k"), "v")

    def test_a_namespace_is_a_copy(self) -> None:
        """And None before its first value, empty after its last."""
        self.assertIsNone(self.config.namespace("n"))
        self.config.put("n", "k", "v")
        table = self.config.namespace("n") or {}
        table["x"] = "y"
        self.assertEqual(self.config.namespace("n"), {"k": "v"})
        self.config.delete("n", "k")
        self.assertEqual(self.config.namespace("n"), {})

    def test_the_generation_grows_with_every_change(self) -> None:
        """Readers keep what they made until then."""
        before = self.config.generation
        self.config.get("n", "k")
        self.config.delete("n", "k")
        self.assertEqual(self.config.generation, before)
        self.config.put("n", "k", "v")
        self.assertGreater(self.config.generation, before)

    def test_a_document_of_another_shape(self) -> None:
        """Is damage, not an empty table; one without a table, or with null, is empty."""
        for document in ({"configTable": {"n": ["k"]}}, {"configTable": {"n": {"k": 1}}}):
            self.documents.save("kvConfig.json", document)
            self.assertRaises(StoreDamaged, self.config.load)
        self.documents.save("kvConfig.json", {})
        self.config.load()
        self.assertIsNone(self.config.namespace("n"))
