"""Tests of pymq.broker.offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import offsets as module
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.errors import StoreDamaged
from pymq.testing.documents import MemoryDocuments

NAMES = st.text("%|abcXYZ019_-", min_size=1, max_size=20)
OFFSETS = st.integers(0, 2**63 - 1)


class FailingOnceDocuments(MemoryDocuments):
    """Documents whose first save fails."""

    has_failed = False

    def save(self, name: str, document: object) -> None:
        """Fail the first time."""
        if not self.has_failed:
            self.has_failed = True
            raise OSError(5, "Input/output error")
        super().save(name, document)


class ConsumerOffsetManagerTests(SynchronousTestCase):
    """The table of consumer offsets."""

    def setUp(self) -> None:
        """An empty table."""
        self.documents = MemoryDocuments()
        self.offsets = ConsumerOffsetManager(self.documents)

    def test_unknown_offset_is_minus_one(self) -> None:
        """For an unknown group, topic or queue."""
        self.offsets.commit("g", "T", 0, 5)
        for group, topic, queue_id in (("x", "T", 0), ("g", "x", 0), ("g", "T", 1)):
            self.assertEqual(self.offsets.query(group, topic, queue_id), -1)

    def test_commit_is_remembered_lower_ones_too(self) -> None:
        """A reset moves an offset back."""
        self.offsets.commit("g", "T", 0, 5)
        self.assertTrue(self.offsets.commit("g", "T", 0, 3))
        self.assertEqual(self.offsets.query("g", "T", 0), 3)

    def test_zero_is_an_offset(self) -> None:
        """It differs from none."""
        self.offsets.commit("g", "T", 0, 0)
        self.assertEqual(self.offsets.query("g", "T", 0), 0)

    def test_negative_offset_is_counted_and_ignored(self) -> None:
        """ali-ons says -1 when it has none."""
        self.offsets.commit("g", "T", 0, 5)
        self.assertFalse(self.offsets.commit("g", "T", 0, -1))
        self.assertFalse(self.offsets.commit("g", "T", -1, 5))
        self.assertEqual((self.offsets.query_all("g", "T"), self.offsets.negative_count), ({0: 5}, 2))

    def test_query_all_gives_a_copy(self) -> None:
        """Whoever gets it may change it."""
        self.offsets.commit("g", "T", 0, 5)
        self.offsets.query_all("g", "T")[0] = 9
        self.assertEqual((self.offsets.query("g", "T", 0), self.offsets.query_all("g", "x")), (5, {}))

    def test_topics_and_groups_are_found_from_each_other(self) -> None:
        """By whole names: `g` is not `gg`."""
        for group, topic in (("g", "T1"), ("g", "T2"), ("gg", "T1")):
            self.offsets.commit(group, topic, 0, 1)
        self.assertEqual(self.offsets.topics_of("g"), {"T1", "T2"})
        self.assertEqual(self.offsets.groups_of("T1"), {"g", "gg"})

    def test_clone_copies_a_topic_to_another_group(self) -> None:
        """Later commits of the one do not move the other."""
        self.offsets.commit("g", "T", 0, 5)
        self.offsets.clone("g", "h", "T")
        self.offsets.clone("g", "h", "NoSuchTopic")
        self.offsets.commit("g", "T", 0, 6)
        self.assertEqual((self.offsets.query_all("h", "T"), self.offsets.topics_of("h")), ({0: 5}, {"T"}))

    def test_group_and_topic_can_be_removed(self) -> None:
        """And nothing else goes with them."""
        for group, topic in (("g", "T1"), ("g", "T2"), ("h", "T1"), ("h", "T2")):
            self.offsets.commit(group, topic, 0, 1)
        self.offsets.remove_group("g")
        self.offsets.remove_topic("T1")
        self.assertEqual(dict(self.offsets.table), {"T2@h": {0: 1}})

    def test_save_happens_when_something_changed_only(self) -> None:
        """A commit of the same offset changes nothing; a removal does."""
        self.offsets.save()
        self.offsets.commit("g", "T", 0, 5)
        self.offsets.save()
        self.offsets.commit("g", "T", 0, 5)
        self.offsets.save()
        self.assertEqual(len(self.documents.saves), 1)
        self.offsets.remove_group("g")
        self.offsets.save()
        self.assertEqual(len(self.documents.saves), 2)

    def test_failed_save_is_tried_again(self) -> None:
        """The change is not forgotten."""
        documents = FailingOnceDocuments()
        offsets = ConsumerOffsetManager(documents)
        offsets.commit("g", "T", 0, 5)
        self.assertRaises(OSError, offsets.save)
        offsets.save()
        self.assertEqual(documents.saves, ["consumerOffset.json"])

    def test_document_of_apache_is_read(self) -> None:
        """With bare queue ids, and what it should not hold left out."""
        self.documents.texts["consumerOffset.json"] = (
            b'{"dataVersion":{"counter":1},"offsetTable":{"T1@G":{0:120,1:98,2:-1},"%RETRY%G@G":{}}}'
        )
        self.offsets.load()
        self.assertEqual(dict(self.offsets.table), {"T1@G": {0: 120, 1: 98}, "%RETRY%G@G": {}})

    def test_load_replaces_the_table(self) -> None:
        """As with Apache; without a document it is empty."""
        self.offsets.commit("g", "T", 0, 5)
        self.offsets.load()
        self.assertEqual(dict(self.offsets.table), {})

    def test_load_refuses_a_document_of_another_shape(self) -> None:
        """Rather than to let every group start anew."""
        for text in (b"[]", b'{"offsetTable":[]}', b'{"offsetTable":{"T@g":5}}', b'{"offsetTable":{"T@g":{"x":5}}}'):
            self.documents.texts["consumerOffset.json"] = text
            self.assertRaises(StoreDamaged, self.offsets.load)

    @given(
        st.dictionaries(
            st.tuples(NAMES, NAMES), st.dictionaries(st.integers(0, 2**31 - 1), OFFSETS, min_size=1, max_size=4), max_size=8
        )
    )
    def test_what_is_saved_is_loaded(self, table: dict[tuple[str, str], dict[int, int]]) -> None:
        """Whatever the names and numbers."""
        documents = MemoryDocuments()
        offsets = ConsumerOffsetManager(documents)
        for (group, topic), queues in table.items():
            for queue_id, offset in queues.items():
                offsets.commit(group, topic, queue_id, offset)
        offsets.save()
        again = ConsumerOffsetManager(documents)
        again.load()
        for (group, topic), queues in table.items():
            self.assertEqual(again.query_all(group, topic), queues)

    def test_table_has_bounds(self) -> None:
        """What is above them is refused and counted; what is there can still move."""
        self.patch(module, "OFFSET_PAIRS_MAX", 1)
        self.patch(module, "QUEUES_PER_PAIR_MAX", 1)
        self.assertTrue(self.offsets.commit("g", "T", 0, 1))
        self.assertFalse(self.offsets.commit("g", "T", 1, 1))
        self.assertFalse(self.offsets.commit("h", "T", 0, 1))
        self.assertTrue(self.offsets.commit("g", "T", 0, 2))
        self.assertEqual((dict(self.offsets.table), self.offsets.refused_count), ({"T@g": {0: 2}}, 2))

    def test_name_that_no_topic_has_is_refused(self) -> None:
        """An `@` in it would make the key ambiguous."""
        self.assertFalse(self.offsets.commit("g", "T@x", 0, 1))
        self.assertEqual(dict(self.offsets.table), {})
