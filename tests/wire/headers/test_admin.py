"""Headers of administration."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import admin
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names, as remoting.md lists them.
NAMES = {
    "GetBrokerConfigResponseHeader": ("version", ""),
    "GetConsumeStatsRequestHeader": ("consumerGroup", "topic topicList"),
    "GetConsumeStatsInBrokerHeader": ("", "isOrder"),
    "ViewBrokerStatsDataRequestHeader": ("statsName statsKey", ""),
    "DeleteSubscriptionGroupRequestHeader": ("groupName", "removeOffset cleanOffset"),
    "GetSubscriptionGroupConfigRequestHeader": ("group", ""),
    "QueryConsumeTimeSpanRequestHeader": ("topic group", ""),
    "QueryCorrectionOffsetHeader": ("compareGroup topic", "filterGroups"),
    "CloneGroupOffsetRequestHeader": ("srcGroup destGroup", "topic offline"),
    "QueryConsumeQueueRequestHeader": ("", "topic queueId index count consumerGroup"),
}


class NamesTests(SynchronousTestCase):
    """Each class against the reference."""

    def test_names_and_requirements(self) -> None:
        """Spelling, and what must be sent."""
        found = {
            header.__name__: (" ".join(required_names(header)), " ".join(optional_names(header)))
            for header in header_classes(admin)
        }
        self.assertEqual(found, NAMES)
