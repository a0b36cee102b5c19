"""Names."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.message import topics


class NameRuleTests(SynchronousTestCase):
    """What brokers and clients refuse (remoting.md 5.3)."""

    def test_good_topics(self) -> None:
        """Percent and bar are allowed, and 127 characters."""
        for name in ("T", "%RETRY%a|b-c_D9", "x" * 127):
            topics.check_topic(name)

    def test_bad_topics(self) -> None:
        """Blank, other characters, too long."""
        for name in (None, "", "  ", "a.b", "a b", "\u4e2d", "a\n", "x" * 128):
            self.assertRaises(ValueError, topics.check_topic, name)

    def test_groups(self) -> None:
        """Follow the same rule, up to 255 characters."""
        topics.check_group("g" * 255)
        for name in (None, " ", "g" * 256, "a/b"):
            self.assertRaises(ValueError, topics.check_group, name)


class SystemNameTests(SynchronousTestCase):
    """Names with a meaning."""

    def test_system_topics(self) -> None:
        """The fixed ones and those with the system's prefix."""
        names = ("TBW102", "rmq_sys_anything", "SCHEDULE_TOPIC_XXXX", "T", "%RETRY%g")
        self.assertEqual([topics.is_system_topic(name) for name in names], [True, True, True, False, False])

    def test_topics_closed_to_clients(self) -> None:
        """TBW102, the benchmark's and the trace topic are open."""
        self.assertEqual(len(topics.NOT_ALLOWED_SEND), 6)
        self.assertNotIn("TBW102", topics.NOT_ALLOWED_SEND)

    def test_queues_that_stay(self) -> None:
        """Those of the system's own work, and light queues; a group's retries may go."""
        stay = {"SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "%LMQ%x"}
        self.assertEqual({topic for topic in (*stay, "T", "%RETRY%group", "TBW102") if topics.keeps_queues(topic)}, stay)

    def test_topics_of_a_group(self) -> None:
        """Retry, dead letters."""
        self.assertEqual((topics.retry_topic("g"), topics.dlq_topic("g")), ("%RETRY%g", "%DLQ%g"))
        self.assertTrue(topics.is_retry_topic("%RETRY%g") and topics.is_dlq_topic("%DLQ%g"))

    def test_retry_topics_of_popped_messages(self) -> None:
        """Both kinds, and the way back for a group that is known; another group's stay."""
        self.assertEqual((topics.pop_retry_topic("t", "g"), topics.pop_retry_topic_v2("t", "g")), ("%RETRY%g_t", "%RETRY%g+t"))
        names = ("%RETRY%g_t", "%RETRY%g+t", "%RETRY%g", "%RETRY%other_t", "t")
        self.assertEqual([topics.popped_topic(name, "g") for name in names], ["t", "t", *names[2:]])

    def test_system_groups(self) -> None:
        """Begin with the system's prefix."""
        self.assertTrue(topics.is_system_group("CID_RMQ_SYS_TRANS"))
        self.assertFalse(topics.is_system_group("TOOLS_CONSUMER"))

    def test_reply_topic(self) -> None:
        """Is named for the cluster."""
        self.assertEqual(topics.reply_topic("DefaultCluster"), "DefaultCluster_REPLY_TOPIC")
