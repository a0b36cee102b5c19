"""Headers of topics."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import topics
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names, as remoting.md lists them.
NAMES = {
    "CreateTopicRequestHeader": (
        "topic readQueueNums writeQueueNums perm topicFilterType",
        "defaultTopic topicSysFlag order attributes force",
    ),
    "DeleteTopicRequestHeader": ("topic", "clusterName"),
    "GetTopicStatsInfoRequestHeader": ("topic", ""),
    "QueryTopicConsumeByWhoRequestHeader": ("topic", ""),
    "GetTopicsByClusterRequestHeader": ("cluster", ""),
    "GetTopicConfigRequestHeader": ("topic", ""),
}


class NamesTests(SynchronousTestCase):
    """Each class against the reference."""

    def test_names_and_requirements(self) -> None:
        """Spelling, and what must be sent."""
        found = {
            header.__name__: (" ".join(required_names(header)), " ".join(optional_names(header)))
            for header in header_classes(topics)
        }
        self.assertEqual(found, NAMES)
