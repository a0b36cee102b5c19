"""Headers of the name server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import routes
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names, as remoting.md lists them.
NAMES = {
    "RegisterBrokerRequestHeader": (
        "brokerName brokerAddr clusterName haServerAddr brokerId",
        "compressed bodyCrc32 heartbeatTimeoutMillis enableActingMaster",
    ),
    "RegisterBrokerResponseHeader": ("", "haServerAddr masterAddr"),
    "UnRegisterBrokerRequestHeader": ("brokerName brokerAddr clusterName brokerId", ""),
    "QueryDataVersionRequestHeader": ("brokerName brokerAddr clusterName brokerId", ""),
    "QueryDataVersionResponseHeader": ("changed", ""),
    "GetRouteInfoRequestHeader": ("topic", "acceptStandardJsonOnly"),
    "PutKVConfigRequestHeader": ("namespace key value", ""),
    "GetKVConfigRequestHeader": ("namespace key", ""),
    "GetKVConfigResponseHeader": ("", "value"),
    "DeleteKVConfigRequestHeader": ("namespace key", ""),
    "GetKVListByNamespaceRequestHeader": ("namespace", ""),
    "WipeWritePermOfBrokerRequestHeader": ("brokerName", ""),
    "WipeWritePermOfBrokerResponseHeader": ("wipeTopicCount", ""),
    "AddWritePermOfBrokerRequestHeader": ("brokerName", ""),
    "AddWritePermOfBrokerResponseHeader": ("addTopicCount", ""),
    "BrokerHeartbeatRequestHeader": (
        "clusterName brokerAddr brokerName",
        "brokerId epoch maxOffset confirmOffset heartbeatTimeoutMills electionPriority",
    ),
    "GetBrokerMemberGroupRequestHeader": ("clusterName brokerName", ""),
    "RegisterTopicRequestHeader": ("topic", ""),
}


class NamesTests(SynchronousTestCase):
    """Each class against the reference."""

    def test_names_and_requirements(self) -> None:
        """Spelling, and what must be sent."""
        found = {
            header.__name__: (" ".join(required_names(header)), " ".join(optional_names(header)))
            for header in header_classes(routes)
        }
        self.assertEqual(found, NAMES)
