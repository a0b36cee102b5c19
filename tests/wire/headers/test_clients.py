"""Headers of clients."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import clients
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names, as remoting.md lists them.
NAMES = {
    "UnregisterClientRequestHeader": ("clientID", "producerGroup consumerGroup"),
    "GetConsumerListByGroupRequestHeader": ("consumerGroup", ""),
    "NotifyConsumerIdsChangedRequestHeader": ("consumerGroup", ""),
    "GetConsumerConnectionListRequestHeader": ("consumerGroup", ""),
    "GetProducerConnectionListRequestHeader": ("producerGroup", ""),
    "GetConsumerRunningInfoRequestHeader": ("consumerGroup clientId", "jstackEnable"),
    "ConsumeMessageDirectlyResultRequestHeader": (
        "consumerGroup",
        "clientId msgId brokerName topic topicSysFlag groupSysFlag",
    ),
    "ResetOffsetRequestHeader": ("topic group timestamp", "isForce queueId offset"),
    "GetConsumerStatusRequestHeader": ("topic group", "clientAddr"),
    "QueryTopicsByConsumerRequestHeader": ("group", ""),
    "QuerySubscriptionByConsumerRequestHeader": ("group", "topic"),
}


class NamesTests(SynchronousTestCase):
    """Each class against the reference."""

    def test_names_and_requirements(self) -> None:
        """Spelling, and what must be sent."""
        found = {
            header.__name__: (" ".join(required_names(header)), " ".join(optional_names(header)))
            for header in header_classes(clients)
        }
        self.assertEqual(found, NAMES)
