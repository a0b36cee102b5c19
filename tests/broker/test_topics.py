"""Tests of pymq.broker.topics."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import topics as module
from pymq.broker.topics import TopicConfigManager, built_in_topics
from pymq.errors import RequestError, StoreDamaged
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.topics import DataVersion, TopicConfig
from tests.broker.fixtures import NOW_MS, broker_config, started_clock


class BuiltInTopicsTests(SynchronousTestCase):
    """The topics that are there from the start."""

    def test_queues_and_permissions_are_those_of_apache(self) -> None:
        """Name, queues and perm of each, as the reference lists them (remoting.md 5.1)."""
        found = {
            topic.topic_name: (topic.read_queue_nums, topic.write_queue_nums, topic.perm)
            for topic in built_in_topics(broker_config())
        }
        self.assertEqual(
            found,
            {
                "TBW102": (8, 8, 7),
                "SELF_TEST_TOPIC": (1, 1, 6),
                "BenchmarkTest": (1024, 1024, 6),
                "DefaultCluster": (16, 16, 7),
                "broker-a": (1, 1, 7),
                "OFFSET_MOVED_EVENT": (1, 1, 6),
                "SCHEDULE_TOPIC_XXXX": (18, 18, 6),
                "DefaultCluster_REPLY_TOPIC": (1, 1, 6),
            },
        )

    def test_settings_decide_about_some(self) -> None:
        """Auto-creation, traces, and whether the topics named like cluster and broker can be used."""
        config = broker_config(
            auto_create_topic_enable=False, trace_topic_enable=True, cluster_topic_enable=False, broker_topic_enable=False
        )
        found = {topic.topic_name: topic.perm for topic in built_in_topics(config)}
        self.assertNotIn("TBW102", found)
        self.assertEqual((found["RMQ_SYS_TRACE_TOPIC"], found["DefaultCluster"], found["broker-a"]), (6, 1, 1))


class TopicConfigManagerTests(SynchronousTestCase):
    """The table of topics."""

    def setUp(self) -> None:
        """A manager with the defaults, and a list of what its listener is told."""
        self.clock = started_clock()
        self.documents = MemoryDocuments()
        self.topics = self.build()
        self.told: list[list[str]] = []
        self.topics.on_change(lambda changed: self.told.append([topic.topic_name for topic in changed]))

    def build(self, **changes: object) -> TopicConfigManager:
        """A manager over the same documents."""
        return TopicConfigManager(broker_config(**changes), self.documents, clock=self.clock)

    def test_send_makes_a_topic_after_the_default_one(self) -> None:
        """The client's number of queues, the pattern's perm without its inherit bit, the given flags."""
        made = self.topics.create_on_send("T1", "TBW102", 4, 1)
        self.assertEqual(made, TopicConfig("T1", 4, 4, 6, topic_sys_flag=1))
        self.assertIs(self.topics.get("T1"), made)
        self.assertEqual(self.told, [["T1"]])

    def test_send_makes_no_more_queues_than_the_default_topic_has(self) -> None:
        """A client's wish is bounded from both sides."""
        self.assertEqual(self.topics.create_on_send("T1", "TBW102", 100, 0).write_queue_nums, 8)
        self.assertEqual(self.topics.create_on_send("T2", "TBW102", -3, 0).write_queue_nums, 0)

    def test_send_to_a_known_topic_changes_nothing(self) -> None:
        """The existing configuration is given back and nothing is saved."""
        made = self.topics.create_on_send("T1", "TBW102", 4, 0)
        self.topics.save()
        self.assertIs(self.topics.create_on_send("T1", "TBW102", 8, 0), made)
        self.assertFalse(self.topics.has_changed)

    def test_send_needs_a_default_topic_that_may_be_inherited(self) -> None:
        """An unknown pattern, and one without the inherit bit, make nothing."""
        self.assertIsNone(self.topics.create_on_send("T1", "NoSuchTopic", 4, 0))
        self.assertIsNone(self.topics.create_on_send("T1", "BenchmarkTest", 4, 0))
        self.assertEqual(self.topics.create_on_send("T1", "DefaultCluster", 4, 0).perm, 6)

    def test_auto_creation_can_be_forbidden(self) -> None:
        """Also when a saved file still has TBW102 with its inherit bit."""
        self.topics.update(TopicConfig("T1"))
        self.topics.save()
        forbidding = self.build(auto_create_topic_enable=False)
        forbidding.load()
        self.assertIn("TBW102", forbidding.table)
        self.assertIsNone(forbidding.create_on_send("T2", "TBW102", 4, 0))

    def test_retry_topic_is_made_by_a_send_without_a_pattern(self) -> None:
        """One queue, read and write, whatever the client asked for."""
        forbidding = self.build(auto_create_topic_enable=False)
        self.assertEqual(
            forbidding.create_on_send("%RETRY%g", "TBW102", 4, 2), TopicConfig("%RETRY%g", 1, 1, 6, topic_sys_flag=2)
        )

    def test_send_back_makes_the_topic_once(self) -> None:
        """The second time the first one's configuration is given back."""
        made = self.topics.create_on_send_back("%DLQ%g", 1, 6, 0)
        self.assertIs(self.topics.create_on_send_back("%DLQ%g", 5, 2, 0), made)
        self.assertEqual(self.told, [["%DLQ%g"]])

    def test_every_change_makes_a_new_version(self) -> None:
        """The counter goes up, the time is the clock's."""
        self.assertEqual(self.topics.data_version, DataVersion(NOW_MS, 0))
        self.clock.advance(5)
        self.topics.update(TopicConfig("T1"))
        self.topics.delete("T1")
        self.assertEqual(self.topics.data_version, DataVersion(NOW_MS + 5000, 2))

    def test_delete_says_whether_the_topic_was_there(self) -> None:
        """An unknown topic is no change."""
        self.topics.update(TopicConfig("T1"))
        self.assertTrue(self.topics.delete("T1"))
        self.assertFalse(self.topics.delete("T1"))
        self.assertEqual((self.topics.get("T1"), self.topics.data_version.counter, self.told), (None, 2, [["T1"]]))

    def test_saved_topics_lie_over_the_built_in_ones(self) -> None:
        """A new manager has both, and goes on from the saved version."""
        self.topics.update(TopicConfig("T1", 3, 5, 4, "MULTI_TAG", 1, True, {"k": "v"}))
        self.topics.update(TopicConfig("TBW102", 2, 2, 7))
        self.topics.save()
        again = self.build()
        again.load()
        self.assertEqual(again.table, self.topics.table)
        self.assertEqual((again.get("TBW102").write_queue_nums, again.data_version), (2, self.topics.data_version))

    def test_document_has_the_shape_of_apache(self) -> None:
        """Members as in store.md 1.5, and no `attributes` where none were given."""
        self.topics.update(TopicConfig("T1", 8, 8))
        self.topics.save()
        document = self.documents.load("topics.json")
        self.assertEqual(document["dataVersion"], {"counter": 1, "timestamp": NOW_MS})
        self.assertEqual(
            document["topicConfigTable"]["T1"],
            {
                "order": False, "perm": 6, "readQueueNums": 8, "topicFilterType": "SINGLE_TAG",
                "topicName": "T1", "topicSysFlag": 0, "writeQueueNums": 8,
            },
        )  # fmt: skip

    def test_another_version_of_the_same_topics(self) -> None:
        """Is to be saved as any other, and told to nobody: no topic changed."""
        before, table = self.topics.data_version, dict(self.topics.table)
        self.topics.renew_version()
        self.assertEqual((self.topics.data_version.counter, self.topics.table), (before.counter + 1, table))
        self.assertEqual((self.told, self.topics.has_changed), ([], True))

    def test_load_without_a_document_keeps_the_built_in_topics(self) -> None:
        """A fresh broker."""
        self.topics.load()
        self.assertEqual(len(self.topics.table), 8)

    def test_load_refuses_a_document_of_another_shape(self) -> None:
        """Rather than to start without topics."""
        self.documents.save("topics.json", {"topicConfigTable": {"T1": 7}})
        self.assertRaises(StoreDamaged, self.topics.load)

    def test_several_topics_are_taken_together_or_not_at_all(self) -> None:
        """One bad topic keeps the good one out; good ones are one change."""
        self.assertRaises(RequestError, self.topics.update_all, [TopicConfig("T1"), TopicConfig("no/such")])
        self.assertIsNone(self.topics.get("T1"))
        self.topics.update_all([TopicConfig("T1"), TopicConfig("T2")])
        self.assertEqual((self.told, self.topics.data_version.counter), ([["T1", "T2"]], 1))

    def test_names_that_would_leave_the_store_are_refused(self) -> None:
        """A topic's name becomes that of a folder, by whichever way it comes."""
        for name in ("../T", "a/b", "", "a.b", "x" * 256, "a@b"):
            self.assertRaises(RequestError, self.topics.create_on_send, name, "TBW102", 4, 0)
            self.assertRaises(RequestError, self.topics.create_on_send_back, name, 1, 6, 0)
            self.assertRaises(RequestError, self.topics.update, TopicConfig(name))

    def test_queue_counts_have_a_bound(self) -> None:
        """Each queue costs memory and a folder."""
        self.assertRaises(RequestError, self.topics.update, TopicConfig("T1", 8, module.QUEUES_PER_TOPIC_MAX + 1))
        self.assertRaises(RequestError, self.topics.update, TopicConfig("T1", -1, 8))

    def test_topics_have_a_bound(self) -> None:
        """The one above it is refused with a remark; those that exist can still be changed."""
        self.patch(module, "TOPICS_MAX", len(self.topics.table))
        error = self.assertRaises(RequestError, self.topics.create_on_send, "T1", "TBW102", 4, 0)
        self.assertIn("the most is 8", error.remark)
        self.topics.update(TopicConfig("TBW102", 4, 4, 7))
