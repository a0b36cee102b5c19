"""Documents in a real folder."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.client.localfile import LocalDocuments, offsets_folder
from pymq.errors import StoreDamaged
from pymq.interfaces import IDocuments

NAME = "offsets.json"


class LocalDocumentsTests(SynchronousTestCase):
    """Saving, loading, and what is left of a crash."""

    def setUp(self) -> None:
        """A folder that does not exist yet."""
        self.folder = Path(self.mktemp()) / "client" / "group"
        self.documents = LocalDocuments(self.folder)

    def test_round_trip(self) -> None:
        """Nothing, then the last one saved; the one before is kept."""
        self.assertIsNone(self.documents.load(NAME))
        for n in (1, 2):
            self.documents.save(NAME, {"n": n})
        self.assertEqual(self.documents.load(NAME), {"n": 2})
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), [NAME, f"{NAME}.bak"])

    def test_a_damaged_file_falls_back(self) -> None:
        """At every cut of it."""
        self.documents.save(NAME, {"n": 1})
        self.documents.save(NAME, {"n": 2})
        whole = (self.folder / NAME).read_bytes()
        for cut in range(len(whole)):
            (self.folder / NAME).write_bytes(whole[:cut])
            self.assertEqual(self.documents.load(NAME), {"n": 1}, cut)

    def test_a_missing_file_falls_back(self) -> None:
        """As between the two renames of a save."""
        self.documents.save(NAME, {"n": 1})
        self.documents.save(NAME, {"n": 2})
        (self.folder / NAME).unlink()
        self.assertEqual(self.documents.load(NAME), {"n": 1})

    def test_damage_of_both_is_told(self) -> None:
        """Offsets are not forgotten in silence."""
        self.folder.mkdir(parents=True)
        (self.folder / NAME).write_bytes(b"{")
        self.assertIn(NAME, str(self.assertRaises(StoreDamaged, self.documents.load, NAME)))

    def test_it_is_a_document_store(self) -> None:
        """As the interface says."""
        self.assertTrue(verifyObject(IDocuments, self.documents))

    def test_the_folder_is_java_s(self) -> None:
        """~/.rocketmq_offsets/client/group, or under another root."""
        self.assertEqual(offsets_folder("", "c@1", "g"), Path.home() / ".rocketmq_offsets" / "c@1" / "g")
        self.assertEqual(offsets_folder("/data", "c@1", "g"), Path("/data/c@1/g"))
